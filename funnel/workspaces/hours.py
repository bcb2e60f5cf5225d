"""Working time on the workspace's own clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta

from funnel.workspaces.models import Workspace

# A week without a single working hour is refused where hours are set, and so many holidays that a promise would reach
# further; this only bounds a walk.
FAR = 5000
IDLE = 365
# What was due at closing time is late all night, by no working minute: by less than anybody is told of.
MOMENT = 1e-6


def spans(workspace: Workspace, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The working spans from `start` on, in UTC, in order, none on a holiday; each as long as the wall's clock says."""
    zone, closed = workspace.zone, workspace.holidays
    first: date = start.astimezone(zone).date()
    for ahead in range(FAR):
        day = first + timedelta(days=ahead)
        if day in closed:
            continue
        for opens, closes in workspace.hours[day.weekday()]:
            begin = datetime.combine(day, time.fromisoformat(opens), zone).astimezone(start.tzinfo)
            end = datetime.combine(day, time.fromisoformat(closes), zone).astimezone(start.tzinfo)
            if end > start and end > begin:
                yield max(begin, start), end


def after(workspace: Workspace, start: datetime, hours: float) -> datetime:
    """The moment when `hours` of working time have passed since `start`."""
    left = timedelta(hours=hours)
    for begin, end in spans(workspace, start):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise ValueError("This workspace has no working hours.")


def between(workspace: Workspace, start: datetime, end: datetime) -> timedelta:
    """How much working time lies between two moments; negative when `end` comes first."""
    if end < start:
        return -between(workspace, end, start)
    worked = timedelta()
    for begin, close in spans(workspace, start):
        if begin >= end:
            break
        worked += min(close, end) - begin
    return worked


def minutes_left(workspace: Workspace, due_at: datetime, at: datetime) -> float:
    """The working minutes until a moment; below nought once it has passed, also while nobody has worked since."""
    left = between(workspace, at, due_at).total_seconds() / 60
    return left if at <= due_at else min(left, -MOMENT)


def idle_year(hours: list[list[list[str]]], closed: Collection[str], today: date) -> bool:
    """Whether from today on there comes a year without a working day; `closed` are days like 2026-12-25."""
    last = max((date.fromisoformat(day) for day in closed), default=today)
    rest = 0
    for ahead in range(max((last - today).days, 0) + IDLE):
        day = today + timedelta(days=ahead)
        rest = rest + 1 if day.isoformat() in closed or not hours[day.weekday()] else 0
        if rest >= IDLE:
            return True
    return False


def opening(workspace: Workspace, day: date) -> datetime:
    """The moment at which a day's work begins; nine o'clock on a day without working hours."""
    spans_of_day = workspace.hours[day.weekday()]
    begins = time.fromisoformat(spans_of_day[0][0]) if spans_of_day else time(9)
    return datetime.combine(day, begins, workspace.zone).astimezone(UTC)
