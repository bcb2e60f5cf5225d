"""The worker under load: how fast submissions become decided leads, and how long somebody waits at a quiet hour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection

from funnel.bench.doors import form
from funnel.bench.figures import Report, percentile
from funnel.bench.load import send
from funnel.bench.stage import CantMeasure, Stage
from funnel.handoff.models import Handoff
from funnel.leads.models import Lead, Source
from funnel.outbox.bell import RUNG, publish
from funnel.outbox.drain import drain as drain_here
from funnel.outbox.models import Effect, Event, Lane, State
from funnel.workspaces.gate import database_now, everywhere, tenant
from funnel.workspaces.ids import uuid7

LONGEST = 120.0
QUIET, QUIET_RATE = 60, 2.0
BESIDE_RATE = 10.0
IN_PROFILE = 2000
ORIGIN = {"channel": "Paid search", "campaign": "Spring roofs"}


def drain(report: Report, stage: Stage, leads: int) -> None:
    """Light load first, then so many submissions at once, by web, one worker and beat as they run."""
    aim = ("value", ">=", 1000.0 if settings.SQLITE else 2000.0)
    missed = []
    with stage.running("web", "worker", "beat"):
        _quiet(report, stage)
        limit = _inserts(stage, leads)
        for shown, what in (
            (stage.tells, "received, scored and decided"),
            (stage.asks, "received, scored and handed over"),
        ):
            _fill(stage, shown, leads)
            rate = _drained(leads)
            if not report.figure(
                f"leads {what}", rate, "leads/s",
                limit=limit, limit_what="rows a second into the leads' table, 1,000 a statement", aim=aim,
            ):  # fmt: skip
                missed.append((shown, what))
            _settled()
        _beside(report, stage, leads)
    for shown, what in missed:
        _fill(stage, shown, IN_PROFILE)
        report.profile(f"{IN_PROFILE} leads {what} in one process", lambda: drain_here(seconds=60))


def _quiet(report: Report, stage: Stage) -> None:
    """From the POST of a form to the handoff, while there is hardly anything else to do."""
    words = form(stage.stamp())
    # The first work of a fresh worker loads what it works with.
    send(stage.port, stage.form_path, words, seconds=1, rate=QUIET_RATE, tag="first")
    _until(lambda: not _waiting(), 30)
    since = database_now()
    send(stage.port, stage.form_path, words, seconds=QUIET / QUIET_RATE, rate=QUIET_RATE, tag="quiet")
    _until(lambda: not _waiting(), 30)
    with tenant(stage.workspace):
        sent = dict(
            apps.get_model("marketing", "Submission")
            .objects.filter(received_at__gte=since)
            .values_list("pk", "received_at")
        )
        opened = dict(Handoff.objects.values_list("lead_id", "opened_at"))
        waits = [
            (opened[lead_id] - sent[UUID(data["submission"])]).total_seconds()
            for lead_id, data in Event.objects.filter(kind="form").values_list("lead_id", "data")
            if lead_id in opened and UUID(data["submission"]) in sent
        ]
    if len(waits) < QUIET * 0.95:
        raise CantMeasure(f"Of {QUIET} forms sent, {len(waits)} were handed over.")
    aim = ("value", "<=", 1.0 if settings.REDIS_URL else 2.0)
    ms = [wait * 1000 for wait in waits]
    report.figure(f"from capture to handoff, p99 of {len(waits)}", percentile(waits, 0.99), "s", ms=ms, aim=aim)


def _beside(report: Report, stage: Stage, leads: int) -> None:
    """What visitors wait while the worker is busy; on SQLite both want the one write lock."""
    words = form(stage.stamp())
    seconds = max(3.0, leads / 2000)
    _fill(stage, stage.tells, leads)
    told: list[dict[str, Any]] = []
    visitors = threading.Thread(
        target=lambda: told.append(
            send(stage.port, stage.form_path, words, seconds=seconds, rate=BESIDE_RATE, tag="beside")
        )
    )
    visitors.start()
    publish(*RUNG)
    visitors.join()
    still = _waiting()
    ms = told[0]["ms"]
    what = f"form POSTs at {BESIDE_RATE:g} a second while the worker drains, p99" + (
        "" if still else " (it was done before)"
    )
    aim = ("value", "<=", 500.0) if settings.SQLITE else None
    report.figure(what, percentile(ms, 0.99), "ms", ms=ms, aim=aim, refused=told[0]["refused"])
    _settled()


def _fill(stage: Stage, shown: Any, leads: int) -> None:
    """Send so many forms at once, in one transaction, so that the worker begins with all of them."""
    submissions = apps.get_model("marketing", "Submission")
    tag = uuid7().hex[-8:]
    with tenant(stage.workspace, write=True) as at:
        for start in range(0, leads, 1000):
            events = Event.objects.bulk_create(
                [
                    Event(
                        workspace=stage.workspace, kind="submitted", occurred_at=at, recorded_at=at,
                        data={"form": str(shown.pk)},
                    )
                    for _ in range(min(1000, leads - start))
                ]
            )  # fmt: skip
            submissions.objects.bulk_create(
                [
                    submissions(
                        workspace=stage.workspace, form=shown, event=event, received_at=at,
                        typed=_typed(tag, start + number), origin=ORIGIN,
                    )
                    for number, event in enumerate(events)
                ]
            )  # fmt: skip
            Effect.objects.bulk_create(
                [
                    Effect(workspace=stage.workspace, event=event, handler="receive", lane=Lane.LIVE, due_at=at)
                    for event in events
                ]
            )


def _typed(tag: str, number: int) -> dict[str, str]:
    """One visitor: three of a company, one in five with a free-mail address."""
    domain = "gmail.com" if number % 5 == 0 else f"firm{number // 3}{tag}.example"
    return {
        "name": f"Pat Person {number}", "email": f"pat{number}{tag}@{domain}", "phone": f"+44207{number % 10**7:07}",
        "company": f"Firm {number // 3}", "message": "Could you call me about the roof of our workshop?",
    }  # fmt: skip


def _drained(leads: int) -> float:
    """Ring, and give how many a second were settled until all were, or until the patience ends."""
    began = time.perf_counter()
    publish(*RUNG)
    _until(lambda: not _waiting(), LONGEST, 0.05)
    took = time.perf_counter() - began
    return (leads - _waiting(count=True)) / took


def _waiting(*, count: bool = False) -> int:
    """Whether submissions wait to be received, or how many."""
    with everywhere():
        rows = Effect.objects.filter(handler="receive", state=State.DUE)
        return rows.count() if count else int(rows.exists())


def _settled() -> None:
    """Wait for what follows from the handoffs, so that it isn't counted with what comes next."""

    def idle() -> bool:
        with everywhere():
            moment = datetime.now().astimezone()
            return not Effect.objects.filter(state=State.DUE, due_at__lte=moment).exclude(lane=Lane.MAIL).exists()

    _until(idle, LONGEST)


