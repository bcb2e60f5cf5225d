"""Rate limits: exact while their store answers; open, or closed where asked, while it doesn't."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache
from redis import Redis

from funnel.workspaces import limits
from funnel.workspaces.counters import CounterCache
from tests import servers

pytestmark = pytest.mark.once
# So long that a test all but never straddles two windows.
DAY = 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "counters.sqlite3"


@pytest.fixture(autouse=True)
def counting(path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count in a file of this test, and trust it at first."""
    settings.REDIS_URL = ""
    monkeypatch.setattr(limits, "cache", CounterCache(str(path), {}))
    monkeypatch.setattr(limits, "_breaker", limits.Breaker())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that stands until it is moved."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(limits, "time", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_the_one_too_many_is_told_how_long_to_wait_and_then_passes(clock: Callable[[float], None]) -> None:
    waits = [limits.hit("capture", "10.0.0.1", 3, 60) for _ in range(5)]
    assert waits[:3] == [None, None, None]
    assert waits[3] == waits[4]
    assert waits[3] is not None
    assert 1 <= waits[3] <= 60
    clock(waits[3] - 1)
    assert limits.hit("capture", "10.0.0.1", 3, 60) == 1
    clock(1)
    assert limits.hit("capture", "10.0.0.1", 3, 60) is None


def test_everybody_and_everything_is_counted_apart(clock: Callable[[float], None]) -> None:
    assert limits.hit("capture", "10.0.0.1", 1, 60) is None
    assert limits.hit("capture", "10.0.0.1", 1, 60) is not None
    assert limits.hit("capture", "10.0.0.2", 1, 60) is None
    assert limits.hit("api", "10.0.0.1", 1, 60) is None


def test_what_is_counted_is_not_written_down_in_clear(path: Path) -> None:
    limits.hit("login", "ann@example.com\n\ud800" * 99, 5, 60)
    assert b"ann" not in path.with_name(path.name + "-wal").read_bytes()


def test_while_the_store_hangs_everything_passes_fast_and_a_log_in_closes(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits.hit("capture", "k", 1, DAY)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder, caplog.at_level(logging.WARNING, "baton"):
        holder.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        assert [limits.hit("capture", "k", 1, DAY) for _ in range(50)] == [None] * 50
        with pytest.raises(limits.StoreAway):
            limits.hit("login", "k", 1, DAY, closed_without_store=True)
        assert time.monotonic() - started < 1.0
        holder.execute("ROLLBACK")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_when_the_store_is_back_it_counts_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAUSE", 0.2)
    limits.hit("capture", "k", 1, DAY)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert limits.hit("capture", "k", 1, DAY) is None
        holder.execute("ROLLBACK")
    time.sleep(0.25)
    assert limits.hit("capture", "k", 1, DAY) is not None
    assert limits.hit("login", "l", 1, DAY, closed_without_store=True) is None


@pytest.fixture
def redis(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A Redis of its own, counted in as settings.py says; gives its process."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    with servers.redis() as url:
        settings.REDIS_URL = url
        options = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}
        monkeypatch.setattr(limits, "cache", RedisCache(url, {"OPTIONS": options}))
        with closing(Redis.from_url(url)) as client:
            yield int(client.info("server")["process_id"])


def test_redis_counts_as_the_file_does(redis: int, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "cache", RedisCache(settings.REDIS_URL, {"OPTIONS": {"socket_timeout": 20}}))
    waits = [limits.hit("capture", "k", 2, DAY) for _ in range(3)]
    assert waits[:2] == [None, None]
    assert waits[2] is not None
    assert 1 <= waits[2] <= DAY


def test_a_frozen_redis_keeps_nobody_waiting(redis: int) -> None:
    os.kill(redis, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert [limits.hit("capture", "k", 2, DAY) for _ in range(50)] == [None] * 50
        with pytest.raises(limits.StoreAway):
            limits.hit("login", "k", 2, DAY, closed_without_store=True)
        assert time.monotonic() - started < 1.0
    finally:
        os.kill(redis, signal.SIGCONT)


def test_a_dead_redis_keeps_nobody_waiting(redis: int) -> None:
    os.kill(redis, signal.SIGKILL)
    started = time.monotonic()
    assert [limits.hit("capture", "k", 1, DAY) for _ in range(50)] == [None] * 50
    assert time.monotonic() - started < 1.0
