"""Bring a list's rows in: a chunk at a time, each chunk within one short write."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, F, Value
from django.db.models.functions import Coalesce

from funnel.leads import receiving
from funnel.leads.fields import MOST_FIELDS, FieldBook
from funnel.leads.identity import Refused, clean
from funnel.leads.models import Company, FieldDefinition, Lead, LeadKey, Suppression
from funnel.leads.receiving import Received
from funnel.leads.stages import MARKETING, Stage
from funnel.leads.suppressing import digest_of, suppress
from funnel.outbox.actions import record_all
from funnel.outbox.drain import AIR
from funnel.outbox.models import Event, Lane
from funnel.outbox.statistics import look_at
from funnel.scoring.models import LeadScore
from funnel.transfer.mapping import Mapping, Row, WrongMap
from funnel.transfer.spool import Line
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Member, Workspace

# On SQLite a chunk is one short write, on PostgreSQL as much as is quick.
CHUNK_SQLITE, CHUNK = 40, 1000
# What rows fill, from nothing to many in the minute before the database looks by itself.
FILLED = (Lead, LeadKey, Company, Event, LeadScore)
COUNTED = ("rows", "new", "changed", "same", "refused")

RefusedLine = tuple[int, list[str], dict[str, str]]


@dataclass
class Chunk:
    """What became of some rows: counts, those that were refused with a sentence per column, and those taken."""

    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(COUNTED, 0)))
    refused: list[RefusedLine] = field(default_factory=list)
    taken: list[tuple[Row, Received, str]] = field(default_factory=list)
    # Who must not be mailed and wasn't known for it; and those without an address, of whom it is only noted.
    no_mail: set[UUID] = field(default_factory=set)
    no_address: set[UUID] = field(default_factory=set)

    @property
    def undated(self) -> Counter[Stage | None]:
        """New people by stage of whom nobody says when they came, so that they count as of today."""
        new = (row.capture for row, _, what in self.taken if what == "new")
        return Counter(one.stage for one in new if not (one.occurred_at or one.customer_since or one.about))


class Seen:
    """The keys of the rows that were looked at before: what is only tried out leaves no lead to be found again."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.file = sqlite3.connect(path, isolation_level=None)
        self.file.execute("PRAGMA synchronous=OFF")
        self.file.execute("CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, line INT, row TEXT) WITHOUT ROWID")

    def close(self) -> None:
        self.file.close()

    def earlier(self, rows: Sequence[Row]) -> dict[int, bool]:
        """Remember these rows; give the lines of those with a key of an earlier chunk, and if they say the same.

        Asked again for the same rows, it gives the same answer.
        """
        if not rows:
            return {}
        keys = {row.line: [_key(key) for key in row.capture.keys] for row in rows}
        every = [key for listed in keys.values() for key in listed]
        found: dict[bytes, str] = {}
        for start in range(0, len(every), 10_000):
            part = every[start : start + 10_000]
            asked = f"SELECT key, row FROM seen WHERE line < ? AND key IN ({', '.join('?' * len(part))})"  # noqa: S608
            found.update(self.file.execute(asked, [rows[0].line, *part]).fetchall())
        self.file.execute("BEGIN")
        self.file.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)",
            [(key, row.line, row.capture.row_key) for row in rows for key in keys[row.line]],
        )
        self.file.execute("COMMIT")
        return {
            row.line: all(found.get(key, row.capture.row_key) == row.capture.row_key for key in keys[row.line])
            for row in rows
            if any(key in found for key in keys[row.line])
        }


def _key(key: tuple[str, str]) -> bytes:
    return blake2b("\x1f".join(key).encode(), digest_size=16).digest()


