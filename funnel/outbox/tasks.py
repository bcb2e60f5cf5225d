"""The tasks that the doorbell rings. What is due stands in the database, so each may run any number of times."""

import threading
import time
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from funnel.outbox.bell import ring
from funnel.outbox.drain import drain as drain_now
from funnel.outbox.drain import stopping
from funnel.outbox.models import Lane
from funnel.outbox.statistics import learn as learn_now

# A turn ends, however much waits: Celery ends a task that lasts too long, with all that it holds.
TURN = 8.0


class Once:
    """Lets one thread of this process drain at a time; a ring meanwhile makes it look once more, within its turn."""

    def __init__(self, lanes: tuple[str, ...]) -> None:
        self.lanes, self.busy, self.again = lanes, threading.Lock(), threading.Event()

    def __call__(self) -> None:
        self.again.set()
        end = time.monotonic() + TURN
        while self.again.is_set() and self.busy.acquire(blocking=False):
            try:
                self.again.clear()
                drain_now(self.lanes, seconds=end - time.monotonic())
            finally:
                self.busy.release()
            if time.monotonic() >= end or stopping[0]:
                ring()  # for the next turn, as something may be left
                break


work, post = Once((Lane.LIVE, Lane.BULK)), Once((Lane.MAIL,))


@worker_shutting_down.connect
def _end_the_turn(**_signal: Any) -> None:
    """Have the worker's processes claim nothing more once it is asked to stop."""
    stopping[0] = 1


@shared_task(name="funnel.outbox.tasks.drain")
def drain(**_newer: Any) -> None:
    """Do what is due in the live and the bulk lane."""
    work()


@shared_task(name="funnel.outbox.tasks.drain_mail")
def drain_mail(**_newer: Any) -> None:
    """Send the mail that is due, apart from the rest: a slow mail server must not hold up a lead."""
    post()


@shared_task(name="funnel.outbox.tasks.learn")
def learn(**_newer: Any) -> None:
    """Let SQLite see how its tables are filled by now."""
    learn_now()
