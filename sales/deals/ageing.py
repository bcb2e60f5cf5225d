"""How long deals usually stay in a stage, and which stay too long."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from statistics import median

from django.db.models import Q

from funnel.outbox.models import Event
from funnel.templatetags.words import number
from sales.deals.models import OPEN, DealStage

# From fewer deals nobody can say what is usual; older ones say little about today.
ENOUGH, LATEST = 5, 200
# Past so many times the usual, the board says so in words.
TOO_LONG = 2
DAY = timedelta(days=1)
WAY = [*OPEN, DealStage.WON]


def usual_stay() -> dict[str, timedelta]:
    """The median stay of the latest deals that went on from each open stage; without the stages where few did."""
    stays: dict[str, list[float]] = defaultdict(list)
    moves = Event.objects.filter(kind="deal_moved").order_by("-occurred_at").values_list("occurred_at", "data")
    for left_at, data in moves[:LATEST]:
        came, went = data.get("from"), data.get("to")
        if came not in OPEN or went not in WAY or WAY.index(went) < WAY.index(came) or not data.get("since"):
            continue
        # A deal dated before it was opened says nothing about how long one takes.
        if (stay := left_at - datetime.fromisoformat(data["since"])) >= timedelta():
            stays[came].append(stay.total_seconds())
    return {stage: timedelta(seconds=median(found)) for stage, found in stays.items() if len(found) >= ENOUGH}


def in_days(stay: timedelta) -> str:
    """A stay in days, to the half, in words."""
    days = round(2 * (stay / DAY)) / 2
    return "under half a day" if not days else f"{number(days)} day{'' if days == 1 else 's'}"


def latest_in_time(stage: str, usual: dict[str, timedelta], at: datetime) -> datetime | None:
    """Whoever came into the stage before this moment is there too long; None where nothing is usual."""
    # Where most go on within hours, a day is no delay that a board should speak of.
    return at - max(TOO_LONG * usual[stage], DAY) if stage in usual else None


def too_long(usual: dict[str, timedelta], at: datetime) -> Q:
    """Which open deals have been in their stage for too long."""
    found = Q(pk__in=[])
    for stage in OPEN:
        if (line := latest_in_time(stage, usual, at)) is not None:
            found |= Q(stage=stage, stage_since__lt=line)
    return found
