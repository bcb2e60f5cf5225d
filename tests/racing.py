"""Racers behind one barrier, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection


def race(runners: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start all at the same instant; give what each returned or raised, in order."""
    barrier = threading.Barrier(len(runners))
    outcomes: list[Any] = [None] * len(runners)

    def run(place: int, runner: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=60)
            outcomes[place] = runner()
        except Exception as error:
            outcomes[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, runner)) for place, runner in enumerate(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return outcomes
