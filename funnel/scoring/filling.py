"""Fill a basis beside the one in force, slice by slice, and put it in force (design.md, Scoring).

A slice judges the past where the version asks for it, then writes fit and S of each lead, by few statements over many
rows. Whoever scores meanwhile waits for a slice at most, and keeps the rows that are there by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, Func, OuterRef, TextField, Value, Window
from django.db.models.fields import BooleanField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import RowNumber, TruncDate

from funnel.leads.models import Lead, Source
from funnel.outbox.drain import SHORT
from funnel.outbox.models import Event
from funnel.outbox.statistics import look_at
from funnel.scoring.actions import hold, waiting
from funnel.scoring.models import BANDS, Basis, LeadScore, RuleVersion, ScorePoint
from funnel.scoring.rules import comes_from, fit_band, fit_of, has_source
from funnel.workspaces.inserting import insert_all, row_of
from funnel.workspaces.models import Workspace

# Leads a slice: the first, the least and the most; the others as many as take so many seconds. On PostgreSQL only this
# business's own scoring waits meanwhile, on SQLite every writer does. To judge the PAST, each rule asks once a slice.
FIRST, LEAST, MOST = (100, 20, 2000) if settings.SQLITE else (2000, 500, 50_000)
SECONDS, PAST = (SHORT, SHORT) if settings.SQLITE else (0.1, 0.25)
# So many half-lives before its epoch a point is nothing: 2^x of a float ends at x = -1074.
FADED = -1070


class Holds(Func):
    """Whether a text holds a pattern whose * stands for anything, as rules.on_page says it."""

    output_field = BooleanField()
    template = "%(expressions)s"
    arg_joiner = " LIKE "

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Write it as SQLite does, where LIKE knows no upper case."""
        return self.as_sql(compiler, connection, arg_joiner=" GLOB ", **context)


def _pattern(page: str) -> str:
    """A rule's pattern as the database's own."""
    if settings.SQLITE:
        return f"*{''.join(f'[{sign}]' if sign in '[?' else sign for sign in page)}*"
    for sign in "\\%_":
        page = page.replace(sign, f"\\{sign}")
    return f"%{page.replace('*', '%')}%"


def fill(basis: Basis, *, workspace: Workspace, at: datetime) -> bool:
    """Fill the next slice of a basis that is held alone and locked; True when every lead has its row on it."""
    started = time.perf_counter()
    size = min(max(basis.pace or FIRST, LEAST), MOST)
    left = Lead.objects.order_by("pk")
    if basis.place is not None:
        left = left.filter(pk__gt=basis.place)
    ids: list[UUID] = list(left.values_list("pk", flat=True)[:size])
    if not ids:
        # Ids of two processes aren't in order to the millisecond, so some may have come behind the place.
        ids = list(_missing(basis)[: min(size, 1000)])
        if not ids:
            # Or whoever compares two bases waits for hours.
            look_at(LeadScore)
            return True
        span: dict[str, Any] = {"lead_id__in": ids}
    else:
        span = {"lead_id__lte": ids[-1]} | ({"lead_id__gt": basis.place} if basis.place is not None else {})
        basis.place = ids[-1]
    # Found once and named: of a basis that is just being filled no statistics are there to plan a subquery by. By the
    # leads' index, as the other seemed the shorter way for want of them: each slice went through the whole basis.
    rows = LeadScore.objects.annotate(of=F("basis_id") + 0).filter(of=basis.pk, **span)
    there = list(rows.values_list("lead_id", flat=True))
    if past := basis.version.again and basis.version.published_at is None:
        judge_past(basis, span, there, workspace)
    with _hashed():
        _write_scores(basis, span, there)
    basis.done += len(ids)
    basis.pace = int(len(ids) * (PAST if past else SECONDS) / (time.perf_counter() - started))
    basis.save(update_fields=["place", "done", "pace"])
    return False


def _missing(basis: Basis) -> Any:
    """The leads with a row in force and none on the basis. Who was never scored gets all rows when that is done."""
    now = LeadScore.objects.in_force().order_by().values_list("lead_id", flat=True)
    return now.difference(LeadScore.objects.filter(basis=basis).order_by().values_list("lead_id", flat=True))


