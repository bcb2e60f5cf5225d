"""Ring the worker. What is due stands in the database, so a lost ring costs only the seconds until the beat's."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time

log = logging.getLogger("baton.bell")

RUNG = ("funnel.outbox.tasks.drain", "funnel.outbox.tasks.drain_mail")
# With this many messages waiting the worker will look anyway; more would only pile up while it is away.
ENOUGH = 10
APART = 0.1
AFTER_TROUBLE = 1.0
SAY_EVERY = 60.0
LAST_WORDS = 1.0


def ring() -> None:
    """Tell the worker that something is due. Returns at once and never raises."""
    _bell.ring()


def publish(*tasks: str) -> None:
    """Send these tasks unless enough messages wait already; raises what the broker raises."""
    # Celery takes a second to import, which a command that never rings should not pay.
    from funnel.celery import app

    with app.producer_pool.acquire(block=True, timeout=5) as producer:
        if producer.channel._size(app.conf.task_default_queue) >= ENOUGH:
            return
        for task in tasks:
            app.send_task(task, producer=producer, retry=False)


class Bell:
    """Rings from a thread of its own, so that a broker that hangs keeps no request waiting."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked = self._rung = 0
        self._thread: threading.Thread | None = None
        self._said = -SAY_EVERY

    def ring(self) -> None:
        """Ask for a ring; many at once become one, and the last is never swallowed."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="bell", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    self._say(error)
                else:
                    self._thread = thread

    def flush(self, seconds: float) -> bool:
        """Wait until all that was asked for is rung, at most so long; say whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None or self._rung >= self._asked, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked > self._rung)
                asked = self._asked
            pause = APART
            try:
                publish(*RUNG)
            except Exception as error:
                self._say(error)
                pause = AFTER_TROUBLE
            with self._changed:
                self._rung = asked
                self._changed.notify_all()
            time.sleep(pause)

    def _say(self, error: Exception) -> None:
        if time.monotonic() - self._said >= SAY_EVERY:
            self._said = time.monotonic()
            log.warning("The worker can't be rung and will look by itself: %s", error)


def _anew() -> None:
    """Begin without a thread: a fork takes none with it, and the lock may have been held."""
    global _bell
    _bell = Bell()


_bell = Bell()
os.register_at_fork(after_in_child=_anew)
atexit.register(lambda: _bell.flush(LAST_WORDS))
