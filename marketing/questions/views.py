"""What sales asks marketing about leads: the open questions, and those that were answered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from funnel.handoff import questions as verbs
from funnel.handoff.models import Question
from funnel.leads.identity import Refused
from funnel.overview.known import Known
from funnel.overview.ranking import Choice, listed
from funnel.overview.rows import UNKNOWN, basis_in_force, grades_of
from funnel.templatetags.words import plural
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow, may

PAGE = 50
KINDS = {"": "Wait for an answer", "answered": "Answered"}


class AnswerForm(forms.Form):
    """What marketing knows."""

    answer = forms.CharField(
        label="Answer",
        max_length=verbs.LONGEST,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Write the answer."},
    )


@require_safe
@allow("read")
def questions(request: Any) -> HttpResponse:
    """The questions, those that have waited longest first."""
    return _list(request)


def _list(request: Any, *, status: int = 200, tried: AnswerForm | None = None, pk: UUID | None = None) -> HttpResponse:
    kind = request.GET.get("is", "")
    if kind not in KINDS:
        raise BadRequest("There is no such list.")
    found = Question.objects.select_related("lead", "asked_by__user", "answered_by__user")
    found, own = (found.filter(answered_at__isnull=False), "-asked_at") if kind else (found.open(), "asked_at")
    choice, after = Choice.of(request.GET), request.GET.get("after", "")
    by: Any = {"basis": basis_in_force(), "at": request.at}
    shown, following = listed(choice, found, own, kind=f"questions{kind}", after=after, size=PAGE, **by)
    grades = grades_of([one.lead_id for one in shown], **by)
    may_answer = may(request.member, "campaigns.change")
    context = {
        "rows": [
            (one, grades.get(one.lead_id, UNKNOWN), _form(one, tried, pk) if may_answer and not kind else None)
            for one in shown
        ],
        "kinds": [(label, choice.query(**{"is": name}) or "?", name == kind) for name, label in KINDS.items()],
        "kind": kind,
        "asked": choice,
        "own": "Newest" if kind else "Longest waiting",
        "unbanded_url": choice.query(**{"is": kind, "band": ""}) or "?",
        "next_url": choice.query(**{"is": kind, "after": following}) if following else "",
        "tried": tried,
    }
    return render(request, "marketing/questions.html", context, status=status)


def _form(one: Question, tried: AnswerForm | None, pk: UUID | None) -> AnswerForm:
    return tried if tried is not None and one.pk == pk else AnswerForm(auto_id=f"answer-{one.pk}-%s")


@require_POST
@allow("campaigns.change")
def answer(request: Any, pk: UUID) -> HttpResponse:
    """Answer a question."""
    one = get_object_or_404(Question.objects.select_related("lead"), pk=pk)
    form = AnswerForm(request.POST, auto_id=f"answer-{one.pk}-%s")
    if form.is_valid():
        try:
            verbs.answer(one, form.cleaned_data["answer"], by=request.member, at=request.at)
        except Refused as refused:
            form.add_error("answer", refused.sentence)
        except Refusal as refusal:
            messages.warning(request, refusal.sentence)
            return redirect("marketing:questions")
        else:
            messages.success(request, f"Answered. It stands with {one.lead}, and goes to who asked.")
            return redirect("marketing:questions")
    return _list(request, status=422, tried=form, pk=one.pk)


def asked(request: Any, known: Known) -> dict[str, Any] | None:
    """The questions that wait, on the owner's home: SLOTS["home_needs"]."""
    many = sum(known.counts["questions"].values())
    if not many:
        return None
    return {
        "icon": "message-2",
        "what": f"{plural(many, 'question')} from sales {'waits' if many == 1 else 'wait'} for marketing",
        "meta": "A rep would like to know more about a lead before giving it back.",
        "url": reverse("marketing:questions"),
        "does": "Answer",
    }