def judge_past(basis: Basis, span: Mapping[str, Any], there: Sequence[UUID], workspace: Workspace) -> None:
    """Give points by a basis's version for what the leads of a span did, but those who have their row `there`.

    What has its points by the version that it follows keeps those.
    """
    version = basis.version
    voided = Event.objects.filter(voids=OuterRef("pk"))
    for rule in version.rules["engagement"]:
        acts = _besides(Event.objects.filter(~Exists(voided), kind=rule["kind"], **span), there)
        if version.follows is not None:
            acts = acts.filter(version.follows.unseen())
            known = ScorePoint.objects.filter(lead=OuterRef("lead"), event=OuterRef("pk"), rule=rule["key"])
            acts = acts.filter(~Exists(known.filter(version__in=version.follows.chain())))
        if rule.get("page"):
            page = KeyTextTransform("page", "data", output_field=TextField())
            acts = acts.filter(Holds(page, Value(_pattern(rule["page"]))))
        if has_source(rule):
            sources = [one.pk for one in Source.objects.all() if comes_from(rule, one)]
            if not sources:
                continue
            acts = acts.filter(source__in=sources)
        day = TruncDate("occurred_at", tzinfo=workspace.zone)
        turn = Window(RowNumber(), partition_by=[F("lead_id"), day], order_by=["occurred_at", "id"])
        inner, values = (
            acts.order_by()
            .annotate(day=day, turn=turn)
            .values_list("workspace_id", "lead_id", "id", "occurred_at", "day", "turn")
            .query.sql_with_params()
        )
        sign, points, cap = (-1 if rule["points"] < 0 else 1), abs(rule["points"]), rule.get("cap")
        left = f"({cap or 0} - {points} * (due.turn - 1))"
        given = (
            f"{sign} * (CASE WHEN {left} >= {points} THEN {points} WHEN {left} > 0 THEN {left} ELSE 0 END)"
            if cap
            else f"{sign * points}"
        )
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {ScorePoint._meta.db_table}"  # noqa: S608
                " (workspace_id, lead_id, event_id, version_id, rule, cause_id, points, day, occurred_at)"
                f" SELECT due.workspace_id, due.lead_id, due.id, %s, %s, due.id, {given}, due.day, due.occurred_at"
                f" FROM ({inner}) AS due",
                [version.pk, rule["key"], *values],
            )


@contextmanager
def _hashed() -> Iterator[None]:
    """Let PostgreSQL join by hash alone: it took a slice for a single row once, and summed it anew for each lead."""
    if settings.SQLITE:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = on")


def _besides(rows: Any, there: Sequence[UUID]) -> Any:
    return rows.exclude(lead_id__in=there) if there else rows


def _write_scores(basis: Basis, span: Mapping[str, Any], there: Sequence[UUID]) -> None:
    """Write the rows of the leads of a span that have none yet on the basis."""
    now = Basis.objects.select_related("version").get(in_force=True)
    if now.version.rules["fit"] == basis.version.rules["fit"]:
        old = _besides(LeadScore.objects.filter(basis=now, **span).order_by(), there)
        inner, values = old.values_list("workspace_id", "lead_id", "fit", "total").query.sql_with_params()
        summed, told = _sums(basis, span)
        same = _same_sums(basis, now)
        total = "old.total" if same else "coalesce(sums.total, 0)"
        joined = "" if same else f" LEFT JOIN ({summed}) AS sums ON sums.lead_id = old.lead_id"
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {LeadScore._meta.db_table} (workspace_id, lead_id, basis_id, fit, fit_band, total)"  # noqa: S608
                f" SELECT old.workspace_id, old.lead_id, %s, old.fit, {_band(basis)}, {total}"
                f" FROM ({inner}) AS old{joined}",
                [basis.pk, *values, *([] if same else told)],
            )
        return
    has = set(there)
    summed, told = _sums(basis, span)
    with connection.cursor() as cursor:
        cursor.execute(summed, told)
        totals = {_uuid(lead_id): total for lead_id, total in cursor.fetchall()}
    rules, made = basis.version.rules, []
    leads = Lead.objects.only("workspace_id", "name", "email", "phone", "company_name", "fields")
    for lead in leads.filter(**{name.replace("lead_id", "pk"): value for name, value in span.items()}):
        if lead.pk not in has:
            fit = fit_of(lead, rules)
            made.append(
                row_of(
                    LeadScore,
                    workspace_id=lead.workspace_id,
                    lead_id=lead.pk,
                    basis_id=basis.pk,
                    fit=fit,
                    fit_band=fit_band(fit, rules),
                    total=totals.get(lead.pk, 0.0),
                )
            )
    insert_all(made)


