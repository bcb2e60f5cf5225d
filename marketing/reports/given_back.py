"""Every lead that sales gave back, by reason and by source, in the words of the rep, and what brings it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db.models import Count, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from funnel.handoff.models import GiveBackReason
from funnel.handoff.wayback import whereabouts
from funnel.outbox.models import Event
from funnel.overview.ranking import Choice, listed
from funnel.overview.rows import UNKNOWN, Grade, basis_in_force, channel_words, grades_of
from funnel.workspaces.roles import allow
from marketing.campaigns.models import Campaign
from marketing.channels.models import Channel
from marketing.costs.forms import CampaignChoice
from marketing.reports.figures import CAMPAIGN, CHANNEL, PERIODS, begins

PAGE = 50


class Narrowed(forms.Form):
    """Which of them: the period, a reason, a channel, a campaign."""

    period = forms.ChoiceField(label="Period", choices=list(PERIODS.items()), required=False)
    reason: Any = forms.ModelChoiceField(
        label="Reason", queryset=None, required=False, empty_label="All reasons", to_field_name="key"
    )
    channel: Any = forms.ModelChoiceField(label="Channel", queryset=None, required=False, empty_label="All channels")
    campaign: Any = CampaignChoice(label="Campaign", queryset=None, required=False, empty_label="All campaigns")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].queryset = GiveBackReason.objects.all()  # type: ignore[attr-defined]
        self.fields["channel"].queryset = Channel.objects.all()  # type: ignore[attr-defined]
        self.fields["campaign"].queryset = Campaign.objects.order_by("-created_at")  # type: ignore[attr-defined]

    def where(self, *, without: str = "") -> dict[str, Any]:
        """What was chosen as a filter of events, one choice left out."""
        given = self.cleaned_data
        found = {
            "reason": ("data__key", given["reason"].key if given.get("reason") else None),
            "channel": (f"lead__{CHANNEL}", given["channel"].pk if given.get("channel") else None),
            "campaign": (f"lead__{CAMPAIGN}", given["campaign"].pk if given.get("campaign") else None),
        }
        return {path: value for name, (path, value) in found.items() if value is not None and name != without}


@dataclass(slots=True)
class Row:
    """One give back as the page shows it."""

    event: Event
    lead: Any
    grade: Grade | tuple[None, None]
    who: str
    source: str
    then: str


@require_safe
@allow("read")
def given_back(request: Any) -> HttpResponse:
    """The list, with a count by reason and one by channel above it."""
    names = ("period", "reason", "channel", "campaign")
    given = {name: request.GET.get(name, "") for name in names}
    form = Narrowed({**given, "period": given["period"] if given["period"] in PERIODS else "quarter"})
    where = form.where() if form.is_valid() else {}
    period = form.cleaned_data.get("period") or "quarter"
    since = begins(period, request.workspace, request.at)
    told: QuerySet[Event] = Event.objects.in_force().filter(kind="handoff_given_back", lead__isnull=False)
    told = told.filter(occurred_at__gte=since) if since else told
    asked = Choice.of(request.GET)
    by: Any = {"basis": basis_in_force(), "at": request.at}
    told = asked.narrowed(told, **by)
    shown, after = listed(
        asked, told.filter(**where).select_related("actor__user", "lead__source", "lead__holder__user"),
        "-occurred_at", kind="given-back", after=request.GET.get("after", ""), size=PAGE, **by,
    )  # fmt: skip
    grades = grades_of([one.lead_id for one in shown], **by)
    here = {"period": period} | {name: given[name] for name in names[1:] if form.cleaned_data.get(name)}
    here |= {name: value for name, value in (("order", asked.order), ("band", asked.band)) if value}
    context = {
        "form": form,
        "asked": asked,
        "rows": [_row(one, grades, request.at) for one in shown],
        "reasons": _by_reason(told.filter(**form.where(without="reason")), here) if form.is_valid() else [],
        "channels": _by_channel(told.filter(**form.where(without="channel")), here) if form.is_valid() else [],
        "narrowed": bool(where),
        "unbanded_url": asked.query(**here | {"band": ""}),
        "since": since,
        "next_url": asked.query(**here | {"after": after}) if after else "",
    }
    return render(request, "marketing/given_back.html", context)


def _row(event: Event, grades: dict[UUID, Grade], at: Any) -> Row:
    lead = event.lead
    assert lead is not None
    source = " · ".join(part for part in (lead.source.campaign, channel_words(lead.source.channel)) if part)
    who = event.actor.first_name if event.actor else "Sales"
    return Row(event, lead, grades.get(lead.pk, UNKNOWN), who, source, whereabouts(lead, at, short=True))


def _by_reason(told: QuerySet[Event], here: dict[str, str]) -> list[dict[str, Any]]:
    names = dict(GiveBackReason.objects.values_list("key", "name"))
    rows = told.order_by().values_list("data__key").annotate(many=Count("pk")).order_by("-many", "data__key")
    return [
        {
            "name": names.get(key, key or "No reason"),
            "many": many,
            "url": f"?{urlencode({**here, 'reason': key or ''})}",
        }
        for key, many in rows
    ]


def _by_channel(told: QuerySet[Event], here: dict[str, str]) -> list[dict[str, Any]]:
    names = dict(Channel.objects.values_list("pk", "name"))
    path = f"lead__{CHANNEL}"
    rows = told.order_by().values_list(path).annotate(many=Count("pk", distinct=True)).order_by("-many", path)
    return [
        {
            "name": names.get(key, "Being sorted"),
            "many": many,
            "url": f"?{urlencode({**here, 'channel': key})}" if key else "",
        }
        for key, many in rows
    ]
