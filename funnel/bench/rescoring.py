"""Rules change in a business of a million leads and ten million events: filled by the worker, beside one statement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from functools import partial
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection

from funnel.bench.doors import form
from funnel.bench.figures import Report, percentile
from funnel.bench.importing import BEFORE, WATCHED, Visitor
from funnel.bench.stage import CantMeasure, Stage
from funnel.handoff.models import Handoff
from funnel.leads.models import Source
from funnel.outbox.models import Effect, Event
from funnel.outbox.models import State as Duty
from funnel.scoring import changing
from funnel.scoring.models import Basis, LeadScore, ScorePoint
from funnel.workspaces.gate import database_now, tenant
from funnel.workspaces.walls import BY_SET

EVENTS, PART, LONGEST, QUIET, LAST = 10, 100_000, 3600.0, 20.0, 30.0
# Forms a second of the other business.
SENT = 4.0
KINDS = ("form", "page_view", "email_click", "visit", "call")
AIM, MEMORY = 20_000.0, 512.0
SCORE = "workspace_id, lead_id, basis_id, fit, fit_band, total"
POINT = "workspace_id, lead_id, event_id, version_id, rule, cause_id, points, day, occurred_at"


def rescore(report: Report, stage: Stage, leads: int) -> None:
    """A half-life, a grid and the past judged again, each against one hand-written statement in the same run."""
    if settings.SQLITE:
        raise CantMeasure("This is measured on PostgreSQL: set DATABASE_URL, and REDIS_URL.")
    with _unchecked():
        _fill(stage, leads)
    with stage.running("web", "worker", "beat"):
        other = Neighbour(stage)
        _, *before = other.watched(lambda: time.sleep(QUIET))
        for what, change, again, by_hand, aim in (
            ("a half-life", lambda rules: rules | {"half_life_days": 7}, False, _sums, AIM),
            ("a cell of the grid", lambda rules: rules | {"ready": {**rules["ready"], "D": [4]}}, False, _copy, AIM),
            ("the past judged again", lambda rules: rules | {"half_life_days": 21}, True, _judged, None),
        ):
            one, *beside = _timed(stage, other, by_hand)
            took, *meanwhile = other.watched(partial(_published, stage, change, again=again))
            report.figure(
                f"{what}: leads filled and put in force", leads / took, "leads/s", limit=leads / one,
                limit_what="by one hand-written statement", aim=("ratio", ">=", 0.5),
            )  # fmt: skip
            if aim:
                report.figure(
                    f"{what}: leads filled and put in force", leads / took, "leads/s", aim=("value", ">=", aim)
                )
            if peak := stage.most_resident("worker"):
                report.figure(f"{what}: the worker’s memory at most", peak, "MiB", aim=("value", "<=", MEMORY))
            for told, ms, quiet, by_it in zip(
                ("a form of another business", "its way to a handoff"), meanwhile, before, beside, strict=True
            ):
                report.figure(
                    f"{what}: {told} meanwhile, p95 of {len(ms)}", percentile(ms, 0.95), "ms", ms=ms,
                    limit=percentile(quiet, 0.95), limit_what=BEFORE, aim=("ratio", "<=", 1.2),
                )  # fmt: skip
                report.figure(
                    "the same", percentile(ms, 0.95), "ms", limit=percentile(by_it, 0.95),
                    limit_what=f"its p95 of {len(by_it)} while that statement runs",
                )  # fmt: skip
            _settled(stage)


class Neighbour(Visitor):
    """Another business whose form is sent in all the time; each time a lead is made of it and handed over."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        with tenant(self.workspace):
            self.path = apps.get_model("marketing", "Form").objects.get().path
        self.body, self.rate = form(stage.stamp(self.path)), SENT
        self.headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def watched(self, work: Callable[[], Any]) -> tuple[Any, list[float], list[float]]:
        """What the work gave, and the milliseconds of each form meanwhile, and of each on its way to a handoff."""
        since = database_now()
        with self.at_work() as ms:
            done = work()
        end = time.perf_counter() + LAST
        while len(ways := self._ways(since)) < len(ms) and time.perf_counter() < end:
            time.sleep(0.5)
        return done, ms, ways

    def _ways(self, since: datetime) -> list[float]:
        with tenant(self.workspace):
            submissions = apps.get_model("marketing", "Submission").objects.filter(received_at__gte=since)
            sent = {str(pk): at for pk, at in submissions.values_list("pk", "received_at")}
            opened = dict(Handoff.objects.filter(opened_at__gte=since).values_list("lead_id", "opened_at"))
            came = Event.objects.filter(kind="form", lead__in=opened).values_list("lead_id", "data__submission")
            return [(opened[lead] - sent[one]).total_seconds() * 1000 for lead, one in came if one in sent]


