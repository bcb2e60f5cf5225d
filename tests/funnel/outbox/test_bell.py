"""Ringing keeps nobody waiting, whatever the broker does; the beat rings anyway, and shows that it lives."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError
from django.utils import timezone

from funnel.celery import app
from funnel.outbox import bell, heartbeat, tasks
from funnel.outbox.models import Heartbeat

ROOT = Path(__file__).parents[3]


class Broker:
    """Stands in for the broker: notes each ring, and can be told to hang or to refuse."""

    def __init__(self) -> None:
        self.rung: list[float] = []
        self.tasks: list[str] = []
        self.answers = threading.Event()
        self.answers.set()
        self.error: Exception | None = None

    def publish(self, *tasks: str) -> None:
        self.answers.wait(20)
        if self.error is not None:
            raise self.error
        self.rung.append(time.monotonic())
        self.tasks += tasks


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    made = Broker()
    monkeypatch.setattr(bell, "publish", made.publish)
    monkeypatch.setattr(heartbeat, "publish", made.publish)
    monkeypatch.setattr(bell, "_bell", bell.Bell())
    monkeypatch.setattr(bell, "AFTER_TROUBLE", 0.05)
    yield made
    made.answers.set()
    bell._bell.flush(10)  # what was asked for here is not the next test's


def until_quiet() -> None:
    assert bell._bell.flush(10)


@pytest.mark.once
def test_a_thousand_rings_become_a_few_and_the_last_is_not_swallowed(broker: Broker) -> None:
    started = time.monotonic()
    for number in range(1000):
        bell.ring()
        if not number % 100:
            time.sleep(0.03)
    before_the_last = time.monotonic()
    bell.ring()
    until_quiet()
    assert 2 <= len(broker.rung) <= 2 + (broker.rung[-1] - started) / bell.APART
    assert broker.rung[-1] >= before_the_last


@pytest.mark.once
def test_a_ring_during_a_ring_is_rung_afterwards(broker: Broker) -> None:
    broker.answers.clear()
    bell.ring()
    time.sleep(0.05)
    bell.ring()
    broker.answers.set()
    until_quiet()
    assert len(broker.rung) == 2


@pytest.mark.once
def test_a_broker_that_hangs_keeps_no_ringer_waiting(broker: Broker) -> None:
    broker.answers.clear()
    started = time.monotonic()
    for _ in range(100):
        bell.ring()
    assert time.monotonic() - started < 0.2
    assert not broker.rung


@pytest.mark.once
def test_a_broker_that_refuses_is_logged_once_and_rung_again(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.error = ConnectionRefusedError("nobody there")
    with caplog.at_level(logging.WARNING, "baton"):
        for _ in range(3):
            bell.ring()
            until_quiet()
    assert len(caplog.records) == 1
    broker.error = None
    bell.ring()
    until_quiet()
    assert len(broker.rung) == 1


@pytest.mark.once
def test_a_fork_rings_for_itself(broker: Broker) -> None:
    bell.ring()
    until_quiet()
    child = os.fork()
    if child == 0:
        bell.ring()
        os._exit(0 if bell._bell.flush(10) and len(broker.rung) == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0


def run(folder: Path, code: str) -> tuple[float, str]:
    """Run code in a process of its own with the real broker; give how long its end took and what it said."""
    lines = ["import time, threading, funnel.celery", "from funnel.outbox import bell", code]
    lines += ["import sys; print('end', time.time()); sys.stdout.flush()"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        env={**os.environ, "DATA": str(folder), "REDIS_URL": "", "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    ended = time.time()
    assert done.returncode == 0, done.stderr
    said, _, at = done.stdout.rpartition("end ")
    return ended - float(at), said


def waiting(folder: Path) -> int:
    """How many messages the doorbell's file holds; none while its table is still being made."""
    with closing(sqlite3.connect(folder / "doorbell.sqlite3")) as file:
        made = file.execute("SELECT 1 FROM sqlite_master WHERE name = 'message'").fetchone()
        return int(file.execute("SELECT count(*) FROM message").fetchone()[0]) if made else 0


@pytest.mark.once
def test_a_process_that_ends_at_once_has_still_rung(tmp_path: Path) -> None:
    run(tmp_path, "app = funnel.celery.app; app.pool; bell.LAST_WORDS = 20; bell.ring()")
    assert waiting(tmp_path) == len(bell.RUNG)


