"""The campaigns: their list, one campaign's page, and its plan."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from funnel.overview.paging import beyond, cursor, read
from funnel.workspaces.roles import allow, may
from marketing.campaigns import actions, page
from marketing.campaigns.forms import CampaignForm
from marketing.campaigns.models import Campaign, Placement
from marketing.reports.figures import CAMPAIGN, Figures, brought

PAGE = 20


@require_safe
@allow("read")
def campaigns(request: Any) -> HttpResponse:
    """All campaigns, the latest first, with what each has brought."""
    rows = Campaign.objects.prefetch_related("channels").order_by("-created_at", "-id")
    if seen := read("campaigns", request.GET.get("after", ""), 2):
        rows = rows.filter(beyond("created_at", "pk", seen, falling=True))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    where: dict[str, Any] = {f"{CAMPAIGN}__in": [one.pk for one in shown]}
    figures = {row[CAMPAIGN]: row["figures"] for row in brought(None, CAMPAIGN, member=request.member, **where)}
    more = len(found) > PAGE and cursor("campaigns", shown[-1].created_at, shown[-1].pk)
    context = {
        "rows": [(one, figures.get(one.pk, Figures())) for one in shown],
        "currency": request.workspace.currency,
        "sees_won": may(request.member, "revenue"),
        "today": request.workspace.local(request.at).date(),
        "next_url": f"?after={more}" if more else "",
        "may_change": may(request.member, "campaigns.change"),
        "new": Placement.objects.to_look_at().count(),
    }
    return render(request, "marketing/campaigns.html", context)


@require_safe
@allow("read")
def campaign(request: Any, pk: UUID) -> HttpResponse:
    """One campaign: where its leads are now, what it says, its sources, who came, and what sales gave back."""
    return render(request, "marketing/campaign.html", page.of(request, get_object_or_404(Campaign, pk=pk)))


@require_http_methods(["GET", "HEAD", "POST"])
@allow("campaigns.change")
def add(request: Any) -> HttpResponse:
    """Plan a campaign."""
    form = CampaignForm(request.POST or None, workspace=request.workspace)
    if request.method == "POST" and form.is_valid():
        new = Campaign(workspace=request.workspace, **form.changes)
        try:
            actions.start_campaign(new, form.cleaned_data["channels"], by=request.member, at=request.at)
        except actions.NameTaken as refused:
            form.add_error("name", refused.sentence)
        else:
            messages.success(request, f"“{new.name}” is planned.")
            return redirect("marketing:campaign", new.pk)
    return render(request, "marketing/campaign_edit.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("campaigns.change")
def edit(request: Any, pk: UUID) -> HttpResponse:
    """Change a campaign's plan."""
    one = get_object_or_404(Campaign, pk=pk)
    form = CampaignForm(request.POST or None, workspace=request.workspace, campaign=one)
    if request.method == "POST" and form.is_valid():
        actions.change_campaign(one, form.changes, form.cleaned_data["channels"], by=request.member, at=request.at)
        messages.success(request, "Saved.")
        return redirect("marketing:campaign", one.pk)
    context = {"form": form, "campaign": one}
    return render(request, "marketing/campaign_edit.html", context, status=422 if form.errors else 200)
