"""Pass on what waits for somebody, or what somebody holds."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from funnel.handoff.actions import AlreadyTaken, NotYours, open_for, stays
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.outbox.actions import record
from funnel.workspaces.models import SELLERS, Member, Workspace


@transaction.atomic
def pass_on(
    handoff: Handoff, *, at: datetime, workspace: Workspace, by: Member | None = None, to: Member | None = None
) -> Handoff | None:
    """Offer an open handoff to somebody else: a named member, else somebody untried, else the pool.

    Without `by` the clock did it. None when it was decided meanwhile.
    """
    lead = Lead.objects.locked([handoff.lead_id])[handoff.lead_id]
    if to is not None and (to.role not in SELLERS or not to.active):
        raise NotYours(f"{to.name} doesn’t take leads.")
    closed = Handoff.objects.filter(pk=handoff.pk, outcome=Outcome.OPEN).update(
        outcome=Outcome.REROUTED if by else Outcome.EXPIRED, closed_at=at
    )
    if not closed:
        return None
    tried, earlier = set(), handoff
    while earlier is not None:
        tried.add(earlier.offered_to_id)
        earlier = earlier.follows  # type: ignore[assignment]
    record(
        lead.workspace_id, "handoff_rerouted", at=at, lead_id=lead.pk, actor=by,
        data={"handoff": str(handoff.pk), "from": handoff.offered_to.name if handoff.offered_to else ""},
    )  # fmt: skip
    opened = open_for(
        [lead],
        why={lead.pk: handoff.card["why"]},
        workspace=workspace,
        at=at,
        follows={lead.pk: handoff},
        tried={lead.pk: {pk for pk in tried if pk}},
        to=to,
    )
    return opened[0] if opened else None


@transaction.atomic
def pass_lead(lead: Lead, *, to: Member, by: Member, at: datetime) -> Lead:
    """Let another member hold a lead that is with sales."""
    if not (by.leads_others or lead.holder_id == by.pk):
        raise NotYours("Only its rep, an owner or a manager can pass a lead on.")
    if to.role not in SELLERS or not to.active:
        raise NotYours(f"{to.name} doesn’t take leads.")
    was = lead.holder
    Lead.objects.locked([lead.pk])
    stays(to)
    if not Lead.objects.filter(pk=lead.pk, stage__in=[*SALES, Stage.CUSTOMER]).update(holder=to, updated_at=at):
        raise AlreadyTaken("This lead is not with sales.")
    record(
        lead.workspace_id,
        "passed_on",
        at=at,
        lead_id=lead.pk,
        actor=by,
        data={"from": was.name if was else "", "was": str(was.pk) if was else "", "to": to.name},
    )
    lead.refresh_from_db(fields=["holder", "updated_at"])
    return lead