def _until(question: Callable[[], bool], seconds: float, every: float = 0.1) -> None:
    end = time.monotonic() + seconds
    while not question() and time.monotonic() < end:
        time.sleep(every)


def _inserts(stage: Stage, rows: int) -> float:
    """What the database can do: rows a second into the leads' own table, one statement and transaction per 1,000."""
    fields = list(Lead._meta.concrete_fields)
    place = f"({', '.join(['%s'] * len(fields))})"
    columns = ", ".join(f'"{field.column}"' for field in fields)
    with tenant(stage.workspace, write=True) as at:
        source = Source.objects.create(workspace=stage.workspace, channel="bench", key="bench\x1f\x1f", created_at=at)
    made = []
    for start in range(0, rows, 1000):
        values: list[Any] = []
        for number in range(start, min(start + 1000, rows)):
            typed = _typed("limit", number)
            lead = Lead(
                workspace=stage.workspace, name=typed["name"], email=typed["email"], phone=typed["phone"],
                company_name=typed["company"], search=typed["name"], source=source,
                received_at=at, created_at=at, updated_at=at,
            )  # fmt: skip
            values += [field.get_db_prep_save(getattr(lead, field.attname), connection) for field in fields]
        count = min(1000, rows - start)
        statement = f'INSERT INTO "{Lead._meta.db_table}" ({columns}) VALUES {", ".join([place] * count)}'  # noqa: S608
        made.append((statement, values))
    began = time.perf_counter()
    for statement, values in made:
        with tenant(stage.workspace, write=True), connection.cursor() as cursor:
            cursor.execute(statement, values)
    return rows / (time.perf_counter() - began)
