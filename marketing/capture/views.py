"""The forms: their list, one form beside its preview, and what was sent in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from funnel.leads.identity import Refused, clean_email
from funnel.leads.models import LeadKey
from funnel.overview.paging import beyond, cursor, read
from funnel.workspaces.faces import face_of
from funnel.workspaces.models import AuditEntry
from funnel.workspaces.roles import allow, may
from funnel.workspaces.tally import tally
from marketing.capture import actions, files, sharing
from marketing.capture.forms import ASKS_FOR_CONTACT, CorrectForm, FormEditor, NewForm, Questions
from marketing.capture.models import Form, Submission
from marketing.capture.reading import check

PAGE = 20
LATELY = timedelta(days=30)
SHARED = "form shared"
# Why a submission is held back, in words.
FLAGS = {
    "trap": "It filled in a field that nobody sees.",
    "fast": "It came within two seconds of opening the form.",
    "forged": "The form’s hidden time was changed.",
    "old": "The form was opened more than a week before.",
}


@require_safe
@allow("read")
def forms(request: Any) -> HttpResponse:
    """All forms, with how often each was sent lately and what is held back."""
    rows = Form.objects.select_related("campaign").order_by("-created_at", "-id")
    if seen := read("forms", request.GET.get("after", ""), 2):
        rows = rows.filter(beyond("created_at", "pk", seen, falling=True))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    numbers = _numbers([one.pk for one in shown], request.at)
    more = len(found) > PAGE and cursor("forms", shown[-1].created_at, shown[-1].pk)
    context = {
        "rows": [(one, numbers.get(one.pk, {})) for one in shown],
        "next_url": f"?after={more}" if more else "",
        "may_change": may(request.member, "campaigns.change"),
    }
    return render(request, "marketing/forms.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("campaigns.change")
def add(request: Any) -> HttpResponse:
    """Make a form: a name and what it is for; the rest has a good beginning."""
    asked = NewForm(request.POST or None, initial={"purpose": Form.Purpose.CONTACT})
    if request.method == "POST" and asked.is_valid():
        name, purpose = asked.cleaned_data["name"], asked.cleaned_data["purpose"]
        made = actions.open_form(
            Form(
                workspace=request.workspace,
                name=name,
                title=name[:160],
                fields=actions.CONTACT,
                purpose=purpose,
                at_once=purpose in ASKS_FOR_CONTACT,
                consent_text=actions.consent_text(request.workspace),
                created_at=request.at,
            ),
            by=request.member,
        )
        messages.success(request, "Your form is open. Change what you like.")
        return redirect("marketing:form", made.pk)
    return render(request, "marketing/form_add.html", {"form": asked}, status=422 if asked.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@csp_update({"frame-src": ["'self'"]})
@allow("read")
def form(request: Any, pk: UUID) -> HttpResponse:
    """A form's settings beside the form itself, and the ways to share it."""
    one = get_object_or_404(Form.objects.select_related("campaign"), pk=pk)
    may_change = may(request.member, "campaigns.change")
    editor, questions = FormEditor(form=one), Questions(one.fields)
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied("Your role reads forms; it does not change them.")
        editor, questions = FormEditor(request.POST, request.FILES, form=one), Questions.posted(request.POST)
        if editor.is_valid() and not questions.errors:
            changes = {**editor.cleaned_data, "fields": questions.rows}
            if changes["file"]:
                changes |= files.keep(one, changes["file"])
            elif changes.get("no_file"):
                changes |= files.forget(one)
            actions.change_form(one, changes, by=request.member, at=request.at)
            doing = request.POST.get("do", "")
            messages.success(
                request, "Saved and published. Visitors see it now." if doing else "Saved. Visitors see it now."
            )
            return redirect(reverse("marketing:form", args=[pk]) + ("#fields" if doing else ""))
    elif not may_change:
        for field in editor.fields.values():
            field.disabled = True
    context = {
        "one": one,
        "form": editor,
        "questions": questions,
        "numbers": _numbers([pk], request.at).get(pk, {}),
        "may_change": may_change,
        "address": sharing.address(one),
        "is_secure": settings.PUBLIC_URL.startswith("https://"),
        "business": face_of(request.workspace),
        "snippet": sharing.snippet(one),
        "frame": sharing.frame(one),
        "height": sharing.height_of(one),
        "qr": sharing.qr_code(one),
    }
    wrong = editor.errors or questions.errors
    return render(request, "marketing/form.html", context, status=422 if wrong else 200)


@require_safe
@allow("read")
def qr(request: Any, pk: UUID) -> HttpResponse:
    """The QR code as a file for print."""
    one = get_object_or_404(Form, pk=pk)
    answer = HttpResponse(sharing.qr_file(one), content_type="image/svg+xml")
    answer["Content-Disposition"] = 'attachment; filename="form.svg"'
    return answer


