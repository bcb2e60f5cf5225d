"""The lead beside the list, and what sales adds to the lead's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from funnel.handoff.card import words_in
from funnel.handoff.clock import first_contact
from funnel.handoff.forms import GiveBackForm
from funnel.handoff.models import Outcome
from funnel.handoff.reasons import OFFERED
from funnel.leads import known
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.overview.lead import THERE, ask_at_once, can, handoffs_of, lead_of, shown_phone
from funnel.overview.lead_scores import opened
from funnel.overview.rows import minutes_left
from funnel.workspaces.asking import Asked
from funnel.workspaces.hours import between
from funnel.workspaces.models import Member
from funnel.workspaces.slots import slot
from sales.queue.forms import CallForm, MoveForm, NextStepForm
from sales.queue.models import CallOutcome, Task

TASKS = Asked(
    lambda lead: (
        Task.objects.open().filter(lead__in=[lead]).select_related("holder__user").order_by("due_at", "id")[:20]
    ),
    UUID,
)


def pane_of(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """The lead of the desk: what is to be decided, why now, what was promised, and the forms for the work."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    lead = lead_of(member, pk)
    workspace = lead.workspace
    ask_at_once(request, lead, [*THERE, *slot("desk_asks")])
    latest = next(iter(handoffs_of(lead)), None)
    waiting = latest if latest is not None and latest.is_open else None
    allowed = can(member, lead, waiting)
    taken = latest if latest is not None and latest.outcome == Outcome.ACCEPTED and lead.holder_id else None
    context: dict[str, Any] = {
        "lead": lead,
        "phone": shown_phone(lead.phone, workspace.country) if lead.phone else "",
        "can": allowed,
        "latest": latest,
        "waiting": waiting,
        "minutes_left": minutes_left(waiting, at=at, workspace=workspace) if waiting else None,
        "taken": taken,
        "first_contact": first_contact(taken, lead=lead, at=at, workspace=workspace),
        "taken_after": between(workspace, taken.opened_at, taken.closed_at) if taken and taken.closed_at else None,
        "scores": opened(lead, at),
        "mine": lead.holder_id == member.pk,
        "words": words_in(latest.card) if latest else [],
        **work_of(request, lead),
        "panels": [panel for make in slot("desk_panels") if (panel := make(request, lead))],
    }
    if allowed.give_back:
        context["give_back"] = GiveBackForm(lead=lead, at=at, reasons=known.of(lead, OFFERED))
    return context


def work_of(request: HttpRequest, lead: Lead) -> dict[str, Any]:
    """The open steps of a lead, and the forms to log a call and to plan; without forms where it isn't one's own."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    workspace = lead.workspace
    works = lead.holder_id is not None and (lead.holder_id == member.pk or member.leads_others)
    if not (lead.stage in SALES or lead.stage == Stage.CUSTOMER):
        return {"tasks": [], "works": False}
    tasks: list[Task] = known.of(lead, TASKS)
    context: dict[str, Any] = {"tasks": tasks, "works": works, "today": timezone.localtime(at).date()}
    if works:
        context |= {
            "call": CallForm(workspace=workspace, at=at, tasks=tasks),
            "step": NextStepForm(workspace=workspace, at=at),
            "moves": [MoveForm(workspace=workspace, at=at, task=task) for task in tasks],
            "outcomes": CallOutcome.choices,
        }
    return context


def lead_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """The panel "Next" on the lead's page: SLOTS["lead_panels"]."""
    context = work_of(request, lead)
    if not (context["tasks"] or context["works"]):
        return None
    actions = [{"href": "#log", "label": "Log the call"}] if context["works"] else []
    context |= {"lead": lead, "next": reverse("lead", args=[lead.pk]) + "#next"}
    return {"side": "left", "template": "sales/_panel.html", "context": context, "actions": actions}
