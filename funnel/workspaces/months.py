"""Months and quarters of the workspace's calendar; a month is named by its first day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from funnel.workspaces.models import Workspace


def month_of(day: date) -> date:
    """The month in which a day lies."""
    return date(day.year, day.month, 1)


def months_later(month: date, many: int) -> date:
    """The month so many months later; earlier for a negative number."""
    count = month.year * 12 + month.month - 1 + many
    return date(count // 12, count % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    """The months from that of one day to that of another, in order."""
    many = (last.year - first.year) * 12 + last.month - first.month
    return [months_later(month_of(first), ahead) for ahead in range(many + 1)]


def quarter_of(day: date) -> list[date]:
    """The three months of the quarter in which a day lies."""
    return [date(day.year, 3 * ((day.month - 1) // 3) + place, 1) for place in (1, 2, 3)]


def begins_on(day: date, workspace: Workspace) -> datetime:
    """The moment at which a day of the workspace begins, in UTC."""
    return datetime.combine(day, time.min, workspace.zone).astimezone(UTC)


@dataclass(frozen=True)
class Period:
    """Some months in a row: a key for addresses, a name in a sentence ("in …"), and the first day of each."""

    key: str
    name: str
    months: tuple[date, ...]

    @property
    def label(self) -> str:
        """How a page offers it."""
        name = self.name.removeprefix("the ").replace(" of ", " ")
        return name if self.key.startswith("last") else f"{name}, so far"

    @property
    def first(self) -> date:
        return self.months[0]

    @property
    def after(self) -> date:
        """The day after its last."""
        return months_later(self.months[-1], 1)

    def within(self, column: str, workspace: Workspace) -> dict[str, datetime]:
        """The period as a filter of a column of moments."""
        return {
            f"{column}__gte": begins_on(self.first, workspace),
            f"{column}__lt": begins_on(self.after, workspace),
        }

    def working_days(self, workspace: Workspace) -> list[date]:
        """Its days on which the business works, in order."""
        days = (self.first + timedelta(days=ahead) for ahead in range((self.after - self.first).days))
        return [day for day in days if workspace.hours[day.weekday()] and day not in workspace.holidays]


def periods_at(at: datetime, workspace: Workspace) -> dict[str, Period]:
    """The periods that a page offers: this month and quarter, and those before."""
    today = workspace.local(at).date()
    month, quarter = month_of(today), quarter_of(today)
    before, earlier = months_later(month, -1), quarter_of(months_later(quarter[0], -1))
    found = [
        Period("month", f"{month:%B %Y}", (month,)),
        Period("quarter", f"the {_ordinal(quarter)} quarter of {month.year}", tuple(quarter)),
        Period("last-month", f"{before:%B %Y}", (before,)),
        Period("last-quarter", f"the {_ordinal(earlier)} quarter of {earlier[0].year}", tuple(earlier)),
    ]
    return {one.key: one for one in found}


def asked(request: Any) -> Period:
    """The period that a page's address asks for, this month unless said."""
    offered = periods_at(request.at, request.workspace)
    return offered.get(request.GET.get("period", ""), offered["month"])


def _ordinal(quarter: list[date]) -> str:
    return ("1st", "2nd", "3rd", "4th")[quarter[0].month // 3]
