"""The doorbell: a real worker on a real file, and what may happen to both."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from funnel.outbox import doorbell
from funnel.workspaces import sidefile
from funnel.workspaces.sidefile import SideFile

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[3]
TRANSPORT_ALIASES["doorbell"] = "funnel.outbox.doorbell:Transport"


# ── the file alone ───────────────────────────────────────────────────────


class Bell:
    """One connection to a doorbell's file."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.wire = Connection(
            "doorbell://localhost/" + quote(str(path)), transport_options={"max_retries": 0, **options}
        )
        self.channel: Any = self.wire.default_channel

    def ring(self, *args: int, task: str | None = "drain") -> None:
        headers = {"task": task} if task else {}
        self.channel.basic_publish(self.channel.prepare_message(str(args), headers=headers), "", "baton")

    def answer(self) -> Any:
        return self.channel.basic_get("baton")

    def heard(self) -> list[str]:
        """Take and settle everything that waits."""
        bodies = []
        while (message := self.answer()) is not None:
            bodies.append(message.body.decode())
            message.ack()
        return bodies


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Bell]:
    made = Bell(tmp_path / "the office, 50% #1" / "doorbell.sqlite3")
    yield made
    made.wire.release()


def test_equal_rings_that_wait_are_one(bell: Bell) -> None:
    for _ in range(100):
        bell.ring()
    bell.ring(1)
    assert bell.heard() == ["()", "(1,)"]


def test_a_ring_that_is_being_answered_does_not_swallow_the_next(bell: Bell) -> None:
    bell.ring()
    answering = bell.answer()
    bell.ring()
    bell.ring()
    assert bell.answer() is not None
    assert bell.answer() is None
    answering.ack()


def test_what_is_given_back_waits_again_beside_an_equal_ring_as_one(bell: Bell) -> None:
    bell.ring()
    answering = bell.answer()
    bell.ring()
    answering.requeue()
    assert bell.heard() == ["()"]


def test_what_is_refused_is_gone(bell: Bell) -> None:
    bell.ring()
    bell.answer().reject()
    assert bell.heard() == []


def test_a_lease_that_runs_out_comes_back_and_its_first_holder_can_no_longer_settle_it(tmp_path: Path) -> None:
    bell = Bell(tmp_path / "doorbell.sqlite3", visibility_timeout=0.05)
    bell.ring()
    late = bell.answer()
    time.sleep(0.1)
    bell.channel.visibility_timeout = 60
    again = bell.answer()
    late.ack()
    assert again.body == late.body
    with closing(sqlite3.connect(bell.path)) as file:
        assert file.execute("SELECT count(*) FROM message").fetchone() == (1,)


def test_closing_a_connection_gives_back_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "doorbell.sqlite3"
    leaving, staying = Bell(path), Bell(path)
    leaving.ring()
    assert leaving.answer() is not None
    assert staying.answer() is None
    leaving.wire.release()
    assert staying.heard() == ["()"]


def test_a_clock_that_is_set_back_does_not_silence_the_bell(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    bell.ring(1)
    assert bell.answer() is not None
    bell.ring(2)
    before = time.time() - 7200
    monkeypatch.setattr(doorbell.time, "time", lambda: before)
    assert sorted(bell.heard()) == ["(1,)", "(2,)"]


def test_a_full_queue_keeps_the_newest_ten_thousand(bell: Bell) -> None:
    for number in range(10_200):
        bell.ring(number)
    assert bell.channel._size("baton") == 10_000
    assert bell.answer().body == b"(200,)"


def test_a_message_that_cannot_be_read_is_thrown_away(bell: Bell) -> None:
    bell.ring(1)
    with closing(sqlite3.connect(bell.path)) as file:
        file.execute("UPDATE message SET payload = '{\"body'")
        file.commit()
    bell.ring(2)
    assert bell.answer() is None
    assert bell.heard() == ["(2,)"]


@pytest.mark.parametrize("harm", ["deleted", "deleted without its log", "damaged", "emptied", "of an older release"])
def test_two_processes_hear_each_other_after_the_file_was(harm: str, bell: Bell) -> None:
    bell.ring(1)
    with other_ringer(bell.path) as ring_there:
        ring_there(2)
        assert bell.heard() == ["(1,)", "(2,)"]
        do_harm(bell.path, harm)
        # What harm does to the ring in progress is not promised; the beat's next one must be heard.
        for number in (3, 4):
            ring_there(number)
            with suppress(sqlite3.Error):
                bell.ring(10 + number)
            bell.heard()
        ring_there(5)
        bell.ring(6)
        assert sorted(bell.heard()) == ["(5,)", "(6,)"]


def do_harm(path: Path, harm: str) -> None:
    """Harm the file from outside: a file's locks belong to a process, so this one must not open it itself."""
    code = {
        "deleted": "[os.remove(path + end) for end in ('', '-wal', '-shm')]",
        "deleted without its log": "os.remove(path)",
        "damaged": "open(path, 'r+b').write(b'not a database' * 600)",
        "emptied": "os.truncate(path, 0)",
        "of an older release": "[sqlite3.connect(path).execute(w) for w in ('DROP TABLE message',)]",
    }[harm]
    subprocess.run([sys.executable, "-c", f"import os, sqlite3; path = {str(path)!r}; {code}"], check=True)


class other_ringer:  # noqa: N801 (reads as a sentence)
    """Another process that rings the same file when told."""

    def __init__(self, path: Path) -> None:
        self.ours, theirs = multiprocessing.get_context("fork").Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=_ringer, args=(path, theirs), daemon=True)

    def __enter__(self) -> Callable[[int], None]:
        self.process.start()

        def ring(number: int) -> None:
            self.ours.send(number)
            assert self.ours.poll(20)
            self.ours.recv()

        return ring

    def __exit__(self, *_: object) -> None:
        self.ours.send(None)
        self.process.join(20)


