"""Counting without Redis: the cache on a small file, between threads, processes and forks."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from funnel.workspaces import counters
from funnel.workspaces.counters import CounterCache

pytestmark = pytest.mark.once


@pytest.fixture
def counter(tmp_path: Path) -> CounterCache:
    return CounterCache(str(tmp_path / "counters.sqlite3"), {})


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the counters' clock."""
    really, moved = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: really() + moved[0])
    return lambda seconds: moved.__setitem__(0, moved[0] + seconds)


@pytest.mark.parametrize("value", [0, -3, 2**62, 2**80, True, None, 1.5, "word", b"bytes", [1.0, 2.0], {"a": (1, 2)}])
def test_what_is_put_in_comes_out_as_it_was(counter: CounterCache, value: Any) -> None:
    counter.set("k", value)
    assert counter.get("k") == value
    assert type(counter.get("k")) is type(value)


def test_what_was_never_put_in_is_not_there(counter: CounterCache) -> None:
    assert counter.get("k") is None
    assert counter.get("k", 7) == 7
    assert not counter.has_key("k")
    assert not counter.touch("k")
    assert not counter.delete("k")
    with pytest.raises(ValueError, match="not found"):
        counter.incr("k")


def test_adding_leaves_what_is_there(counter: CounterCache) -> None:
    assert counter.add("k", 1)
    assert not counter.add("k", 5)
    assert counter.get("k") == 1
    assert counter.delete("k")
    assert counter.add("k", 5)


def test_a_value_ends_at_its_time_and_a_touch_moves_it(counter: CounterCache, later: Callable[[float], None]) -> None:
    counter.set("short", 1, 10)
    counter.set("touched", 1, 10)
    counter.set("for_ever", 1, None)
    counter.set("never", 1, 0)
    assert counter.get("never") is None
    assert counter.touch("touched", 100)
    later(11)
    assert counter.get("short") is None
    assert not counter.has_key("short")
    assert not counter.delete("short")
    with pytest.raises(ValueError, match="not found"):
        counter.incr("short")
    assert counter.add("short", 9, 10)
    assert counter.incr("short") == 10
    assert counter.get("touched") == 1
    later(10_000_000)
    assert counter.get("for_ever") == 1


def test_only_a_number_is_counted_up(counter: CounterCache) -> None:
    counter.set("yes", True)
    with pytest.raises(ValueError, match="not found"):
        counter.incr("yes")
    counter.set("n", 5)
    assert counter.decr("n", 2) == 3


def test_keys_of_another_version_are_apart_and_clear_takes_all(counter: CounterCache) -> None:
    counter.set("k", 1, version=1)
    counter.set("k", 2, version=2)
    assert counter.get_many(["k"], version=2) == {"k": 2}
    counter.clear()
    assert counter.get("k", version=1) is None


def test_what_has_ended_is_swept_and_above_the_limit_what_ends_soonest(
    tmp_path: Path, later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "CLEAN_EVERY", -1.0)
    counter = CounterCache(str(tmp_path / "counters.sqlite3"), {"OPTIONS": {"MAX_ENTRIES": 10}})
    for number in range(5):
        counter.set(f"gone{number}", 1, 5)
    later(6)
    for number in range(20):
        counter.set(f"k{number}", number, 100 + number)
    counter.set("last", 1, 1000)
    with sqlite3.connect(tmp_path / "counters.sqlite3") as file:
        assert file.execute("SELECT count(*) FROM counter").fetchone() == (11,)
    assert counter.get("k19") == 19
    assert counter.get("k1") is None


def count_up(path: Path, step: Callable[[CounterCache], None]) -> int:
    """Let four processes of two threads each count 100 times, and give what was counted."""
    CounterCache(str(path), {}).set("n", 0)
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(4)
    workers = [fork.Process(target=_count, args=(path, barrier, step)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    return int(CounterCache(str(path), {}).get("n"))


def _count(path: Path, barrier: Any, step: Callable[[CounterCache], None]) -> None:
    cache = CounterCache(str(path), {"OPTIONS": {"timeout": 20}})
    barrier.wait(20)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(step, cache) for _ in range(200)]:
            done.result()


def _at_once(cache: CounterCache) -> None:
    cache.incr("n")


def _in_two_steps(cache: CounterCache) -> None:
    cache.set("n", cache.get("n") + 1)


def test_no_count_is_lost_between_processes_and_threads(tmp_path: Path) -> None:
    assert count_up(tmp_path / "counters.sqlite3", _at_once) == 800


def test_reading_and_writing_apart_would_lose_counts(tmp_path: Path) -> None:
    assert count_up(tmp_path / "counters.sqlite3", _in_two_steps) < 800


def test_a_fork_counts_on_and_leaves_its_parent_whole(counter: CounterCache) -> None:
    counter.set("n", 1)
    child = os.fork()
    if child == 0:
        os._exit(0 if counter.incr("n") == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert counter.incr("n") == 3


@pytest.mark.parametrize("harm", ["deleted", "damaged", "emptied"])
def test_a_lost_file_begins_again_at_nothing(tmp_path: Path, counter: CounterCache, harm: str) -> None:
    counter.set("n", 1)
    # From another process: a file's locks belong to one, and opening it here would take the cache's away.
    child = os.fork()
    if child == 0:
        path = tmp_path / "counters.sqlite3"
        if harm == "deleted":
            path.unlink()
        elif harm == "damaged":
            path.write_bytes(b"not a database" * 1000)
        else:
            path.write_bytes(b"")
        os._exit(0)
    os.waitpid(child, 0)
    counter.set("m", 1)
    assert CounterCache(str(tmp_path / "counters.sqlite3"), {}).incr("m") == 2


def test_its_file_is_for_its_owner_only(tmp_path: Path, counter: CounterCache) -> None:
    counter.set("n", 1)
    for name in ("counters.sqlite3", "counters.sqlite3-wal"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