@contextmanager
def _unchecked() -> Iterator[None]:
    """Let rows in without looking whether what they refer to is there; that takes longer than to write them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'"
            " AND conrelid IN ('funnel_lead'::regclass, 'funnel_event'::regclass)"
        )
        found = cursor.fetchall()
        for table, name, _ in found:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for table in BY_SET:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    with connection.cursor() as cursor:
        for table, name, says in found:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {says.removesuffix(" NOT VALID")} NOT VALID')
        for table in BY_SET:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _fill(stage: Stage, leads: int) -> None:
    """Write the business by the database itself: leads, their events, points and scores."""
    with tenant(stage.workspace, write=True) as at:
        source = Source.objects.create(workspace=stage.workspace, channel="bench", key="bench\x1f\x1f", created_at=at)
        basis = changing.in_force()
        rules = {rule["kind"]: rule for rule in basis.version.rules["engagement"]}
    given = " ".join(f"WHEN '{kind}' THEN {rules[kind]['points']}" for kind in KINDS)
    keys = " ".join(f"WHEN '{kind}' THEN '{rules[kind]['key']}'" for kind in KINDS)
    kinds = "(ARRAY[" + ", ".join(f"'{kind}'" for kind in KINDS) + "])[1 + (n * 7 + k) %% 5]"
    lead = "('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
    told = {"workspace": stage.workspace.pk, "source": source.pk, "at": at, "version": basis.version_id}
    for first in range(0, leads, PART):
        last = min(first + PART, leads) - 1
        span = f"generate_series({first}, {last}) n"
        with tenant(stage.workspace, write=True), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO funnel_lead (id, workspace_id, name, email, phone, company_name, external_system,"  # noqa: S608
                " external_id, stage, source_id, fields, search, received_at, created_at, updated_at, version)"
                f" SELECT {lead}, %(workspace)s, 'Pat ' || n, '', '', 'Firm', '', '', 'nurturing', %(source)s, '{{}}',"
                f" '', %(at)s, %(at)s, %(at)s, 1 FROM {span}",
                told,
            )
            cursor.execute(
                "INSERT INTO funnel_event (workspace_id, lead_id, kind, occurred_at, recorded_at, data)"  # noqa: S608
                f" SELECT %(workspace)s, {lead}, {kinds}, moment, moment, '{{}}' FROM {span},"
                f" generate_series(1, {EVENTS}) k,"
                " LATERAL (SELECT %(at)s - make_interval(mins => 90 + (n * 131 + k * 7919) %% 86400) AS moment) m",
                told,
            )
            cursor.execute(
                f"INSERT INTO funnel_scorepoint ({POINT}) SELECT workspace_id, lead_id, id, %(version)s,"  # noqa: S608
                f" CASE kind {keys} END, id, CASE kind {given}"
                " END, (occurred_at AT TIME ZONE 'Europe/London')::date, occurred_at FROM funnel_event"
                " WHERE workspace_id = %(workspace)s"
                f" AND lead_id >= {lead.replace('n)', f'{first})')} AND lead_id <= {lead.replace('n)', f'{last})')}",
                told,
            )
            cursor.execute(
                f"INSERT INTO funnel_leadscore ({SCORE}) SELECT %s, {lead}, %s, 30, 'C', 0 FROM {span}",  # noqa: S608
                [stage.workspace.pk, basis.pk],
            )
    with tenant(stage.workspace, write=True), connection.cursor() as cursor:
        sums = _summed(basis.half_life)
        cursor.execute(
            f"UPDATE funnel_leadscore old SET total = sums.total FROM ({sums}) sums"  # noqa: S608
            " WHERE old.lead_id = sums.lead_id AND old.workspace_id = %s",
            [basis.epoch.timestamp(), stage.workspace.pk, stage.workspace.pk],
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _summed(half_life: float, and_also: str = "") -> str:
    weight = f"power(2.0, (date_part('epoch', occurred_at) - %s) / {half_life * 86400})"
    return (
        f"SELECT lead_id, sum(points * {weight}) AS total FROM funnel_scorepoint"  # noqa: S608
        f" WHERE workspace_id = %s{and_also} GROUP BY lead_id"
    )


def _sums(stage: Stage, basis: Basis) -> None:
    """Sum every lead anew and write its row, by one statement."""
    _run(
        f"INSERT INTO funnel_leadscore ({SCORE})"  # noqa: S608
        " SELECT old.workspace_id, old.lead_id, %s, old.fit, old.fit_band, sums.total FROM funnel_leadscore old"
        f" JOIN ({_summed(7)}) sums USING (lead_id) WHERE old.workspace_id = %s AND old.basis_id = %s",
        [basis.pk, basis.epoch.timestamp(), stage.workspace.pk, stage.workspace.pk, _in_force()],
    )


def _copy(stage: Stage, basis: Basis) -> None:
    """Write every lead's row once more, by one statement."""
    _run(
        f"INSERT INTO funnel_leadscore ({SCORE}) SELECT workspace_id,"  # noqa: S608
        " lead_id, %s, fit, fit_band, total FROM funnel_leadscore WHERE workspace_id = %s AND basis_id = %s",
        [basis.pk, stage.workspace.pk, _in_force()],
    )