def _ringer(path: Path, pipe: Any) -> None:
    bell = Bell(path)
    while (number := pipe.recv()) is not None:
        with suppress(sqlite3.Error):
            bell.ring(number)
        pipe.send(number)


def test_two_processes_ring_three_thousand_times_and_each_is_heard_once(bell: Bell) -> None:
    ringers = [
        multiprocessing.get_context("fork").Process(target=_ring_all, args=(bell.path, range(first, first + 1500)))
        for first in (0, 1500)
    ]
    for ringer in ringers:
        ringer.start()
    heard: list[str] = []
    end = time.monotonic() + 60
    while time.monotonic() < end and (any(ringer.is_alive() for ringer in ringers) or bell.channel._size("baton")):
        heard += bell.heard()
    assert sorted(heard) == sorted(f"({number},)" for number in range(3000))


def _ring_all(path: Path, numbers: range) -> None:
    bell = Bell(path)
    for number in numbers:
        bell.ring(number)


def make_at_once(folder: Path) -> int:
    """Let six processes make one file at the same moment, each ringing once; give how many rings it holds."""
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(6)
    makers = [fork.Process(target=_make, args=(folder / "doorbell.sqlite3", barrier, n)) for n in range(6)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(30)
    return len(Bell(folder / "doorbell.sqlite3").heard())


def _make(path: Path, barrier: Any, number: int) -> None:
    really_remove = SideFile._remove

    def slowly(self: SideFile, *endings: str) -> None:
        time.sleep(0.02 * number)
        really_remove(self, *endings)

    SideFile._remove = slowly  # type: ignore[method-assign]
    barrier.wait(20)
    with suppress(sqlite3.Error):
        Bell(path).ring(number)


def test_six_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    assert make_at_once(tmp_path) == 6


def test_without_the_folders_lock_the_makers_lose_rings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidefile.SideFile, "_alone", lambda self: nullcontext())
    assert make_at_once(tmp_path) < 6


# ── a real worker ────────────────────────────────────────────────────────


class Belfry:
    """A worker process on a doorbell of its own, and what it has heard."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.worker = folder, None
        self.environment = {**os.environ, "BELFRY": str(folder), "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
        self.bell = Bell(folder / "doorbell.sqlite3")
        self.ringer = self._app()

    def _app(self) -> Any:
        from celery import Celery

        app = Celery("ringer", broker=self.bell.wire.as_uri(include_password=True), set_as_current=False)
        app.conf.update(broker_transport_options={"max_retries": 0})
        return app

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-q", "-A", "belfry", "worker", "-P", "threads", "-c", "2"]
        self.worker: Any = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"],
            cwd=self.folder,
            env=self.environment,
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.worker.pid, how)
        self.worker.wait(60)

    def ring(self, numbers: range | list[int], lasts: float = 0.0) -> None:
        for number in numbers:
            self.ringer.send_task(
                "belfry.mark", (number,), {"sent": time.time(), "lasts": lasts}, retry=False, ignore_result=True
            )

    def heard(self) -> dict[int, float]:
        """How late each message was."""
        lines = (self.folder / "heard").read_text().split("\n") if (self.folder / "heard").exists() else []
        return {int(line.split()[0]): float(line.split()[1]) for line in lines if line}

    def wait(self, count: int, seconds: float = 60) -> int:
        end = time.monotonic() + seconds
        while len(self.heard()) < count and time.monotonic() < end:
            time.sleep(0.02)
        return len(self.heard())


@pytest.fixture
def belfry(tmp_path: Path) -> Iterator[Belfry]:
    made = Belfry(tmp_path)
    made.start()
    made.ring([0])
    assert made.wait(1, 120) == 1, (tmp_path / "log").read_text()
    yield made
    made.stop(signal.SIGKILL)


def test_a_ring_is_heard_within_a_fraction_of_a_second_also_after_the_file_was_lost(belfry: Belfry) -> None:
    for number in range(1, 21):
        belfry.ring([number])
        assert belfry.wait(number + 1, 10) == number + 1
    for number, harm in ((21, "deleted"), (22, "damaged"), (23, "emptied")):
        do_harm(belfry.bell.path, harm)
        time.sleep(0.5)
        belfry.ring([number])
        assert belfry.wait(number + 1, 10) == number + 1
    assert belfry.worker.poll() is None
    late = belfry.heard()
    assert statistics.median(late[number] for number in range(1, 21)) < 0.3
    ping = [sys.executable, "-m", "celery", "-A", "belfry", "inspect", "ping", "-t", "10"]
    said = subprocess.run(ping, cwd=belfry.folder, env=belfry.environment, capture_output=True, text=True, timeout=60)
    assert "1 node online" in said.stdout


def test_what_a_worker_left_undone_the_next_one_does(belfry: Belfry) -> None:
    belfry.ring(range(1, 41), lasts=0.05)
    belfry.wait(6)
    belfry.stop(signal.SIGTERM)
    after_term = len(belfry.heard())
    assert 6 <= after_term < 41
    belfry.start()
    belfry.wait(after_term + 6)
    belfry.stop(signal.SIGKILL)
    after_kill = len(belfry.heard())
    assert after_kill < 41
    belfry.start()
    assert belfry.wait(41) == 41
