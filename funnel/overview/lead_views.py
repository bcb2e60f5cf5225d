"""The lead's page and its verbs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.forms import GiveBackForm
from funnel.handoff.models import Handoff
from funnel.handoff.reasons import OFFERED
from funnel.handoff.wayback import nobody_works, whereabouts
from funnel.leads import actions as leads
from funnel.leads import known
from funnel.leads.identity import Refused
from funnel.outbox.models import Event
from funnel.overview import lead as page
from funnel.overview.handoffs import warn_of_absence
from funnel.overview.lead_forms import BringBackForm, EditForm, NoteForm, PassForm, WhyForm
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow


@allow("read")
@require_GET
def lead_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One lead: the way, next, promises, both scores, timeline, facts, consent."""
    return _show(request, page.lead_of(_member(request), pk))


def _member(request: HttpRequest) -> Any:
    return request.member  # type: ignore[attr-defined]


def _show(request: HttpRequest, lead: Any, *, status: int = 200, **also: Any) -> HttpResponse:
    context = page.page(request, lead)
    if context["can"].give_back:
        reasons = known.of(lead, OFFERED)
        context["give_back"] = GiveBackForm(lead=lead, at=request.at, reasons=reasons)  # type: ignore[attr-defined]
    if context["can"].edit:
        context["note"] = NoteForm(auto_id="note-%s")
    if context["can"].set_aside:
        context["aside"] = WhyForm(auto_id="aside-%s")
    if context["can"].bring_back:
        context["bring_back"] = BringBackForm(by=_member(request), auto_id="back-%s")
    if context["can"].void and (wanted := request.GET.get("void", "")).isascii() and wanted.isdigit():
        context["void"] = WhyForm(auto_id="void-%s")
        context["void_event"] = Event.objects.filter(lead=lead, pk=int(wanted[:18])).first()
    return render(request, "funnel/overview/lead.html", context | also, status=status)


def _changeable(request: HttpRequest, pk: UUID) -> Any:
    lead = page.lead_of(_member(request), pk)
    if not lead.changeable:
        raise PermissionDenied("This lead is with somebody else. You can read it, not change it.")
    return lead


def _refused(request: HttpRequest, pk: UUID, refusal: Refusal) -> HttpResponse:
    """The page as it is now, with the sentence on top."""
    return _show(request, page.lead_of(_member(request), pk), status=refusal.status, trouble=refusal.sentence)


def _back(request: HttpRequest, lead: Any, sentence: str) -> HttpResponse:
    messages.success(request, sentence)
    return redirect("lead", lead.pk)


