"""Rules say to whom a lead goes; whoever knows somebody goes before them, turns come after."""

from datetime import timedelta

import pytest

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.conditions import all_hold, covers, in_words, labels
from funnel.handoff.models import GiveBackReason, Handoff, RoutingRule
from funnel.handoff.routing import Rules
from funnel.handoff.routing_rules import InUse, NotForYou, move_rule, put_rule, put_team, remove_rule, remove_team
from funnel.handoff.trial import try_again
from funnel.leads.fields import define
from funnel.leads.identity import Capture, Refused
from funnel.leads.models import Company, Lead, Source
from funnel.leads.receiving import receive
from funnel.people.away import take_off
from funnel.workspaces.models import AuditEntry, Member, Team
from tests.conftest import make_member

SCOTLAND = [{"field": "fields.region", "is": "one_of", "value": ["Scotland", "Orkney"]}]
RADIO = [{"field": "channel", "is": "one_of", "value": ["radio"]}]


@pytest.fixture
def region(owner, gate):
    with gate(owner) as at:
        define("Region", "text", by=owner, at=at, name="region")
        define("Size", "number", by=owner, at=at, name="size")
        define("Tongue", "choice", choices=["English", "Welsh"], by=owner, at=at, name="tongue")


@pytest.fixture
def rule(owner, gate, region):
    """Make a rule."""

    def made(name="Scotland", conditions=SCOTLAND, *, to=None, team=None, by=owner):
        with gate(owner) as at:
            return put_rule(None, name=name, conditions=conditions, to=to, team=team, by=by, at=at)

    return made


@pytest.fixture
def sent(owner, gate, work):
    """Receive somebody who asks for contact; give their handoff."""

    def come(email="a@one.example", **known):
        with gate(owner) as at:
            (got,) = receive(owner.workspace, [Capture(kind="form", email=email, asks=True, **known)], at=at)
        work()
        with gate(owner):
            return Handoff.objects.open().select_related("offered_to__user").get(lead=got.lead)

    return come


def says(one):
    return {row["name"]: row["says"] for row in one.route["rows"]}


def test_a_rule_sends_a_lead_to_a_member_and_says_so_and_is_no_turn(rule, sent, rep, other_rep, gate):
    rule(to=other_rep)
    for number in range(3):
        one = sent(f"a{number}@mail.example", fields={"region": "scotland"})
        assert one.offered_to == other_rep
    assert one.route["says"] == "Rule “Scotland”: Region is Scotland or Orkney, so it goes to Otto Rep."
    assert says(one)["Rita Rep"] == "The rule “Scotland” goes before turns."
    assert {sent("b@mail.example").offered_to, sent("c@mail.example").offered_to} == {rep, other_rep}
    with gate(rep):
        assert [Member.objects.get(pk=one.pk).week_turns for one in (rep, other_rep)] == [1, 1]


def test_the_first_rule_that_holds_decides_and_the_order_can_be_changed(rule, sent, rep, other_rep, owner, gate):
    rule(to=other_rep)
    radio = rule("Radio", RADIO, to=rep)
    assert sent("a@m.example", channel="radio", fields={"region": "Orkney"}).offered_to == other_rep
    with gate(owner) as at:
        move_rule(radio, up=True, by=owner, at=at)
        assert list(RoutingRule.objects.values_list("name", flat=True)) == ["Radio", "Scotland"]
        move_rule(radio, up=True, by=owner, at=at)
    assert sent("b@m.example", channel="radio", fields={"region": "Orkney"}).offered_to == rep


def test_whoever_knows_somebody_goes_before_every_rule(rule, sent, rep, other_rep, gate):
    rule(to=other_rep)
    first = sent("a@bell.example")
    with gate(rep) as at:
        Handoff.objects.filter(pk=first.pk).update(offered_to=rep)
        handoff.accept(Lead.objects.get(), by=rep, at=at)
    one = sent("b@bell.example", fields={"region": "Scotland"})
    assert one.offered_to == rep
    assert says(one)["Otto Rep"] == "Rita Rep has this company, which goes before rules and turns."


def test_a_rule_whose_member_is_away_is_passed_over_and_the_route_says_it(rule, sent, rep, other_rep, owner, gate):
    rule(to=other_rep)
    with gate(owner) as at:
        today = owner.workspace.local(at).date()
        take_off(other_rep, today, today + timedelta(days=9), by=owner, at=at)
    one = sent(fields={"region": "Scotland"})
    assert one.offered_to == rep
    assert one.route["says"].startswith("Rule “Scotland”: Region is Scotland or Orkney, but Otto Rep is away, up to")
    assert one.route["says"].endswith("It is Rita Rep’s turn: 0 of 10 this week.")