class Run:
    """Brings in rows of one list, as one map says; with `seen` it is tried out, and whoever calls takes it back.

    `name` tells this list from every other, another time of the same file too.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        by: Member | None,
        mapping: Mapping,
        name: str,
        hand_over: bool = False,
        seen: Seen | None = None,
    ) -> None:
        self.workspace, self.by, self.mapping, self.name = workspace, by, mapping, name
        self.hand_over, self.seen = hand_over, seen

    def chunk(self, lines: Sequence[Line], *, at: datetime) -> Chunk:
        """Bring these rows in, within the gate that is open."""
        chunk, good, book = Chunk(), list[Row](), FieldBook()
        for line, cells in lines:
            chunk.counts["rows"] += 1
            try:
                row = self.mapping.row(line, cells)
            except Refused as refused:
                self._refuse(chunk, line, cells, refused.errors)
                continue
            if row.errors:
                self._refuse(chunk, line, cells, self._wrong(row, book, at))
                continue
            row.capture.data["list"] = self.name
            good.append(row)
        results = receiving.receive(
            self.workspace,
            [row.capture for row in good],
            at=at,
            by=self.by,
            lane=Lane.BULK,
            go=self.hand_over,
        )
        earlier = self.seen.earlier([row for row in good if row.capture.keys]) if self.seen else {}
        placed = self._place(good, results, at)
        self._suppress(chunk, good, results, at)
        for row, result in zip(good, results, strict=True):
            if result.refused:
                self._refuse(chunk, row.line, row.cells, result.refused)
                continue
            moved = result.lead is not None and result.lead.pk in placed | chunk.no_mail | chunk.no_address
            if result.told:
                what = "same"
            elif row.line in earlier:
                what = "same" if earlier[row.line] else "changed"
            else:
                what = "new" if result.created else "changed" if result.changed or moved else "same"
            chunk.counts[what] += 1
            chunk.taken.append((row, result, what))
        if not self.seen and _size(lines[-1][0]) > _size(lines[0][0] - 1):
            look_at(*FILLED)
        return chunk

    def _wrong(self, row: Row, book: FieldBook, at: datetime) -> dict[str, str]:
        """All that is wrong with a row of which a column can't be read."""
        try:
            clean(row.capture, region=self.workspace.country, book=book, at=at)
        except Refused as refused:
            return {**refused.errors, **row.errors}
        return row.errors

    def _refuse(self, chunk: Chunk, line: int, cells: list[str], errors: dict[str, str]) -> None:
        """Keep a row with its sentences, by the names of its own columns."""
        named = {}
        for name, says in errors.items():
            place = self.mapping.column_of(name)
            named[name if place is None else self.mapping.header[place]] = says
        chunk.counts["refused"] += 1
        chunk.refused.append((line, cells, named))

    def _suppress(self, chunk: Chunk, rows: Sequence[Row], results: Sequence[Received], at: datetime) -> None:
        """Keep from mail whom a row wants kept from it; nothing in a list ever takes that back."""
        asked: dict[str, tuple[UUID, Suppression.Why]] = {}
        bare: set[UUID] = set()
        for row, result in zip(rows, results, strict=True):
            if row.no_mail is None or result.lead is None or result.told:
                continue
            addresses = list(filter(None, {result.lead.email, row.capture.email}))
            if not addresses and row.no_mail == Suppression.Why.UNSUBSCRIBED:
                bare.add(result.lead.pk)
            for address in addresses:
                asked.setdefault(digest_of(self.workspace.pk, address), (result.lead.pk, row.no_mail))
        if not (asked or bare):
            return
        known = set(Suppression.objects.filter(digest__in=list(asked)).values_list("digest", flat=True))
        new = {digest: said for digest, said in asked.items() if digest not in known}
        for stop in Suppression.Why:
            suppress(self.workspace.pk, [digest for digest, (_, why) in new.items() if why == stop], stop, at=at)
        if bare:
            said = Event.objects.filter(lead__in=bare, kind=Suppression.Why.UNSUBSCRIBED)
            chunk.no_address = bare.difference(said.values_list("lead", flat=True))
        told = dict(new.values())
        chunk.no_mail = set(told)
        told |= dict.fromkeys(chunk.no_address - chunk.no_mail, Suppression.Why.UNSUBSCRIBED)
        record_all(
            [
                Event(workspace=self.workspace, lead_id=pk, kind=why, occurred_at=at, recorded_at=at, actor=self.by)
                for pk, why in told.items()
            ],
            lane=Lane.BULK,
        )

    def _place(self, rows: Sequence[Row], results: Sequence[Received], at: datetime) -> set[UUID]:
        """Move leads to the stage their row claims, and give customers that nobody looks after to whom it names.

        A new lead began there. Whom sales works with already is left where they are. Gives the leads that changed.
        """
        moves: dict[tuple[Stage, Member | None, datetime | None], list[UUID]] = {}
        gifts: dict[Member, list[UUID]] = {}
        for row, result in zip(rows, results, strict=True):
            lead, stage, holder = result.lead, row.capture.stage, row.capture.holder
            if lead is None or stage is None or result.told:
                continue
            if lead.stage in MARKETING and lead.stage != stage:
                about = None if row.capture.occurred_at else row.capture.about
                moves.setdefault((stage, holder, about), []).append(lead.pk)
            elif lead.stage == stage == Stage.CUSTOMER and holder and lead.holder_id is None:
                gifts.setdefault(holder, []).append(lead.pk)
        for (stage, holder, about), ids in moves.items():
            known = Coalesce("customer_since", Value(about, DateTimeField()) if about else F("received_at"))
            since = {"customer_since": known} if stage == Stage.CUSTOMER else {}
            Lead.objects.filter(pk__in=ids).move(stage, at=at, by=self.by, holder=holder, because="imported", **since)
        for holder, ids in gifts.items():
            Lead.objects.filter(pk__in=ids, holder=None).update(holder=holder, updated_at=at)
            record_all(
                [
                    Event(
                        workspace=self.workspace, lead_id=pk, kind="passed_on", occurred_at=at, recorded_at=at,
                        actor=self.by, data={"from": "", "to": holder.name},
                    )
                    for pk in dict.fromkeys(ids)
                ],
                lane=Lane.BULK,
            )  # fmt: skip
        return {pk for ids in (*moves.values(), *gifts.values()) for pk in ids}


