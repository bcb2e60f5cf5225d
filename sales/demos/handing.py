"""Demos go with their lead, or to whoever takes over; none is dropped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.outbox.models import Effect, Event
from funnel.templatetags.words import day
from funnel.workspaces.models import Member
from sales.demos import actions as demos
from sales.demos.models import Demo
from sales.queue.models import Task


@transaction.atomic
def hand_demos(member: Member, successor: Member | None, *, at: datetime) -> None:
    """Give the demos to come of somebody who leaves to who has the lead now, else to the successor, else to an owner.

    Where all of them are busy at that time, it stays with who leaves, and who has the lead gets a step for it; so they
    do for one that is over and of which nobody has said how it went.
    """
    owner = Member.objects.active().filter(role="owner").exclude(pk=member.pk).order_by("joined_at").first()
    for demo in Demo.objects.upcoming(at).filter(holder=member).select_related("lead__holder"):
        keeper = demo.lead.holder if demo.lead.holder_id != member.pk else None
        _give(demo, [one for one in (keeper, successor, owner) if one is not None], at=at)
    for demo in Demo.objects.undecided(at).filter(holder=member).select_related("lead__workspace"):
        _plan(demo, "Ask and say how “{title}” on {when} went", at=at)


def follow(effects: list[Effect], at: datetime) -> None:
    """A lead went to a colleague: the former holder's demos with it that are to come go with it."""
    for event in Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("id"):
        lead = Lead.objects.filter(pk=event.lead_id, holder__isnull=False).select_related("holder").first()
        if lead is None or not event.data.get("was"):
            continue
        for demo in Demo.objects.upcoming(at).filter(lead=lead, holder=event.data["was"]):
            _give(demo, [lead.holder], at=at)


def _give(demo: Demo, candidates: Iterable[Member | None], *, at: datetime) -> bool:
    for one in candidates:
        if one is None:
            continue
        try:
            with transaction.atomic():
                demos.give_to(demo, one, at=at)
        except (demos.Taken, demos.CantDemo):
            continue
        return True
    _plan(demo, "Find a time or somebody for “{title}” on {when}", at=at)
    return False


def _plan(demo: Demo, what: str, *, at: datetime) -> None:
    """Give whoever has the lead by now a step about a demo that stays with somebody else."""
    lead = demo.lead
    if lead.holder_id is None or lead.holder_id == demo.holder_id:
        return
    local = lead.workspace.local(demo.starts_at)
    said = what.format(title=demo.title, when=f"{day(local.date())}, {local:%H:%M}")
    Task.objects.create(
        workspace_id=lead.workspace_id, lead=lead, holder_id=lead.holder_id, what=said[:300], due_at=at, made_at=at
    )


@transaction.atomic
def cancel_with_lead(lead: Lead, reason: str, *, by: Member, at: datetime) -> None:
    """Cancel what is to come with a locked lead that sales gives back or has lost; nobody would be there."""
    if lead.stage == Stage.CUSTOMER:
        return
    for demo in Demo.objects.upcoming(at).filter(lead=lead):
        demos.cancel(demo, by=by, at=at, with_lead=True)