def test_within_a_team_leads_go_by_turn_and_the_others_are_not_in_it(rule, sent, rep, other_rep, owner, gate):
    third = make_member(owner.workspace, "rep", "Theo Third", takes_leads=True)
    with gate(owner) as at:
        team = put_team(None, name="North", members=[other_rep, third], by=owner, at=at)
    rule(team=team)
    got = [sent(f"a{number}@m.example", fields={"region": "Scotland"}) for number in range(4)]
    assert sorted(one.offered_to.name for one in got) == ["Otto Rep", "Otto Rep", "Theo Third", "Theo Third"]
    assert (
        got[0]
        .route["says"]
        .startswith("Rule “Scotland”: Region is Scotland or Orkney, so it goes to the team North. There it is ")
    )
    assert says(got[0])["Rita Rep"] == "Is not in the team North."


def lead(**known):
    source = Source(channel=known.pop("channel", "unknown"), campaign=known.pop("campaign", ""))
    return Lead(source=source, **known)


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ({"field": "channel", "is": "one_of", "value": ["radio", "tv"]}, lead(channel="Radio"), lead(channel="email")),
        ({"field": "channel", "is": "blank"}, lead(), lead(channel="radio")),
        ({"field": "campaign", "is": "contains", "value": ["spring"]}, lead(campaign="Big Spring"), lead()),
        ({"field": "campaign", "is": "one_of", "value": ["Big Spring"]}, lead(campaign="big-spring"), lead()),
        (
            {"field": "channel", "is": "one_of", "value": ["paid_search"]},
            lead(channel="Paid search"),
            lead(channel="Paid social"),
        ),
        ({"field": "fields.size", "is": "at_least", "value": ["50"]}, lead(fields={"size": "50.0"}), lead()),
        (
            {"field": "fields.size", "is": "at_most", "value": ["9"]},
            lead(fields={"size": "8"}),
            lead(fields={"size": "10"}),
        ),
        (
            {"field": "fields.day", "is": "at_least", "value": ["2026-11-17"]},
            lead(fields={"day": "2026-11-18"}),
            lead(fields={"day": "2026-11-16"}),
        ),
        (
            {"field": "fields.vip", "is": "one_of", "value": ["yes"]},
            lead(fields={"vip": True}),
            lead(fields={"vip": False}),
        ),
        ({"field": "phone", "is": "filled"}, lead(phone="+44"), lead()),
        (
            {"field": "company_name", "is": "not_one_of", "value": ["Bell"]},
            lead(company_name="Ball"),
            lead(company_name="BELL"),
        ),
    ],
)
def test_a_condition_holds_or_not(condition, holds, fails):
    assert all_hold([condition], holds, "A")
    assert not all_hold([condition], fails, "A")


def test_a_condition_on_the_fit_reads_the_band_in_force(rule, sent, rep, other_rep):
    rule("Best", [{"field": "fit", "is": "one_of", "value": ["D"]}], to=other_rep)
    assert sent("x@gmail.com").route["says"] == "Rule “Best”: The fit is D, so it goes to Otto Rep."


@pytest.mark.parametrize(("band", "goes"), [("A", True), ("B", True), ("C", False), ("", False)])
def test_at_least_b_is_b_or_better_and_the_rule_says_so(band, goes):
    best = [{"field": "fit", "is": "at_least", "value": ["B"]}]
    assert all_hold(best, lead(), band) is goes
    assert all_hold([{**best[0], "is": "at_most"}], lead(), band) is (band in ("B", "C"))
    assert in_words(best, labels([]), {}) == "the fit is B or better"


