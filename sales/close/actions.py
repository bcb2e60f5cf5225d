"""Win a deal, lose it, and undo either within a day (design.md, Stages)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from funnel.handoff.actions import FAR, TOO_FAR
from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.ledger import actions as ledger
from funnel.ledger.models import Revenue
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.refusals import Refusal
from sales.deals.actions import follow, locked
from sales.deals.models import Deal, DealStage, LostReason
from sales.demos.handing import cancel_with_lead
from sales.demos.models import Demo, DemoState
from sales.queue.actions import NextStep, plan_for

CALL_AGAIN = "Call again: promised for this day"
REASONS = Path(__file__).parent / "reasons.json"


class AlreadyWon(Refusal):
    """The deal was won before, for another amount, or can't be lost any more."""


class TooLate(Refusal):
    """An undo after its day, or of a deal that has not ended."""


@transaction.atomic
def start(workspace: Workspace, **_: Any) -> None:
    """Give a new business the shipped reasons for losing."""
    LostReason.objects.bulk_create(
        [
            LostReason(workspace=workspace, position=place, **row)
            for place, row in enumerate(json.loads(REASONS.read_text()))
        ]
    )


@transaction.atomic
def win(
    deal: Deal,
    *,
    by: Member,
    at: datetime,
    amount: int | None = None,
    currency: str = "",
    occurred_at: datetime | None = None,
    reason: str = "",
) -> Deal:
    """Win a deal for an amount in minor units, by default what it is worth; the lead is a customer from then on.

    From the earliest win on, that is, in whatever order they are recorded. Its revenue is booked once. Won again for
    the same amount changes nothing; raises AlreadyWon for another, Refused without an amount, NotYourDeal, and what the
    ledger raises.
    """
    now = locked(deal, by)
    amount = now.amount if amount is None else amount
    currency = currency or now.currency
    if now.stage == DealStage.WON:
        if (amount, currency) != (now.amount, now.currency):
            raise AlreadyWon("This deal was won for another amount. Undo that first.")
        return now
    if amount is None:
        raise Refused({"amount": "Say for how much it was won."})
    moment = ledger.moment_of(occurred_at, at)
    since = now.lead.customer_since
    first = since is None
    if since is not None and moment < since:
        # A later win that had made the customer gives that up.
        first = bool(Deal.objects.filter(lead=now.lead, made_customer=True).update(made_customer=False))
    before = now.stage if now.is_open else now.stage_before
    if not now.is_open:
        _took_back(now, by=by, at=at)
    now.move(
        DealStage.WON, at=at, by=by, occurred_at=moment, amount=amount, currency=currency, closed_at=moment,
        decided_at=at, stage_before=before, made_customer=first, reason=reason, lost_reason=None, competitor="",
        note="",
    )  # fmt: skip
    ledger.book_revenue(
        now.lead, amount, currency, by=by, at=at, occurred_at=moment, holder=now.holder, deal_id=now.pk, what=now.title
    )
    record(
        now.workspace_id, "deal_won", at=at, lead_id=now.lead_id, occurred_at=moment, actor=by,
        data={"deal": str(now.pk), "title": now.title, "amount": amount, "currency": currency, "reason": reason},
    )  # fmt: skip
    made = {"customer_since": moment} if first else {}
    follow(now.lead, now, by=by, at=at, occurred_at=moment, **made)
    return now


@transaction.atomic
def lose(
    deal: Deal,
    *,
    reason: LostReason,
    by: Member,
    at: datetime,
    occurred_at: datetime | None = None,
    competitor: str = "",
    note: str = "",
    until: datetime | None = None,
) -> Deal:
    """Lose a deal with a reason; the lead cools as the reason says, or comes back on the promised day `until`.

    With another deal open it stays with sales, where its holder has a step for the promised day.
    Where that makes the lead lost, its demos to come are cancelled. Lost before stays as it is. Raises AlreadyWon,
    Refused for a day that has passed or is too far, NotYourDeal.
    """
    now = locked(deal, by)
    if now.stage == DealStage.WON:
        raise AlreadyWon(now.why_closed(at))
    if now.stage == DealStage.LOST:
        return now
    if until is not None and until <= at:
        raise Refused({"until": "This day has passed; choose a later one."})
    if until is not None and until > at + FAR + timedelta(days=1):
        raise Refused({"until": TOO_FAR})
    moment = ledger.moment_of(occurred_at, at)
    cool = until or (at + timedelta(days=reason.cool_days) if reason.cool_days is not None else None)
    _lost(now, reason.name, by=by, at=at, moment=moment, lost_reason=reason, competitor=competitor, note=note)
    follow(now.lead, now, by=by, at=at, occurred_at=moment, cool_until=cool)
    if until is not None:
        # A customer stays one, and is called on the promised day all the same.
        Lead.objects.filter(pk=now.lead_id, stage=Stage.CUSTOMER).update(cool_until=until)
    record(
        now.workspace_id, "deal_lost", at=at, lead_id=now.lead_id, occurred_at=moment, actor=by,
        data={
            "deal": str(now.pk), "title": now.title, "reason": reason.name, "key": reason.key, "competitor": competitor,
            "note": note, "promised": until is not None, "until": cool.isoformat() if cool else "",
        },
        due={"cool": cool or at},
    )  # fmt: skip
    if until is not None and now.lead.stage in SALES:
        step = NextStep(CALL_AGAIN, until, remind_at=until)
        plan_for(now.lead.holder or now.holder, now.lead, step, by=by, at=at)
    if now.lead.stage == Stage.LOST:
        cancel_with_lead(now.lead, reason.name, by=by, at=at)
    return now


