"""Months and quarters of the workspace's calendar; a month is named by its first day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from funnel.workspaces.models import Workspace


def month_of(day: date) -> date:
    """The month in which a day lies."""
    return date(day.year, day.month, 1)


def months_later(month: date, many: int) -> date:
    """The month so many months later; earlier for a negative number."""
    count = month.year * 12 + month.month - 1 + many
    return date(count // 12, count % 12 + 1, 1)


def quarter_of(day: date) -> list[date]:
    """The three months of the quarter in which a day lies."""
    return [date(day.year, 3 * ((day.month - 1) // 3) + place, 1) for place in (1, 2, 3)]


def begins_on(day: date, workspace: Workspace) -> datetime:
    """The moment at which a day of the workspace begins, in UTC."""
    return datetime.combine(day, time.min, workspace.zone).astimezone(UTC)
