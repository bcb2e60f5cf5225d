"""Book what came in and what was spent; a mistake is corrected by a further row, never changed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from funnel.leads.identity import AHEAD, EARLIEST, Refused
from funnel.leads.models import Lead, Source
from funnel.ledger.models import Cost, Rate, Revenue
from funnel.ledger.money import converted, digits
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.workspaces.models import AuditEntry, Member, Workspace
from funnel.workspaces.months import begins_on
from funnel.workspaces.refusals import Refusal

SCALE = Decimal(10) ** 8
# Minor units in one row, so that sums of a million rows still fit a bigint.
MOST = 10**15


class NoRate(Refusal):
    """An amount in a currency whose worth on that day nobody has entered."""

    status = 422


class AlreadyCorrected(Refusal):
    """A row that has been taken back before."""


class OfADeal(Refusal):
    """Revenue of a won deal, which goes back with its win."""


@transaction.atomic
def set_rate(currency: str, rate: Decimal, *, from_day: date, by: Member, at: datetime) -> Rate:
    """Say what one unit of a foreign currency is worth in the business's own from a day on; raise Refused."""
    if currency == by.workspace.currency:
        raise Refused({"currency": "This is the business’s own currency."})
    if not rate.is_finite() or not Decimal("0.00000001") <= rate < 10**8:
        raise Refused({"rate": "Write what one unit is worth, like 0.86."})
    if rate * SCALE != int(rate * SCALE):
        raise Refused({"rate": "Write at most 8 digits after the point."})
    kept: Rate
    kept, _ = Rate.objects.update_or_create(
        workspace=by.workspace, currency=currency, from_day=from_day, defaults={"rate": int(rate * SCALE)}
    )
    AuditEntry.objects.create(
        workspace=by.workspace, at=at, actor=by, action="rate set", target=currency,
        data={"rate": str(rate), "from": from_day.isoformat(), "rows": _revalue(kept)},
    )  # fmt: skip
    return kept


def _revalue(rate: Rate) -> int:
    """Let what was booked on the days of a rate be worth what it says now; gives how many rows that changed.

    So a mistyped rate can be put right, and every base amount can be computed again.
    """
    workspace = rate.workspace
    after = Rate.objects.filter(currency=rate.currency, from_day__gt=rate.from_day).order_by("from_day").first()
    changed = 0
    for kind in (Revenue, Cost):
        rows = kind.objects.filter(currency=rate.currency, occurred_at__gte=begins_on(rate.from_day, workspace))
        if after is not None:
            rows = rows.filter(occurred_at__lt=begins_on(after.from_day, workspace))
        stale = []
        for row in rows.select_for_update().order_by("pk"):
            value = worth(row.amount, rate, workspace)
            if value != row.base_amount:
                row.base_amount = value
                stale.append(row)
        kind.objects.bulk_update(stale, ["base_amount"], batch_size=200)
        changed += len(stale)
    return changed


def in_base(amount: int, currency: str, *, workspace: Workspace, moment: datetime) -> int:
    """An amount in the business's own currency at the rate of that day, in minor units; raise NoRate."""
    if currency == workspace.currency:
        return amount
    day = workspace.local(moment).date()
    found = Rate.objects.filter(currency=currency, from_day__lte=day).order_by("-from_day").first()
    if found is None:
        raise NoRate(
            f"There is no rate for {currency} on {day.isoformat()}. The owner enters it under Currencies.",
            field="currency",
        )
    return worth(amount, found, workspace)


def worth(amount: int, rate: Rate, workspace: Workspace) -> int:
    """What an amount of a rate's currency is in the business's own; raise Refused for more than fits a column."""
    exact = Decimal(amount) * rate.rate * Decimal(10) ** (digits(workspace.currency) - digits(rate.currency))
    if abs(exact) >= MOST * SCALE:
        raise Refused({"amount": "At this rate that is more than can be booked."})
    return converted(amount, rate.currency, workspace.currency, Decimal(rate.rate) / SCALE)


def moment_of(occurred_at: datetime | None, at: datetime) -> datetime:
    """The moment that counts in reports; raise Refused for one that is to come or too long ago."""
    if occurred_at is not None and occurred_at > at + AHEAD:
        raise Refused({"occurred_at": "This lies in the future; send when it happened."})
    if occurred_at is not None and occurred_at < EARLIEST:
        raise Refused({"occurred_at": "This is too long ago."})
    return occurred_at or at


