"""Bring a table's rows in: a chunk at a time, each chunk a transaction of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.db import transaction

from funnel.leads import receiving
from funnel.leads.identity import Key, Refused
from funnel.leads.models import FieldDefinition, Lead
from funnel.leads.receiving import Received
from funnel.leads.stages import MARKETING, Stage
from funnel.outbox.drain import AIR
from funnel.outbox.models import Lane
from funnel.transfer.mapping import Mapping, Row
from funnel.transfer.reading import Table
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Member, Workspace

# On SQLite a chunk is one short write, on PostgreSQL as much as is quick.
CHUNK_SQLITE, CHUNK = 40, 1000


class Import:
    """One run over a table; `counts` holds rows, new, changed, same and refused, `refused` the rows with reasons."""

    def __init__(
        self, workspace: Workspace, *, by: Member, mapping: Mapping, hand_over: bool = False, dry_run: bool = False
    ) -> None:
        self.workspace, self.by, self.mapping = workspace, by, mapping
        self.hand_over, self.dry_run = hand_over, dry_run
        self.counts: Counter[str] = Counter(rows=0, new=0, changed=0, same=0, refused=0)
        self.refused: list[tuple[int, list[str], dict[str, str]]] = []
        self._seen: set[Key] = set()

    def run(self, table: Table) -> Iterator[Counter[str]]:
        """Bring all rows in; yields the counts after each chunk."""
        with tenant(self.workspace, write=True):
            self._make_fields()
            if self.dry_run:
                transaction.set_rollback(True)
        rows = table.rows()
        while chunk := list(islice(rows, CHUNK_SQLITE if settings.SQLITE else CHUNK)):
            self._chunk(chunk)
            yield self.counts
            if settings.SQLITE:
                time.sleep(AIR)

    def _make_fields(self) -> None:
        known = set(FieldDefinition.objects.values_list("name", flat=True))
        FieldDefinition.objects.bulk_create(
            [
                FieldDefinition(workspace=self.workspace, name=name, label=name)
                for name in self.mapping.fields
                if name not in known
            ]
        )

    def _chunk(self, chunk: Sequence[tuple[int, list[str]]]) -> None:
        good: list[Row] = []
        for line, cells in chunk:
            self.counts["rows"] += 1
            try:
                good.append(self.mapping.row(line, cells))
            except Refused as refused:
                self._refuse(line, cells, refused.errors)
        with tenant(self.workspace, write=True) as at:
            if self.dry_run:
                self._make_fields()
            results = receiving.receive(
                self.workspace,
                [row.capture for row in good],
                at=at,
                by=self.by,
                lane=Lane.BULK,
                go=self.hand_over,
            )
            for row, result in zip(good, results, strict=True):
                self._count(row, result)
            self._place(good, results, at)
            if self.dry_run:
                transaction.set_rollback(True)

    def _refuse(self, line: int, cells: list[str], errors: dict[str, str]) -> None:
        self.counts["refused"] += 1
        self.refused.append((line, cells, errors))

    def _count(self, row: Row, result: Received) -> None:
        if result.refused:
            self._refuse(row.line, row.cells, result.refused)
            return
        again = bool(self._seen.intersection(row.capture.keys))
        if self.dry_run:
            self._seen.update(row.capture.keys)
        if result.created and not again:
            self.counts["new"] += 1
        else:
            self.counts["changed" if result.changed else "same"] += 1

    def _place(self, rows: Sequence[Row], results: Sequence[Received], at: datetime) -> None:
        """Move leads to the stage their row claims; whom sales works with already is left where they are."""
        wanted: dict[tuple[Stage, Member | None], list[Lead]] = {}
        for row, result in zip(rows, results, strict=True):
            lead = result.lead
            if row.stage and lead and lead.stage != row.stage and lead.stage in MARKETING:
                wanted.setdefault((row.stage, row.holder), []).append(lead)
        for (stage, holder), leads in wanted.items():
            ids = [lead.pk for lead in leads]
            Lead.objects.filter(pk__in=ids).move(stage, at=at, by=self.by, holder=holder, because="imported")
            if stage == Stage.CUSTOMER:
                for lead in leads:
                    lead.customer_since = lead.received_at
                Lead.objects.bulk_update(leads, ["customer_since"], batch_size=200)
