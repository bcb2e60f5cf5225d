"""How the worker and the beat show that they live, and the beat's schedule."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from celery.beat import Scheduler
from django.db import Error, connection
from django.db.models.functions import Now

from funnel.outbox.bell import publish
from funnel.outbox.models import Heartbeat

log = logging.getLogger("baton.heartbeat")

EVERY = 5.0
SAY_EVERY = 60.0
_beating: set[str] = set()
_said: dict[str, float] = {}


def beat(name: str) -> None:
    """Write that `name` was seen now; trouble is only logged."""
    try:
        Heartbeat.objects.bulk_create(
            [Heartbeat(name=name, seen_at=Now())],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["seen_at"],
        )
    except Error as error:
        _say(f"The heartbeat of the {name} can't be written", error)


def keep_beating(name: str, living: Callable[[], bool] = lambda: True) -> None:
    """Beat every few seconds from a thread of this process, as long as `living` says so."""
    if name not in _beating:
        _beating.add(name)
        threading.Thread(target=_keep, args=(name, living), name=f"heartbeat {name}", daemon=True).start()


def _keep(name: str, living: Callable[[], bool]) -> None:
    while True:
        if living():
            beat(name)
            # Closed each time: a connection that broke meanwhile would be found out only by failing.
            connection.close()
        time.sleep(EVERY)


def _say(what: str, error: Exception) -> None:
    now = time.monotonic()
    if now - _said.get(what, -SAY_EVERY) >= SAY_EVERY:
        _said[what] = now
        log.warning("%s: %s", what, error)


class Beat(Scheduler):
    """Rings every so many seconds. Keeps nothing on disk, and never waits for a broker that is away.

    It counts by a clock that nobody can set: Celery's own is silent for two hours after one that is set back by them.
    """

    producer = None

    def __init__(self, *args: Any, **options: Any) -> None:
        self.ticked, self.due = time.monotonic(), dict[str, float]()
        super().__init__(*args, **options)

    def install_default_entries(self, data: Any) -> None:
        """Add nothing: what Celery would clear away each night is never kept."""

    def tick(self, *_args: Any, **_options: Any) -> float:
        """Ring what is due, and give the seconds until the next time."""
        self.ticked = time.monotonic()
        for name, entry in self.schedule.items():
            due = self.due.setdefault(name, self.ticked + entry.schedule.seconds)
            if due <= self.ticked:
                self.apply_entry(entry)
                self.due[name] = self.ticked + entry.schedule.seconds
        return float(max(0.0, min(self.due.values()) - time.monotonic()))

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Ring what is due now."""
        try:
            publish(entry.task)
        except Exception as error:
            _say("The beat can't ring", error)
