"""A list of 100,000 rows by the page's own way, beside what COPY does with the same rows, and what others notice."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction

from funnel.bench.figures import Report, percentile
from funnel.bench.load import meanwhile
from funnel.bench.stage import CantMeasure, Stage, cookie
from funnel.leads.models import Lead, LeadKey, Source
from funnel.outbox.models import Effect, Event, Lane
from funnel.outbox.models import State as Duty
from funnel.people.actions import start_business
from funnel.transfer import actions as lists
from funnel.transfer.columns import Columns
from funnel.transfer.models import Import, State
from funnel.workspaces.gate import database_now, everywhere, tenant
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import User
from funnel.workspaces.uploads import Kept

ROWS, LONGEST = 100_000, 1800.0
MEMORY = 300.0
RATE, QUIET = 10.0, 20.0
# Seconds from look to look at how far it is: who looks takes time from what is measured.
WATCHED = 0.25
BEFORE = "its p95 before"
HEADER = "Customer no.,First name,Surname,E-mail,Phone,Company,Status,First contact,Source,City"


def bring_in(report: Report, stage: Stage, rows: int) -> None:
    """Read, look through and bring in a list by web, one worker and beat as they run."""
    with stage.running("web", "worker", "beat"):
        visitor = Visitor(stage)
        with visitor.at_work() as quiet:
            time.sleep(QUIET)
        one = _upload(stage, rows)
        report.figure(f"a list of {rows:,} rows is read", _until(stage, one, State.COLUMNS), "s")
        with tenant(stage.workspace, write=True) as at:
            given = Columns(one, stage.owner, at=at).map() | {"City": "fields.city"}
            lists.choose(one, given, by=stage.owner, at=at)
        looked = rows / _until(stage, one, State.LOOKED)
        report.figure("rows looked through", looked, "rows/s")
        with visitor.at_work() as busy:
            with tenant(stage.workspace, write=True) as at:
                lists.begin(one, by=stage.owner, at=at)
            began = time.perf_counter()
            brought = rows / _until(stage, one, State.DONE)
            _scored()
            scored = rows / (time.perf_counter() - began)
        limit, beside = _copied(stage, visitor, rows)
        what = (
            "COPY into the same tables" if not settings.SQLITE else "executemany into the same tables, 1,000 a commit"
        )
        aim = None if settings.SQLITE else ("value", ">=", 2000.0)
        report.figure("rows brought in", brought, "rows/s", limit=limit, limit_what=what, aim=aim)
        report.figure("rows brought in, scored and judged", scored, "rows/s", limit=limit, limit_what=what)
        if peak := stage.most_resident("worker"):
            report.figure("the worker’s memory at most", peak, "MiB", aim=("value", "<=", MEMORY))
        report.figure(
            f"a page of another business meanwhile, p95 of {len(busy)}", percentile(busy, 0.95), "ms", ms=busy,
            limit=percentile(quiet, 0.95), limit_what=BEFORE, aim=("ratio", "<=", 1.2),
        )  # fmt: skip
        report.figure(
            "the same", percentile(busy, 0.95), "ms", limit=percentile(beside, 0.95),
            limit_what=f"its p95 of {len(beside)} beside {what}",
        )  # fmt: skip


class Visitor:
    """Somebody of another business who opens their leads, so many times a second."""

    def __init__(self, stage: Stage) -> None:
        with transaction.atomic():
            user = User.objects.create_user("other@bench.example", "x", name="Otto Other")
            owner = start_business("Other", owner=user, country="GB", time_zone="Europe/London", at=database_now())
        self.workspace, self.rate, self.port = owner.workspace, RATE, stage.port
        self.path, self.body, self.headers = "/leads/", "", {"Cookie": cookie(user)}

    @contextmanager
    def at_work(self) -> Iterator[list[float]]:
        """Ask until the block ends; then the list fills with the milliseconds of each, from when it was due.

        A process of its own does it: a thread of this one would wait for whoever watches here.
        """
        ms: list[float] = []
        with meanwhile(
            self.port, self.path, rate=self.rate, headers=self.headers, body=self.body, tag=uuid7().hex[-8:]
        ) as seen:
            yield ms
        if seen["refused"]:
            raise CantMeasure(f"Another business is answered {seen['refused']}.")
        ms += seen["ms"]


def _upload(stage: Stage, rows: int) -> Import:
    file = Kept("people.csv", "text/csv", None, None)
    file.write((HEADER + "\n").encode())
    for number in range(rows):
        file.write(_row(number).encode())
    file.digest = "0" * 64
    with tenant(stage.workspace, write=True) as at:
        one = lists.upload(file, by=stage.owner, at=at)
    # It has moved, so there is nothing left to take away.
    file.close()
    return one


def _row(number: int) -> str:
    """One person: three of a company, one in five with a free-mail address, one in five a customer."""
    domain = "gmail.com" if number % 5 == 0 else f"firm{number // 3}.example"
    return (
        f"C{number},Pat,Person {number},pat.person{number}@{domain},+44207{number % 10**7:07},Firm {number // 3},"
        f"{'Customer' if number % 5 == 1 else 'Enquiry'},202{number % 6}-0{1 + number % 9}-1{number % 10},"
        f"{('Google', 'Fair', 'Referral')[number % 3]},Town {number % 400}\n"
    )


def _until(stage: Stage, one: Import, state: State) -> float:
    """Wait for a state, and give the seconds since the last one."""
    began = time.perf_counter()
    while time.perf_counter() < began + LONGEST:
        with tenant(stage.workspace):
            now = Import.objects.get(pk=one.pk)
        if now.state == state:
            one.__dict__.update(now.__dict__)
            return time.perf_counter() - began
        if now.state == State.UNREADABLE:
            raise CantMeasure(now.says)
        time.sleep(WATCHED)
    raise CantMeasure(f"The list is not {state} after {LONGEST:g} s.")


def _scored() -> None:
    """Wait until nothing is left to score."""
    end = time.perf_counter() + LONGEST
    while time.perf_counter() < end:
        with everywhere():
            if not Effect.objects.filter(state=Duty.DUE, lane=Lane.BULK).exists():
                return
        time.sleep(WATCHED)


def _copied(stage: Stage, visitor: Visitor, rows: int) -> tuple[float, list[float]]:
    """What the database can do with as many leads, their keys and events: leads a second, its commit included.

    After it what the visitor had meanwhile.
    """
    tables = _made(stage, rows)
    if settings.SQLITE:
        with visitor.at_work() as beside:
            began = time.perf_counter()
            for start in range(0, rows, 1000):
                with tenant(stage.workspace, write=True), connection.cursor() as cursor:
                    for model, each, values in tables:
                        cursor.executemany(_insert(model), values[start * each : (start + 1000) * each])
            took = time.perf_counter() - began
    else:
        texts = [(model, _as_text(values)) for model, _, values in tables]
        # COPY refuses a table behind the second wall; this database is thrown away.
        with connection.cursor() as cursor:
            for model, _ in texts:
                cursor.execute(f'ALTER TABLE "{model._meta.db_table}" NO FORCE ROW LEVEL SECURITY')
        with visitor.at_work() as beside:
            began = time.perf_counter()
            with tenant(stage.workspace, write=True), connection.cursor() as cursor:
                for model, text in texts:
                    names = ", ".join(f'"{field.column}"' for field in _fields(model))
                    cursor.copy_expert(f'COPY "{model._meta.db_table}" ({names}) FROM STDIN', text)
            took = time.perf_counter() - began
    return rows / took, beside


def _made(stage: Stage, rows: int) -> list[tuple[type[models.Model], int, list[list[Any]]]]:
    """(model, rows per lead, values): what an import of so many rows writes, besides its scores."""
    with tenant(stage.workspace, write=True) as at:
        source = Source.objects.create(workspace=stage.workspace, channel="copy", key="copy\x1f\x1f", created_at=at)
    shared = {"workspace": stage.workspace, "source": source}
    leads, keys, events = [], [], []
    for number in range(rows):
        lead = Lead(
            pk=uuid7(), name=f"Pat Person {number}", email=f"copied{number}@firm.example", phone=f"+44208{number:07}",
            company_name=f"Firm {number // 3}", external_id=f"D{number}", fields={"city": "Town"},
            search=f"pat person {number} copied{number}@firm.example firm {number // 3} 44208{number:07} d{number}",
            received_at=at, created_at=at, updated_at=at, **shared,
        )  # fmt: skip
        leads.append(_values(lead))
        for kind, value in (("external", f"\x1fD{number}"), ("email", lead.email), ("phone", lead.phone)):
            keys.append(_values(LeadKey(workspace=stage.workspace, lead=lead, kind=kind, value=value)))
        events += [
            _values(Event(lead=lead, kind=kind, occurred_at=at, recorded_at=at, data={}, **shared))
            for kind in ("received", "moved")
        ]
    return [(Lead, 1, leads), (LeadKey, 3, keys), (Event, 2, events)]


def _fields(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]


def _values(row: models.Model) -> list[Any]:
    """The row as the driver takes it: on PostgreSQL as texts for COPY."""
    if settings.SQLITE:
        return [field.get_db_prep_save(getattr(row, field.attname), connection) for field in _fields(type(row))]
    return [
        json.dumps(value) if isinstance(field, models.JSONField) else value
        for field in _fields(type(row))
        for value in (getattr(row, field.attname),)
    ]


def _insert(model: type[models.Model]) -> str:
    fields = _fields(model)
    names = ", ".join(f'"{field.column}"' for field in fields)
    return f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES ({", ".join(["%s"] * len(fields))})'  # noqa: S608


def _as_text(values: list[list[Any]]) -> io.StringIO:
    lines = ("\t".join("\\N" if value is None else _escaped(str(value)) for value in row) for row in values)
    return io.StringIO("\n".join(lines) + "\n")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
