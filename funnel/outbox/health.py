"""Whether the parts work: database, broker, worker, beat. Read by /readyz and by the pages."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from funnel.outbox.drain import handlers
from funnel.outbox.models import Effect, Heartbeat, State
from funnel.templatetags.words import ago, plural, span
from funnel.workspaces.gate import database_now, everywhere

LATE = 60.0
STRANGE_AFTER = timedelta(hours=1)
BROKER_WAIT = 1.0
UNTIL_THEN = "Until it is back, work may wait; nothing is lost."
LABELS = {
    "database": "Database",
    "migrations": "Database tables",
    "role": "Database user",
    "broker": "Signal to the worker",
    "worker": "Worker",
    "beat": "Timer",
    "handlers": "Kinds of work",
}
# What a person reads of only when something is wrong with it.
ONLY_IN_TROUBLE = ("migrations", "role", "handlers")


@dataclass(frozen=True)
class Part:
    """One part and its state; `says` is a sentence for a person, `age` the seconds since it was last seen."""

    name: str
    ok: bool
    says: str
    age: float | None = None

    @property
    def label(self) -> str:
        """The name as a person reads it."""
        return LABELS[self.name]

    @property
    def told(self) -> str:
        """What a page says of it; a monitor reads `says`."""
        if self.ok and self.age is not None:
            return f"Seen {ago(timedelta(seconds=self.age))}."
        return "New work is begun at once." if self.ok and self.name == "broker" else self.says


def parts() -> list[Part]:
    """Ask every part how it is; without a database nothing else can be told."""
    database = _database()
    if not database.ok:
        return [database, _broker()]
    return [database, _migrations(), _role(), _broker(), *heartbeats(), _strangers()]


def worth_showing(found: list[Part]) -> list[Part]:
    """The parts that a page shows."""
    return [part for part in found if not part.ok or part.name not in ONLY_IN_TROUBLE]


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except Error:
        connection.close()
        return Part("database", False, "The database doesn’t answer.")
    return Part("database", True, "Answers.")


def _migrations() -> Part:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return Part("migrations", False, "The database can’t say which tables it has.")
    if missing:
        return Part(
            "migrations",
            False,
            f"{plural(len(missing), 'change is', 'changes are')} missing, the first is {missing[0][0]}.",
        )
    return Part("migrations", True, "Up to date.")


def _role() -> Part:
    """On PostgreSQL the second wall stands only for a role that can't climb over it."""
    if settings.SQLITE:
        return Part("role", True, "None is needed for a database that is a file.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        superuser, bypass = cursor.fetchone()
    if superuser or bypass:
        what = "is a superuser" if superuser else "may bypass row-level security"
        return Part("role", False, f"Baton’s user in the database {what}; give it an ordinary one.")
    return Part("role", True, "An ordinary one.")


def _broker() -> Part:
    """Ask the broker within a second; a thread, because a broker that hangs must not hang this answer."""
    said: list[Part] = []

    def ask() -> None:
        from funnel.celery import app

        try:
            with app.connection_for_write(connect_timeout=BROKER_WAIT) as wire:
                wire.ensure_connection(max_retries=1, timeout=BROKER_WAIT, interval_start=0.1)
                channel: Any = wire.default_channel
                channel._size(app.conf.task_default_queue)
            said.append(Part("broker", True, "Answers."))
        except Exception as error:
            said.append(Part("broker", False, f"Can’t be reached ({type(error).__name__}). {UNTIL_THEN}"))

    asking = threading.Thread(target=ask, name="readyz broker", daemon=True)
    asking.start()
    asking.join(BROKER_WAIT)
    return said[0] if said else Part("broker", False, f"Gave no answer within {BROKER_WAIT:g} s. {UNTIL_THEN}")


def heartbeats() -> list[Part]:
    """Ask when the worker and the beat were last seen."""
    now = database_now()
    seen = {one.name: (now - one.seen_at).total_seconds() for one in Heartbeat.objects.all()}
    return [_heartbeat(name, seen.get(name)) for name in ("worker", "beat")]


def _heartbeat(name: str, age: float | None) -> Part:
    if age is None:
        return Part(name, False, "Was never seen.")
    return Part(name, age <= LATE, f"Seen {span(timedelta(seconds=age))} ago.", round(max(0.0, age), 1))


def _strangers() -> Part:
    """Duties whose handler this release doesn't know wait for ever; after a deploy that is worth a look."""
    with everywhere():
        waiting = list(
            Effect.objects.filter(state=State.DUE, due_at__lte=database_now() - STRANGE_AFTER)
            .exclude(handler__in=list(handlers()))
            .values_list("handler", flat=True)
            .distinct()[:5]
        )
    if waiting:
        return Part("handlers", False, f"Work waits that this version doesn’t know: {', '.join(sorted(waiting))}.")
    return Part("handlers", True, "All that waits is known.")
