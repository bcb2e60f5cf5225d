"""The drain: batches that settle with what they wrote, one culprit at a time, nothing twice, nobody starved."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from funnel.outbox import drain as draining
from funnel.outbox.actions import record, try_again
from funnel.outbox.models import Effect, Event, Lane, State
from funnel.workspaces.models import AuditEntry
from tests.funnel.outbox import handlers_for_tests as told


@pytest.fixture(autouse=True)
def routes(settings):
    told.runs.clear()
    told.bad.clear()
    told.endless.clear()
    settings.EVENT_ROUTES = {"other": {"note": "tests.funnel.outbox.handlers_for_tests.note"}}
    draining.handlers.cache_clear()
    yield
    draining.handlers.cache_clear()


@pytest.fixture
def happen(gate):
    """Record events of the test's own kind, by name."""

    def happened(member, *names, lane=Lane.LIVE):
        with gate(member) as at:
            for name in names:
                record(member.workspace_id, "tried", at=at, data={"name": name}, lane=lane)
        return at

    return happened


def noted(gate, member):
    with gate(member):
        return sorted(AuditEntry.objects.filter(action="noted").values_list("target", flat=True))


def effects(gate, member):
    with gate(member):
        rows = Effect.objects.order_by("pk")
        return {Event.objects.get(pk=one.event_id).data["name"]: one for one in rows}


def test_a_batch_is_settled_with_what_it_wrote(happen, owner, gate, work):
    happen(owner, "a", "b", "c")
    assert work() == 3
    assert told.runs == [["a", "b", "c"]]
    assert noted(gate, owner) == ["a", "b", "c"]
    assert work() == 0


def test_one_culprit_keeps_its_attempt_and_the_others_go_on(happen, owner, gate, work):
    told.bad.add("b")
    happen(owner, "a", "b", "c")
    work()
    assert noted(gate, owner) == ["a", "c"], "what the culprit wrote is taken back"
    found = effects(gate, owner)
    assert [found[name].state for name in "abc"] == [State.DONE, State.DUE, State.DONE]
    assert found["b"].attempts == 1
    assert found["b"].error == "builtins.ValueError", "no word of what was in it"


def test_after_five_attempts_it_is_stuck_until_a_person_says_again(happen, owner, gate, work):
    told.bad.add("a")
    at = happen(owner, "a")
    for attempt in range(1, 6):
        work(at=at + timedelta(hours=attempt))
        assert effects(gate, owner)["a"].attempts == attempt
    assert effects(gate, owner)["a"].state == State.STUCK
    assert work(at=at + timedelta(days=30)) == 0
    told.bad.clear()
    with gate(owner) as at:
        assert try_again(effects_pk(owner), at=at)
        assert not try_again(effects_pk(owner), at=at), "it isn't stuck any more"
    work()
    assert noted(gate, owner) == ["a"]


def effects_pk(owner):
    return Effect.objects.get().pk


def test_retries_wait_longer_each_time(happen, owner, gate, work):
    told.bad.add("a")
    at = happen(owner, "a")
    waits = []
    for _ in range(4):
        work(at=at)
        due = effects(gate, owner)["a"].due_at
        waits.append(round((due - at).total_seconds()))
        at = due
    assert waits == [5, 20, 80, 320]


def test_what_was_claimed_and_never_ended_runs_alone_after_its_lease(happen, owner, gate, work):
    at = happen(owner, "a", "b", "c")
    batch = draining.claim(owner.workspace_id, Lane.LIVE, at, 200)
    assert len(batch) == 3
    assert work(at=at + timedelta(seconds=1)) == 0, "the lease is held"
    assert work(at=at + draining.LEASE + timedelta(seconds=1)) == 3
    assert told.runs == [["a"], ["b"], ["c"]]


def test_what_ends_the_worker_five_times_is_stuck_and_its_neighbours_are_not(happen, owner, gate, work):
    at = happen(owner, "a", "b")
    draining.claim(owner.workspace_id, Lane.LIVE, at, 200)
    for round_ in range(1, 6):
        moment = at + round_ * (draining.LEASE + timedelta(seconds=1))
        draining.claim(owner.workspace_id, Lane.LIVE, moment, 200)
    found = effects(gate, owner)
    assert sorted((one.state, one.attempts) for one in found.values())[-1] == (State.STUCK, 5)
    work(at=at + timedelta(hours=1))
    assert noted(gate, owner) == ["b"]


