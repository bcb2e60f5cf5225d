"""The sheets that win and lose a deal, and what takes either back."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from funnel.handoff.models import Way
from funnel.handoff.wayback import nobody_works, promise
from funnel.leads.models import Lead
from funnel.leads.stages import SALES
from funnel.overview.back import go_back, way_back
from funnel.overview.lead_story import source_words
from funnel.templatetags.words import long_day, money, when
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow
from sales.close import actions
from sales.close.forms import LostForm, WonForm
from sales.deals.board import may_change
from sales.deals.models import Deal, DealStage
from sales.deals.page import deal_of, page_of
from sales.demos.models import Demo


@allow("deals.change")
@require_http_methods(["GET", "POST"])
def won(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for how much, when and why it was won; then book it."""
    deal = _own(request, pk)
    if request.method == "GET" and deal.stage == DealStage.WON:
        return _stays(request, deal)
    form = WonForm(request.POST or None, deal=deal, at=request.at)  # type: ignore[attr-defined]
    if not form.is_valid():
        return _sheet(request, deal, "won", form)
    given = form.cleaned_data
    try:
        actions.win(
            deal, by=request.member, at=request.at, amount=given["amount"],  # type: ignore[attr-defined]
            currency=form.worth["currency"], occurred_at=given["occurred_at"], reason=given["reason"],
        )  # fmt: skip
    except Refusal as refusal:
        return _sheet(request, deal, "won", form, refusal)
    sum_ = money(given["amount"], form.worth["currency"], exact=True)
    return _done(request, deal, f"Booked: {sum_} from the {deal.named}.{_before_they_came(deal.lead, given)}")


def _before_they_came(lead: Lead, given: dict[str, Any]) -> str:
    """A word on a win before we knew them, which is kept: an old customer, or a slip of the year."""
    if given["on"] >= (came := timezone.localtime(lead.received_at).date()):
        return ""
    return f" {long_day(given['on'])} is before they came to us ({long_day(came)}). If that is a slip, undo it."


@allow("deals.change")
@require_http_methods(["GET", "POST"])
def lost(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask why it was lost, and end it."""
    deal = _own(request, pk)
    if request.method == "GET" and deal.stage == DealStage.WON:
        return _stays(request, deal)
    form = LostForm(request.POST or None, workspace=deal.lead.workspace, at=request.at)  # type: ignore[attr-defined]
    if not form.is_valid():
        return _sheet(request, deal, "lost", form)
    try:
        ended = actions.lose(deal, by=request.member, at=request.at, **form.cleaned_data)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _sheet(request, deal, "lost", form, refusal)
    given = form.cleaned_data
    if ended.decided_at != request.at and (ended.lost_reason, ended.note) != (given["reason"], given["note"]):  # type: ignore[attr-defined]
        # Whoever ended it before has said why; that stands, and no day was promised.
        messages.warning(request, f"The {ended.named} had ended before: {ended.reason}. What you wrote is not kept.")
        return go_back(request, reverse("sales:deal", args=[pk]))
    until = given["until"] if ended.decided_at == request.at else None  # type: ignore[attr-defined]
    return _done(request, deal, f"The {deal.named} has ended.{_called_again(ended.lead, until) if until else ''}")


def _called_again(lead: Lead, on: datetime) -> str:
    """What follows from the day that was promised with a loss, as a sentence after another."""
    step = f"A next step says to call again on {long_day(on)}"
    says = step if lead.stage in SALES else promise({"way": Way.DATE.value}, on)
    return f" {says}.{nobody_works(lead.workspace, on)}"


@allow("deals.change")
@require_POST
def undo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a win or a loss back within its day."""
    deal = deal_of(pk)
    gone = actions.cancelled_with(deal, request.at)  # type: ignore[attr-defined]
    try:
        now = actions.undo(deal, by=request.member, at=request.at)  # type: ignore[attr-defined]
    except actions.TooLate as refusal:
        messages.warning(request, refusal.sentence)
    else:
        again = [f"“{demo.title}” on {when(demo.starts_at)} stays cancelled: book it again." for demo in gone]
        said = f"Taken back. The {now.named} is in {now.get_stage_display()} again."
        messages.success(request, " ".join([said, *again]))
    return go_back(request, reverse("sales:deal", args=[pk]))


def _own(request: HttpRequest, pk: UUID) -> Deal:
    deal = deal_of(pk)
    if not may_change(request.member, deal):  # type: ignore[attr-defined]
        raise PermissionDenied(f"This deal is with {deal.holder.name}. You can read it, not change it.")
    return deal


def _stays(request: HttpRequest, deal: Deal) -> HttpResponse:
    """Say on the deal's page why neither sheet opens; a page that asked for the sheet alone goes there."""
    messages.warning(request, deal.why_closed(request.at))  # type: ignore[attr-defined]
    page = reverse("sales:deal", args=[deal.pk])
    return HttpResponse(headers={"HX-Redirect": page}) if request.htmx else redirect(page)  # type: ignore[attr-defined]


def _done(request: HttpRequest, deal: Deal, sentence: str) -> HttpResponse:
    """Say it with a button that takes it back, on the page from which it came."""
    messages.success(request, sentence, extra_tags=reverse("sales:deal-undo", args=[deal.pk]))
    return go_back(request, reverse("sales:deal", args=[deal.pk]))


def _sheet(
    request: HttpRequest, deal: Deal, name: str, form: forms.Form, refusal: Refusal | None = None
) -> HttpResponse:
    """The sheet over the deal's page; alone where a page that stands there already asks for it."""
    others = Deal.objects.filter(lead=deal.lead).exclude(pk=deal.pk)
    context: dict[str, Any] = {
        "deal": deal,
        "lead": deal.lead,
        "sheet": name,
        "form": form,
        "trouble": refusal.sentence if refusal else "",
        "back": way_back(request),
        "others_open": others.open().exists(),
        "stays_customer": deal.lead.customer_since is not None or others.filter(stage=DealStage.WON).exists(),
        "demos": Demo.objects.upcoming(request.at).filter(lead=deal.lead),  # type: ignore[attr-defined]
        "source": source_words(deal.lead.source),
    }
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "sales/_sheet.html", context | {"over": True})
    status = refusal.status if refusal else 422 if form.errors else 200
    return render(request, "sales/deal.html", page_of(request, deal) | context, status=status)
