"""How a period goes: what was won against what was to be won, by one member or by all together.

Won is what the ledger booked in the period, in the business's own currency; a booking and its correction cancel. An
even pace is the target's share of the working days that are over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate

from funnel.leads.models import Lead
from funnel.ledger.models import Revenue
from funnel.overview.rows import channel_words
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.months import Period
from sales.targets.models import Target

ROWS = 100


@dataclass(slots=True)
class Pace:
    """Amounts in minor units; `target` and `even` are None where nothing was to be won."""

    period: Period
    won: int
    target: int | None
    days: int
    over: int
    is_ended: bool

    @property
    def even(self) -> int | None:
        """What an even pace would have brought by now."""
        if self.target is None or not self.days:
            return None
        return round(Fraction(self.target * self.over, self.days))

    @property
    def ahead(self) -> int | None:
        """How much more than at an even pace; negative for less."""
        return None if self.even is None else self.won - self.even

    @property
    def short(self) -> int:
        """How much less than at an even pace."""
        return -(self.ahead or 0)

    @property
    def ends_near(self) -> int | None:
        """What the whole period brings if it goes on like this."""
        return round(Fraction(self.won * self.days, self.over)) if self.over and not self.is_ended else None

    @property
    def bar(self) -> dict[str, float]:
        """The drawing in a field 1000 wide: the target, what was won, and where an even pace would be."""
        whole = max(self.target or 0, self.won, 1)
        found = {"target": self.target, "won": max(self.won, 0), "even": self.even}
        return {name: round(1000 * value / whole, 1) for name, value in found.items() if value is not None}


@dataclass(slots=True)
class Won:
    """The rows behind a period's sum, the latest last, each with the sum by then and the channel of the lead."""

    rows: list[tuple[Revenue, int, str]] = field(default_factory=list)
    more: int = 0
    rest: int = 0


def booked(period: Period, workspace: Workspace, member: Member | None = None) -> QuerySet[Revenue]:
    """What was booked in the period; of one member what they earned."""
    rows = Revenue.objects.filter(**period.within("occurred_at", workspace))
    return rows.filter(holder=member) if member else rows


def pace(period: Period, *, workspace: Workspace, at: datetime, member: Member | None = None) -> Pace:
    """How the period goes, for one member or for all together."""
    won = booked(period, workspace, member).aggregate(sum=Sum("base_amount"))["sum"] or 0
    return _paced(period, won, Target.objects.of(period.months, member), workspace=workspace, at=at)


def _paced(period: Period, won: int, target: int | None, *, workspace: Workspace, at: datetime) -> Pace:
    today = workspace.local(at).date()
    days = period.working_days(workspace)
    over = sum(1 for day in days if day < today)
    return Pace(period, won, target, len(days), over, is_ended=period.after <= today)


def each(period: Period, *, workspace: Workspace) -> list[tuple[Member, int, int | None]]:
    """Whoever has won something in the period or was to: the member, what they won, and their target."""
    won: dict[UUID | None, int] = dict(
        booked(period, workspace).order_by().values_list("holder").annotate(sum=Sum("base_amount"))
    )
    said = Target.objects.filter(month__in=period.months, member__isnull=False)
    targets: dict[UUID, int] = dict(said.order_by().values_list("member").annotate(sum=Sum("amount")))
    people = Member.objects.filter(pk__in={*won, *targets} - {None}).select_related("user").order_by("joined_at", "pk")
    return [(one, won.get(one.pk, 0), targets.get(one.pk)) for one in people]


def rows_of(period: Period, *, workspace: Workspace, member: Member | None = None) -> Won:
    """The rows that add up to what was won; what was taken back stands with its correction in none of them."""
    rows = booked(period, workspace, member).filter(corrects=None, corrected_by=None)
    total = rows.aggregate(many=Count("pk"), sum=Sum("base_amount"))
    found = list(rows.select_related("lead__source", "holder__user").order_by("-occurred_at", "-pk")[:ROWS])
    sum_ = total["sum"] or 0
    told = []
    for row in found:
        told.append((row, sum_, channel_words(row.lead.source.channel)))
        sum_ -= row.base_amount
    return Won(told[::-1], total["many"] - len(found), sum_)


def by_day(period: Period, *, workspace: Workspace, member: Member | None = None) -> dict[date, int]:
    """What was won on each day that brought something, in order."""
    day = TruncDate("occurred_at", tzinfo=workspace.zone)
    rows = booked(period, workspace, member).annotate(day=day).order_by("day").values_list("day")
    return {day: sum_ for day, sum_ in rows.annotate(sum=Sum("base_amount")) if sum_}


def new_customers(period: Period, workspace: Workspace, member: Member | None = None) -> int:
    """How many became customers in the period."""
    leads: Any = Lead.objects.filter(**period.within("customer_since", workspace))
    return leads.filter(holder=member).count() if member else leads.count()