def test_a_batch_whose_lease_was_lost_writes_nothing(happen, owner, gate):
    at = happen(owner, "a")
    stale = draining.claim(owner.workspace_id, Lane.LIVE, at, 200)
    draining.claim(owner.workspace_id, Lane.LIVE, at + draining.LEASE + timedelta(seconds=1), 200)
    assert draining.run(owner.workspace_id, stale, None) == 0
    assert noted(gate, owner) == []


def test_live_goes_before_bulk(happen, owner, work):
    happen(owner, "bulk", lane=Lane.BULK)
    happen(owner, "live")
    work()
    assert told.runs == [["live"], ["bulk"]]


def test_what_a_business_has_in_bulk_is_done_by_one_process_at_a_time(happen, owner, outsider):
    """A second one would wait for the first one's locks, and nobody would be left for what is live."""
    at = happen(owner, "bulk", lane=Lane.BULK)
    (first,) = draining.claim(owner.workspace_id, Lane.BULK, at, 200)
    happen(owner, "more", lane=Lane.BULK)
    happen(owner, "live")
    at = happen(outsider, "theirs", lane=Lane.BULK)
    assert draining.waiting(Lane.BULK, at) == [outsider.workspace_id]
    assert draining.claim(owner.workspace_id, Lane.BULK, at, 200) == []
    assert len(draining.claim(owner.workspace_id, Lane.LIVE, at, 200)) == 1
    draining.run(owner.workspace_id, [first], at)
    assert len(draining.claim(owner.workspace_id, Lane.BULK, at, 200)) == 1


@pytest.mark.postgres
def test_only_what_is_done_in_bulk_may_reach_the_disk_after_its_commit(happen, owner, work, monkeypatch):
    seen = {}

    def look(effects, at):
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            seen[effects[0].lane] = cursor.fetchone()[0]

    monkeypatch.setitem(draining.handlers(), "note", look)
    happen(owner, "bulk", lane=Lane.BULK)
    happen(owner, "live")
    with connection.cursor() as cursor:
        # The server of a suite may spare itself the waiting altogether.
        cursor.execute("SET synchronous_commit = on")
        work()
        cursor.execute("RESET synchronous_commit")
    assert seen == {Lane.BULK: "off", Lane.LIVE: "on"}


def test_bulk_gets_a_turn_where_what_is_live_never_ends(happen, owner, gate, monkeypatch):
    monkeypatch.setattr("funnel.outbox.drain.PATIENCE", 0.2)
    told.endless.add("live")
    happen(owner, "bulk", lane=Lane.BULK)
    happen(owner, "live")
    draining.drain(seconds=1.5)
    assert told.runs[:2] == [["live"], ["live"]], "what is live goes first"
    assert ["bulk"] in told.runs
    assert effects(gate, owner)["bulk"].state == State.DONE


def test_a_busy_workspace_doesnt_starve_another(happen, owner, outsider, monkeypatch, work):
    monkeypatch.setattr(draining, "CLAIM", 2)
    happen(owner, "a", "b", "c", "d")
    happen(outsider, "z")
    work()
    assert ["z"] in told.runs[:2], told.runs


def test_a_name_that_this_release_doesnt_know_waits_and_spends_no_attempt(happen, owner, gate, work):
    happen(owner, "a")
    with gate(owner):
        Effect.objects.update(handler="from_the_future")
    assert work() == 0
    assert effects(gate, owner)["a"].attempts == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_work_that_outlives_its_lease_is_begun_by_nobody_else(happen, owner, gate, monkeypatch):
    claimed = []

    def slow(batch, at):
        """Take so long that the lease runs out, and look for work on another connection meanwhile."""

        def look():
            later = at + 2 * draining.LEASE
            try:
                claimed.extend(draining.claim(owner.workspace_id, Lane.LIVE, later, 200))
            finally:
                connection.close()

        other = threading.Thread(target=look)
        other.start()
        other.join(20)

    monkeypatch.setattr(told, "note", slow)
    at = happen(owner, "a", "b")
    batch = draining.claim(owner.workspace_id, Lane.LIVE, at, 200)
    assert draining.run(owner.workspace_id, batch, None) == 2
    assert claimed == []
    assert {(one.state, one.attempts) for one in effects(gate, owner).values()} == {(State.DONE, 1)}