def _size(rows: int) -> int:
    """How many rows these are, roughly: one more from a chunk on, and each time that they are four times as many."""
    return ((rows // CHUNK).bit_length() + 1) // 2


def make_fields(workspace: Workspace, mapping: Mapping) -> None:
    """Make the business's own fields that a map fills and that aren't there, as text; raise WrongMap for too many."""
    known = set(FieldDefinition.objects.values_list("name", flat=True))
    missing = {name: column for name, column in mapping.fields.items() if name not in known}
    if missing and len(known) + len(missing) > MOST_FIELDS:
        raise WrongMap(
            f"There can be {MOST_FIELDS} fields of your own; {len(known)} are there and this would make {len(missing)}"
            " more."
        )
    FieldDefinition.objects.bulk_create(
        [FieldDefinition(workspace=workspace, name=name, label=column[:120]) for name, column in missing.items()],
        ignore_conflicts=True,
    )


def bring_in(run: Run, rows: Iterable[Line]) -> Iterator[Chunk]:
    """Bring all rows in, each chunk in a gate of its own; what is only tried out is taken back."""
    with tenant(run.workspace, write=True):
        make_fields(run.workspace, run.mapping)
        if run.seen:
            transaction.set_rollback(True)
    lines = iter(rows)
    while some := list(islice(lines, CHUNK_SQLITE if settings.SQLITE else CHUNK)):
        with tenant(run.workspace, write=True) as at:
            if run.seen:
                make_fields(run.workspace, run.mapping)
            chunk = run.chunk(some, at=at)
            if run.seen:
                transaction.set_rollback(True)
        yield chunk
        if settings.SQLITE:
            time.sleep(AIR)
