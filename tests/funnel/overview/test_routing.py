"""The page of who gets a lead: rules as sentences, teams, turns, and last month tried again."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff, RoutingRule
from funnel.handoff.routing_rules import put_rule, put_team
from funnel.leads.fields import define
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.workspaces.models import Member, Team, TeamMember
from marketing.campaigns.actions import change_campaign, start_campaign
from marketing.campaigns.models import Campaign

EMPTY = {f"{part}-{place}": "" for place in range(4) for part in ("field", "is", "value")}


@pytest.fixture
def region(owner, gate):
    with gate(owner) as at:
        define("Region", "text", by=owner, at=at, name="region")


@pytest.fixture
def said(region, rep):
    return EMPTY | {
        "name": "Scotland", "field-0": "fields.region", "is-0": "one_of", "value-0": "Scotland\r\nOrkney",
        "target": f"member-{rep.pk}",
    }  # fmt: skip


def test_a_rule_is_added_read_as_a_sentence_changed_moved_and_removed(said, owner, rep, viewer, browse, gate):
    page = browse(owner)
    assert page.post(reverse("routing-add"), said).status_code == 302
    radio = EMPTY | {"name": "Radio", "field-0": "channel", "is-0": "one_of", "value-0": "radio"}
    assert page.post(reverse("routing-add"), radio | {"target": f"member-{rep.pk}"}).status_code == 302
    read = browse(viewer).get(reverse("routing")).content.decode()
    assert "Region is Scotland or Orkney, so it goes to" in read
    assert "The channel is Radio, so it goes to" in read
    assert "Add a rule" not in read
    with gate(owner):
        first, second = RoutingRule.objects.all()
        assert second.conditions == [{"field": "channel", "is": "one_of", "value": ["radio"]}], "kept by its key"
    assert ">\nScotland\nOrkney</textarea>" in page.get(reverse("routing-edit", args=[first.pk])).content.decode()
    changed = page.post(reverse("routing-edit", args=[first.pk]), said | {"is-0": "contains", "value-0": "land"})
    assert changed.status_code == 302
    page.post(reverse("routing-move", args=[first.pk]), {"to": "down"})
    with gate(owner):
        assert list(RoutingRule.objects.values_list("name", flat=True)) == ["Radio", "Scotland"]
        assert RoutingRule.objects.get(pk=first.pk).conditions[0]["is"] == "contains"
    assert "Remove “<bdi>Scotland</bdi>”?" in page.get(reverse("routing")).content.decode()
    page.post(reverse("routing-remove", args=[first.pk]))
    with gate(owner):
        assert list(RoutingRule.objects.values_list("name", flat=True)) == ["Radio"]


def test_where_a_team_had_more_than_the_others_the_page_says_why(region, owner, rep, other_rep, gate, browse, work):
    """What only some can get is shared among those, so the turns of the week may lie further apart than a lead."""
    with gate(owner) as at:
        team = put_team(None, name="North", members=[rep], by=owner, at=at)
        asked = [{"field": "fields.region", "is": "one_of", "value": ["North"]}]
        put_rule(None, name="North", conditions=asked, to=None, team=team, by=owner, at=at)
        regions = [*["North"] * 3, "South", "South"]
        people = [
            Capture(kind="form", email=f"a{number}@b{number}.example", asks=True, fields={"region": one})
            for number, one in enumerate(regions)
        ]
        receive(owner.workspace, people, at=at)
    work()
    answer = browse(owner).get(reverse("routing"))
    assert {one.name: one.week_turns for one in answer.context["in_turn"]} == {"Rita Rep": 4, "Otto Rep": 1}
    assert "Those that only some can get," in answer.content.decode()


@pytest.mark.parametrize("how", ["one_of", "contains"])
def test_a_comma_is_part_of_a_value_and_read_back_as_it_was_written(how, said, owner, browse, gate):
    with gate(owner) as at:
        define("Bill", "choice", choices=["Under £400", "£400 to £1,000", "More"], by=owner, at=at)
    page = browse(owner)
    asked = {"field-0": "fields.bill", "is-0": how, "value-0": "£400 to £1,000\r\nMore"}
    assert page.post(reverse("routing-add"), said | asked).status_code == 302
    with gate(owner):
        rule = RoutingRule.objects.get()
        assert rule.conditions[0]["value"] == ["£400 to £1,000", "More"]
    assert "£400 to £1,000 or More, so it goes to" in page.get(reverse("routing")).content.decode()
    address = reverse("routing-edit", args=[rule.pk])
    assert ">\n£400 to £1,000\nMore</textarea>" in page.get(address).content.decode()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": " "}, "Give the rule a name"),
        ({"field-0": ""}, "Without a condition everybody would go there."),
        ({"value-0": " \n "}, "Say what Region is compared with."),
        ({"target": ""}, "Choose to whom they go."),
        ({"field-1": "fields.region", "is-1": "blank"}, "unknown and something else at once"),
        ({"target": "member-0195e2a0-0000-7000-8000-000000000000"}, "Nobody of this name takes leads here."),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_at_its_field(wrong, sentence, said, owner, browse, gate):
    answer = browse(owner).post(reverse("routing-add"), said | wrong)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    with gate(owner):
        assert not RoutingRule.objects.exists()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("channel", "Radar"), "There is no channel “Radar”."),
        (("campaign", "Sprong"), "There is no campaign “Sprong”."),
    ],
)
def test_a_channel_or_campaign_that_there_is_none_of_is_refused_by_its_name(typed, sentence, said, owner, browse, gate):
    answer = browse(owner).post(reverse("routing-add"), said | {"field-0": typed[0], "value-0": typed[1]})
    assert (answer.status_code, sentence in answer.content.decode()) == (422, True)
    with gate(owner):
        assert not RoutingRule.objects.exists()


def test_a_mistake_stands_at_its_condition_and_a_channel_is_read_back_by_its_name(said, owner, rep, browse, gate):
    page, asked = browse(owner), {"field-1": "", "field-2": "fit", "is-2": "at_least", "value-2": "E"}
    answer = page.post(reverse("routing-add"), said | asked)
    assert answer.context["form"].errors == {"field-2": ["The fit is never “E”: it is A, B, C, D."]}
    paid = {"field-0": "channel", "is-0": "one_of", "value-0": "Paid search"}
    assert page.post(reverse("routing-add"), said | paid).status_code == 302
    with gate(owner):
        rule = RoutingRule.objects.get()
    assert rule.conditions[0]["value"] == ["paid_search"]
    form = page.get(reverse("routing-edit", args=[rule.pk])).content.decode()
    assert ">\nPaid search</textarea>" in form
    assert '<option value="fit" data-asked="one_of not_one_of at_least at_most filled blank" data-choices="A\nB' in form
    assert '<option value="channel" selected data-asked="one_of not_one_of filled blank" data-choices="Organic' in form


def test_a_campaign_is_offered_as_its_name_is_written(owner, browse, gate):
    with gate(owner) as at:
        start_campaign(Campaign(workspace=owner.workspace, name="Spring Sale 2026"), by=owner, at=at)
    for address in (reverse("routing-add"), reverse("rule-add") + "?of=engagement", reverse("lead-add")):
        page = browse(owner).get(address).content.decode()
        assert "Spring Sale 2026" in page, address
        assert "spring sale 2026" not in page, address


def test_a_renamed_campaign_is_named_by_either_name_and_kept_as_its_sources_say_it(said, owner, browse, gate):
    with gate(owner) as at:
        one = start_campaign(Campaign(workspace=owner.workspace, name="Spring sale"), by=owner, at=at)
        change_campaign(one, {"name": "Big May", "goal": "", "offer": ""}, [], by=owner, at=at)
    for name in ("big may", "Spring-Sale"):
        asked = {"name": name, "field-0": "campaign", "value-0": name}
        assert browse(owner).post(reverse("routing-add"), said | asked).status_code == 302
        with gate(owner):
            assert RoutingRule.objects.get().conditions[0]["value"] == ["spring sale"]
            RoutingRule.objects.all().delete()


def test_a_rule_behind_a_wider_one_says_that_it_never_decides(said, owner, rep, browse, gate):
    page = browse(owner)
    page.post(reverse("routing-add"), said)
    saved = page.post(reverse("routing-add"), said | {"name": "Orkney", "value-0": "Orkney"}, follow=True)
    assert "“Orkney” decides from the next lead on" not in saved.content.decode()
    warned = "“Scotland” comes first and takes all of these, so this rule decides only while Rita Rep can’t take them."
    assert page.get(reverse("routing")).content.decode().count(warned) == 1
    with gate(owner):
        last = RoutingRule.objects.last()
    page.post(reverse("routing-move", args=[last.pk]), {"to": "up"})
    assert warned not in page.get(reverse("routing")).content.decode()


def test_a_rule_of_somebody_who_left_is_shown_as_passed_over_and_can_be_changed(said, owner, rep, browse, gate):
    page = browse(owner)
    page.post(reverse("routing-add"), said)
    with gate(owner):
        Member.objects.filter(pk=rep.pk).update(active=False)
        rule = RoutingRule.objects.get()
    assert "Rita Rep doesn’t work here any more, so this rule is passed over." in page.get(
        reverse("routing")
    ).content.decode().replace("&#x27;", "'")
    assert "who takes no leads" in page.get(reverse("routing-edit", args=[rule.pk])).content.decode()
    answer = page.post(reverse("routing-edit", args=[rule.pk]), said)
    assert "Rita Rep doesn’t work here any more. Choose somebody else." in answer.content.decode()


def test_a_rule_can_be_tried_on_last_month_before_it_is_saved(said, owner, rep, other_rep, browse, gate, work):
    with gate(owner) as at:
        captures = [Capture(email=f"a{n}@m.example", asks=True, fields={"region": "Orkney"}) for n in range(4)]
        receive(owner.workspace, captures, at=at)
    work()
    answer = browse(owner).post(reverse("routing-add"), said | {"do": "try"})
    assert answer.status_code == 200
    assert "Of 4 handoffs of the last 30 days 2 would have gone to somebody else." in answer.content.decode()
    assert 'formaction="#trial"' in answer.content.decode(), "what came of it is below a long form"
    with gate(owner):
        assert not RoutingRule.objects.exists()
        assert Handoff.objects.count() == 4


@pytest.mark.parametrize(("many", "says"), [(1, "The one handoff"), (4, "All 4 handoffs")])
def test_last_month_that_would_have_gone_as_it_went_says_so(owner, rep, browse, gate, work, many, says):
    with gate(owner) as at:
        receive(owner.workspace, [Capture(email=f"a{n}@m{n}.example", asks=True) for n in range(many)], at=at)
    work()
    shown = browse(owner).get(reverse("routing-try")).content.decode()
    went = "it went" if many == 1 else "they went"
    assert f"{says} of the last 30 days would have gone where {went}." in shown


def test_last_month_opens_by_member_and_lead_by_lead(said, owner, rep, other_rep, viewer, browse, gate, work):
    with gate(owner) as at:
        captures = [Capture(email=f"a{n}@m.example", asks=True, fields={"region": "Orkney"}) for n in range(4)]
        receive(owner.workspace, captures, at=at)
    work()
    browse(owner).post(reverse("routing-add"), said)
    page = browse(viewer)
    every = page.get(reverse("routing-try")).content.decode()
    assert "Of 4 handoffs of the last 30 days 2 would have gone to somebody else." in every
    assert every.count("Rule “Scotland”: Region is Scotland or Orkney, so it goes to Rita Rep.") == 4
    other = page.get(reverse("routing-try"), {"is": "other"}).content.decode()
    assert other.count("so it goes to Rita Rep.") == 2
    theirs = page.get(reverse("routing-try"), {"who": str(other_rep.pk)}).content.decode()
    assert theirs.count("so it goes to Rita Rep.") == 2
    assert "Otto Rep 2" in theirs


def test_who_came_back_counts_with_each_handoff_and_the_words_say_so(owner, rep, browse, gate, work):
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email="a@m.example", asks=True)], at=at)
    work()
    with gate(owner) as at:
        reason = GiveBackReason.objects.get(key="no-answer")
        handoff.give_back(got.lead, reason=reason, by=rep, at=at)
        receive(owner.workspace, [Capture(email="a@m.example", asks=True)], at=at)
    work()
    shown = browse(owner).get(reverse("routing-try")).content.decode()
    assert "All 2 handoffs of the last 30 days would have gone where they went." in shown
    assert "Each handoff of the last 30 days is given again" in shown
    assert "who was handed over twice counts twice" in shown


def test_teams_are_made_changed_and_taken_away(owner, rep, other_rep, browse, gate):
    page = browse(owner)
    answer = page.post(reverse("team-add"), {"name": "North"})
    assert (answer.status_code, "Choose who is in the team." in answer.content.decode()) == (422, True)
    assert page.post(reverse("team-add"), {"name": "\x00", "member": str(rep.pk)}).status_code == 422
    long = page.post(reverse("team-add"), {"name": "North" * 13, "member": str(rep.pk)}).content.decode()
    assert "Write at most 60 characters; this has 65." in long
    assert f'value="{"North" * 13}"' in long
    assert f'value="{rep.pk}" id="team-new-{rep.pk}" checked' in long
    page.post(reverse("team-add"), {"name": "North", "member": [str(rep.pk), "nonsense"]})
    assert "Rita Rep" in page.get(reverse("routing")).content.decode()
    with gate(owner):
        team = Team.objects.get()
    assert page.post(reverse("team-add"), {"name": "north", "member": str(rep.pk)}).status_code == 422
    page.post(reverse("team-change", args=[team.pk]), {"name": "Far north", "member": str(other_rep.pk)})
    with gate(owner):
        assert [one.member for one in TeamMember.objects.select_related("member")] == [other_rep]
        Member.objects.filter(pk=other_rep.pk).update(takes_leads=False)
    shown = page.get(reverse("routing")).content.decode()
    assert f"{other_rep.name} (takes no leads)" in shown
    assert "Remove the team <bdi>Far north</bdi>?" in shown
    page.post(reverse("team-remove", args=[team.pk]))
    with gate(owner):
        assert not Team.objects.exists()


def test_ten_rules_and_teams_cost_no_more_queries_than_one(owner, rep, browse, gate, region):
    page = browse(owner)

    def more(first, last):
        with gate(owner) as at:
            for number in range(first, last):
                team = put_team(None, name=f"Team {number}", members=[rep], by=owner, at=at)
                asked = [{"field": "fields.region", "is": "one_of", "value": [f"r{number}"]}]
                put_rule(None, name=f"Rule {number}", conditions=asked, to=None, team=team, by=owner, at=at)

    def queries(address):
        page.get(address)
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert page.get(address).status_code == 200
        return len(seen)

    more(0, 1)
    once = [queries(reverse(name)) for name in ("routing", "routing-try")]
    more(1, 10)
    assert [queries(reverse(name)) for name in ("routing", "routing-try")] == once