@pytest.mark.once
def test_a_process_does_not_wait_longer_than_a_moment_for_a_broker_that_hangs(tmp_path: Path) -> None:
    took, _ = run(tmp_path, "bell.publish = lambda *tasks: time.sleep(30)\nbell.ring()")
    assert took < bell.LAST_WORDS + 2


@pytest.mark.once
def test_where_enough_waits_no_more_is_sent(tmp_path: Path) -> None:
    run(
        tmp_path,
        f"for n in range({bell.ENOUGH}): funnel.celery.app.send_task('other', (n,))\nbell.publish(*bell.RUNG)",
    )
    assert waiting(tmp_path) == bell.ENOUGH


@pytest.mark.once
def test_the_beat_rings_without_a_database_and_ends_when_told(tmp_path: Path) -> None:
    beat = subprocess.Popen(
        [sys.executable, "-m", "celery", "-q", "-A", "funnel", "beat"],
        cwd=ROOT,
        env={**os.environ, "DATA": str(tmp_path), "REDIS_URL": "", "DATABASE_URL": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and not (
            (tmp_path / "doorbell.sqlite3").exists() and waiting(tmp_path) == len(bell.RUNG)
        ):
            time.sleep(0.2)
        assert waiting(tmp_path) == len(bell.RUNG)
        beat.send_signal(signal.SIGTERM)
        assert "heartbeat" in beat.communicate(timeout=30)[1]
    finally:
        if beat.poll() is None:
            os.killpg(beat.pid, signal.SIGKILL)
    assert not list(tmp_path.glob("celerybeat*"))


@pytest.mark.once
def test_a_beat_whose_broker_refuses_goes_on(broker: Broker) -> None:
    broker.error = ConnectionRefusedError("nobody there")
    beat = heartbeat.Beat(app=app)
    due = time.monotonic() + 2.5
    while time.monotonic() < due:
        time.sleep(max(0.0, min(beat.tick(), 0.5)))
    broker.error = None
    due = time.monotonic() + 5
    while not broker.rung and time.monotonic() < due:
        time.sleep(max(0.0, min(beat.tick(), 0.5)))
    assert broker.rung
    assert time.monotonic() - beat.ticked < 1


@pytest.mark.once
@pytest.mark.parametrize("hours", [-2, 2, 24 * 40])
def test_a_beat_whose_clock_is_set_goes_on_at_its_own_pace(broker: Broker, hours: int) -> None:
    beat = heartbeat.Beat(app=app)
    beat.tick()
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
        due = time.monotonic() + 2.5
        while time.monotonic() < due:
            wait = beat.tick()
            assert wait <= 2
            time.sleep(min(wait, 0.5))
    assert broker.tasks == ["funnel.outbox.tasks.drain"]


@pytest.mark.django_db
def test_a_heartbeat_is_one_row_that_moves() -> None:
    heartbeat.beat("worker")
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    heartbeat.beat("worker")
    (seen,) = Heartbeat.objects.all()
    assert abs(timezone.now() - seen.seen_at) < timedelta(seconds=30)


@pytest.mark.django_db
def test_a_heartbeat_that_cannot_be_written_is_only_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_rows: Any, **_options: Any) -> None:
        raise DatabaseError("the database is away")

    monkeypatch.setattr(Heartbeat.objects, "bulk_create", refuse)
    heartbeat._said.clear()
    with caplog.at_level(logging.WARNING, "baton"):
        heartbeat.beat("worker")
        heartbeat.beat("worker")
    assert len(caplog.records) == 1


@pytest.mark.once
def test_a_turn_ends_in_time_however_often_it_is_rung_and_rings_for_the_next(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tasks.Once(("live",))

    def rung_meanwhile(_lanes: Any, seconds: float) -> None:
        assert 0 < seconds <= tasks.TURN
        time.sleep(0.05)
        work.again.set()

    monkeypatch.setattr(tasks, "TURN", 0.3)
    monkeypatch.setattr(tasks, "drain_now", rung_meanwhile)
    began = time.monotonic()
    work()
    assert time.monotonic() - began < 1
    until_quiet()
    assert broker.rung
