"""The names that came in: what each means, and the new ones to look at."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from funnel.overview.paging import cursor, read
from funnel.workspaces.roles import allow, may
from marketing.campaigns import actions
from marketing.campaigns.models import Campaign, Placement
from marketing.channels.models import Channel
from marketing.reports.figures import Figures, counted, received

PAGE = 20
CAMPAIGNS_OFFERED = 200


class SettleForm(forms.Form):
    """Where a source belongs."""

    channel: Any = forms.ModelChoiceField(label="Channel", queryset=None, empty_label=None)
    campaign: Any = forms.ModelChoiceField(label="Campaign", queryset=None, required=False, empty_label="No campaign")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channel"].queryset = Channel.objects.all()  # type: ignore[attr-defined]
        self.fields["campaign"].queryset = Campaign.objects.order_by("-created_at")  # type: ignore[attr-defined]


@require_safe
@allow("read")
def sources(request: Any) -> HttpResponse:
    """New names to look at, or all of them; ?edit=ID opens one for another answer."""
    everything = request.GET.get("is") == "all"
    rows = Placement.objects.told()
    if not everything:
        rows = rows.to_look_at()
    if seen := read("sources", request.GET.get("after", ""), 1):
        rows = rows.filter(pk__lt=seen[0])
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    leads = received(None).filter(source__in=[one.source_id for one in shown])
    brought = {row["source"]: row["figures"] for row in counted(leads, "source")}
    more = len(found) > PAGE and cursor("sources", shown[-1].pk)
    may_change = may(request.member, "campaigns.change")
    edited = next((one for one in shown if str(one.pk) == request.GET.get("edit")), None) if may_change else None
    context = {
        "rows": [(one, brought.get(one.source_id, Figures())) for one in shown],
        "everything": everything,
        "edited": edited.pk if edited else None,
        "form": SettleForm(initial={"channel": edited.channel_id, "campaign": edited.campaign_id}) if edited else None,
        "may_change": may_change,
        "here": "?is=all&" if everything else "?",
        "next_url": f"?{'is=all&' if everything else ''}after={more}" if more else "",
    }
    return render(request, "marketing/sources.html", context)


@require_POST
@allow("campaigns.change")
def settle(request: Any, pk: int) -> HttpResponse:
    """Confirm a source as it is, or say where it belongs."""
    placement = get_object_or_404(Placement.objects.told(), pk=pk)
    back = reverse("marketing:sources") + ("?is=all" if request.POST.get("is") == "all" else "")
    channel, campaign = placement.channel, placement.campaign
    if "channel" in request.POST:
        form = SettleForm(request.POST)
        if not form.is_valid():
            messages.warning(request, "Choose one of the channels and campaigns in the list.")
            return redirect(f"{back}{'&' if '?' in back else '?'}edit={pk}")
        channel, campaign = form.cleaned_data["channel"], form.cleaned_data["campaign"]
    actions.settle(placement, channel=channel, campaign=campaign, by=request.member, at=request.at)
    messages.success(request, f"{placement.source} counts for {campaign or channel}.")
    return redirect(back)
