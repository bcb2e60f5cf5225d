"""What reps ask marketing about a lead: the panel on its page and on the desk, and the form."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from funnel.handoff import questions
from funnel.handoff.models import Question
from funnel.leads import known
from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.mail.actions import why_none
from funnel.overview.back import go_back, way_back
from funnel.overview.lead import can, handoffs_of, lead_of
from funnel.workspaces.asking import Asked
from funnel.workspaces.roles import allow, may

SHOWN = 5


ASKED = Asked(
    lambda lead: (
        Question.objects.filter(lead__in=[lead])
        .select_related("asked_by__user", "answered_by__user")
        .order_by("-asked_at")[:SHOWN]
    ),
    UUID,
)


class AskForm(forms.Form):
    """What the rep wants to know."""

    words = forms.CharField(
        label="What would you like to know?",
        max_length=questions.LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Write what you want to know."},
    )


def _panel(request: Any, lead: Lead, back: str) -> dict[str, Any] | None:
    asked = known.of(lead, ASKED)
    waiting = next((one for one in handoffs_of(lead) if one.is_open), None)
    theirs = questions.holds(lead, request.member) or can(request.member, lead, waiting).take
    may_ask = may(request.member, "leads.take") and theirs
    if not asked and not may_ask:
        return None
    form = AskForm(auto_id="ask-%s") if may_ask else None
    return {"lead": lead, "questions": asked, "form": form, "next": back}


def lead_panel(request: Any, lead: Lead) -> dict[str, Any] | None:
    """Questions and answers on the lead's page: SLOTS["lead_panels"]."""
    context = _panel(request, lead, reverse("lead", args=[lead.pk]) + "#asked")
    if context is None:
        return None
    return {"side": "right", "template": "funnel/overview/_questions.html", "context": context, "actions": []}


def desk_panel(request: Any, lead: Lead) -> dict[str, Any] | None:
    """The same under the lead on the desk: SLOTS["desk_panels"]."""
    context = _panel(request, lead, f"/sales/?lead={lead.pk}#lead")
    return None if context is None else {"template": "funnel/overview/_questions.html", "context": context}


@require_POST
@allow("leads.take")
def ask(request: Any, pk: UUID) -> HttpResponse:
    """Ask marketing about the lead; it stays with the rep."""
    lead = lead_of(request.member, pk)
    form = AskForm(request.POST, auto_id="ask-%s")
    if form.is_valid():
        try:
            questions.ask(lead, form.cleaned_data["words"], by=request.member, at=request.at)
        except Refused as refused:
            form.add_error("words", refused.sentence)
        else:
            none = why_none(request.workspace)
            how = f"{none}: look here for the answer." if none else "The answer comes to you by mail, and stands here."
            messages.success(request, f"Asked. {how}")
            return go_back(request, reverse("lead", args=[pk]))
    context = {"lead": lead, "form": form, "next": way_back(request)}
    return render(request, "funnel/overview/lead_ask.html", context, status=422)
