"""How a period goes: what was won against what was to be won, by one member or by all together.

Won is what the ledger booked in the period, in the business's own currency; a booking and its correction cancel. An
even pace is the target's share of the working days that are over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, Q, QuerySet, Sum, When
from django.db.models.functions import TruncDate

from funnel.leads.models import Lead
from funnel.ledger.models import Revenue
from funnel.overview.rows import channel_words
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.months import Period
from sales.targets.models import Said, Target, total

ROWS = 100
# What a page says of each of them.
SAID = (
    "occurred_at", "what", "base_amount", "holder_id", "lead__name", "lead__email", "lead__phone", "lead__company_name",
    "lead__external_id",
)  # fmt: skip


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
    def is_empty(self) -> bool:
        """Whether nothing was won, and nothing was to be."""
        return self.target is None and not self.won

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

    rows: Sequence[tuple[Revenue, int, str]] = field(default_factory=list)
    more: int = 0
    rest: int = 0


@dataclass(frozen=True)
class Book:
    """What was booked and what was to be won in a period, by one member or by all together: read once."""

    period: Period
    workspace: Workspace
    member: Member | None
    # By day (None outside the period) and holder: the sum, and how many rows stand and what they come to.
    rows: list[tuple[Any, UUID | None, int, int, int]]
    said: Said

    @classmethod
    def of(
        cls, period: Period, workspace: Workspace, member: Member | None = None, *, wider: Period | None = None
    ) -> Book:
        """Read the book by two queries; `wider` is a period around the first, of which only the pace is asked."""
        longest = wider or period
        stands = standing(longest, workspace)
        day: Any = TruncDate("occurred_at", tzinfo=workspace.zone)
        rows = (
            booked(longest, workspace, member)
            .annotate(day=Case(When(**period.within("occurred_at", workspace), then=day)) if wider else day)
            .order_by()
            .values_list("day", "holder")
            .annotate(sum=Sum("base_amount"))
            .annotate(many=Count("pk", filter=stands), kept=Sum("base_amount", filter=stands, default=0))
        )
        return cls(period, workspace, member, list(rows), Target.objects.said(longest.months))

    @property
    def inside(self) -> list[tuple[Any, UUID | None, int, int, int]]:
        """The rows of the period, in the order of their days."""
        return sorted((row for row in self.rows if row[0]), key=itemgetter(0))

    def pace(self, period: Period, *, at: datetime) -> Pace:
        """How the period goes, or the wider one."""
        today = self.workspace.local(at).date()
        won = sum(row[2] for row in (self.inside if period == self.period else self.rows))
        target = total(self.said, period.months, self.member.pk if self.member else None)
        days = period.working_days(self.workspace)
        over = sum(1 for day in days if day < today)
        return Pace(period, won, target, len(days), over, is_ended=period.after <= today)

    def each(self, people: Iterable[Member]) -> list[tuple[Member, int, int | None]]:
        """Whoever has won something in the period or was to: the member, what they won, and their target."""
        won: dict[UUID | None, int] = defaultdict(int)
        for _, holder, amount, *_ in self.inside:
            won[holder] += amount
        targets = {one.pk: total(self.said, self.period.months, one.pk) for one in people}
        told = [one for one in people if one.pk in won or targets[one.pk] is not None]
        told.sort(key=lambda one: (one.joined_at, one.pk))
        return [(one, won.get(one.pk, 0), targets[one.pk]) for one in told]

    def by_day(self) -> dict[date, int]:
        """What was won on each day that brought something, in order."""
        found: dict[date, int] = defaultdict(int)
        for day, _, amount, *_ in self.inside:
            found[day] += amount
        return {day: amount for day, amount in found.items() if amount}

    def won(self, people: Mapping[UUID, Member]) -> Won:
        """The rows that add up to what was won; what was taken back stands with its correction in none of them."""
        rows = booked(self.period, self.workspace, self.member).filter(standing(self.period, self.workspace))
        rows = rows.annotate(channel=F("lead__source__channel")).select_related("lead").only(*SAID)
        found = list(rows.order_by("-occurred_at", "-pk")[:ROWS])
        many, sum_ = sum(row[3] for row in self.inside), sum(row[4] for row in self.inside)
        told = []
        for row in found:
            row.holder = people.get(row.holder_id) if row.holder_id else None
            told.append((row, sum_, channel_words(row.channel)))
            sum_ -= row.base_amount
        return Won(told[::-1], many - len(found), sum_)


def booked(period: Period, workspace: Workspace, member: Member | None = None) -> QuerySet[Revenue]:
    """What was booked in the period; of one member what they earned."""
    rows = Revenue.objects.filter(**period.within("occurred_at", workspace))
    return rows.filter(holder=member) if member else rows


def standing(period: Period, workspace: Workspace) -> Q:
    """What was not taken back: a correction is of the same moment as what it corrects, so of the same period."""
    corrections = booked(period, workspace).filter(corrects__isnull=False)
    # Said the other way round, SQLite would begin with every row that corrects nothing: nearly all there ever were.
    return ~Q(corrects__isnull=False) & ~Q(pk__in=corrections.values("corrects"))


def new_customers(period: Period, workspace: Workspace, member: Member | None = None) -> QuerySet[Lead]:
    """Who became a customer in the period."""
    leads: QuerySet[Lead] = Lead.objects.filter(**period.within("customer_since", workspace))
    return leads.filter(holder=member) if member else leads
