"""What sales does after an event of the hall: steps come up, go with their lead, or end with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from funnel.handoff import actions as handoff
from funnel.handoff.handlers import leaders
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.mail import actions as mail
from funnel.outbox.models import Effect, Event
from funnel.workspaces.models import Workspace
from sales.queue.models import Task

AGAIN = "Call: asked for contact again"
CAME = "See what they want: came to us again"
OFFERABLE = (Stage.NEW, Stage.NURTURING, Stage.LOST)


def _events(effects: list[Effect]) -> list[Event]:
    return list(Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("id"))


def ask(effects: list[Effect], at: datetime) -> None:
    """Somebody whom a rep has asked for contact again: give the rep a step that is due now, and tell them.

    Given back meanwhile, the wish opens a handoff after all: it must not be dropped between the two.
    """
    workspace = Workspace.objects.get(pk=effects[0].workspace_id)
    events = {one.lead_id: one for one in _events(effects) if one.lead_id}
    leads = Lead.objects.locked(list(events), "holder__user", "company__holder__user")
    _give_step([one for one in leads.values() if one.holder and one.stage in (*SALES, Stage.CUSTOMER)], AGAIN, at)
    homeless = []
    for lead in leads.values():
        if lead.holder is None or lead.stage not in (*SALES, Stage.CUSTOMER):
            if lead.stage in OFFERABLE:
                homeless.append(lead)
            continue
        # Whoever decides passes on what somebody holds who left; a wish must reach a person.
        left = "" if lead.holder.active else lead.holder.name
        for person in leaders(at, workspace) if left else [lead.holder]:
            mail.queue(
                "asked-again", to=person, event=events[lead.pk], lead_id=lead.pk, at=at,
                context=_context(lead, what=AGAIN) | {"left": left},
            )  # fmt: skip
    if homeless:
        handoff.open_for(
            homeless,
            why={lead.pk: "Asked for contact again, just as the lead was given back" for lead in homeless},
            workspace=workspace,
            at=at,
        )


def see(effects: list[Effect], at: datetime) -> None:
    """A customer turned to us without asking to be called: give whoever looks after them a step that is due now."""
    leads = Lead.objects.locked([one.lead_id for one in _events(effects) if one.lead_id], "holder__user")
    _give_step([one for one in leads.values() if one.holder and one.stage == Stage.CUSTOMER], CAME, at)


def _give_step(leads: list[Lead], what: str, at: datetime) -> None:
    """Give their holders a step that is due now, where the same isn't open yet."""
    waiting = set(Task.objects.open().filter(lead__in=leads, what=what).values_list("lead_id", flat=True))
    for lead in leads:
        if lead.pk not in waiting:
            Task.objects.create(
                workspace_id=lead.workspace_id, lead=lead, holder=lead.holder, what=what, due_at=at, made_at=at
            )


def prompt(effects: list[Effect], at: datetime) -> None:
    """A next step comes up: remind whoever has it by mail, unless it is done, was moved, or no mail was asked for."""
    events = {one.data.get("task"): one for one in _events(effects) if one.data.get("remind")}
    moved = Event.objects.filter(kind="next_step_moved", lead__in={one.lead_id for one in events.values()})
    for later in moved:
        if later.data["task"] in events and later.pk > events[later.data["task"]].pk:
            del events[later.data["task"]]
    # With nobody any more the lead was set aside, and its steps with it.
    with_somebody = Task.objects.open().filter(pk__in=list(events), lead__holder__isnull=False)
    tasks = with_somebody.select_related("lead", "holder__user").order_by("id")
    for task in tasks:
        if not task.holder.active:
            continue
        context = _context(task.lead, what=task.what) | {"due": task.due_at.isoformat(), "all_day": task.all_day}
        mail.queue("task", to=task.holder, event=events[task.pk], lead_id=task.lead_id, at=at, context=context)


def follow(effects: list[Effect], at: datetime) -> None:
    """A lead went to a colleague: its open steps go with it."""
    leads = Lead.objects.filter(pk__in=[one.lead_id for one in _events(effects)], holder__isnull=False)
    for pk, holder in leads.values_list("pk", "holder"):
        Task.objects.open().filter(lead=pk).update(holder=holder)


def _context(lead: Lead, *, what: str) -> dict[str, Any]:
    return {"lead": str(lead), "company": lead.company_name, "what": what, "path": f"/leads/{lead.pk}/"}
