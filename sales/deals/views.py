"""The board, a deal's page, and the forms that open, change and move a deal."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from funnel.leads.models import Lead
from funnel.overview.back import go_back, way_back
from funnel.overview.paging import PAGE, beyond, cursor, read
from funnel.workspaces.models import Member
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow, may
from sales.deals import actions
from sales.deals.board import Board, may_change, stages_of
from sales.deals.forms import DealForm
from sales.deals.models import OPEN, Deal, DealStage
from sales.deals.page import deal_of, deals_of, page_of


@allow("read")
@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """Every open deal by stage; with `of` and `after` one stage goes on."""
    drawn = Board(request)
    only = request.GET.get("of", "") if request.htmx else ""  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        "columns": drawn.columns(only),
        "asked": drawn.asked,
        "home": reverse("sales:board"),
    }
    if only:
        return render(request, "sales/board.html#onward", context)
    ended = drawn.ended()
    context |= {
        "ended": ended,
        "filters": drawn.filters(),
        "summary": drawn.summary(),
        "jumps": stages_of(context["columns"], ended),
        "may_open": may(_member(request), "deals.change"),
        "nothing": not drawn.rows and not Deal.objects.exists(),
        "back": request.get_full_path(),
    }
    return render(request, "sales/board.html", context)


@allow("read")
@require_GET
def ended(request: HttpRequest) -> HttpResponse:
    """Every deal that was won, or lost, the latest first."""
    stage = DealStage.LOST if request.GET.get("is") == "lost" else DealStage.WON
    rows = Deal.objects.filter(stage=stage).told().order_by("-stage_since", "-id")
    after = read("deals-ended", request.GET.get("after", ""), 2)
    if after:
        rows = rows.filter(beyond("stage_since", "id", after, falling=True))
    found = list(rows[: PAGE + 1])
    more, found = len(found) > PAGE, found[:PAGE]
    place = cursor("deals-ended", found[-1].stage_since.isoformat(), found[-1].pk) if more else ""
    context = {
        "stage": stage,
        "stages": (DealStage.WON, DealStage.LOST),
        "deals": found,
        "next_url": f"?is={stage}&after={place}" if more else "",
        "is_first": after is None,
    }
    return render(request, "sales/deals.html", context)


@allow("read")
@require_GET
def deal(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One deal: what it is worth, where it stands, what happened."""
    return render(request, "sales/deal.html", page_of(request, deal_of(pk)))


@allow("deals.change")
@require_POST
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Move the deal to another open stage: by the menu, or by dragging its card."""
    found = deal_of(pk)
    back = reverse("sales:deal", args=[pk])
    stage = request.POST.get("stage", "")
    if stage not in OPEN:
        messages.warning(request, "Choose the stage to which it moves.")
        return go_back(request, back)
    try:
        actions.move(found, DealStage(stage), by=_member(request), at=request.at)  # type: ignore[attr-defined]
    except actions.NotOpen as refusal:
        messages.warning(request, refusal.sentence)
    else:
        messages.success(request, f"The {found.named} is in {DealStage(stage).label} now.")
    return go_back(request, back)


@allow("deals.change")
@require_GET
def add(request: HttpRequest) -> HttpResponse:
    """Find the lead with whom a deal is to be opened."""
    member, words = _member(request), request.GET.get("q", "").strip()
    rows = Lead.objects.visible_to(member)
    if not member.leads_others:
        rows = rows.filter(holder=member)
    rows = rows.found_by(words) if words else rows.filter(holder=member)
    found = list(rows.select_related("holder__user").order_by("-received_at", "-id")[:PAGE])
    return render(request, "sales/deal_add.html", {"leads": found, "words": words})


@allow("deals.change")
@require_http_methods(["GET", "POST"])
def open_with(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Open a deal with a lead."""
    member = _member(request)
    seen = Lead.objects.visible_to(member).select_related("holder__user", "workspace")
    lead: Lead = get_object_or_404(seen, pk=pk)
    form = DealForm(
        request.POST if request.method == "POST" else None, workspace=lead.workspace, by=member, holder=lead.holder
    )
    trouble = ""
    if form.is_valid():
        given = form.cleaned_data
        try:
            made = actions.open_deal(
                lead, by=member, at=request.at, title=given["title"], amount=given["amount"],  # type: ignore[attr-defined]
                currency=given["currency"], holder=given.get("holder"),
            )  # fmt: skip
        except Refusal as refusal:
            trouble = refusal.sentence
        else:
            messages.success(request, f"The {made.named} is open.")
            return redirect("sales:deal", made.pk)
    context = {
        "form": form, "lead": lead, "trouble": trouble, "back": reverse("lead", args=[lead.pk]),
        "already": [one for one in deals_of(lead) if one.is_open],
    }  # fmt: skip
    return render(request, "sales/deal_form.html", context, status=422 if form.errors or trouble else 200)


@allow("deals.change")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change what the deal is about, what it is worth, or with whom it is."""
    member, found = _member(request), deal_of(pk)
    if not may_change(member, found):
        raise PermissionDenied(f"This deal is with {found.holder.name}. You can read it, not change it.")
    if not found.is_open:
        messages.warning(request, found.why_closed(request.at))  # type: ignore[attr-defined]
        return redirect("sales:deal", pk)
    form = DealForm(
        request.POST if request.method == "POST" else None,
        workspace=found.lead.workspace, by=member, holder=found.holder, deal=found,
    )  # fmt: skip
    trouble = ""
    if form.is_valid():
        given = form.cleaned_data
        changes = {name: given[name] for name in ("title", "amount", "currency")}
        if given.get("holder") is not None:
            changes["holder"] = given["holder"]
        try:
            actions.edit(found, changes, by=member, at=request.at)  # type: ignore[attr-defined]
        except Refusal as refusal:
            trouble = refusal.sentence
        else:
            messages.success(request, f"The {found.named} is changed.")
            return go_back(request, reverse("sales:deal", args=[pk]))
    back = way_back(request) or reverse("sales:deal", args=[pk])
    context = {"form": form, "deal": found, "lead": found.lead, "trouble": trouble, "back": back}
    return render(request, "sales/deal_form.html", context, status=422 if form.errors or trouble else 200)


def _member(request: HttpRequest) -> Member:
    return request.member  # type: ignore[attr-defined]
