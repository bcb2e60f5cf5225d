"""The clock of a played year: what happens at which moment, and what the other modules of it share."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from unittest.mock import patch
from uuid import UUID
from zoneinfo import ZoneInfo

from funnel.leads.models import Lead
from funnel.workspaces import gate
from funnel.workspaces.gate import tenant
from funnel.workspaces.hours import after
from funnel.workspaces.models import Member, Workspace

ZONE = ZoneInfo("Europe/London")
BEGINS, ENDS = datetime(2025, 1, 2, 9, tzinfo=ZONE), datetime(2025, 12, 31, 17, tzinfo=ZONE)
LOOKS = (*(datetime(2025, month, day, 17, 30, tzinfo=ZONE) for month, day in ((3, 31), (6, 30), (9, 30))), ENDS)
MONTHS = tuple(datetime(2025, month, 1, tzinfo=ZONE) for month in range(2, 13))
HOLIDAYS = {
    "2025-01-01": "New Year", "2025-04-18": "Good Friday", "2025-04-21": "Easter Monday", "2025-05-05": "May Day",
    "2025-05-26": "Spring bank holiday", "2025-08-25": "Summer bank holiday", "2025-12-25": "Christmas",
    "2025-12-26": "Boxing Day",
}  # fmt: skip
Action = Callable[[datetime], None]


class Clock:
    """The database's now, as every door reads it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let every gate open at this clock's moment."""
        entered = gate.enter

        def enter(workspace_id: UUID) -> datetime:
            entered(workspace_id)
            return self.now

        with patch.object(gate, "enter", enter), patch.object(gate, "database_now", lambda: self.now):
            yield


class Course:
    """A year as it goes on: who is there, who came, and what is to happen when."""

    workspace: Workspace
    owner: Member
    marketer: Member
    reps: list[Member]
    # Everybody who sells or once did, and those of them who have left.
    people: dict[UUID, Member]
    gone: set[UUID]

    def __init__(self, leads: int, *, seed: int) -> None:
        self.leads = leads
        self.dice = random.Random(seed)
        self.clock = Clock(BEGINS.astimezone(UTC))
        self.waiting: list[tuple[datetime, int, Action]] = []
        self.order = count()
        self.came: dict[str, UUID] = {}
        self.gone = set()
        self.did: Counter[str] = Counter()

    def at(self, moment: datetime, action: Action) -> None:
        """Let something happen at a moment of the year."""
        heapq.heappush(self.waiting, (moment.astimezone(UTC), next(self.order), action))

    def later(self, hours: float, action: Action) -> None:
        """Let something happen after so many working hours."""
        self.at(after(self.workspace, self.clock.now, hours), action)

    def gate(self) -> Any:
        return tenant(self.workspace, write=True)

    def lead(self, pk: UUID) -> Any:
        return Lead.objects.select_related("workspace", "holder__user", "company").get(pk=pk)

    def now(self, rep: Member, held: Any) -> Member | None:
        """Whoever goes on for a rep with what they held: they themselves, or since they left its holder or the owner.

        None where it is with somebody else, or with nobody.
        """
        if rep.pk not in self.gone:
            return rep if held.holder_id == rep.pk else None
        return self.owner if held.holder_id in self.gone else self.people.get(held.holder_id)
