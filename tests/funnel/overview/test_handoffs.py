"""The page of handoffs through the door: who waits, giving to somebody else, the go, what was given back."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff, Outcome
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.mail.models import Message
from funnel.mail.sending import text_of
from funnel.people.away import take_off
from funnel.templatetags.words import day
from funnel.workspaces.models import Member
from tests.conftest import make_member
from tests.funnel.overview.people import came

GIVEN = {"reason": "Rita is ill"}


@pytest.fixture
def waiting(rep, gate):
    """One lead that waits for the rep."""
    with gate(rep) as at:
        (lead,) = came(rep, at, "Ann Bell")
        handoff.open_for([lead], why={lead.pk: "Asked for a roof check"}, workspace=rep.workspace, at=at)
    return lead


def open_one(gate, lead):
    with gate(lead.workspace):
        return Handoff.objects.open().select_related("offered_to").get(lead=lead)


def test_who_waits_stands_there_with_clock_reason_and_route(waiting, viewer, browse):
    page = browse(viewer).get("/handoffs/").content.decode()
    assert "Ann Bell" in page
    assert "Asked for a roof check" in page
    assert "Waits for Rita Rep" in page
    assert "It is Rita Rep’s turn: 0 of 10 this week." in page
    assert "1 waits to be taken." in page
    assert "Give to…" not in page
    assert "Take it" not in page


def test_a_late_one_says_so(waiting, manager, gate, browse):
    with gate(manager) as at:
        Handoff.objects.update(due_at=at - timedelta(days=3))
    page = browse(manager).get("/handoffs/").content.decode()
    assert "1 waits to be taken, too long already." in page
    assert " late" in page


def test_a_leader_gives_it_to_somebody_else(waiting, manager, other_rep, gate, browse):
    before = open_one(gate, waiting)
    answer = browse(manager).post(f"/handoffs/{before.pk}/pass/", GIVEN | {"to": str(other_rep.pk)}, follow=True)
    assert "waits for Otto Rep now" in answer.content.decode()
    after = open_one(gate, waiting)
    assert after.offered_to == other_rep
    assert after.follows_id == before.pk


def test_it_is_not_given_without_a_reason_and_the_menu_says_so_at_the_field(waiting, manager, other_rep, gate, browse):
    before = open_one(gate, waiting)
    sent = {"to": str(other_rep.pk), "reason": " ", "at": str(before.pk)}
    answer = browse(manager).post(f"/handoffs/{before.pk}/pass/", sent)
    page = answer.content.decode()
    assert (answer.status_code, open_one(gate, waiting).pk) == (422, before.pk)
    assert page.count("Write why; whoever is next reads it.") == 1
    field = f'id="{before.pk}-reason" maxlength="500" value=" " autocomplete="off" aria-describedby="{before.pk}-why"'
    assert f'{field} aria-invalid="true"' in page
    assert '<details class="menu" open>' in page
    assert f'<option value="{other_rep.pk}" selected>' in page


def test_the_reason_of_the_menu_stands_on_the_lead_and_in_the_mail(waiting, manager, other_rep, gate, browse, work):
    before, said = open_one(gate, waiting), "Manuel Manager passed it on: “Rita is ill”."
    browse(manager).post(f"/handoffs/{before.pk}/pass/", GIVEN | {"to": str(other_rep.pk)})
    work()
    page = browse(manager).get(f"/leads/{waiting.pk}/").content.decode()
    assert said in page[page.index('id="why-who"') :]
    assert "<bdi>Rita is ill</bdi>" in page[page.index('id="timeline"') :]
    with gate(manager):
        letter = Message.objects.get(kind="handoff", member=other_rep)
        assert said in text_of(letter, manager.workspace, hidden=False)


def test_without_a_name_it_goes_to_whoever_is_next(waiting, manager, other_rep, gate, browse):
    browse(manager).post(f"/handoffs/{open_one(gate, waiting).pk}/pass/", GIVEN)
    assert open_one(gate, waiting).offered_to == other_rep


def test_with_nobody_left_it_goes_to_the_pool(waiting, manager, rep, gate, browse):
    answer = browse(manager).post(f"/handoffs/{open_one(gate, waiting).pk}/pass/", GIVEN, follow=True)
    assert open_one(gate, waiting).offered_to is None
    page = answer.content.decode()
    assert "in the pool now" in page
    assert "1 in the pool" in page


def test_why_the_pool_says_nothing_untrue_of_who_is_away(waiting, manager, rep, other_rep, owner, gate, browse):
    with gate(owner) as at:
        today = owner.workspace.local(at).date()
        take_off(other_rep, today, today + timedelta(days=9), by=owner, at=at)
    browse(manager).post(f"/handoffs/{open_one(gate, waiting).pk}/pass/", GIVEN)
    assert open_one(gate, waiting).route["says"].endswith("Everybody who is here has had this one already.")


def test_of_whom_a_lead_waits_for_and_who_is_away_when_it_is_due_that_is_said(waiting, viewer, rep, gate, browse):
    with gate(rep) as at:
        one = Handoff.objects.open().get()
        Handoff.objects.filter(pk=one.pk).update(due_at=at + timedelta(days=3))
        today = rep.workspace.local(at).date()
        take_off(rep, today + timedelta(days=5), today + timedelta(days=9), by=rep, at=at)
    pages = ["/handoffs/", f"/leads/{waiting.pk}/"]
    client = browse(viewer)
    assert not any("is away from" in client.get(page).content.decode() for page in pages), "it is due before"
    with gate(rep) as at:
        take_off(rep, today + timedelta(days=2), today + timedelta(days=3), by=rep, at=at)
    says = f"<bdi>Rita</bdi> is away from {day(today + timedelta(days=2))}: then it goes on."
    for page in pages:
        assert says in client.get(page).content.decode(), page
    assert f"You are away from {day(today + timedelta(days=2))}" in browse(rep).get(pages[1]).content.decode()


def test_of_several_times_off_the_next_to_begin_is_the_one_by_which_it_goes_on(waiting, viewer, rep, gate, browse):
    with gate(rep) as at:
        today = rep.workspace.local(at).date()
        Handoff.objects.update(due_at=at + timedelta(days=3))
        for ahead in (0, 2):
            take_off(rep, today + timedelta(days=ahead), today + timedelta(days=ahead), by=rep, at=at)
    says = f"<bdi>Rita</bdi> is away from {day(today + timedelta(days=2))}: then it goes on."
    for page in ("/handoffs/", f"/leads/{waiting.pk}/"):
        assert says in browse(viewer).get(page).content.decode(), page


def test_of_what_is_late_what_comes_first_is_told_the_absence_or_that_it_goes_on(waiting, viewer, rep, gate, browse):
    with gate(rep) as at:
        today = rep.workspace.local(at).date()
        Handoff.objects.update(due_at=at - timedelta(hours=1), reroute_at=at + timedelta(days=3))
        take_off(rep, today + timedelta(days=2), today + timedelta(days=9), by=rep, at=at)
    says = f"<bdi>Rita</bdi> is away from {day(today + timedelta(days=2))}: then it goes on."
    client = browse(viewer)
    shown = client.get("/handoffs/").content.decode()
    assert says in shown
    assert "Goes on by itself" not in shown
    assert says in client.get(f"/leads/{waiting.pk}/").content.decode()
    with gate(rep):
        Handoff.objects.update(reroute_at=at + timedelta(days=1))
    shown = client.get("/handoffs/").content.decode()
    assert "is away from" not in shown
    assert "Goes on by itself" in shown


def test_what_was_taken_meanwhile_is_left_alone(waiting, manager, rep, other_rep, gate, browse):
    before = open_one(gate, waiting)
    with gate(rep) as at:
        handoff.accept(waiting, by=rep, at=at)
    answer = browse(manager).post(f"/handoffs/{before.pk}/pass/", GIVEN | {"to": str(other_rep.pk)}, follow=True)
    assert "decided meanwhile" in answer.content.decode()
    with gate(rep):
        assert Lead.objects.get(pk=waiting.pk).holder == rep


def test_it_can_t_be_given_to_somebody_who_does_not_sell(waiting, manager, marketer, rep, gate, browse):
    answer = browse(manager).post(f"/handoffs/{open_one(gate, waiting).pk}/pass/", GIVEN | {"to": str(marketer.pk)})
    assert "doesn’t take leads" in answer.content.decode()
    assert open_one(gate, waiting).offered_to == rep


@pytest.mark.parametrize("role", ["rep", "marketer", "viewer"])
def test_only_leaders_give_and_go(waiting, ready, gate, browse, request, role):
    member = request.getfixturevalue(role)
    before = open_one(gate, waiting)
    assert browse(member).post(f"/handoffs/{before.pk}/pass/").status_code == 403
    assert browse(member).post("/handoffs/go/", {"lead": [str(ready[0].pk)]}).status_code == 403
    assert open_one(gate, waiting).pk == before.pk
    page = browse(member).get("/handoffs/").content.decode()
    assert "3 people are over the line" in page
    assert "Hand over" not in page


def test_another_business_finds_nothing_of_it(waiting, ready, outsider, gate, browse):
    before = open_one(gate, waiting)
    client = browse(outsider)
    assert client.post(f"/handoffs/{before.pk}/pass/").status_code == 404
    assert client.post("/handoffs/go/", {"lead": [str(ready[0].pk)]}).status_code == 404
    assert "Ann Bell" not in client.get("/handoffs/").content.decode()
    assert open_one(gate, waiting).pk == before.pk


def test_who_goes_through_a_list_by_score_finds_it_as_it_was(ready, waiting, owner, gate, browse):
    client = browse(owner)
    assert 'action="/handoffs/go/?order=fit&amp;fit=A"' in client.get("/handoffs/?order=fit&fit=A").content.decode()
    gone = client.post("/handoffs/go/?order=fit&fit=A", {"lead": [str(ready[0].pk)]})
    assert gone["Location"] == "/handoffs/?order=fit&band=A"
    one = open_one(gate, waiting)
    passed = client.post(f"/handoffs/{one.pk}/pass/?order=engagement", GIVEN | {"to": str(owner.pk)})
    assert passed["Location"] == "/handoffs/?order=engagement"


def test_a_reason_that_is_too_long_is_told_and_not_cut(waiting, owner, gate, browse):
    before = open_one(gate, waiting)
    answer = browse(owner).post(f"/handoffs/{before.pk}/pass/", GIVEN | {"to": str(owner.pk), "reason": "x" * 501})
    assert answer.status_code == 422
    assert "Write at most 500 characters; these are 501." in answer.content.decode()
    assert open_one(gate, waiting).pk == before.pk


def test_what_somebody_has_now_is_the_same_figure_on_handoffs_and_on_people(ready, owner, rep, gate, browse):
    with gate(owner) as at:
        for name in ("Cora Customer", "Wim Working"):
            (lead,) = came(owner, at, name)
            handoff.keep(lead, by=rep, at=at)
            if name.startswith("Cora"):
                lead.move(Stage.CUSTOMER, at=at, by=rep, customer_since=at)
    client = browse(owner)
    loads = {one["name"]: one["holds"] for one in client.get("/handoffs/").context["loads"]}
    rows = {row["member"].name: row for row in client.get("/people/").context["rows"]}
    assert loads["Rita Rep"] == rows["Rita Rep"]["held"] == 1
    assert "and 1 customer<" in client.get("/people/").content.decode()


def test_what_was_given_back_stands_with_words_reason_and_what_follows(waiting, rep, viewer, gate, browse):
    with gate(rep) as at:
        handoff.accept(waiting, by=rep, at=at)
        reason = GiveBackReason.objects.get(key="no-answer")
        handoff.give_back(waiting, reason=reason, by=rep, at=at, note="Rang <four> times")
    page = browse(viewer).get("/handoffs/").content.decode()
    assert "Rang &lt;four&gt; times" in page
    assert "Could not reach them" in page
    assert "Rita, after taking it" in page
    assert "With marketing until" in page
    assert "Nobody waits to be taken." in page


@pytest.mark.parametrize(("address", "most"), [("/handoffs/", 18), ("/handoffs/?order=engagement", 18)])
def test_ten_rows_in_each_list_cost_no_more_queries_than_one(address, most, rep, manager, gate, browse, work):
    gone = make_member(rep.workspace, "rep", "Gone Rep")

    def scene(number):
        with gate(rep) as at:
            Member.objects.filter(pk=gone.pk).update(active=True)
            leads = came(rep, at, *[f"A{number} Bell{place}" for place in range(number * 5)], phone="")
            handoff.open_for(leads[: number * 4], why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
            reason = GiveBackReason.objects.get(key="no-answer")
            for lead in leads[:number]:
                handoff.give_back(lead, reason=reason, by=manager, at=at)
            for place, lead in enumerate(leads[number : number * 3]):
                handoff.accept(lead, by=manager, to=(rep, gone)[place % 2], at=at)
            Handoff.objects.filter(outcome=Outcome.ACCEPTED).update(contact_due_at=at - timedelta(days=9))
            Member.objects.filter(pk=gone.pk).update(active=False)
        work()
        with gate(rep):
            Lead.objects.filter(pk__in=[lead.pk for lead in leads[number * 4 :]]).update(waits_since=at)

    def measured():
        client = browse(manager)
        shown = client.get(address).context
        with CaptureQueriesContext(connection) as spent:
            assert client.get(address).status_code == 200
        return len(spent), [len(shown[name]) for name in ("rows", "given", "silent", "held", "go")]

    scene(1)
    few, rows = measured()
    assert rows == [1, 1, 2, 1, 1]
    scene(10)
    many, rows = measured()
    assert rows == [11, 11, 20, 11, 11]
    assert many == few <= most


def test_more_than_a_page_is_shown_by_key(rep, manager, gate, browse):
    with gate(rep) as at:
        leads = came(rep, at, *[f"Ann{place} Bell" for place in range(53)], phone="")
        handoff.open_for(leads, why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
    client = browse(manager)
    first = client.get("/handoffs/")
    assert len(first.context["rows"]) == 50
    rest = client.get("/handoffs/" + first.context["next_url"])
    assert len(rest.context["rows"]) == 3
    assert {row.handoff.pk for row in first.context["rows"]}.isdisjoint(
        {row.handoff.pk for row in rest.context["rows"]}
    )
    assert client.get("/handoffs/?after=nonsense").status_code == 400
    assert client.get("/handoffs/?given=nonsense").status_code == 400


def test_a_taken_one_is_gone_from_the_page(waiting, rep, browse, gate):
    with gate(rep) as at:
        handoff.accept(waiting, by=rep, at=at)
        assert Handoff.objects.get(lead=waiting).outcome == Outcome.ACCEPTED
    assert "Ann Bell" not in browse(rep).get("/handoffs/").content.decode()