def _judged(stage: Stage, basis: Basis) -> None:
    """Give every event its points anew with caps, by one statement, then sum and write."""
    rules = {rule["kind"]: rule for rule in basis.version.rules["engagement"]}
    given = " ".join(f"WHEN '{kind}' THEN {rules[kind]['points']}" for kind in KINDS)
    caps = " ".join(f"WHEN '{kind}' THEN {rules[kind]['cap']}" for kind in KINDS)
    keys = " ".join(f"WHEN '{kind}' THEN '{rules[kind]['key']}'" for kind in KINDS)
    names = ", ".join(f"'{kind}'" for kind in KINDS)
    _run(
        f"INSERT INTO funnel_scorepoint ({POINT}) SELECT workspace_id, lead_id, id, %s, rule, id,"  # noqa: S608
        " greatest(0, least(points, cap - points *"
        " (turn - 1))), day, occurred_at FROM (SELECT *, row_number() OVER (PARTITION BY lead_id, kind, day ORDER BY"
        f" occurred_at, id) turn FROM (SELECT *, CASE kind {keys} END rule, CASE kind {given} END points,"
        f" CASE kind {caps} END cap, (occurred_at AT TIME ZONE 'Europe/London')::date AS day FROM funnel_event"
        f" WHERE workspace_id = %s AND kind IN ({names})) acts) due",
        [basis.version_id, stage.workspace.pk],
    )
    _run(
        f"INSERT INTO funnel_leadscore ({SCORE})"  # noqa: S608
        " SELECT old.workspace_id, old.lead_id, %s, old.fit, old.fit_band, sums.total FROM funnel_leadscore old"
        f" JOIN ({_summed(21, ' AND version_id = %s')}) sums USING (lead_id)"
        " WHERE old.workspace_id = %s AND old.basis_id = %s",
        [basis.pk, basis.epoch.timestamp(), stage.workspace.pk, basis.version_id, stage.workspace.pk, _in_force()],
    )


def _in_force() -> int:
    return int(changing.in_force().pk)


def _run(statement: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _timed(
    stage: Stage, other: Neighbour, work: Callable[[Stage, Basis], None]
) -> tuple[float, list[float], list[float]]:
    """The seconds that the work takes with its commit, on a basis of its own that is taken away again.

    After them what the other business had meanwhile, as Neighbour.watched gives it.
    """
    with tenant(stage.workspace, write=True) as at:
        now = changing.in_force()
        version = type(now.version).objects.create(workspace=stage.workspace, rules=deepcopy(now.version.rules))
        basis = Basis.objects.create(
            workspace=stage.workspace, version=version, half_life=7, epoch=at, in_force=False, left_at=at
        )

    def written() -> float:
        began = time.perf_counter()
        with tenant(stage.workspace, write=True):
            work(stage, basis)
        return time.perf_counter() - began

    took, ms, ways = other.watched(written)
    with tenant(stage.workspace, write=True):
        LeadScore.objects.filter(basis=basis)._raw_delete("default")
        ScorePoint.objects.filter(version=version)._raw_delete("default")
        basis.delete()
        version.delete()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE funnel_leadscore, funnel_scorepoint")
    return took, ms, ways


def _published(stage: Stage, change: Callable[[dict[str, Any]], dict[str, Any]], *, again: bool) -> float:
    """Publish a change, and give the seconds until it is in force."""
    with tenant(stage.workspace, write=True) as at:
        changing.save_draft(change(deepcopy(changing.in_force().version.rules)), by=stage.owner, at=at)
        before = changing.in_force().pk
        changing.publish(again=again, why="", by=stage.owner, at=at)
    began = time.perf_counter()
    while time.perf_counter() < began + LONGEST:
        with tenant(stage.workspace):
            if changing.in_force().pk != before:
                return time.perf_counter() - began
        time.sleep(0.1)
    raise CantMeasure("The rules are not in force after an hour.")


def _settled(stage: Stage) -> None:
    """Wait until those over the line wait, and what was left is cleared away."""
    end = time.perf_counter() + LONGEST
    while time.perf_counter() < end:
        with tenant(stage.workspace):
            events = Event.objects.filter(kind__in=("rules_tried", "rules_published", "rules_left")).values("pk")
            if not Effect.objects.filter(state=Duty.DUE, event__in=events).exists():
                return
        time.sleep(WATCHED)