@transaction.atomic
def book_revenue(
    lead: Lead,
    amount: int,
    currency: str,
    *,
    by: Member | None,
    at: datetime,
    occurred_at: datetime | None = None,
    holder: Member | None = None,
    deal_id: UUID | None = None,
    what: str = "",
    external: tuple[str, str] = ("", ""),
) -> Revenue:
    """Book money that a lead brought, in minor units; raise Refused or NoRate.

    What belongs to a deal is told by the deal's own event, everything else by one of its own.
    """
    moment = moment_of(occurred_at, at)
    booked: Revenue = Revenue.objects.create(
        workspace_id=lead.workspace_id,
        lead=lead,
        deal_id=deal_id,
        source_id=lead.source_id,
        holder=holder,
        amount=amount,
        currency=currency,
        base_amount=in_base(amount, currency, workspace=lead.workspace, moment=moment),
        what=what,
        occurred_at=moment,
        recorded_at=at,
        by=by,
        external_system=external[0],
        external_id=external[1],
    )
    if deal_id is None:
        record(
            lead.workspace_id, "revenue_booked", at=at, lead_id=lead.pk, occurred_at=moment, actor=by,
            data={"revenue": str(booked.pk), "amount": amount, "currency": currency, "what": what},
        )  # fmt: skip
    return booked


@transaction.atomic
def book_cost(
    source: Source,
    amount: int,
    currency: str,
    *,
    workspace: Workspace,
    by: Member,
    at: datetime,
    occurred_at: datetime | None = None,
    what: str = "",
    external: tuple[str, str] = ("", ""),
) -> Cost:
    """Book money spent on a channel and campaign, in minor units; raise Refused or NoRate."""
    moment = moment_of(occurred_at, at)
    booked: Cost = Cost.objects.create(
        workspace=workspace,
        source=source,
        amount=amount,
        currency=currency,
        base_amount=in_base(amount, currency, workspace=workspace, moment=moment),
        what=what,
        occurred_at=moment,
        recorded_at=at,
        by=by,
        external_system=external[0],
        external_id=external[1],
    )
    record(
        workspace.pk, "cost_booked", at=at, occurred_at=moment, actor=by, source_id=source.pk,
        data={"cost": str(booked.pk), "amount": amount, "currency": currency, "what": what},
    )  # fmt: skip
    return booked


@transaction.atomic
def correct(row: Revenue | Cost, *, by: Member | None, at: datetime) -> Revenue | Cost:
    """Take a booking back by its opposite of the same day, so that every total is as if it had not been.

    Raises AlreadyCorrected; a correction can't be corrected.
    """
    kind: Any = type(row)
    kind.objects.select_for_update().get(pk=row.pk)
    if row.corrects_id or kind.objects.filter(corrects=row).exists():
        raise AlreadyCorrected("This has been taken back already.")
    same = ("workspace_id", "source_id", "currency", "what", "occurred_at") + (
        ("lead_id", "deal_id", "holder_id") if kind is Revenue else ()
    )
    return kind.objects.create(
        **{name: getattr(row, name) for name in same},
        amount=-row.amount,
        base_amount=-row.base_amount,
        recorded_at=at,
        by=by,
        corrects=row,
    )


@transaction.atomic
def take_back(row: Revenue | Cost, *, by: Member, at: datetime) -> Revenue | Cost:
    """Correct a row that a person or an integration booked, and say so; raise OfADeal or AlreadyCorrected."""
    if isinstance(row, Revenue) and row.deal_id is not None:
        raise OfADeal("A deal booked this. Undo its win, and it goes back.")
    made = correct(row, by=by, at=at)
    name = "revenue" if isinstance(row, Revenue) else "cost"
    told = Event.objects.filter(kind=f"{name}_booked", voided_by=None, **{f"data__{name}": str(row.pk)}).first()
    record(
        row.workspace_id, f"{name}_corrected", at=at, actor=by, source_id=row.source_id, voids=told,
        lead_id=row.lead_id if isinstance(row, Revenue) else None,
        data={name: str(made.pk), "corrects": str(row.pk), "amount": made.amount, "currency": made.currency},
    )  # fmt: skip
    return made
