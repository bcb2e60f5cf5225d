"""What the worker does with a list: read it, look it through, bring it in, forget it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from funnel.outbox.drain import SHORT, outside
from funnel.outbox.models import Effect, Event
from funnel.scoring.actions import hold
from funnel.transfer import actions as lists
from funnel.transfer.books import Unreadable
from funnel.transfer.importing import CHUNK, CHUNK_SQLITE, Chunk, Run, make_fields
from funnel.transfer.looking import Look
from funnel.transfer.models import Import, RefusedRow, State
from funnel.transfer.reading import Reading, storable
from funnel.transfer.spool import Line, rows_of, spool
from funnel.workspaces.gate import tenant

GONE = "The file is not here any more. Bring it again."
LEAST, MOST = 5, 400


def _list_of(effect: Effect) -> UUID:
    return UUID(Event.objects.values_list("data", flat=True).get(pk=effect.event_id)["list"])


@outside
def read_list(effects: list[Effect], at: datetime) -> None:
    """Turn an uploaded file into rows; it is read by a process of its own, outside any transaction."""
    (effect,) = effects
    with tenant(effect.workspace_id):
        one = Import.objects.filter(pk=_list_of(effect), state=State.READING, duty=effect.event_id).first()
    if one is None:
        return
    told: dict[str, Any]
    try:
        found = spool(one.source, one.spool, Reading(**one.how), name=one.file_name)
        if not found.rows:
            raise Unreadable("There are names of columns, but no row under them.")
    except Unreadable as refusal:
        says = refusal.sentence if one.source.exists() else GONE
        to, told = State.UNREADABLE, {"says": says[:500]}
    else:
        how = {**vars(found.how), "sheets": found.sheets}
        to, told = State.COLUMNS, {"how": how, "columns": found.columns, "rows": found.rows}
    with tenant(effect.workspace_id, write=True) as now:
        Import.objects.filter(pk=one.pk, duty=effect.event_id).step(to, at=now, **told)


def look_through(effects: list[Effect], at: datetime) -> list[Effect]:
    """Try a slice of a list out, and take it back; gives what isn't through yet."""
    return _next_slice(effects, at, State.LOOKING, _look)


def bring_in(effects: list[Effect], at: datetime) -> list[Effect]:
    """Bring a slice of a list in; gives what isn't through yet."""
    return _next_slice(effects, at, State.RUNNING, _bring)


def forget_list(effects: list[Effect], at: datetime) -> None:
    """Take away what is kept of a list after a while."""
    for one in Import.objects.filter(pk__in=[_list_of(effect) for effect in effects], forgotten_at=None):
        lists.forget(one, at=at)


def _next_slice(
    effects: list[Effect], at: datetime, state: State, work: Callable[[Import, list[Line], bool, datetime], Chunk]
) -> list[Effect]:
    """Work one slice of the list that had its turn longest ago; the others stay due."""
    by_list = {_list_of(effect): effect for effect in effects}
    due = Import.objects.filter(
        pk__in=list(by_list), state=state, duty__in=[effect.event_id for effect in effects]
    ).order_by("updated_at", "id")
    ids = list(due.values_list("pk", flat=True))
    if not ids:
        return []
    left = [by_list[pk] for pk in ids[1:]]
    one = Import.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=ids[0])
    if one.state != state or one.duty != by_list[one.pk].event_id:
        return left
    started = time.perf_counter()
    size = min(max(one.pace or CHUNK_SQLITE, LEAST), MOST) if settings.SQLITE else CHUNK
    place, lines = one.place, list[Line]()
    try:
        for place, line in islice(rows_of(one.spool, one.place), size):  # noqa: B007
            lines.append(line)
    except FileNotFoundError:
        Import.objects.filter(pk=one.pk).step(State.UNREADABLE, at=at, says=GONE)
        return left
    ends = one.done + len(lines) >= one.rows
    chunk = work(one, lines, ends, at)
    took = time.perf_counter() - started
    counts: Counter[str] = Counter(one.counts)
    counts.update(chunk.counts)
    now = {
        "counts": counts,
        "done": one.done + len(lines),
        "place": place,
        "pace": int(len(lines) * SHORT / took) if lines else one.pace,
    }
    if ends:
        one.preview["counts"] = counts if state == State.LOOKING else one.preview.get("counts", {})
        through = {"ended_at": at} if state == State.RUNNING else {"preview": one.preview}
        Import.objects.filter(pk=one.pk).step(
            State.DONE if state == State.RUNNING else State.LOOKED, at=at, **now, **through
        )
        return left
    Import.objects.filter(pk=one.pk).update(updated_at=at, preview=one.preview, **now)
    return [*left, by_list[one.pk]]


def _bring(one: Import, lines: list[Line], ends: bool, at: datetime) -> Chunk:
    mapping = lists.mapping_of(one, one.mapping)
    run = Run(one.workspace, by=one.by, mapping=mapping, name=one.pk.hex, hand_over=one.hand_over)
    chunk = run.chunk(lines, at=at)
    RefusedRow.objects.bulk_create(
        [
            RefusedRow(
                workspace=one.workspace, of=one, line=line, cells=[storable(cell) for cell in cells], errors=errors
            )
            for line, cells, errors in chunk.refused
        ],
        batch_size=1000,
    )
    return chunk


def _look(one: Import, lines: list[Line], ends: bool, at: datetime) -> Chunk:
    look = Look(one)
    try:
        with transaction.atomic():
            hold(one.workspace)
            run = look.run(lists.mapping_of(one, one.mapping))
            make_fields(one.workspace, run.mapping)
            chunk = run.chunk(lines, at=at)
            look.see(chunk, at)
            transaction.set_rollback(True)
        look.compare(chunk)
        if ends:
            look.end()
    finally:
        look.close(ended=ends)
    one.preview = look.found
    return chunk