@allow("leads.take")
@require_POST
def take(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the lead; who comes second sees who has it."""
    lead = page.lead_of(_member(request), pk)
    try:
        handoff.accept(lead, by=_member(request), at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _refused(request, pk, refusal)
    return _back(request, lead, f"Taken. {lead} is with you.")


@allow("leads.take")
@require_POST
def give_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the lead back with a reason."""
    lead = page.lead_of(_member(request), pk)
    form = GiveBackForm(request.POST, lead=lead, at=request.at)  # type: ignore[attr-defined]
    if not form.is_valid():
        return _show(request, lead, status=422, give_back=form, open_sheet="give-back")
    try:
        given = handoff.give_back(lead, by=_member(request), at=request.at, **form.cleaned_data)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _refused(request, pk, refusal)
    closed = nobody_works(lead.workspace, until) if (until := form.cleaned_data["until"]) else ""
    return _back(request, lead, f"{lead} is given back. {whereabouts(given, request.at)}.{closed}")  # type: ignore[attr-defined]


@allow("leads.change")
@require_POST
def note(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Write a note on the timeline."""
    lead = _changeable(request, pk)
    form = NoteForm(request.POST, auto_id="note-%s")
    if not form.is_valid():
        return _show(request, lead, status=422, note=form, open_sheet="note")
    leads.touch(lead, "note", by=_member(request), at=request.at, data={"note": form.cleaned_data["note"]})  # type: ignore[attr-defined]
    return _back(request, lead, "Noted.")


@allow("leads.change")
@require_POST
def disqualify(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that this is not a lead."""
    lead = _changeable(request, pk)
    form = WhyForm(request.POST, auto_id="aside-%s")
    if not form.is_valid():
        return _show(request, lead, status=422, aside=form, open_sheet="aside")
    try:
        handoff.disqualify(lead, by=_member(request), at=request.at, reason=form.cleaned_data["reason"])  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _refused(request, pk, refusal)
    return _back(request, lead, f"{lead} is set aside as not a fit.")


@allow("leads.change")
@require_POST
def bring_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let a lead go on that was set aside."""
    member = _member(request)
    lead = page.lead_of(member, pk)
    form = BringBackForm(request.POST, by=member, auto_id="back-%s")
    if not form.is_valid():
        return _show(request, lead, status=422, bring_back=form, open_sheet="bring-back")
    try:
        handoff.bring_back(lead, by=member, to=form.member, at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _refused(request, pk, refusal)
    with_whom = "marketing" if form.member is None else "you" if form.member == member else form.member.name
    return _back(request, lead, f"{lead} is back, with {with_whom}.")


@allow("leads.take")
@require_http_methods(["GET", "POST"])
def pass_on(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Pass a lead, or the handoff that waits, to somebody else."""
    member, at = _member(request), request.at  # type: ignore[attr-defined]
    lead = page.lead_of(member, pk)
    waiting = Handoff.objects.open().filter(lead=lead).select_related("offered_to__user", "follows").first()
    if not page.can(member, lead, waiting).pass_on:
        raise PermissionDenied("Only its rep, an owner or a manager can pass a lead on.")
    form = PassForm(request.POST or None, without=waiting.offered_to if waiting else lead.holder)
    if request.method == "POST" and form.is_valid():
        given = {"to": form.member, "reason": form.cleaned_data["reason"], "by": member, "at": at}
        try:
            if waiting is not None:
                passing.pass_on(waiting, **given, workspace=lead.workspace)
            else:
                passing.pass_lead(lead, **given)
        except Refusal as refusal:
            return _refused(request, pk, refusal)
        warn_of_absence(request, form.member)
        says = "waits for" if waiting else "is with"
        return _back(request, lead, f"Passed on. {lead} {says} {form.member.name}.")
    context = {"lead": lead, "form": form, "waiting": waiting}
    return render(request, "funnel/overview/lead_pass.html", context, status=422 if form.errors else 200)


@allow("leads.change")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change what we know of a lead."""
    lead = _changeable(request, pk)
    form = EditForm(request.POST or None, lead=lead)
    status, other = 200, ""
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                leads.edit(lead, form.changes(), by=_member(request), at=request.at)  # type: ignore[attr-defined]
            except Refused as refused:
                form.show(refused.errors)
            except leads.KeyTaken as taken:
                form.show({taken.extra["field"]: taken.sentence})
                status, other = taken.status, taken.extra["lead"]
            else:
                return _back(request, lead, "Saved.")
    context = {"lead": lead, "form": form, "other": other}
    return render(request, "funnel/overview/lead_edit.html", context, status=status)


@allow("events.void")
@require_POST
def void(request: HttpRequest, pk: UUID, event: int) -> HttpResponse:
    """Take an entry of the timeline back; what it scored is summed again."""
    lead = _changeable(request, pk)
    wrong: Event = get_object_or_404(Event.objects.filter(lead=lead), pk=event)
    form = WhyForm(request.POST, auto_id="void-%s")
    if not form.is_valid():
        return _show(request, lead, status=422, void=form, void_event=wrong, open_sheet="void")
    try:
        leads.void(wrong, reason=form.cleaned_data["reason"], by=_member(request), at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _refused(request, pk, refusal)
    return _back(request, lead, "Taken back. Its points are summed again.")
