"""Somebody leaves: who takes over what they held, in one transaction, so that nothing is dropped."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from funnel.handoff.models import Handoff
from funnel.leads.models import Company, Lead
from funnel.leads.stages import SALES, Stage
from funnel.outbox.actions import record_all
from funnel.outbox.models import Event
from funnel.people.actions import audit, may_decide, not_last_owner, pass_offers_on
from funnel.workspaces.models import SELLERS, ApiKey, Member, Role
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.slots import slot


class CantTakeOver(Refusal):
    """The named member can't take over."""


def held_by(member: Member) -> Q:
    """What a member holds: leads with sales, and customers."""
    return Q(holder=member, stage__in=[*SALES, Stage.CUSTOMER])


def heirs(member: Member) -> list[Member]:
    """Who takes over by turn: those who take leads, else an owner."""
    takers = list(Member.objects.taking_leads().exclude(pk=member.pk).select_related("user"))
    if takers:
        return takers
    return list(
        Member.objects.active()
        .filter(role=Role.OWNER)
        .exclude(pk=member.pk)
        .select_related("user")
        .order_by("joined_at")[:1]
    )


@transaction.atomic
def remove(
    member: Member,
    *,
    by: Member,
    at: datetime,
    successor: Member | None = None,
    keys: Collection[UUID] = (),
) -> dict[Member, int]:
    """Take a member out: leads change holder with their stage kept, offers go on, `keys` act as `by` from now on.

    Without a successor the leads go by turn, else to the owner. Gives how many each took over; raises LastOwner,
    NotForYou or CantTakeOver.
    """
    may_decide(member, by)
    not_last_owner(member)
    if successor is not None:
        # They may have been removed while we waited for the owners' lock.
        successor.refresh_from_db(fields=["active", "role"])
    if successor is not None and (successor.pk == member.pk or not successor.active or successor.role not in SELLERS):
        raise CantTakeOver(f"{successor.name} can’t take over: only somebody who sells can.")
    # Leads before members, as everywhere: somebody may be taking one of these, or booking it, at this moment.
    offered = Handoff.objects.open().filter(offered_to=member).values("lead_id")
    theirs = Lead.objects.filter(held_by(member) | Q(pk__in=offered)).order_by("pk")
    list(theirs.select_for_update(of=("self",)).values_list("pk", flat=True))
    member.active = member.takes_leads = False
    member.save(update_fields=["active", "takes_leads"])
    takers = [successor] if successor else heirs(member)
    shares = _hand_over_leads(member, takers, by=by, at=at, named=successor is not None)
    Company.objects.filter(holder=member).update(holder=successor)
    # After the leads, so that a wing can follow each lead to its new holder.
    for leave in slot("member_leaves"):
        leave(member, successor, at=at)
    pass_offers_on(member, by=by, at=at)
    handed = ApiKey.objects.filter(member=member, pk__in=keys, revoked_at=None).update(member=by)
    # Or they would work again should the member ever come back.
    ApiKey.objects.filter(member=member, revoked_at=None).update(revoked_at=at)
    audit(
        by, "removed", member.email, at=at, workspace=member.workspace,
        to={taker.email: count for taker, count in shares.items()}, keys_handed_on=handed,
    )  # fmt: skip
    return shares


def _route(taker: Member, takers: list[Member], by: Member, *, named: bool) -> dict[str, Any]:
    """Why this one, and why not the others, as a handoff keeps it."""
    if named:
        return {"says": f"{by.name} chose {taker.name} to take over.", "rows": []}
    if not taker.takes_leads:
        return {"says": f"Nobody else takes leads, so {taker.name} has them.", "rows": []}
    rows = [
        {"member": str(one.pk), "name": one.name, "says": f"Number {place} in turn.", "chosen": one == taker}
        for place, one in enumerate(takers, 1)
    ]
    return {
        "says": f"Nobody was chosen to take over, so the leads went by turn; this one to {taker.name}.",
        "rows": rows,
    }


def _hand_over_leads(
    member: Member, takers: list[Member], *, by: Member, at: datetime, named: bool
) -> dict[Member, int]:
    ids = list(Lead.objects.filter(held_by(member)).order_by("pk").select_for_update().values_list("pk", flat=True))
    shares: dict[Member, int] = {}
    if not takers:
        return shares
    events = []
    for place, taker in enumerate(takers):
        share = ids[place :: len(takers)]
        if not share:
            continue
        shares[taker] = len(share)
        for start in range(0, len(share), 500):
            Lead.objects.filter(pk__in=share[start : start + 500]).update(holder=taker, updated_at=at)
        said: dict[str, Any] = {"from": member.name, "to": taker.name, "because": f"{member.name} left"}
        said |= {"route": _route(taker, takers, by, named=named)}
        events += [
            Event(
                workspace=member.workspace,
                lead_id=pk,
                kind="passed_on",
                occurred_at=at,
                recorded_at=at,
                actor=by,
                data=said,
            )
            for pk in share
        ]
    record_all(events)
    return shares