@pytest.mark.parametrize(
    ("first", "second", "takes"),
    [
        (("channel", "filled"), ("channel", "one_of", "radio"), True),
        (("channel", "one_of", "radio", "tv"), ("channel", "one_of", "radio"), True),
        (("channel", "one_of", "radio"), ("channel", "one_of", "radio", "tv"), False),
        (("channel", "one_of", "radio"), ("campaign", "one_of", "radio"), False),
        (("name", "contains", "an"), ("name", "contains", "anna"), True),
        (("name", "contains", "anna"), ("name", "contains", "an"), False),
        (("name", "not_one_of", "Ann"), ("name", "blank"), True),
        (("name", "not_one_of", "Ann"), ("name", "not_one_of", "ann", "Bob"), True),
        (("name", "not_one_of", "Ann", "Bob"), ("name", "not_one_of", "Ann"), False),
        (("fit", "at_least", "B"), ("fit", "at_least", "A"), True),
        (("fit", "at_least", "A"), ("fit", "at_least", "B"), False),
        (("fit", "at_least", "C"), ("fit", "one_of", "A", "B"), True),
        (("name", "filled"), ("name", "not_one_of", "Ann"), False),
    ],
)
def test_a_rule_knows_whether_an_earlier_one_takes_all_that_it_asks_for(first, second, takes):
    asked, known = ({"field": one[0], "is": one[1], "value": [*one[2:]]} for one in (first, second))
    for one in (asked, known):
        if not one["value"]:
            del one["value"]
    more = {"field": "email", "is": "filled"}
    assert covers([asked], [more, known]) is takes
    assert not covers([asked, more], [known]), "the earlier rule asks for more"


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ([], "Without a condition everybody would go there"),
        ([{"field": "fields.gone", "is": "filled"}], "There is no field “gone” any more."),
        ([{"field": "name", "is": "one_of", "value": []}], "Say what the name is compared with."),
        ([{"field": "fields.size", "is": "at_least", "value": ["many"]}], "Size: Write a number, like 25 or 3.5."),
        ([{"field": "name", "is": "at_least", "value": ["5"]}], "is no number and no day"),
        ([{"field": "fields.size", "is": "one_of", "value": ["9", "many"]}], "Size: Write a number, like 25 or 3.5."),
        ([{"field": "fields.size", "is": "at_least", "value": ["5", "6"]}], "Size takes a single value"),
        ([{"field": "fields.size", "is": "contains", "value": ["5"]}], "Size contains no words; choose what it is."),
        ([{"field": "channel", "is": "contains", "value": ["ra"]}], "The channel contains no words"),
        ([{"field": "fit", "is": "one_of", "value": ["E"]}], "The fit is never “E”: it is A, B, C, D."),
        ([{"field": "fit", "is": "at_least", "value": ["50"]}], "The fit is never “50”: it is A, B, C, D."),
        (
            [{"field": "fit", "is": "at_least", "value": ["B"]}, {"field": "fit", "is": "at_most", "value": ["C"]}],
            "The fit can’t be at least B and at most C at once",
        ),
        (
            [{"field": "channel", "is": "one_of", "value": ["radio", "radar"]}],
            "There is no channel “radar”. There are ",
        ),
        ([{"field": "campaign", "is": "not_one_of", "value": ["Sprong"]}], "There is no campaign “Sprong”."),
        (
            [{"field": "fields.tongue", "is": "one_of", "value": ["Latin"]}],
            "Tongue: “Latin” is none of its choices: English, Welsh.",
        ),
        ([*SCOTLAND, {"field": "fields.region", "is": "blank"}], "Region can’t be unknown and something else at once"),
        (
            [*SCOTLAND, {"field": "fields.region", "is": "one_of", "value": ["Wales"]}],
            "Region can’t be all of this at once",
        ),
        (
            [*SCOTLAND, {"field": "fields.region", "is": "not_one_of", "value": ["orkney", "scotland"]}],
            "can’t be all of this",
        ),
        (
            [
                {"field": "fields.size", "is": "at_least", "value": ["9"]},
                {"field": "fields.size", "is": "at_most", "value": ["5"]},
            ],
            "Size can’t be at least 9 and at most 5 at once",
        ),
    ],
)
def test_conditions_that_can_never_hold_are_refused_with_a_sentence(conditions, sentence, rule, rep, gate):
    with pytest.raises(Refused) as refused:
        rule(conditions=conditions, to=rep)
    assert sentence in refused.value.errors[f"conditions.{max(len(conditions) - 1, 0)}"]
    with gate(rep):
        assert not RoutingRule.objects.exists()


def test_a_target_that_can_take_nothing_is_refused(rule, rep, other_rep, viewer, owner, gate):
    with gate(owner) as at:
        Member.objects.filter(pk=other_rep.pk).update(active=False)
        other_rep.refresh_from_db()
        empty = put_team(None, name="Old", members=[other_rep], by=owner, at=at)
    for target, sentence in (
        ({}, "Choose to whom they go."),
        ({"to": other_rep}, "Otto Rep doesn’t work here any more."),
        ({"to": viewer}, "Vera Viewer takes no leads."),
        ({"team": empty}, "Nobody of the team Old takes leads by turn."),
    ):
        with pytest.raises(Refused) as refused:
            rule(**target)
        assert sentence in refused.value.errors["target"]
    rule(to=rep)
    with pytest.raises(Refused) as refused:
        rule("Scotland", to=rep)
    assert "of this name already" in refused.value.errors["name"]
    with pytest.raises(Refused) as refused:
        rule("Again", to=rep)
    assert "“Scotland” asks the same and comes first" in refused.value.errors["conditions.0"]
    with pytest.raises(NotForYou):
        rule("Mine", RADIO, to=rep, by=rep)


