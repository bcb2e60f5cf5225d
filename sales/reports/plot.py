"""The drawing of what was won day by day, against an even pace to the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from funnel.ledger.money import digits
from funnel.templatetags.words import money, short_day
from funnel.workspaces.models import Workspace
from funnel.workspaces.months import Period

WIDE, HIGH, LINES = 1000, 100, 5


@dataclass(slots=True)
class Plot:
    """Paths in a field of 1000 by 100, the labels of both axes, and the rows of the table that says the same."""

    won: str
    even: str
    now: float | None
    grid: str
    amounts: list[str]
    days: list[str]
    is_month: bool
    rows: list[tuple[date, int, int]]


def plot_of(period: Period, won: Mapping[date, int], target: int | None, *, workspace: Workspace, at: datetime) -> Plot:
    """Draw the period; what is still to come has only the even pace."""
    local = workspace.local(at)
    length = (period.after - period.first).days
    top = _top(max(target or 0, sum(won.values()), 1), workspace.currency)

    def x(days: float) -> str:
        return f"{WIDE * days / length:.1f}"

    def y(amount: float) -> str:
        return f"{HIGH - HIGH * max(amount, 0) / top:.2f}"

    today = (local.date() - period.first).days
    over = min(today + (local.hour * 60 + local.minute) / 1440, length) if today < length else float(length)
    so_far, path, rows = 0, [f"M0 {y(0)}"], []
    for day, amount in won.items():
        place = (day - period.first).days
        so_far += amount
        path.append(f"H{x(min(place, over))}V{y(so_far)}")
        rows.append((day, amount, so_far))
    path.append(f"H{x(over)}")
    return Plot(
        won="".join(path),
        even=_even(period, target, workspace, x, y) if target else "",
        now=WIDE * over / length if over < length else None,
        grid="".join(f"M0 {HIGH * line / LINES:g}H{WIDE}" for line in range(LINES + 1)),
        amounts=[_short(top * line // LINES, workspace.currency) for line in range(LINES, -1, -1)],
        days=_labels(period),
        is_month=len(period.months) == 1,
        rows=rows,
    )


def _even(period: Period, target: int, workspace: Workspace, x, y) -> str:  # type: ignore[no-untyped-def]
    working = set(period.working_days(workspace))
    if not working:
        return ""
    path, done = [f"M0 {y(0)}"], 0
    for place in range((period.after - period.first).days):
        done += period.first + timedelta(days=place) in working
        path.append(f"L{x(place + 1)} {y(target * done / len(working))}")
    return "".join(path)


def _top(most: int, currency: str) -> int:
    """The next round amount that five equal steps lead to."""
    unit = 10 ** digits(currency)
    step = unit
    while True:
        for factor in (1, 2, 2.5, 5):
            if step * factor * LINES >= most:
                return int(step * factor) * LINES
        step *= 10


def _short(minor: int, currency: str) -> str:
    """An amount as an axis shows it: "£125k"."""
    unit = 10 ** digits(currency)
    whole = minor // unit
    for size, word in ((10**6, "m"), (10**3, "k")):
        if whole >= 10 * size or (whole >= size and whole % size == 0):
            return money(whole // size * unit, currency) + word
    return money(minor, currency) if whole else "0"


def _labels(period: Period) -> list[str]:
    if len(period.months) == 1:
        weeks = range(0, (period.after - period.first).days, 7)
        days = [period.first + timedelta(days=place) for place in weeks]
        # The last days of a month have little room.
        return [short_day(day, day) if day.day < 29 else str(day.day) for day in days]
    return [f"{month:%B}" for month in period.months]