@require_POST
@allow("campaigns.change")
def shared(request: Any, pk: UUID) -> HttpResponse:
    """Tick "share it" off by hand: that a link hangs in a shop window no page can know."""
    one = get_object_or_404(Form, pk=pk)
    AuditEntry.objects.create(
        workspace=request.workspace,
        at=request.at,
        actor=request.member,
        action=SHARED,
        target=one.name,
        data={"form": str(pk)},
    )
    messages.success(request, "Good. Who sends it now stands in your leads a moment later.")
    return redirect("marketing:form", pk)


@require_safe
@allow("read")
def submissions(request: Any, pk: UUID) -> HttpResponse:
    """What was sent in through a form, latest first; what is held back can be shown alone."""
    one = get_object_or_404(Form, pk=pk)
    only_held = request.GET.get("is") == "held"
    rows = Submission.objects.filter(form=one).order_by("-received_at", "-id")
    if only_held:
        rows = rows.held()
    if seen := read("submissions", request.GET.get("after", ""), 2):
        rows = rows.filter(beyond("received_at", "pk", seen, falling=True))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    more = len(found) > PAGE and cursor("submissions", shown[-1].received_at, shown[-1].pk)
    leads = _leads_of(shown)
    labels, may_change = _labels(one), may(request.member, "campaigns.change")
    context = {
        "one": one,
        "rows": [
            {
                "submission": row,
                "who": next((row.typed[name] for name in ("name", "email", "phone") if row.typed.get(name)), "Nobody"),
                "typed": [(labels.get(name, name.removeprefix("fields.")), said) for name, said in row.typed.items()],
                "why": [FLAGS.get(flag, flag) for flag in row.flags] if row.quarantined else [],
                "refused": list(row.refused.values()),
                "correct": CorrectForm(submission=row, labels=labels) if row.quarantined and may_change else None,
                "lead": None if row.quarantined else leads.get(row.pk),
            }
            for row in shown
        ],
        "only_held": only_held,
        "numbers": _numbers([pk], request.at).get(pk, {}),
        "next_url": f"?{'is=held&' if only_held else ''}after={more}" if more else "",
        "may_change": may_change,
    }
    return render(request, "marketing/submissions.html", context)


def _labels(one: Form) -> dict[str, str]:
    return {row["name"]: row["label"] for row in one.questions} | {"consent": "Agreed to e-mail"}


@require_POST
@allow("campaigns.change")
def release(request: Any, pk: UUID) -> HttpResponse:
    """Let through what was held back, as it was typed or corrected."""
    held = get_object_or_404(Submission.objects.select_related("form"), pk=pk)
    form = CorrectForm(request.POST, submission=held, labels=_labels(held.form))
    if form.is_valid():
        # What the worker would refuse is said here; a question that nobody answered keeps no entry back.
        said = form.sent()
        _, wrong, _ = check(held.form, {**held.typed, **said}, country=request.workspace.country)
        for name in wrong.keys() & {name for name in said if said[name]}:
            form.add_error(name, wrong[name])
    if form.errors:
        messages.error(request, " ".join(f"{form[name].label}: {said[0]}" for name, said in form.errors.items()))
        return redirect(reverse("marketing:form-submissions", args=[held.form_id]) + "?is=held")
    try:
        actions.release(held, by=request.member, at=request.at, corrected=form.sent())
    except actions.NotHeld as refused:
        messages.warning(request, refused.sentence)
    else:
        messages.success(request, "Let through. It becomes a lead in a moment.")
    return redirect(reverse("marketing:form-submissions", args=[held.form_id]) + "?is=held")


def _numbers(forms: list[UUID], at: Any) -> dict[UUID, dict[str, int]]:
    """How often each form was sent in the last 30 days, and how much waits held back, by one query."""
    of = Submission.objects.filter(form__in=forms)
    counts = tally({"sent": (of.filter(received_at__gte=at - LATELY), "form"), "held": (of.held(), "form")})
    numbers: dict[UUID, dict[str, int]] = {}
    for name, many in counts.items():
        for pk, count in many.items():
            numbers.setdefault(UUID(pk), {})[name] = count
    return numbers


def _leads_of(rows: list[Submission]) -> dict[UUID, UUID]:
    """The leads that these became, known by the address typed."""
    keys: dict[str, list[UUID]] = {}
    for row in rows:
        try:
            _, key = clean_email(row.typed.get("email", ""))
        except Refused:
            continue
        if key:
            keys.setdefault(key, []).append(row.pk)
    found = LeadKey.objects.filter(kind=LeadKey.Kind.EMAIL, value__in=list(keys)).values_list("value", "lead_id")
    return {pk: lead for value, lead in found for pk in keys[value]}
