"""The reasons for giving a lead back: the page on which owner and managers change them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from funnel.handoff import reasons as verbs
from funnel.handoff.forms import ReasonForm
from funnel.handoff.models import GiveBackReason
from funnel.handoff.wayback import follows
from funnel.leads.identity import Refused
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow


@require_safe
@allow("reasons.change")
def reasons(request: Any) -> HttpResponse:
    """List the reasons in the order in which reps read them, and those that are retired."""
    return _list(request)


def _list(request: Any, *, status: int = 200, trouble: str = "") -> HttpResponse:
    rows = list(GiveBackReason.objects.all())
    offered = [(one, follows(one)) for one in rows if one.retired_at is None]
    context = {"offered": offered, "retired": [one for one in rows if one.retired_at], "trouble": trouble}
    return render(request, "funnel/overview/reasons.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("reasons.change")
def add(request: Any) -> HttpResponse:
    """Add a reason."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("reasons.change")
def reason(request: Any, pk: int) -> HttpResponse:
    """Rename a reason, or change what follows from it."""
    return _edit(request, get_object_or_404(GiveBackReason, pk=pk))


def _edit(request: Any, one: GiveBackReason | None) -> HttpResponse:
    form = ReasonForm(request.POST or None, instance=one)
    if request.method == "POST" and form.is_valid():
        try:
            if one is None:
                verbs.add(form.instance, workspace=request.workspace, by=request.member, at=request.at)
            else:
                verbs.change(form.instance, by=request.member, at=request.at)
        except Refused as refused:
            for name, sentence in refused.errors.items():
                form.add_error(name, sentence)
        else:
            messages.success(request, f"“{form.instance.name}”: {follows(form.instance)}.")
            return redirect("reasons")
    context = {"form": form, "reason": one}
    return render(request, "funnel/overview/reason.html", context, status=422 if form.errors else 200)


@require_POST
@allow("reasons.change")
def move(request: Any, pk: int) -> HttpResponse:
    """Let a reason stand one place earlier or later."""
    one = get_object_or_404(GiveBackReason.objects.offered(), pk=pk)
    verbs.move(one, up=request.POST.get("way") == "up")
    return redirect("reasons")


@require_POST
@allow("reasons.change")
def retire(request: Any, pk: int) -> HttpResponse:
    """Offer a reason no more."""
    one = get_object_or_404(GiveBackReason.objects.offered(), pk=pk)
    try:
        stays = verbs.retire(one, by=request.member, at=request.at)
    except Refusal as refusal:
        return _list(request, status=refusal.status, trouble=refusal.sentence)
    then = "Leads already given back keep it." if stays else "It was never used, so it is deleted."
    messages.success(request, f"“{one.name}” is no longer offered. {then}")
    return redirect("reasons")


@require_POST
@allow("reasons.change")
def again(request: Any, pk: int) -> HttpResponse:
    """Offer a retired reason again."""
    one = get_object_or_404(GiveBackReason, pk=pk)
    try:
        verbs.offer_again(one, by=request.member, at=request.at)
    except Refused as refused:
        return _list(request, status=409, trouble=refused.sentence)
    messages.success(request, f"“{one.name}” is offered again.")
    return redirect("reasons")
