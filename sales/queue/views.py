"""The rep's desk: what to do next on the left, the lead on the right."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from funnel.handoff import actions as handoff
from funnel.handoff.forms import GiveBackForm
from funnel.handoff.wayback import nobody_works, whereabouts
from funnel.leads.models import Lead
from funnel.overview.back import go_back
from funnel.templatetags.words import day, when
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow
from sales.queue import actions as queue
from sales.queue.desk import Group, count, desk_of, grade, stamp
from sales.queue.forms import CallForm, MoveForm, NextStepForm
from sales.queue.mine import page_of
from sales.queue.models import CallOutcome, Task
from sales.queue.pane import pane_of

DUE = ("New handoffs", "Late", "Today", "Tomorrow")


@allow("leads.take")
@require_GET
@vary_on_headers("HX-Target")
def desk(request: HttpRequest) -> HttpResponse:
    """The desk with the lead that the address names, else with the first thing to do.

    A row that is chosen asks for the lead alone; the list beside it stands.
    """
    pk = _wanted(request)
    if pk is None or request.htmx.target != "lead":  # type: ignore[attr-defined]
        return _desk(request, pk)
    return render(request, "sales/desk.html#lead", _around(request) | {"current": pk} | pane_of(request, pk))


@allow("leads.take")
@require_GET
def news(request: HttpRequest) -> HttpResponse:
    """The list again if it has changed since it was drawn, else nothing; a plain browser gets the whole desk.

    Where no lead stands beside a desk that was clear, the first one comes with the list.
    """
    if not request.htmx:  # type: ignore[attr-defined]
        return _desk(request, _wanted(request))
    if request.GET.get("have") == stamp(request.member, request.at):  # type: ignore[attr-defined]
        return HttpResponse(status=204)
    groups, mark = _groups(request)
    context, current = _list(request, groups, mark), _wanted(request)
    if current is None and groups:
        current = groups[0].rows[0].lead.pk
        context |= {"beside_the_list": True} | pane_of(request, current)
    return render(request, "sales/desk.html#news", context | {"current": current})


@allow("leads.take")
@require_GET
def mine(request: HttpRequest) -> HttpResponse:
    """My leads by next step."""
    return render(request, "sales/mine.html", page_of(request))


@allow("leads.take")
@require_POST
def take(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the lead with one click; who comes second sees who has it and what is next."""
    lead = _lead(pk)
    try:
        handoff.accept(lead, by=request.member, at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _desk(request, pk, status=refusal.status, trouble=refusal.sentence)
    return _done(request, f"Taken. {lead} is with you.", pk)


@allow("leads.take")
@require_POST
def give_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the lead back with a reason, before or after it was taken."""
    lead = _lead(pk)
    form = GiveBackForm(request.POST, lead=lead, at=request.at)  # type: ignore[attr-defined]
    if not form.is_valid():
        return _desk(request, pk, status=422, give_back=form, open_sheet=True)
    try:
        given = handoff.give_back(lead, by=request.member, at=request.at, **form.cleaned_data)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _desk(request, pk, status=refusal.status, trouble=refusal.sentence)
    closed = nobody_works(lead.workspace, until) if (until := form.cleaned_data["until"]) else ""
    return _done(request, f"{lead} is given back. {whereabouts(given, request.at)}.{closed}")  # type: ignore[attr-defined]


@allow("leads.take")
@require_POST
def call(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Log a call."""
    lead = _lead(pk)
    tasks = list(Task.objects.open().filter(lead=lead))
    form = CallForm(request.POST, workspace=request.workspace, at=request.at, tasks=tasks)  # type: ignore[attr-defined]
    if not form.is_valid():
        return _desk(request, pk, status=422, call=form)
    given = form.cleaned_data
    try:
        queue.log_call(
            lead, CallOutcome(given["outcome"]), by=request.member, at=request.at,  # type: ignore[attr-defined]
            note=given["note"], then=form.step, done=form.settled,
        )  # fmt: skip
    except Refusal as refusal:
        return _desk(request, pk, status=refusal.status, trouble=refusal.sentence, typed=given["note"])
    then = f" Next: {form.step.what}.{nobody_works(lead.workspace, form.step.due_at)}" if form.step else ""
    return _done(request, f"The call is saved.{then}", pk)


@allow("leads.take")
@require_POST
def next_step(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Plan the next step."""
    lead = _lead(pk)
    form = NextStepForm(request.POST, workspace=request.workspace, at=request.at)  # type: ignore[attr-defined]
    if not form.is_valid() or form.step is None:
        return _desk(request, pk, status=422, step=form)
    try:
        queue.plan(lead, form.step, by=request.member, at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _desk(request, pk, status=refusal.status, trouble=refusal.sentence)
    return _done(request, f"The next step is set.{nobody_works(lead.workspace, form.step.due_at)}", pk)


@allow("leads.take")
@require_POST
def step_done(request: HttpRequest, pk: int) -> HttpResponse:
    """Tick a step off."""
    task = _step(request, pk)
    queue.finish(task, by=request.member, at=request.at)  # type: ignore[attr-defined]
    return _done(request, "Done.", task.lead_id)


@allow("leads.take")
@require_POST
def step_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a step off, or bring it forward."""
    task = _step(request, pk)
    form = MoveForm(request.POST, task=task, workspace=request.workspace, at=request.at)  # type: ignore[attr-defined]
    if not form.is_valid() or form.step is None:
        return _desk(request, task.lead_id, status=422, moving=form)
    try:
        queue.move(task, form.step, by=request.member, at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _desk(request, task.lead_id, status=refusal.status, trouble=refusal.sentence)
    on = day(form.step.due_at) if form.step.all_day else when(form.step.due_at)
    closed = nobody_works(request.workspace, form.step.due_at)  # type: ignore[attr-defined]
    return _done(request, f"Moved to {on}.{closed}", task.lead_id)


def _step(request: HttpRequest, pk: int) -> Task:
    member = request.member  # type: ignore[attr-defined]
    task: Task = get_object_or_404(Task.objects.select_related("lead__holder__user", "holder__user"), pk=pk)
    if member.pk not in (task.holder_id, task.lead.holder_id) and not member.leads_others:
        raise queue.WithSomebodyElse(f"This step is {task.holder.name}’s.")
    return task


def _lead(pk: UUID) -> Lead:
    found: Lead = get_object_or_404(Lead.objects.select_related("holder__user", "company", "workspace"), pk=pk)
    return found


def _wanted(request: HttpRequest) -> UUID | None:
    word = request.GET.get("lead", "")
    try:
        return UUID(word) if word else None
    except ValueError:
        raise BadRequest("This address has been changed on its way. Open the desk again.") from None


def _done(request: HttpRequest, sentence: str, pk: UUID | None = None) -> HttpResponse:
    """Back to where the form stood, with a sentence."""
    messages.success(request, sentence)
    # The place in the address is named each time: a browser would carry the form's own over, and stay with the lead.
    return go_back(request, reverse("sales:desk") + (f"?lead={pk}#lead" if pk else "#desk-title"))


def _groups(request: HttpRequest) -> tuple[list[Group], str]:
    return desk_of(request.member, at=request.at, workspace=request.workspace)  # type: ignore[attr-defined]


def _around(request: HttpRequest) -> dict[str, Any]:
    return {"at": request.at}  # type: ignore[attr-defined]


def _list(request: HttpRequest, groups: list[Group], mark: str) -> dict[str, Any]:
    rows = [row for group in groups for row in group.rows]
    grade(rows, at=request.at)  # type: ignore[attr-defined]
    return _around(request) | {
        "groups": groups,
        "rows": rows,
        "to_do": count(groups, *DUE),
        "new": count(groups, "New handoffs"),
        # A clear desk says what to do: who has no lead at all has none to look through.
        "no_lead": not rows and not Lead.objects.exists(),
        "upcoming": next((row for group in groups if group.title == "Later" for row in group.rows), None),
        "stamp": mark,
    }


def _desk(request: HttpRequest, pk: UUID | None, *, status: int = 200, **also: Any) -> HttpResponse:
    groups, mark = _groups(request)
    leads = [row.lead for group in groups for row in group.rows]
    pk = pk or (leads[0].pk if leads else None)
    pane = pane_of(request, pk) if pk is not None else {}
    context = _list(request, groups, mark)
    context |= {"current": pk, "after": next((lead for lead in leads if lead.pk != pk), None)}
    # A form that came back with errors stands where the empty one would.
    return render(request, "sales/desk.html", context | pane | also, status=status)
