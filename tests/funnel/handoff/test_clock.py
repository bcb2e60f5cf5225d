"""The clock of a handoff: promises by fit, in working hours, across holidays and a change of the clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.clock import Clock, first_contact, not_spoken_to
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from funnel.people import actions as people
from funnel.people.away import WrongDays, close
from funnel.scoring.models import LeadScore
from funnel.workspaces.models import promises

FAST = {"accept": 1, "contact": 4}


def moment(*when, zone):
    return datetime(*when, tzinfo=zone)


@pytest.mark.parametrize(
    ("change", "came", "closed", "due"),
    [
        # Friday 16:55, the clocks go forward on Sunday: five minutes, then until 16:55 on Monday.
        ("spring", (2026, 3, 27, 16, 55), {}, (2026, 3, 30, 16, 55)),
        # They go back, and Monday is a holiday.
        ("autumn", (2026, 10, 23, 16, 55), {"2026-10-26": "Bank holiday"}, (2026, 10, 27, 16, 55)),
        # Outside of hours the clock begins in the morning, after Easter.
        (
            "easter",
            (2026, 4, 2, 19, 0),
            {"2026-04-03": "Good Friday", "2026-04-06": "Easter Monday"},
            (2026, 4, 7, 17, 0),
        ),
    ],
)
def test_a_lead_of_friday_evening_is_due_at_the_right_moment(change, came, closed, due, owner):
    workspace = owner.workspace
    workspace.closed = closed
    zone = workspace.zone
    clock = Clock(workspace, moment(*came, zone=zone).astimezone(UTC)).of("A")
    assert clock["due_at"] == moment(*due, zone=zone)
    assert clock["due_at"].utcoffset() == timedelta(0), "kept in UTC"
    assert clock["remind_at"] < clock["due_at"] < clock["reroute_at"] <= clock["contact_due_at"]


def test_each_fit_has_its_own_promise(owner, rep, gate, work):
    with gate(owner) as at:
        people.change_business(owner.workspace, by=owner, at=at, promises=promises() | {"A": FAST})
        got = receive(owner.workspace, [Capture(email=f"a{n}@m.example") for n in range(2)], at=at)
        best, other = (one.lead for one in got)
    work()
    with gate(owner) as at:
        LeadScore.objects.filter(lead=best).update(fit_band="A")
        handoff.open_for([best, other], why={best.pk: ".", other.pk: "."}, workspace=owner.workspace, at=at)
        fast, slow = Handoff.objects.get(lead=best), Handoff.objects.get(lead=other)
        assert (fast.fit_band, fast.promise_minutes) == ("A", 60)
        assert (slow.fit_band, slow.promise_minutes) == ("C", 480)
        assert fast.remind_at < fast.due_at < slow.due_at
        assert fast.contact_due_at < slow.contact_due_at
        due = {one.event.data["handoff"]: one.due_at for one in _reminders()}
        assert due == {str(one.pk): one.remind_at for one in (fast, slow)}


def _reminders():
    from funnel.outbox.models import Effect

    return Effect.objects.filter(handler="remind").select_related("event")


@pytest.fixture
def taken(gate, rep, work):
    """A lead that the rep took, two days before now."""
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(name="Ann Bell", email="ann@bell.example", asks=True)], at=at)
    work()
    with gate(rep) as at:
        return handoff.accept(Lead.objects.get(pk=got.lead.pk), by=rep, at=at)


def contact(gate, rep):
    with gate(rep) as at:
        latest = Handoff.objects.select_related("lead").latest("opened_at")
        return first_contact(latest, lead=latest.lead, at=at, workspace=rep.workspace)


def test_only_a_member_s_contact_after_the_handoff_counts_and_a_voided_one_no_more(taken, rep, marketer, gate):
    with gate(rep) as at:
        opened = Handoff.objects.get().opened_at
        touch(taken, "call", at=at)
        touch(taken, "meeting", at=at)
        touch(taken, "call_made", by=rep, at=at, occurred_at=opened - timedelta(minutes=5))
    assert contact(gate, rep).spoken_at is None
    with gate(rep) as at:
        touch(taken, "call_made", by=rep, at=at)
        said = Event.objects.filter(kind="call_made").latest("id")
        assert not not_spoken_to().exists()
    assert contact(gate, rep).spoken_at == said.occurred_at
    with gate(rep) as at:
        void(said, by=marketer, at=at, reason="wrong person")
        assert not_spoken_to().exists()
    assert contact(gate, rep).spoken_at is None


def test_a_lead_that_was_given_back_waits_for_no_contact(taken, rep, gate):
    assert contact(gate, rep) is not None
    with gate(rep) as at:
        handoff.give_back(taken, reason=GiveBackReason.objects.get(key="no-answer"), by=rep, at=at)
        assert not not_spoken_to().exists()
    assert contact(gate, rep) is None


def test_an_offer_that_is_passed_on_has_its_own_time_and_keeps_the_first_contact(gate, rep, other_rep, work):
    with gate(rep) as at:
        receive(rep.workspace, [Capture(email="ann@bell.example", asks=True)], at=at)
    work()
    with gate(rep) as at:
        later = at + timedelta(days=7)
        first = Handoff.objects.get()
        again = passing.pass_on(first, at=later, workspace=rep.workspace)
        assert again.due_at > later
        assert (again.contact_due_at, again.began_at) == (first.contact_due_at, first.opened_at)


def test_holidays_that_leave_no_working_day_are_refused_with_a_sentence(owner, gate):
    saturdays = [[], [], [], [], [], [["09:00", "17:00"]], []]
    with gate(owner) as at:
        people.change_business(owner.workspace, by=owner, at=at, hours=saturdays)
        today = owner.workspace.local(at).date()
        first = today + timedelta(days=(5 - today.weekday()) % 7)
        days = [first + timedelta(days=7 * week) for week in range(60)]
        for day in days[:50]:
            close(owner.workspace, day, day, "Away", by=owner, at=at)
        kept = dict(owner.workspace.closed)
        with pytest.raises(WrongDays, match="nobody would work here for a whole year"):
            close(owner.workspace, days[50], days[59], "Away", by=owner, at=at)
        assert owner.workspace.closed == kept
        close(owner.workspace, days[51], days[59], "Away", by=owner, at=at)


def test_hours_that_fall_on_holidays_alone_are_refused_with_a_sentence(owner, gate):
    with gate(owner) as at:
        today = owner.workspace.local(at).date()
        for week in range(60):
            day = today + timedelta(days=(5 - today.weekday()) % 7 + 7 * week)
            close(owner.workspace, day, day, "", by=owner, at=at)
        with pytest.raises(people.NoHours, match="all working days of a year would be holidays"):
            people.change_business(
                owner.workspace, by=owner, at=at, hours=[[], [], [], [], [], [["09:00", "17:00"]], []]
            )