def _same_sums(basis: Basis, now: Basis) -> bool:
    """Whether S is the same on both: one epoch and half-life, and no other points."""
    return (
        (basis.epoch, basis.half_life) == (now.epoch, now.half_life)
        and not basis.version.again
        and basis.version.follows_id == now.version_id
    )


def _sums(basis: Basis, span: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The statement that sums S of every lead of a span from the ledger: Σ points · 2^((t − E)/h)."""
    points = ScorePoint.objects.filter(version__in=basis.version.chain(), **span).order_by()
    inner, values = points.values_list("lead_id", "points", "occurred_at").query.sql_with_params()
    if settings.SQLITE:
        # Whole seconds apart from their parts: SQLite itself rounds a moment to the millisecond.
        seconds = (
            "CAST(strftime('%%s', substr(given.occurred_at, 1, 19)) AS INTEGER)"
            " + CAST(substr(given.occurred_at, 20) AS REAL)"
        )
    else:
        # A double; extract() gives a numeric, which takes three times as long.
        seconds = "date_part('epoch', given.occurred_at)"
    lives = f"({seconds} - %s) / %s"
    # What is smaller than any float is nothing to Python and SQLite, and an error to PostgreSQL.
    weight = f"CASE WHEN {lives} > {FADED} THEN power(2.0, {lives}) ELSE 0 END"
    return (
        f"SELECT given.lead_id, sum(given.points * {weight}) AS total FROM ({inner}) AS given GROUP BY given.lead_id",  # noqa: S608
        [*[basis.epoch.timestamp(), basis.half_life * 86_400] * 2, *values],
    )


def _band(basis: Basis) -> str:
    lines = " ".join(f"WHEN old.fit >= {line} THEN '{band}'" for band, line in basis.version.rules["fit_bands"].items())
    return f"CASE {lines} ELSE '{BANDS[-1]}' END"


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def put_in_force(basis: Basis, *, workspace: Workspace, at: datetime) -> bool:
    """Let a filled basis take the place of the one in force; False while a lead has no row on it.

    By then nobody scores: they wait for this transaction, and find the new one.
    """
    hold(workspace, alone=True)
    if _missing(basis).exists():
        return False
    left = Basis.objects.select_related("version").get(in_force=True)
    Basis.objects.filter(pk=left.pk).update(in_force=False, left_at=at)
    if left.version_id != basis.version_id:
        late = waiting().filter(recorded_at__lt=left.version.published_at).values_list("pk", flat=True)
        RuleVersion.objects.filter(pk=left.version_id).update(late=list(late))
    Basis.objects.filter(pk=basis.pk).update(in_force=True, goes_live=False, filled_at=at, figures=None)
    if basis.version.published_at is None:
        last = RuleVersion.objects.exclude(number=None).order_by("-number").values_list("number", flat=True)[0]
        RuleVersion.objects.filter(pk=basis.version_id).update(number=last + 1, published_at=at)
    return True


def forget(basis: Basis, size: int) -> bool:
    """Take away a slice of what is kept of a basis that was left; True when nothing is left of it.

    The points of a version that was only tried out go as well.
    """
    takes: list[tuple[Any, Callable[[], Any]]] = [(LeadScore.objects.filter(basis=basis), LeadScore.objects.filter)]
    if basis.version.published_at is None:
        takes.append((ScorePoint.objects.filter(version=basis.version), ScorePoint.objects.filter))
    for rows, of in takes:
        ids = list(rows.values_list("pk", flat=True)[:size])
        if ids:
            of(pk__in=ids).delete()  # type: ignore[call-arg]
            return False
    version = basis.version
    basis.delete()
    if version.published_at is None:
        version.delete()
    return True
