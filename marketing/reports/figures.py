"""What campaigns and channels brought and cost: one way of counting, read by every page that shows it.

A lead counts once, for the source of its first touch, and in the period in which it was received. Revenue is all that
was booked on these leads to date. A cost counts for its own channel and campaign, in the period of its own date.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Lead, LeadQuerySet
from funnel.leads.stages import Stage
from funnel.ledger.models import Cost, Revenue
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.roles import may

CHANNEL, CAMPAIGN = "source__placements__channel", "source__placements__campaign"
MONEY = ("revenue", "cost")
PERIODS = {"month": "This month", "quarter": "This quarter", "all": "All the time"}


@dataclass(slots=True)
class Figures:
    """Counts of leads, and money in minor units of the business's currency.

    Ready = taken + waits + back_at_once + otherwise; given_back also counts those taken first.
    """

    leads: int = 0
    ready: int = 0
    taken: int = 0
    waits: int = 0
    back_at_once: int = 0
    given_back: int = 0
    customers: int = 0
    revenue: int = 0
    cost: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Figures)))

    @property
    def otherwise(self) -> int:
        """Ready ones whose handoff ended another way: sales had them already, or the time ran out."""
        return self.ready - self.taken - self.waits - self.back_at_once

    @property
    def per_lead(self) -> int | None:
        """What a lead cost; None where nothing was spent or nobody came."""
        return _each(self.cost, self.leads)

    @property
    def per_ready(self) -> int | None:
        return _each(self.cost, self.ready)

    @property
    def per_customer(self) -> int | None:
        return _each(self.cost, self.customers)

    @property
    def back(self) -> float | None:
        """The return on cost, (revenue − cost) ÷ cost, in percent; None where nothing was spent."""
        return 100 * (self.revenue - self.cost) / self.cost if self.cost else None


def _each(cost: int, many: int) -> int | None:
    return round(Fraction(cost, many)) if cost and many else None


def begins(period: str, workspace: Workspace, at: datetime) -> datetime | None:
    """The moment at which the workspace's month or quarter began; None for all the time."""
    if period == "all":
        return None
    today = workspace.local(at)
    month = today.month if period == "month" else 3 * ((today.month - 1) // 3) + 1
    return today.replace(month=month, day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)


def received(since: datetime | None, until: datetime | None = None) -> LeadQuerySet:
    """The leads of a period."""
    leads: LeadQuerySet = Lead.objects.filter(**_between("received_at", since, until))
    return leads


def _between(column: str, since: datetime | None, until: datetime | None) -> dict[str, datetime]:
    found = {f"{column}__gte": since, f"{column}__lt": until}
    return {name: moment for name, moment in found.items() if moment}


def counted(leads: LeadQuerySet, *by: str) -> list[dict[str, Any]]:
    """Count leads in groups, by one query; each row has the group's values and `figures`."""
    handoffs = Handoff.objects.filter(lead=OuterRef("pk"))
    rows = (
        leads.annotate(
            was_ready=Exists(handoffs),
            was_taken=Exists(handoffs.filter(outcome=Outcome.ACCEPTED)),
            is_waiting=Exists(handoffs.filter(outcome=Outcome.OPEN)),
            was_back=Exists(handoffs.filter(given_back_at__isnull=False)),
        )
        .order_by()
        .values(*by)
        .annotate(
            leads=Count("pk"),
            ready=Count("pk", filter=Q(was_ready=True)),
            taken=Count("pk", filter=Q(was_taken=True)),
            waits=Count("pk", filter=Q(is_waiting=True, was_taken=False)),
            back_at_once=Count("pk", filter=Q(was_back=True, was_taken=False, is_waiting=False)),
            given_back=Count("pk", filter=Q(was_back=True)),
            customers=Count("pk", filter=Q(stage=Stage.CUSTOMER)),
        )
    )
    names = [one.name for one in fields(Figures) if one.name not in MONEY]
    return [
        {**{name: row[name] for name in by}, "figures": Figures(**{name: row[name] for name in names})} for row in rows
    ]


def brought(
    since: datetime | None, *by: str, member: Member, until: datetime | None = None, **where: Any
) -> list[dict[str, Any]]:
    """Counts and money together, by three queries; `by` and `where` name the source's own columns.

    Without revenue for somebody who reads only their own.
    """
    found = {tuple(row[name] for name in by): row for row in counted(received(since, until).filter(**where), *by)}

    def of(key: Sequence[Any]) -> Figures:
        return found.setdefault(tuple(key), dict(zip(by, key, strict=True)) | {"figures": Figures()})["figures"]

    for *key, amount in _sums(costs(since, until, **where), by):
        of(key).cost += amount
    if may(member, "revenue"):
        for *key, amount in _sums(won(since, until, **where), [f"lead__{name}" for name in by]):
            of(key).revenue += amount
    return list(found.values())


def costs(since: datetime | None, until: datetime | None = None, **where: Any) -> QuerySet[Cost]:
    """What was spent in the period."""
    return Cost.objects.filter(**where, **_between("occurred_at", since, until))


def won(since: datetime | None, until: datetime | None = None, **where: Any) -> QuerySet[Revenue]:
    """What was booked to date on the leads of the period."""
    leads = where | _between("received_at", since, until)
    return Revenue.objects.filter(**{f"lead__{name}": value for name, value in leads.items()})


def _sums(rows: QuerySet[Any], by: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    return rows.order_by().values_list(*by).annotate(sum=Sum("base_amount"))


def summed(rows: Iterable[dict[str, Any]], by: str) -> dict[Hashable, Figures]:
    """The rows of a finer count added up by one of their columns, so that two tables can't disagree."""
    total: dict[Hashable, Figures] = {}
    for row in rows:
        total[row[by]] = total.get(row[by], Figures()) + row["figures"]
    return total


def whole(figures: Iterable[Figures]) -> Figures:
    """All of them together."""
    return sum(figures, Figures())
