"""Many hands reach for one lead: exactly one gets it."""

import time

import pytest

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.identity import Capture
from funnel.leads.models import Lead, LeadKey, LeadQuerySet
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from funnel.people import leaving
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Member, Role
from tests.conftest import make_member
from tests.racing import race

REPS = 50


@pytest.fixture
def pooled(transactional_db, workspace, gate, work):
    """A handoff in the pool, and fifty reps who see it."""
    with gate(workspace) as at:
        receive(workspace, [Capture(email="a@one.example", asks=True)], at=at)
    work()
    return [make_member(workspace, Role.REP, f"Rep{n} Racer") for n in range(REPS)]


def take(rep):
    def run():
        with tenant(rep.workspace_id, write=True) as at:
            return handoff.accept(Lead.objects.get(), by=rep, at=at).holder_id

    return run


def test_fifty_reps_take_the_same_pool_handoff_and_one_wins(pooled, workspace):
    outcomes = race([take(rep) for rep in pooled])
    lost = [one for one in outcomes if isinstance(one, handoff.AlreadyTaken)]
    (winner,) = [one for one in outcomes if not isinstance(one, Exception)]
    assert len(lost) == REPS - 1
    assert all("has already taken this lead" in one.sentence for one in lost)
    with tenant(workspace):
        assert Lead.objects.get().holder_id == winner
        assert Handoff.objects.get().outcome == Outcome.ACCEPTED
        assert Event.objects.filter(kind="handoff_accepted").count() == 1


@pytest.mark.postgres
def test_without_the_guard_the_race_shows(pooled, workspace, monkeypatch):
    """The negative control: read, then write without lock and comparing; several reps believe that they have it."""

    def unguarded(lead, outcome, *, who, at, among, **also):
        if not among.filter(lead=lead).exists():
            return False
        Handoff.objects.filter(lead=lead).update(outcome=outcome, closed_at=at, closed_by=who, **also)
        return True

    monkeypatch.setattr(handoff, "_close", unguarded)
    monkeypatch.setattr(LeadQuerySet, "locked", lambda self, ids, *related: {})
    outcomes = race([take(rep) for rep in pooled])
    assert len([one for one in outcomes if not isinstance(one, Exception)]) > 1


@pytest.fixture
def slow_taking(monkeypatch):
    """Whoever takes a lead stops for a moment between the handoff and the lead."""
    record = handoff.record

    def slowly(workspace_id, kind, **how):
        if kind == "handoff_accepted":
            time.sleep(0.6)
        return record(workspace_id, kind, **how)

    monkeypatch.setattr(handoff, "record", slowly)


def test_taking_and_the_clock_do_not_wait_for_each_other(pooled, workspace, slow_taking):
    def clock():
        time.sleep(0.2)
        with tenant(workspace, write=True) as at:
            return passing.pass_on(Handoff.objects.get(), at=at, workspace=workspace)

    taken, passed = race([take(pooled[0]), clock])
    assert (taken, passed) == (pooled[0].pk, None)


def test_who_takes_a_lead_while_being_removed_leaves_it_to_somebody(pooled, workspace, owner, slow_taking):
    def removed():
        time.sleep(0.2)
        with tenant(workspace, write=True) as at:
            return leaving.remove(pooled[0], by=owner, at=at, successor=pooled[1])

    taken, shares = race([take(pooled[0]), removed])
    assert not isinstance(taken, Exception)
    assert shares == {pooled[1]: 1}
    with tenant(workspace):
        assert Lead.objects.get().holder == pooled[1]


def test_bringing_back_and_taking_do_not_wait_for_each_other(pooled, workspace, owner, monkeypatch):
    with tenant(workspace, write=True) as at:
        handoff.disqualify(Lead.objects.get(), by=owner, at=at)
    stays = handoff.stays

    def slowly(member):
        stays(member)
        time.sleep(0.6)

    def back():
        with tenant(workspace, write=True) as at:
            return handoff.bring_back(Lead.objects.get(), by=owner, at=at, to=pooled[0]).holder_id

    def taking():
        time.sleep(0.2)
        return take(pooled[0])()

    monkeypatch.setattr(handoff, "stays", slowly)
    brought, taken = race([back, taking])
    assert brought == pooled[0].pk
    assert taken == pooled[0].pk or isinstance(taken, handoff.AlreadyTaken)


def test_who_was_removed_meanwhile_takes_nothing(pooled, workspace, owner):
    with tenant(workspace, write=True) as at:
        leaving.remove(Member.objects.get(pk=pooled[0].pk), by=owner, at=at, successor=pooled[1])
        with pytest.raises(handoff.NotYours, match="any more"):
            handoff.accept(Lead.objects.get(), by=pooled[0], at=at)


def test_thirty_parallel_captures_of_one_person_end_in_one_lead(transactional_db, workspace):
    def capture(number):
        def run():
            with tenant(workspace, write=True) as at:
                keys = {"email": "ann@bell.example"} if number % 2 else {"phone": "01632 960142"}
                both = {"email": "ann@bell.example", "phone": "+441632960142"} if number % 5 == 0 else keys
                (got,) = receive(workspace, [Capture(kind="form", name="Ann", **both)], at=at)
                return got.lead.pk

        return run

    with tenant(workspace, write=True) as at:
        receive(workspace, [Capture(email="someone@else.example")], at=at)
    # One capture that knows both keys comes first; before it, mail and phone could rightly be two people.
    first = capture(0)()
    outcomes = race([capture(number) for number in range(1, 30)])
    assert set(outcomes) == {first}
    with tenant(workspace):
        assert Lead.objects.count() == 2
        assert LeadKey.objects.filter(lead=first).count() == 2
        assert Event.objects.filter(lead=first, kind="form").count() == 30


def test_thirty_parallel_first_captures_of_one_address_end_in_one_lead(transactional_db, workspace):
    def run():
        with tenant(workspace, write=True) as at:
            (got,) = receive(workspace, [Capture(kind="form", email="ann@bell.example")], at=at)
            return got.lead.pk

    outcomes = race([run] * 30)
    assert len(set(outcomes)) == 1, outcomes
    with tenant(workspace):
        assert Lead.objects.count() == 1
        assert Event.objects.filter(kind="form").count() == 30
