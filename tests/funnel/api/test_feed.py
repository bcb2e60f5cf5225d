"""GET events/: the changes of a business in an order without gaps, however late they commit."""

import threading
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.leads import actions
from funnel.outbox import feed
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.workspaces.gate import tenant
from tests.racing import race


def follow(keyed, after=0, size=200):
    """Every event after a position, by following `next`."""
    path, seen = f"events/?after={after}&page_size={size}", []
    while path:
        told = keyed.get(path.removeprefix("http://testserver"))
        assert told.status_code == 200, told.content
        seen += told.json()["results"]
        path = told.json()["next"]
    return seen


def happen(workspace, *kinds):
    with tenant(workspace, write=True) as at:
        return [record(workspace.pk, kind, at=at).pk for kind in kinds]


def places(fed):
    return [one["position"] for one in fed]


@pytest.mark.parametrize("size", [1, 3, 200])
def test_a_follower_sees_every_change_once_and_goes_on_where_it_stopped(size, lead, foreign, owner, api, gate):
    keyed = api(owner)
    fed = follow(keyed, size=size)
    with gate(owner):
        there = list(Event.objects.order_by("id"))
    assert [one["id"] for one in fed] == [event.pk for event in there]
    assert places(fed) == list(range(1, len(there) + 1))
    assert follow(keyed, after=len(there)) == []
    keyed.post(f"leads/{lead.pk}/touches/", {"kind": "visit", "data": {"hall": "B"}})
    (visit,) = follow(keyed, after=len(there))
    assert visit == {
        "position": len(there) + 1, "id": visit["id"], "kind": "visit", "lead": str(lead.pk),
        "occurred_at": visit["occurred_at"], "recorded_at": visit["recorded_at"], "actor": owner.email,
        "data": {"hall": "B"}, "voids": None,
    }  # fmt: skip


def test_what_was_taken_back_stays_and_the_taking_back_follows(lead, owner, api, gate):
    keyed = api(owner)
    known = follow(keyed)
    with gate(owner) as at:
        actions.void(Event.objects.get(kind="received"), reason="Twice", by=owner, at=at)
    (voiding,) = follow(keyed, after=known[-1]["position"])
    received = next(one for one in known if one["kind"] == "received")
    assert (voiding["kind"], voiding["voids"], voiding["lead"]) == ("voided", received["id"], str(lead.pk))
    assert follow(keyed)[:-1] == known


def test_a_feed_that_nobody_has_followed_for_long_fills_up_look_by_look(lead, owner, api, gate, monkeypatch):
    monkeypatch.setattr(feed, "AT_ONCE", 2)
    happen(owner.workspace, *["reminded"] * 5)
    first = api(owner).get("events/?page_size=1").json()
    assert places(first["results"]) == [1]
    seen, after = [], 0
    while fed := follow(api(owner), after=after):
        seen, after = seen + fed, fed[-1]["position"]
    with gate(owner):
        assert places(seen) == list(range(1, Event.objects.count() + 1))


@pytest.mark.parametrize("after", ["", "x", "-1", "1.5", "٣", "9" * 19])
def test_no_position_is_400(after, owner, api):
    answer = api(owner).get("events/", query_params={"after": after})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["after"])


def test_a_long_feed_takes_no_more_queries_than_a_short_one(lead, owner, api):
    def count():
        with CaptureQueriesContext(connection) as seen:
            follow(keyed)
        return len(seen)

    keyed = api(owner)
    follow(keyed)
    few = count()
    happen(owner.workspace, *["reminded"] * 10)
    follow(keyed)
    assert count() == few


@pytest.fixture
def late(transactional_db, owner):
    """Writes an event whose transaction stays open until it is told to end, and gives the event's id."""
    written, told, ids = threading.Event(), threading.Event(), []

    def slowly():
        with tenant(owner.workspace, write=True) as at:
            ids.append(record(owner.workspace_id, "reminded", at=at).pk)
            written.set()
            told.wait(30)
        connection.close()

    def commit():
        told.set()
        slow.join()
        return ids

    slow = threading.Thread(target=slowly)
    slow.start()
    assert written.wait(30)
    yield commit
    commit()


@pytest.mark.postgres
def test_an_event_that_commits_late_with_a_smaller_id_still_comes(late, owner, api):
    keyed = api(owner)
    quick = happen(owner.workspace, "cooled")
    first = follow(keyed)
    slow = late()
    then = follow(keyed, after=first[-1]["position"])
    assert first[-1]["id"] == quick[0]
    assert [one["id"] for one in then] == slow
    assert slow < quick, "by id it would have been missed"


@pytest.mark.postgres
def test_a_second_reader_waits_for_the_first_and_reads_the_same_order(late, owner, api):
    def second():
        told.extend(follow(keyed))
        connection.close()

    keyed, told, reader = api(owner), [], threading.Thread(target=second)
    known = follow(keyed)
    happen(owner.workspace, "cooled")
    with tenant(owner.workspace):
        first = [event.pk for event in feed.after(0, 50, owner.workspace_id)]
        slow = late()
        reader.start()
        reader.join(0.5)
        assert not told
    reader.join(30)
    assert told[: len(known)] == known
    assert [one["id"] for one in told] == first + slow


def test_followers_beside_writers_all_read_one_order_and_miss_nothing(transactional_db, owner, api):
    def write():
        for _ in range(12):
            happen(owner.workspace, "reminded", "cooled")

    def read():
        seen = []
        until = time.monotonic() + 60
        while len(seen) < wanted and time.monotonic() < until:
            seen += follow(keyed, after=seen[-1]["position"] if seen else 0, size=7)
        return seen

    keyed = api(owner)
    wanted = len(follow(keyed)) + 3 * 24
    told = race([write, write, write, read, read, read])
    assert told[:3] == [None] * 3, told
    for seen in told[3:]:
        assert places(seen) == list(range(1, wanted + 1)), seen
        assert seen == told[3]
    assert len({one["id"] for one in told[3]}) == wanted
