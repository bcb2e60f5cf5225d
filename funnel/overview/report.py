"""The funnel report: of the leads received in a period, how many came how far, how soon, and for how much.

A lead counts in the period of its received_at, on the workspace's days. It came to a stage when it first came to it; a
stage that it skipped takes the date of the next one that it came to, so "entered" are those who reached or passed it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    F,
    Max,
    Min,
    Q,
    QuerySet,
    Sum,
    UUIDField,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull
from django.utils.functional import cached_property

from funnel.leads.models import Lead, Source
from funnel.leads.stages import ARRIVALS, Stage
from funnel.ledger.models import Revenue
from funnel.outbox.models import Unindexed
from funnel.overview.medians import EachDays, MedianDays
from funnel.workspaces.models import Member
from funnel.workspaces.months import begins_on, months_between, months_later

STAGES = (Stage.NEW, *ARRIVALS, Stage.CUSTOMER)
COLUMNS = ("received_at", *ARRIVALS.values(), "customer_since")
NONE = "none"
EARLIEST, LATEST = date(1900, 1, 1), date(9999, 1, 1)


@dataclass(slots=True)
class StageLine:
    """One stage: how many entered it, how many of them went on, and after how many days they came to it."""

    stage: Stage
    entered: int
    converted: int
    median_days: float | None


@dataclass(slots=True)
class Group:
    """The leads of one channel, campaign, month or member; revenue in minor units of the business's currency."""

    key: str
    leads: int = 0
    customers: int = 0
    revenue: int = 0
    days: list[float] = field(default_factory=list)

    @property
    def conversion(self) -> float | None:
        return self.customers / self.leads if self.leads else None

    @property
    def median_days(self) -> float | None:
        return statistics.median(self.days) if self.days else None


@dataclass(frozen=True)
class Received:
    """The leads received from the first day on and before the last; of a rep only those that they hold."""

    member: Member
    first: date | None = None
    last: date | None = None

    def on(self, lead: str = "") -> dict[str, Any]:
        """The same as a filter of rows from which `lead` leads to a lead."""
        workspace = self.member.workspace
        found: dict[str, Any] = {}
        if self.member.role == "rep":
            found[f"{lead}holder"] = self.member
        # Nobody was received before 1900, and the ends of the calendar have no other time zones any more. Without a
        # first day SQLite would take any index, and jump from lead to lead.
        found[f"{lead}received_at__gte"] = begins_on(max(self.first or EARLIEST, EARLIEST), workspace)
        if self.last and self.last < LATEST:
            found[f"{lead}received_at__lt"] = begins_on(max(self.last, EARLIEST), workspace)
        return found

    def leads(self) -> QuerySet[Lead]:
        found: QuerySet[Lead] = Lead.objects.filter(**self.on()).order_by()
        return found

    @cached_property
    def months(self) -> list[date]:
        """The months in which a lead was received, those between them, and the one after."""
        workspace = self.member.workspace
        # One by one, each is the end of an index; at once, SQLite would look at every lead.
        ends = [self.leads().aggregate(end=end("received_at"))["end"] for end in (Min, Max)]
        first, last = (workspace.local(moment or workspace.created_at) for moment in ends)
        return months_between(first, months_later(last, 1))

    def key(self, by: str, lead: str = "") -> Any:
        """What a lead is grouped by."""
        if by == "month":
            return self._month(f"{lead}received_at", self.months)
        # In the order of its index SQLite would fetch every lead by itself.
        if by == "member":
            return Unindexed(f"{lead}holder_id", UUIDField())
        return Unindexed(f"{lead}source_id", BigIntegerField())

    def _month(self, column: str, months: list[date]) -> Any:
        """The month of a moment, found by halving: to cut a moment, SQLite would ask Python for every lead."""
        if len(months) == 1:
            return Value(f"{months[0]:%Y-%m}")
        half = len(months) // 2
        earlier = Q(**{f"{column}__lt": begins_on(months[half], self.member.workspace)})
        return Case(When(earlier, then=self._month(column, months[:half])), default=self._month(column, months[half:]))


def arrival(place: int) -> Any:
    """When a lead reached or passed the stage at this place of STAGES."""
    columns = COLUMNS[place:]
    return Coalesce(*columns) if len(columns) > 1 else F(columns[0])


def stages_of(period: Received, groups: Iterable[Group]) -> list[StageLine]:
    """Every stage in order, by one query about the few who went on; the groups say how many were received."""
    asked: dict[str, Any] = {}
    for place in range(1, len(STAGES)):
        came = arrival(place)
        asked[f"entered_{place}"] = Count(came)
        asked[f"days_{place}"] = MedianDays(came, "received_at")
    found = period.leads().filter(IsNull(arrival(1), False)).aggregate(**asked)
    found["entered_0"] = sum(group.leads for group in groups)
    # Everybody is new at the moment in which they are received.
    found["days_0"] = 0.0 if found["entered_0"] else None
    return [
        StageLine(stage, found[f"entered_{place}"], found.get(f"entered_{place + 1}", 0), found[f"days_{place}"])
        for place, stage in enumerate(STAGES)
    ]


def _names(by: str, keys: Iterable[Any]) -> dict[Any, str]:
    """The keys in words. A source's name counts without case, as it was first written; no campaign is "none"."""
    if by == "month":
        return {month: month for month in keys}
    if by == "member":
        return {None: NONE, **dict(Member.objects.values_list("pk", "user__email"))}
    first: dict[str, str] = {}
    return {
        pk: first.setdefault(name.casefold(), name or NONE)
        for pk, name in Source.objects.order_by("pk").values_list("pk", by)
    }


def groups_of(period: Received, by: str) -> list[Group]:
    """The groups, the largest first, months in their order; their leads add up to those of the period."""
    leads = period.leads().values_list(period.key(by))
    days = EachDays("customer_since", "received_at", filter=Q(customer_since__isnull=False))
    counted = list(leads.annotate(leads=Count("*"), customers=Count("customer_since"), days=days))
    names = _names(by, [row[0] for row in counted])
    groups: dict[str, Group] = {}
    for key, many, customers, each in counted:
        group = groups.setdefault(names[key], Group(names[key]))
        group.leads += many
        group.customers += customers
        group.days += each
    booked = Revenue.objects.readable_by(period.member).filter(**period.on("lead__")).order_by()
    for key, amount in booked.values_list(period.key(by, "lead__")).annotate(sum=Sum("base_amount")):
        groups[names[key]].revenue += amount
    if by == "month":
        return sorted(groups.values(), key=lambda one: one.key)
    return sorted(groups.values(), key=lambda one: (-one.leads, one.key))
