"""The clock of an offer looks at half time, at the end, and after half the promise again; each once, whoever ticks."""

from datetime import UTC, datetime, timedelta

import pytest

from funnel.handoff.clock import Clock
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.outbox.drain import drain
from funnel.outbox.models import Event, Lane
from funnel.people.away import take_off
from tests.conftest import make_member
from tests.racing import race

MINUTE = timedelta(minutes=1)
TICKS = ("handoff_reminded", "handoff_escalated", "handoff_rerouted")


@pytest.fixture
def offered(workspace, rep, other_rep, manager, gate, work):
    """An offer to somebody, another rep being there too."""
    with gate(workspace) as at:
        receive(workspace, [Capture(email="ann@bell.example", asks=True)], at=at)
    work()
    with gate(workspace):
        return Handoff.objects.get()


def ticked(gate, member):
    """What the clock did, in order."""
    with gate(member):
        found = Event.objects.filter(kind__in=TICKS).order_by("id")
        return [TICKS.index(kind) for kind in found.values_list("kind", flat=True)]


@pytest.mark.parametrize(
    ("came", "remind", "due", "reroute", "contact"),
    [
        # Friday 16:55, eight working hours: half of them on Monday at 12:55; the clocks go forward on Sunday.
        ((3, 27, 16, 55), (3, 30, 12, 55), (3, 30, 16, 55), (3, 31, 12, 55), (3, 31, 16, 55)),
        # They go back on Sunday.
        ((10, 23, 16, 55), (10, 26, 12, 55), (10, 26, 16, 55), (10, 27, 12, 55), (10, 27, 16, 55)),
        # Due when the office closes, not when it opens again.
        ((6, 2, 9, 0), (6, 2, 13, 0), (6, 2, 17, 0), (6, 3, 13, 0), (6, 3, 17, 0)),
        # A Saturday in spring begins on Monday.
        ((3, 28, 11, 0), (3, 30, 13, 0), (3, 30, 17, 0), (3, 31, 13, 0), (3, 31, 17, 0)),
    ],
)
def test_half_time_the_end_and_half_again_stand_on_the_business_s_clock(came, remind, due, reroute, contact, owner):
    zone = owner.workspace.zone
    told = Clock(owner.workspace, datetime(2026, *came, tzinfo=zone).astimezone(UTC)).of("B")
    moments = (told[f"{name}_at"] for name in ("remind", "due", "reroute", "contact_due"))
    assert list(moments) == [datetime(2026, *moment, tzinfo=zone) for moment in (remind, due, reroute, contact)]


def test_the_clock_does_nothing_before_its_moments_and_one_thing_at_each(offered, rep, gate, work):
    for done, moment in enumerate((offered.remind_at, offered.due_at, offered.reroute_at)):
        work(at=moment - MINUTE)
        assert ticked(gate, rep) == list(range(done)), "before its moment"
        work(at=moment + MINUTE)
        assert ticked(gate, rep) == list(range(done + 1))


def test_a_worker_that_was_away_for_a_week_does_each_once(offered, rep, gate, work):
    work(at=offered.reroute_at + timedelta(days=7))
    assert ticked(gate, rep) == [0, 1, 2]
    with gate(rep):
        assert Handoff.objects.filter(outcome=Outcome.OPEN).count() == 1
        assert Message.objects.filter(kind="handoff-late").count() == 1


@pytest.mark.postgres
def test_two_who_tick_at_once_do_each_once(transactional_db, offered, rep, gate):
    make_member(rep.workspace, "rep", "Theo Third", takes_leads=True)
    for moment in (offered.remind_at, offered.due_at, offered.reroute_at):
        ticks = [lambda at=moment + MINUTE: drain((Lane.LIVE, Lane.BULK), at=at)] * 3
        assert not [one for one in race(ticks) if isinstance(one, Exception)]
    assert ticked(gate, rep) == [0, 1, 2]
    with gate(rep):
        told = list(
            Message.objects.filter(kind__in=("handoff-reminder", "handoff-late")).values_list("kind", flat=True)
        )
        assert sorted(told) == ["handoff-late", "handoff-reminder"]
        assert Handoff.objects.open().count() == 1


@pytest.mark.parametrize(
    ("away", "told"),
    [((), ["manager"]), (("manager",), ["owner"]), (("manager", "owner"), ["manager"]), (("owner",), ["manager"])],
)
def test_at_the_end_the_manager_is_told_or_the_owner_while_no_manager_is_there(
    away, told, offered, owner, manager, gate, work
):
    cast = {"owner": owner, "manager": manager}
    with gate(owner) as at:
        for name in away:
            day = owner.workspace.local(at).date()
            take_off(cast[name], day, day + timedelta(days=30), by=owner, at=at)
    work(at=offered.due_at + MINUTE)
    with gate(owner):
        late = Message.objects.filter(kind="handoff-late").values_list("to_email", flat=True)
        assert list(late) == [cast[name].email for name in told]
