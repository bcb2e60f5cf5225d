"""The funnel of the owner's home: who came to each stage in a period, how many of them went on, and after how long.

The report of the API asks what became of those who were *received* in a period; this asks what happened in it. A stage
that somebody skipped was entered when they came to the next one, but they spent no days there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q

from funnel.leads.identity import AHEAD
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.overview.medians import MedianDays
from funnel.overview.report import COLUMNS, STAGES, arrival
from funnel.workspaces.models import Workspace
from funnel.workspaces.months import Period


@dataclass(slots=True)
class Entry:
    """One stage: how many entered it in the period, how many of them are further now, and their median days there."""

    stage: Stage
    entered: int
    went_on: int | None
    days: float | None


def entries(period: Period, workspace: Workspace) -> list[Entry]:
    """Every stage in order, by one query."""
    last = len(STAGES) - 1
    asked: dict[str, Any] = {}
    for place in range(last + 1):
        inside = Q(**period.within(f"came_{place}", workspace))
        asked[f"entered_{place}"] = Count("pk", filter=inside)
        if place < last:
            on = inside & Q(**{f"came_{place + 1}__isnull": False})
            there = on & Q(**{f"{COLUMNS[place]}__isnull": False})
            stay = MedianDays(f"came_{place + 1}", COLUMNS[place], filter=there)
            asked |= {f"on_{place}": Count("pk", filter=on), f"days_{place}": stay}
    # Nothing that happened in the period was written down before it, and this column has an index.
    begin = period.within("updated_at", workspace)["updated_at__gte"]
    leads = Lead.objects.filter(updated_at__gte=begin - AHEAD)
    came = {f"came_{place}": arrival(place) for place in range(1, last + 1)}
    # As the one group of them all: to `aggregate` what was annotated takes Django longer than the database.
    whole = leads.annotate(came_0=F("received_at"), **came).order_by().values("workspace").annotate(**asked)
    nobody: dict[str, Any] = {name: None if name.startswith("days") else 0 for name in asked}
    found = next(iter(whole.values(*asked)), nobody)
    return [
        Entry(stage, found[f"entered_{place}"], found.get(f"on_{place}"), found.get(f"days_{place}"))
        for place, stage in enumerate(STAGES)
    ]
