"""What campaigns and channels brought and cost: one way of counting, read by every page that shows it.

A lead counts once, for the source of its first touch, and in the period in which it was received. Revenue is all that
was booked on these leads to date. A cost counts for its own channel and campaign, in the period of its own date.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from fractions import Fraction
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum, Value

from funnel.handoff.models import Outcome
from funnel.leads.models import Lead, LeadQuerySet
from funnel.leads.stages import Stage
from funnel.ledger.models import Cost, Revenue
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.roles import may

CHANNEL, CAMPAIGN = "source__placements__channel", "source__placements__campaign"
CHANNEL_NAME = f"{CHANNEL}__name"
PERIODS = {"month": "This month", "quarter": "This quarter", "all": "All time"}


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
        return Figures(*(getattr(self, name) + getattr(other, name) for name in FIGURES))

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


FIGURES = tuple(one.name for one in fields(Figures))


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
    return _together(_counts(leads, by), by)


def brought(
    since: datetime | None, *by: str, member: Member, until: datetime | None = None, **where: Any
) -> list[dict[str, Any]]:
    """Counts and money together, by one query; `by` and `where` name the source's own columns.

    Without revenue for somebody who reads only their own.
    """
    parts = _counts(received(since, until).filter(**where), by)
    parts.append(_part(costs(since, until, **where), by, cost=Sum("base_amount")))
    if may(member, "revenue"):
        booked = won(since, until, **where)
        parts.append(_part(booked, [f"lead__{name}" for name in by], revenue=Sum("base_amount")))
    return _together(parts, by)


def _counts(leads: LeadQuerySet, by: Sequence[str]) -> list[QuerySet[Any]]:
    """What is counted of every lead, and what only of those that were handed over: few, so that counting is quick."""
    taken, waits = Q(handoffs__outcome=Outcome.ACCEPTED), Q(handoffs__outcome=Outcome.OPEN)
    back = Q(handoffs__given_back_at__isnull=False)

    def many(*of: Q) -> Count:
        return Count("pk", distinct=True, filter=reduce(or_, of) if of else None)

    return [
        _part(leads, by, leads=Count("pk"), customers=Count("pk", filter=Q(stage=Stage.CUSTOMER))),
        _part(
            leads.filter(handoffs__isnull=False),
            by,
            ready=many(),
            taken=many(taken),
            waits=many(taken, waits) - many(taken),
            back_at_once=many(taken, waits, back) - many(taken, waits),
            given_back=many(back),
        ),
    ]


def _part(rows: QuerySet[Any], by: Sequence[str], **asked: Any) -> QuerySet[Any]:
    """Rows in groups with every figure, 0 where it isn't asked: all of one shape, so that one query unites them."""
    whole = {f"of_{name}": asked.get(name, Value(0)) for name in FIGURES}
    return rows.order_by().values(*by).annotate(**whole).values_list(*by, *whole)


def _together(parts: Sequence[QuerySet[Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], Figures] = {}
    for row in parts[0].union(*parts[1:], all=True):
        key = row[: len(by)]
        found[key] = found.get(key, Figures()) + Figures(*row[len(by) :])
    return [{**dict(zip(by, key, strict=True)), "figures": figures} for key, figures in found.items()]


def costs(since: datetime | None, until: datetime | None = None, **where: Any) -> QuerySet[Cost]:
    """What was spent in the period."""
    return Cost.objects.filter(**where, **_between("occurred_at", since, until))


def won(since: datetime | None, until: datetime | None = None, **where: Any) -> QuerySet[Revenue]:
    """What was booked to date on the leads of the period."""
    rows: QuerySet[Revenue] = Revenue.objects.filter(**{f"lead__{name}": value for name, value in where.items()})
    # By their keys: to look at each lead's date, SQLite would rather read all that was ever booked.
    return rows.filter(lead__in=received(since, until).values("pk")) if since or until else rows


def summed(rows: Iterable[dict[str, Any]], by: str) -> dict[Hashable, Figures]:
    """The rows of a finer count added up by one of their columns, so that two tables can't disagree."""
    total: dict[Hashable, Figures] = {}
    for row in rows:
        total[row[by]] = total.get(row[by], Figures()) + row["figures"]
    return total


def whole(figures: Iterable[Figures]) -> Figures:
    """All of them together."""
    return sum(figures, Figures())
