"""Open a deal, move it, change it; the lead's stage follows (design.md, Stages)."""

from __future__ import annotations

from datetime import datetime
from itertools import chain, count
from typing import Any

from django.db import transaction

from funnel.handoff import actions as handoff
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.ledger.actions import moment_of
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.workspaces.models import SELLERS, Member
from funnel.workspaces.refusals import Forbidden, Refusal
from sales.deals.models import OPEN, Deal, DealStage


class NotYourDeal(Forbidden):
    """Another member has this deal."""


class NotOpen(Refusal):
    """The deal has ended, or moved on meanwhile; the sentence says what it is now."""


class CantHold(Refusal):
    """Somebody who can't have a deal."""

    status = 422


def locked(deal: Deal, by: Member) -> Deal:
    """The deal and its lead as they are now, held to the end of the transaction; raise NotYourDeal.

    The lead first, as everywhere, or two verbs could wait for each other.
    """
    lead = Lead.objects.locked([deal.lead_id], "holder__user", "company", "workspace")[deal.lead_id]
    now: Deal = (
        Deal.objects.select_for_update(of=("self",)).select_related("holder__user", "lost_reason").get(pk=deal.pk)
    )
    now.lead = lead
    if now.holder_id != by.pk and not by.leads_others:
        raise NotYourDeal(f"This deal is with {now.holder.name}.")
    return now


@transaction.atomic
def open_deal(
    lead: Lead,
    *,
    by: Member,
    at: datetime,
    title: str = "",
    amount: int | None = None,
    currency: str = "",
    holder: Member | None = None,
    stage: DealStage = DealStage.QUALIFIED,
    occurred_at: datetime | None = None,
    external: tuple[str, str] = ("", ""),
    by_lead: bool = False,
) -> Deal:
    """Open a deal with a lead, worth `amount` minor units; the lead goes to sales if it isn't there.

    The deal's holder is the one named, else the lead's, else who opens it. Only an owner or a manager names somebody
    else or opens one on a lead that is with somebody else. With `by_lead` it is what the lead did that opens it, and
    `by` only stands for them. Without a title it is called by what they want. Raises Refused, CantHold, NotYourDeal or
    NotYours.
    """
    moment = moment_of(occurred_at, at)
    lead = Lead.objects.locked([lead.pk], "holder__user", "company", "workspace")[lead.pk]
    if not by.leads_others and lead.holder is not None and lead.holder != by:
        raise NotYourDeal(f"This lead is with {lead.holder.name}.")
    who = holder or lead.holder or by
    if who.pk != by.pk and not by.leads_others:
        raise NotYourDeal("Only an owner or a manager opens a deal for somebody else.")
    if who.role not in SELLERS:
        raise CantHold(f"{who.name} doesn’t sell, so name who has this deal.", field="holder")
    deal: Deal = Deal.objects.create(
        workspace_id=lead.workspace_id,
        lead=lead,
        title=title or _called(lead),
        stage=stage,
        stage_since=moment,
        holder=who,
        amount=amount,
        currency=currency or lead.workspace.currency,
        opened_at=moment,
        made_at=at,
        updated_at=at,
        external_system=external[0],
        external_id=external[1],
    )
    actor = None if by_lead else by
    record(
        lead.workspace_id, "deal_opened", at=at, lead_id=lead.pk, occurred_at=moment, actor=actor,
        data={
            "deal": str(deal.pk), "title": deal.title, "amount": amount, "currency": deal.currency, "stage": str(stage),
            "holder": who.name, "by_lead": by_lead,
        },
    )  # fmt: skip
    follow(lead, deal, by=actor, at=at, occurred_at=moment)
    return deal


def _called(lead: Lead) -> str:
    """Call a deal by what the lead said last that they want, unless before their latest deal, else by their name.

    Where they have one of this name already, a number tells it from that one.
    """
    before = dict(Deal.objects.filter(lead=lead).order_by("made_at").values_list("title", "made_at"))
    said = Event.objects.in_force().filter(lead=lead, data__has_key="interest").order_by("-occurred_at", "-id")
    if before:
        said = said.filter(recorded_at__gt=max(before.values()))
    wish = said.values_list("data__interest", flat=True).first()
    name = " ".join(wish.split() if isinstance(wish, str) else ())[:190] or str(lead)[:190]
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    return next(one for one in names if one not in before)


def first_open(lead: Lead) -> Deal | None:
    """The lead's open deal that is furthest on its way, or None."""
    deals = Deal.objects.open().filter(lead=lead).select_related("holder__user").order_by("-made_at")
    return max(deals, key=lambda one: OPEN.index(DealStage(one.stage)), default=None)


