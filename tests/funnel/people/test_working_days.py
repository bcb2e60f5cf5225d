"""Somebody who works on some of the business's days is offered nothing on the others, and nobody books them then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff.models import Handoff, Outcome
from funnel.handoff.routing import begins
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.outbox.drain import drain
from funnel.outbox.models import Effect, Lane
from funnel.people import away
from funnel.workspaces.hours import opening
from funnel.workspaces.models import AuditEntry, Member
from sales.demos import booking
from tests.funnel.overview.people import came
from tests.racing import race

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(rep, gate):
    """The day on which a lead that comes now is worked."""
    with gate(rep) as at:
        return begins(rep.workspace, at)


@pytest.fixture
def ask(gate, work):
    """So many ask for contact."""

    def asked(member, *names):
        with gate(member) as at:
            receive(
                member.workspace, [Capture(email=f"{n}@mail.example", kind="form", asks=True) for n in names], at=at
            )
        work()

    return asked


def without(*days):
    """The working days of a business from Monday to Friday, less these."""
    return {"days": [day for day in range(5) if day not in {one.weekday() for one in days}]}


def offers(member, gate):
    with gate(member):
        found = Handoff.objects.select_related("offered_to__user").order_by("opened_at", "pk")
        return [(one.offered_to and one.offered_to.first_name, str(one.outcome)) for one in found]


def test_on_days_that_are_not_theirs_nobody_gives_them_leads_and_it_says_why(
    rep, other_rep, manager, first, ask, browse, gate
):
    page = browse(rep)
    assert page.post(reverse("me"), {"which": "days", **without(first)}).status_code == 302
    assert page.get(reverse("me")).context["days"].initial["days"] == [str(day) for day in without(first)["days"]]
    ask(rep, "ann", "ben")
    assert offers(rep, gate) == [("Otto", ""), ("Otto", "")]
    with gate(rep):
        rows = {row["name"]: row["says"] for row in Handoff.objects.first().route["rows"]}
    assert rows["Rita Rep"] == f"Doesn’t work on {first:%A}s."
    assert f"Doesn’t work on {first:%A}s" in browse(manager).get(reverse("routing")).content.decode()
    browse(manager).post(reverse("working-days", args=[rep.pk]), without())
    ask(rep, "cat")
    assert offers(rep, gate)[-1] == ("Rita", "")


def next_working(day):
    return day + timedelta(days=3 if day.weekday() == 4 else 1)


@pytest.fixture
def offered(rep, other_rep, first, ask, gate):
    """Offers to Rita that outlast the next working day, on which she doesn't work; the moment at which it begins."""

    def made(*names):
        off = next_working(first)
        with gate(rep) as at:
            away.work_on(rep, without(off)["days"], by=rep, at=at)
            rep.workspace.promises = {fit: {"accept": 24, "contact": 24} for fit in "ABCD"}
            rep.workspace.save(update_fields=["promises"])
            Member.objects.filter(pk=other_rep.pk).update(takes_leads=False)
        ask(rep, *names)
        with gate(rep):
            Member.objects.filter(pk=other_rep.pk).update(takes_leads=True)
            return opening(rep.workspace, off)

    return made


def test_what_still_waits_when_such_a_day_begins_goes_on_and_not_before(rep, offered, gate, work):
    moment = offered("ann")
    with gate(rep):
        assert list(Effect.objects.filter(handler="day_off").values_list("due_at", flat=True)) == [moment]
    work(moment - timedelta(minutes=1))
    assert offers(rep, gate) == [("Rita", "")]
    work(moment + timedelta(minutes=1))
    work(moment + timedelta(minutes=2))
    assert offers(rep, gate) == [("Rita", Outcome.REROUTED), ("Otto", "")]
    with gate(rep):
        assert f"Doesn’t work on {moment:%A}s" in Handoff.objects.open().get().route["says"]
        assert not Message.objects.filter(kind="gone-on").exists(), "whoever has the day off is not told of it"


def test_many_are_offered_and_go_on_together_for_no_statement_each(rep, other_rep, offered, gate, work):
    moment = offered("ann")

    def cost(*names):
        with gate(rep) as at:
            leads = came(rep, at, *names, phone="")
            with CaptureQueriesContext(connection) as spent:
                why = {one.pk: "." for one in leads}
                handoff.open_for(leads, why=why, workspace=rep.workspace, at=at, to=rep)
        return len(spent)

    assert cost("A Bell", "B Bell") == cost(*(f"C{n} Bell" for n in range(12)))
    with gate(rep):
        assert Effect.objects.filter(handler="day_off", due_at=moment).count() == 15
    work(moment + timedelta(minutes=1))
    assert [who for who, outcome in offers(rep, gate) if not outcome] == ["Otto"] * 15


@pytest.mark.postgres
def test_two_who_tick_at_once_let_it_go_on_once(transactional_db, rep, offered, gate):
    moment = offered("ann")
    race([lambda: drain((Lane.LIVE, Lane.BULK), at=moment + timedelta(minutes=1))] * 3)
    assert offers(rep, gate) == [("Rita", Outcome.REROUTED), ("Otto", "")]


def test_who_was_given_it_by_hand_on_such_a_day_keeps_it(rep, other_rep, manager, first, ask, browse, gate):
    with gate(rep) as at:
        away.work_on(rep, without(first, next_working(first))["days"], by=rep, at=at)
    ask(rep, "ann")
    with gate(rep):
        one = Handoff.objects.get()
    sent = {"to": rep.pk, "reason": "She knows them", "at": one.pk}
    assert browse(manager).post(reverse("handoff-pass", args=[one.pk]), sent).status_code == 302
    assert offers(rep, gate)[-1] == ("Rita", "")
    with gate(rep):
        assert not Effect.objects.filter(handler="day_off").exists()


def test_visitors_are_offered_none_of_these_days(rep, first, gate):
    with gate(rep) as at:
        page = booking.change_page(booking.page_of(rep, at=at), {"title": "Visit", "notice_hours": 0}, by=rep, at=at)
        away.work_on(rep, without(first)["days"], by=rep, at=at)
    days = Client().get(page.path).context["days"]
    assert len(days) == 5
    assert first.weekday() not in {one["day"].weekday() for one in days}
    assert all(one["times"] for one in days)


def test_only_oneself_an_owner_or_a_manager_says_so_and_one_day_is_left(
    rep, other_rep, manager, marketer, browse, gate
):
    days = {"which": "days", "days": [0, 1, 2]}
    assert browse(other_rep).post(reverse("working-days", args=[rep.pk]), days).status_code == 403
    assert browse(marketer).post(reverse("me"), days).status_code == 200
    none = browse(rep).post(reverse("me"), {"which": "days"})
    assert none.status_code == 422
    assert "Choose a day at least" in none.content.decode()
    assert browse(manager).post(reverse("working-days", args=[rep.pk]), {"days": [6]}).status_code == 422
    with gate(rep):
        assert not Member.objects.exclude(days_off="").exists()
    assert browse(manager).post(reverse("working-days", args=[rep.pk]), days).status_code == 302
    assert "Works on Mon, Tue, Wed" in browse(manager).get(reverse("people")).content.decode()
    with gate(rep):
        assert AuditEntry.objects.get(action="working days").data == {"off": "34"}
