"""Lists that are brought in: each on its way from an upload to leads, and the rows that stayed out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models

from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class State(models.TextChoices):
    READING = "reading", "Is being read"
    UNREADABLE = "unreadable", "Can’t be read"
    COLUMNS = "columns", "Waits for its columns"
    LOOKING = "looking", "Is being looked through"
    LOOKED = "looked", "Waits for your word"
    RUNNING = "running", "Comes in"
    STOPPED = "stopped", "Stopped"
    DONE = "done", "Brought in"


NEXT: dict[State, frozenset[State]] = {
    State.READING: frozenset({State.COLUMNS, State.UNREADABLE}),
    State.UNREADABLE: frozenset({State.READING}),
    State.COLUMNS: frozenset({State.LOOKING, State.READING}),
    State.LOOKING: frozenset({State.LOOKED, State.COLUMNS, State.UNREADABLE}),
    State.LOOKED: frozenset({State.RUNNING, State.COLUMNS, State.LOOKING, State.READING}),
    State.RUNNING: frozenset({State.DONE, State.STOPPED, State.UNREADABLE}),
    State.STOPPED: frozenset({State.RUNNING, State.DONE}),
    State.DONE: frozenset(),
}
# Nothing of it was ever written yet.
UNBEGUN = (State.READING, State.UNREADABLE, State.COLUMNS, State.LOOKING, State.LOOKED)
# In these the worker has it, in the others a person.
AT_WORK = (State.READING, State.LOOKING, State.RUNNING)


class ImportQuerySet(models.QuerySet["Import"]):
    def step(self, to: State, *, at: datetime, **also: Any) -> bool:
        """Let the import of this queryset go to a state, the only way that it changes; False where it may not."""
        allowed = [state for state, onward in NEXT.items() if to in onward]
        return bool(self.filter(state__in=allowed).update(state=to, updated_at=at, **also))

    def recent(self) -> ImportQuerySet:
        """Latest first, with who brought each."""
        return self.select_related("by__user").order_by("-made_at", "-id")


class Import(TenantRow):
    """One file on its way in. `place` is the byte of its rows to go on from; it grows with what the rows wrote."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+")
    file_name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.READING)
    # Why it can't be read, as a sentence.
    says = models.CharField(max_length=500, blank=True)
    # {"delimiter", "encoding", "sheet", "head"} and the "sheets" that there are.
    how = models.JSONField(default=dict)
    # Per column {"name", "eg", "filled", "values", "dates"}; see spool.Column.
    columns = models.JSONField(default=list)
    rows = models.PositiveIntegerField(default=0)
    # As a map for the command; see mapping.Mapping.
    mapping = models.JSONField(default=dict)
    hand_over = models.BooleanField(default=False)
    preview = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    done = models.PositiveIntegerField(default=0)
    place = models.PositiveBigIntegerField(default=0)
    # How many rows the last slice showed to fit into the next.
    pace = models.PositiveIntegerField(default=0)
    # The event whose effect may work on it; an older one finds itself overtaken.
    duty = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    # The stretch that runs now: since when, and from which row on.
    began_at = models.DateTimeField(null=True)
    began_from = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = scoped(ImportQuerySet)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-made_at", "-id"], name="import_recent")]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_unbegun(self) -> bool:
        """Whether nothing of it was brought in; what became unreadable on the way in has its map."""
        return self.state in UNBEGUN and not (self.state == State.UNREADABLE and self.mapping)

    @property
    def header(self) -> list[str]:
        return [column["name"] for column in self.columns]

    @property
    def folder(self) -> Path:
        """Where its files lie until they are forgotten."""
        return folder_of(self.workspace_id) / self.pk.hex

    @property
    def source(self) -> Path:
        return self.folder / "file"

    @property
    def spool(self) -> Path:
        return self.folder / "rows"


def folder_of(workspace_id: UUID) -> Path:
    """Where a business's lists lie."""
    return Path(settings.MEDIA_ROOT) / "imports" / workspace_id.hex


class RefusedRow(TenantRow):
    """A row that stayed out, in its own columns, with a sentence per column that is wrong."""

    of = TenantForeignKey(Import, models.CASCADE, related_name="refused", db_index=False)
    line = models.PositiveIntegerField()
    cells = models.JSONField()
    errors = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["workspace", "of", "id"], name="refused_of")]

    def __str__(self) -> str:
        return f"line {self.line}"