def _lost(deal: Deal, reason: str, *, by: Member | None, at: datetime, moment: datetime, **also: Any) -> None:
    deal.move(
        DealStage.LOST, at=at, by=by, occurred_at=moment, closed_at=moment, decided_at=at, stage_before=deal.stage,
        reason=reason, **also,
    )  # fmt: skip


@transaction.atomic
def lose_with_lead(lead: Lead, reason: str, *, by: Member, at: datetime) -> None:
    """A lead leaves sales: its open deals are lost for that reason. SLOTS["leaves_sales"]."""
    for deal in Deal.objects.open().filter(lead=lead).order_by("pk").select_for_update(of=("self",)):
        _lost(deal, reason, by=by, at=at, moment=at)


@transaction.atomic
def undo(deal: Deal, *, by: Member, at: datetime) -> Deal:
    """Take a win or a loss back within a day: the deal stands where it stood, a win's revenue is corrected.

    Where its holder left meanwhile, whoever has the lead goes on with it, else whoever takes it back.
    Raises TooLate or NotYourDeal.
    """
    now = locked(deal, by)
    if now.is_open or now.decided_at is None:
        raise TooLate("This deal is open, so there is nothing to undo.")
    if now.undo_until is not None and at > now.undo_until:
        raise TooLate("This ended more than a day ago. Open a new deal instead.")
    # A better date that came since, by a list say, stays.
    made_customer = now.made_customer and now.lead.customer_since == now.closed_at
    _took_back(now, by=by, at=at)
    if now.stage == DealStage.WON:
        for booked in Revenue.objects.filter(deal_id=now.pk, corrects=None, corrected_by=None):
            ledger.correct(booked, by=by, at=at)
    if not now.holder.active:
        now.holder = now.lead.holder if now.lead.holder is not None and now.lead.holder.active else by
    now.move(
        DealStage(now.stage_before), at=at, by=by, occurred_at=at, closed_at=None, decided_at=None, stage_before="",
        made_customer=False, reason="", lost_reason=None, competitor="", note="", holder=now.holder,
    )  # fmt: skip
    still = Deal.objects.filter(lead=now.lead, stage=DealStage.WON).order_by("closed_at").first()
    since: dict[str, Any] = {}
    if made_customer and still is not None:
        Deal.objects.filter(pk=still.pk).update(made_customer=True)
        since = {"customer_since": still.closed_at}
    elif made_customer:
        since = {"customer_since": None}
    follow(now.lead, now, by=by, at=at, occurred_at=at, **since)
    return now


def cancelled_with(deal: Deal, at: datetime) -> list[Demo]:
    """The demos still to come that were cancelled as this deal was lost; whoever undoes that books them again."""
    if deal.stage != DealStage.LOST or deal.decided_at is None:
        return []
    found = Demo.objects.filter(lead=deal.lead, state=DemoState.CANCELLED, decided_at=deal.decided_at)
    return list(found.filter(ends_at__gt=at).order_by("starts_at"))


def _took_back(deal: Deal, *, by: Member | None, at: datetime) -> None:
    """Tell that a win or a loss doesn't count any more; its own entry is voided, and so is the day that it promised."""
    told = (
        Event.objects.filter(lead=deal.lead_id, kind=f"deal_{deal.stage}", data__deal=str(deal.pk), voided_by=None)
        .order_by("-id")
        .first()
    )
    record(
        deal.workspace_id, "deal_reopened", at=at, lead_id=deal.lead_id, actor=by,
        data={"deal": str(deal.pk), "title": deal.title, "was": str(deal.stage)}, voids=told,
    )  # fmt: skip
    if told is not None and (until := told.data.get("until")):
        Lead.objects.filter(pk=deal.lead_id, cool_until=datetime.fromisoformat(until)).update(cool_until=None)