def test_a_rule_that_asks_the_same_is_found_also_after_rules_were_taken_away(rule, rep, owner, gate):
    first, second = rule("One", RADIO, to=rep), rule("Two", [{"field": "phone", "is": "filled"}], to=rep)
    rule(to=rep)
    with gate(owner) as at:
        for one in (first, second):
            remove_rule(one, by=owner, at=at)
    with pytest.raises(Refused) as refused:
        rule("Again", to=rep)
    assert "“Scotland” asks the same and comes first" in refused.value.errors["conditions.0"]


def test_a_team_that_a_rule_names_stays(rule, rep, owner, gate):
    with gate(owner) as at:
        team = put_team(None, name="North", members=[rep], by=owner, at=at)
    one = rule(team=team)
    with gate(owner) as at:
        with pytest.raises(InUse, match="The rule “Scotland” sends leads to the team North"):
            remove_team(team, by=owner, at=at)
        remove_rule(one, by=owner, at=at)
        remove_team(team, by=owner, at=at)
        assert not Team.objects.exists()
        assert AuditEntry.objects.filter(action__startswith="routing rule").count() == 2


def test_last_month_is_tried_by_the_present_rules_and_nothing_is_stored(rule, sent, rep, other_rep, owner, gate):
    for number in range(4):
        sent(f"a{number}@m.example", fields={"region": "Scotland"})
    rule(to=other_rep)
    with gate(owner) as at:
        before = list(Handoff.objects.order_by("pk").values()), list(Member.objects.order_by("pk").values())
        trial = try_again(Rules(), workspace=owner.workspace, at=at)
        assert [(one.name, one.went, one.would) for one in trial.shares] == [("Otto Rep", 2, 4), ("Rita Rep", 2, 0)]
        assert trial.others == 2
        assert {row.says for row in trial.rows} == {
            "Rule “Scotland”: Region is Scotland or Orkney, so it goes to Otto Rep."
        }
        assert before == (list(Handoff.objects.order_by("pk").values()), list(Member.objects.order_by("pk").values()))


def test_tried_by_the_same_rules_last_month_goes_as_it_went(sent, rep, other_rep, owner, gate):
    for number in range(6):
        sent(f"a{number}@m.example")
    with gate(owner) as at:
        trial = try_again(Rules(), workspace=owner.workspace, at=at)
        assert (len(trial.rows), trial.others) == (6, 0)
        late = try_again(Rules(), workspace=owner.workspace, at=at + timedelta(days=31))
        assert late.rows == []


def test_where_one_who_knows_somebody_is_away_another_goes_before_the_rules(rule, sent, rep, other_rep, owner, gate):
    third = make_member(owner.workspace, "rep", "Theo Third", takes_leads=True)
    rule(to=third)
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email="a@bell.example")], at=at)
        today = owner.workspace.local(at).date()
        reason = GiveBackReason.objects.get(key="no-answer")
        handoff.keep(got.lead, by=rep, at=at)
        handoff.give_back(Lead.objects.get(), reason=reason, by=rep, at=at)
        Company.objects.update(holder=other_rep)
        take_off(rep, today, today + timedelta(days=9), by=rep, at=at)
    one = sent("a@bell.example", fields={"region": "Scotland"})
    assert one.offered_to == other_rep
    assert one.route["says"].startswith("Rita Rep had this person before, but is away, up to and including")
    assert one.route["says"].endswith("Otto Rep has this company.")
    assert says(one)["Theo Third"] == "Otto Rep has this company, which goes before rules and turns."


def test_what_was_passed_on_is_tried_once_and_who_was_known_stays(rule, sent, rep, other_rep, owner, gate):
    first = sent("a@bell.example")
    with gate(owner) as at:
        passing.pass_on(first, by=owner, to=owner, reason="Rita is ill", at=at, workspace=owner.workspace)
        company = Company.objects.create(workspace=owner.workspace, name="Cole", domain="cole.example", holder=rep)
    known = sent("b@cole.example", fields={"region": "Scotland"})
    assert (known.lead.company_id, known.offered_to) == (company.pk, rep)
    rule(to=other_rep)
    with gate(owner) as at:
        trial = try_again(Rules(), workspace=owner.workspace, at=at)
        assert [(row.handoff.pk, row.went, row.other) for row in trial.rows] == [
            (first.pk, first.offered_to, False),
            (known.pk, rep, False),
        ]