@transaction.atomic
def advance(
    lead: Lead,
    to: DealStage,
    *,
    by: Member,
    at: datetime,
    deal: Deal | None = None,
    holder: Member | None = None,
    occurred_at: datetime | None = None,
    by_lead: bool = False,
) -> Deal:
    """Bring the lead's deal at least to a stage, opening one if none is open: what qualify, demo and quote do.

    A deal that is further already stays. `by_lead` is as in `open_deal`. Raises what that raises.
    """
    found = deal or first_open(lead)
    if found is None or (deal is not None and not deal.is_open):
        return open_deal(lead, by=by, at=at, stage=to, holder=holder, occurred_at=occurred_at, by_lead=by_lead)
    if OPEN.index(DealStage(found.stage)) < OPEN.index(to):
        move(found, to, by=by, at=at, occurred_at=occurred_at, by_lead=by_lead)
    return found


@transaction.atomic
def move(
    deal: Deal,
    to: DealStage,
    *,
    by: Member,
    at: datetime,
    occurred_at: datetime | None = None,
    by_lead: bool = False,
) -> Deal:
    """Move an open deal to another open stage, forward or back; raise NotOpen or NotYourDeal.

    `by_lead` is as in `open_deal`.
    """
    now = locked(deal, by)
    if to not in OPEN:
        raise NotOpen("Winning and losing ask for more; use their forms.")
    if not now.is_open:
        raise NotOpen(f"This deal is {now.get_stage_display().lower()} already.")
    moment, actor = moment_of(occurred_at, at), None if by_lead else by
    if now.stage != to and not now.move(to, at=at, by=actor, occurred_at=moment):
        raise NotOpen("This deal has moved meanwhile.")
    follow(now.lead, now, by=actor, at=at, occurred_at=moment)
    return now


@transaction.atomic
def edit(deal: Deal, changes: dict[str, Any], *, by: Member, at: datetime) -> Deal:
    """Change title, amount, currency or holder of an open deal; raise NotOpen, NotYourDeal or CantHold.

    Only an owner or a manager names somebody who has left.
    """
    now = locked(deal, by)
    if not now.is_open:
        raise NotOpen(now.why_closed(at))
    holder: Member = changes.get("holder", now.holder)
    takes_over = holder.role in SELLERS and (holder.active or by.leads_others)
    if holder.pk != now.holder_id and not takes_over:
        raise CantHold(f"{holder.name} can’t take over a deal.", field="holder")
    was = {name: getattr(now, name) for name in changes if getattr(now, name) != changes[name]}
    if not was:
        return now
    for name in was:
        setattr(now, name, changes[name])
    now.version += 1
    now.updated_at = at
    now.save(update_fields=[*was, "version", "updated_at"])
    told = {name: value.name if isinstance(value, Member) else value for name, value in was.items()}
    record(
        now.workspace_id, "deal_edited", at=at, lead_id=now.lead_id, actor=by,
        data={"deal": str(now.pk), "title": now.title, "was": told},
    )  # fmt: skip
    return now


def follow(
    lead: Lead,
    deal: Deal,
    *,
    by: Member | None,
    at: datetime,
    occurred_at: datetime,
    cool_until: datetime | None = None,
    **also: Any,
) -> None:
    """Let a locked lead's stage follow its deals: won is a customer, else the furthest open one, else lost.

    `deal` is the one that moved: a lead from outside sales gets its holder.
    """
    stages = set(Deal.objects.filter(lead=lead).values_list("stage", flat=True))
    is_customer = lead.customer_since is not None or "customer_since" in also
    if "customer_since" in also and also["customer_since"] is None:
        is_customer = False
    furthest = next((stage for stage in reversed(OPEN) if stage in stages), None)
    if DealStage.WON in stages or is_customer:
        to = Stage.CUSTOMER
    elif furthest is not None:
        to = Stage(furthest.value)
    else:
        to = Stage.LOST
    outside = lead.stage not in SALES
    if outside and to != Stage.LOST:
        handoff.enter(lead, holder=deal.holder, by=by, at=at)
    if lead.stage == to:
        if also:
            Lead.objects.filter(pk=lead.pk).update(updated_at=at, **also)
        if outside and to == Stage.CUSTOMER and lead.holder_id is None:
            Lead.objects.filter(pk=lead.pk).update(holder=deal.holder, updated_at=at)
        return
    holder = deal.holder if outside and lead.holder_id is None else None
    cooled = {"cool_until": cool_until} if to == Stage.LOST else {}
    lead.move(to, at=at, by=by, holder=holder, because=deal.title, occurred_at=occurred_at, **cooled, **also)


@transaction.atomic
def hand_deals(member: Member, successor: Member | None, *, at: datetime) -> None:
    """Let the open deals of somebody who leaves go with their leads; the rest to the successor, else to an owner."""
    left = Deal.objects.open().filter(holder=member)
    keepers = left.filter(lead__holder__active=True).exclude(lead__holder=member)
    for holder in set(keepers.values_list("lead__holder", flat=True)):
        left.filter(lead__holder=holder).update(holder=holder, updated_at=at)
    heir = successor or Member.objects.active().filter(role="owner").exclude(pk=member.pk).order_by("joined_at").first()
    if heir is not None:
        left.update(holder=heir, updated_at=at)
