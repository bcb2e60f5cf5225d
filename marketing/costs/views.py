"""What was spent and what was won, row by row, and the form by which a cost is entered."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from funnel.ledger.actions import take_back
from funnel.ledger.models import Cost
from funnel.overview.paging import beyond, cursor, read
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow, may
from marketing.campaigns.models import Campaign, Placement
from marketing.channels.models import Channel
from marketing.costs.actions import spend
from marketing.costs.forms import CampaignChoice, CostForm
from marketing.reports.figures import CAMPAIGN, CHANNEL, PERIODS, begins, costs, won

PAGE = 50


class Narrowed(forms.Form):
    """Which rows: the period, a channel, a campaign."""

    period = forms.ChoiceField(label="Period", choices=list(PERIODS.items()), required=False)
    channel: Any = forms.ModelChoiceField(label="Channel", queryset=None, required=False, empty_label="All channels")
    campaign: Any = CampaignChoice(label="Campaign", queryset=None, required=False, empty_label="All campaigns")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channel"].queryset = Channel.objects.all()  # type: ignore[attr-defined]
        self.fields["campaign"].queryset = Campaign.objects.order_by("-created_at")  # type: ignore[attr-defined]

    def where(self) -> dict[str, Any]:
        """The chosen channel and campaign as a filter of sources."""
        given = self.cleaned_data
        return {path: given[name].pk for name, path in (("channel", CHANNEL), ("campaign", CAMPAIGN)) if given[name]}


@require_safe
@allow("read")
def money(request: Any) -> HttpResponse:
    """The rows behind a figure: what was spent, or what was won; they add up to it."""
    sees_won = may(request.member, "revenue")
    is_won = request.GET.get("is") == "won" and sees_won
    given = {name: request.GET.get(name, "") for name in ("period", "channel", "campaign")}
    form = Narrowed({**given, "period": given["period"] if given["period"] in PERIODS else "quarter"})
    where = form.where() if form.is_valid() else {}
    period = form.cleaned_data.get("period") or "quarter"
    since = begins(period, request.workspace, request.at)
    rows: QuerySet[Any] = won(since, **where) if is_won else costs(since, **where)
    total = rows.aggregate(sum=Sum("base_amount"))["sum"]
    shown, after = _page(rows, is_won, request.GET.get("after", ""))
    here = {"is": "won" if is_won else "spent", "period": period}
    here |= {name: given[name] for name in ("channel", "campaign") if name in form.cleaned_data and given[name]}
    context = {
        "is_won": is_won,
        "sees_won": sees_won,
        "form": form,
        "rows": _placed(shown, is_won),
        "total": total,
        "currency": request.workspace.currency,
        "since": since,
        "next_url": f"?{urlencode({**here, 'after': after})}" if after else "",
        "kinds": [
            (label, f"?{urlencode({**here, 'is': name})}", (name == "won") == is_won)
            for name, label in (("spent", "Spent"), ("won", "Won"))
        ],
        "may_change": may(request.member, "costs.change"),
    }
    return render(request, "marketing/money.html", context)


def _page(rows: QuerySet[Any], is_won: bool, word: str) -> tuple[list[Any], str]:
    related = ("lead__source", "holder__user") if is_won else ("source", "by__user")
    rows = rows.select_related(*related, "corrected_by").order_by("-occurred_at", "-id")
    if seen := read("money", word, 2):
        rows = rows.filter(beyond("occurred_at", "pk", seen, falling=True))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    return shown, cursor("money", shown[-1].occurred_at, shown[-1].pk) if len(found) > PAGE else ""


def _placed(rows: list[Any], is_won: bool) -> list[tuple[Any, Placement | None]]:
    """The rows with the channel and campaign that their sources belong to."""
    sources = [row.lead.source_id if is_won else row.source_id for row in rows]
    placed = Placement.objects.filter(source__in=set(sources)).select_related("channel", "campaign")
    by_source = {one.source_id: one for one in placed}
    return [(row, by_source.get(source)) for row, source in zip(rows, sources, strict=True)]


@require_http_methods(["GET", "HEAD", "POST"])
@allow("costs.change")
def add(request: Any) -> HttpResponse:
    """Enter a cost; ?campaign and ?channel choose beforehand."""
    chosen = {name: request.GET[name] for name in ("campaign", "channel") if name in request.GET}
    form = CostForm(request.POST or None, workspace=request.workspace, at=request.at, initial=chosen)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            spend(
                given["channel"], given["campaign"], given["amount"], given["currency"],
                by=request.member, at=request.at, occurred_at=form.occurred_at, what=given["what"],
            )  # fmt: skip
        except Refusal as refused:
            form.add_error("currency" if refused.extra.get("field") == "currency" else "amount", refused.sentence)
        else:
            messages.success(request, "The cost is entered.")
            return redirect(_back(given["campaign"]))
    context = {"form": form, "back": _back(Campaign.objects.filter(pk=_uuid(chosen.get("campaign", ""))).first())}
    return render(request, "marketing/cost_add.html", context, status=422 if form.errors else 200)


@require_POST
@allow("costs.change")
def back(request: Any, pk: UUID) -> HttpResponse:
    """Take a cost back: its opposite is booked on the same day."""
    cost = get_object_or_404(Cost.objects.select_related("source"), pk=pk)
    try:
        take_back(cost, by=request.member, at=request.at)
    except Refusal as refused:
        messages.warning(request, refused.sentence)
    else:
        messages.success(request, f"{cost.what or 'The cost'} is taken back.")
    place = Placement.objects.filter(source=cost.source_id).select_related("campaign").first()
    return redirect(_back(place.campaign if place else None))


def _back(campaign: Campaign | None) -> str:
    return reverse("marketing:campaign", args=[campaign.pk]) + "#money" if campaign else reverse("marketing:money")


def _uuid(word: str) -> UUID | None:
    try:
        return UUID(word)
    except ValueError:
        return None
