"""The drawing of a lead's engagement: six weeks back, two ahead if nothing happens, and the line for ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil

from funnel.scoring.models import DAY
from funnel.templatetags.words import down, short_day
from funnel.workspaces.models import Workspace

BACK, AHEAD, LABELS = timedelta(days=42), timedelta(days=14), 4
WIDE, HIGH, STEPS = 1000, 100, 3


@dataclass(slots=True)
class EngagementPlot:
    """Paths in a field of 1000 by 100, the labels of both axes, and the rows of the table that says the same."""

    past: str
    ahead: str
    ready: str
    now: float
    grid: str
    amounts: list[int]
    days: list[str]
    rows: list[tuple[datetime, Decimal]]
    # The row of the highest moment, where that lies between two weeks.
    peak: datetime | None


def plot_of(
    acts: Sequence[tuple[datetime, int]],
    *,
    rest: float,
    half_life: float,
    line: float | None,
    workspace: Workspace,
    at: datetime,
) -> EngagementPlot:
    """Draw what points given at these moments add up to; `rest` is what older ones come to now."""
    today = workspace.local(at).replace(hour=0, minute=0, second=0, microsecond=0)
    start = (today - BACK).astimezone(UTC)
    whole = BACK + AHEAD

    def value(moment: datetime, *, before: bool = False) -> float:
        given = sum(
            points * 2 ** (-((moment - when) / DAY) / half_life)
            for when, points in acts
            if when < moment or (when == moment and not before)
        )
        return float(given + rest * 2 ** (-((moment - at) / DAY) / half_life))

    inside = sorted({when for when, _ in acts if start < when <= at})
    days = [start + timedelta(days=place) for place in range(whole.days + 1)]
    past = [(moment, value(moment)) for moment in days if moment <= at]
    past += [(moment, value(moment, before=True)) for moment in inside] + [(moment, value(moment)) for moment in inside]
    past.append((at, value(at)))
    # Of two values at one moment the one before comes first; the sort keeps their order.
    past.sort(key=lambda one: one[0])
    ahead = [(at, value(at)), *((moment, value(moment)) for moment in days if moment > at)]
    top = _top(max([line or 0, *(one for _, one in past), *(one for _, one in ahead), 1]))

    def x(moment: datetime) -> float:
        return WIDE * ((moment - start) / whole)

    def y(amount: float) -> float:
        return HIGH - HIGH * min(max(amount, 0), top) / top

    def path(values: Sequence[tuple[datetime, float]]) -> str:
        return "M" + "L".join(f"{x(moment):.1f} {y(amount):.2f}" for moment, amount in values)

    weeks = [today - timedelta(days=7 * back) for back in range(BACK.days // 7, 0, -1)]
    rows = [*((day, down(value(day.astimezone(UTC)))) for day in weeks), (at, down(value(at)))]
    highest, most = max(past, key=lambda one: one[1])
    peak = highest if down(most) > max(amount for _, amount in rows) else None
    if peak is not None:
        rows = sorted([*rows, (peak, down(most))], key=lambda row: row[0])
    return EngagementPlot(
        past=path(past),
        ahead=path(ahead),
        ready=f"M0 {y(line):.2f}H{WIDE}" if line else "",
        now=x(at),
        grid="".join(f"M0 {HIGH * step / STEPS:.2f}H{WIDE}" for step in range(STEPS + 1)),
        amounts=[top * step // STEPS for step in range(STEPS, -1, -1)],
        days=[short_day((today - BACK + whole * place / LABELS).date(), today.date()) for place in range(LABELS)],
        rows=rows,
        peak=peak,
    )


def _top(most: float) -> int:
    """The next round number that three equal steps lead to."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            if unit * factor * STEPS >= most:
                return ceil(unit * factor) * STEPS
        unit *= 10
