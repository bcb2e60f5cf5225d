"""Campaigns and sources over the API."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from babel.numbers import get_currency_precision
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import Day, Invalid, Shape, Text, Texts, stamp
from funnel.api.views import ApiView, list_of, spec
from funnel.leads.models import Source
from marketing.campaigns import actions
from marketing.campaigns.models import Campaign
from marketing.channels.actions import channel_key
from marketing.channels.models import Channel

# What a bigint of minor units holds with room for sums.
MOST = Decimal(10) ** 13
CAMPAIGN = {
    "name": Text(120),
    "goal": Text(300),
    "offer": Text(300, "In one sentence; it is what a rep sees that a lead was promised."),
    "starts_on": Day(),
    "ends_on": Day(),
    "budget": Text(20, "A decimal, in the business’s currency."),
    "channels": Texts(80, 50, "Names or keys of channels, without case."),
}
FIXED = dict.fromkeys(("id", "key", "currency", "is_new", "created_at"), "Baton keeps this itself; it can’t be set.")
NEW = Shape(CAMPAIGN, required=["name"], fixed=FIXED)
CHANGES = Shape(CAMPAIGN, fixed=FIXED)
_TEXT = {"type": "string"}
_DAY = {"type": "string", "format": "date", "nullable": True}
CAMPAIGN_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        **dict.fromkeys(("key", "name", "goal", "offer"), _TEXT),
        "starts_on": _DAY,
        "ends_on": _DAY,
        "budget": {"type": "string", "nullable": True},
        "currency": _TEXT,
        "channels": {"type": "array", "items": _TEXT},
        "is_new": {"type": "boolean"},
        "created_at": {"type": "string", "format": "date-time"},
    },
}
SOURCE_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        **dict.fromkeys(("channel", "campaign", "placement"), _TEXT),
        "created_at": {"type": "string", "format": "date-time"},
    },
}


class CampaignView(ApiView):
    """Marketing work with one goal, an offer, a budget and dates."""

    scope = "campaigns"
    rights = {
        "list": "read",
        "retrieve": "read",
        "create": "campaigns.change",
        "partial_update": "campaigns.change",
    }

    def campaigns(self) -> QuerySet[Campaign]:
        return Campaign.objects.prefetch_related("channels")

    @spec("Campaigns", paged=True, answers=list_of(CAMPAIGN_SCHEMA))
    def list(self, request: Request) -> Response:
        """Latest made first."""
        return self.listed(self.campaigns(), ("-created_at", "-id"), lambda found: [self.told(one) for one in found])

    @spec("Start a campaign", body=NEW, answers={201: CAMPAIGN_SCHEMA})
    def create(self, request: Request) -> Response:
        """Start a campaign; a source that names it then belongs to it."""
        campaign = Campaign(workspace=self.workspace)
        for name, value in self._changed(campaign).items():
            setattr(campaign, name, value)
        actions.start_campaign(campaign, self._channels(), by=self.member, at=self.at)
        return Response(self.told(self.campaigns().get(pk=campaign.pk)), 201)

    @spec("One campaign", answers={200: CAMPAIGN_SCHEMA})
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Answer one campaign."""
        return Response(self.told(get_object_or_404(self.campaigns(), pk=pk)))

    @spec("Change a campaign", body=CHANGES, answers={200: CAMPAIGN_SCHEMA})
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change what is sent; the name by which sources say it stays."""
        campaign: Campaign = get_object_or_404(Campaign.objects.select_for_update(), pk=pk)
        channels = self._channels() if "channels" in self.values else campaign.channels.all()
        actions.change_campaign(campaign, self._changed(campaign), list(channels), by=self.member, at=self.at)
        return Response(self.told(self.campaigns().get(pk=pk)))

    def _changed(self, campaign: Campaign) -> dict[str, Any]:
        """Everything that can be edited, as it is to be; raise Invalid."""
        after = {name: getattr(campaign, name) for name in actions.EDITABLE}
        errors = {}
        for name, value in self.values.items():
            if name == "budget":
                try:
                    after[name] = self._minor(value)
                except ValueError as wrong:
                    errors[name] = str(wrong)
            elif name != "channels":
                after[name] = " ".join(value.split()) if isinstance(value, str) else value
        if not after["name"]:
            errors["name"] = "A campaign needs a name."
        if after["starts_on"] and after["ends_on"] and after["ends_on"] < after["starts_on"]:
            errors["ends_on"] = "A campaign can’t end before it begins."
        if errors:
            raise Invalid(errors)
        return after

    def _channels(self) -> Iterable[Channel]:
        """The channels that were named; raise Invalid for one that isn't there."""
        known = {}
        for one in Channel.objects.all():
            known[one.key] = known[channel_key(one.name)] = one
        wanted = {channel_key(name): name for name in self.values.get("channels", [])}
        if missing := [name for key, name in wanted.items() if key not in known]:
            raise Invalid({"channels": f"There is no channel “{missing[0]}”."})
        return dict.fromkeys(known[key] for key in wanted)

    def _minor(self, said: str) -> int | None:
        if not said:
            return None
        digits = get_currency_precision(self.workspace.currency)
        try:
            amount = Decimal(said)
        except InvalidOperation:
            raise ValueError("Write an amount like 1250.00.") from None
        if not amount.is_finite() or amount < 0 or amount >= MOST:
            raise ValueError("Write an amount from 0 to 10^13.")
        scaled = amount.scaleb(digits)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{self.workspace.currency} has {digits} digits after the point.")
        return int(scaled)

    def told(self, one: Campaign) -> dict[str, Any]:
        """Write one campaign."""
        digits = get_currency_precision(self.workspace.currency)
        return {
            "id": str(one.pk),
            "key": one.key,
            "name": one.name,
            "goal": one.goal,
            "offer": one.offer,
            "starts_on": one.starts_on.isoformat() if one.starts_on else None,
            "ends_on": one.ends_on.isoformat() if one.ends_on else None,
            "budget": None if one.budget is None else f"{Decimal(one.budget).scaleb(-digits):.{digits}f}",
            "currency": self.workspace.currency,
            "channels": [channel.key for channel in one.channels.all()],
            "is_new": one.is_new,
            "created_at": stamp(one.created_at),
        }


class SourceView(ApiView):
    """Where touches come from."""

    scope = "campaigns"
    rights = {"list": "read"}

    @spec("Sources", paged=True, answers=list_of(SOURCE_SCHEMA))
    def list(self, request: Request) -> Response:
        """Every channel, campaign and placement that was ever named, as it was first written; latest first."""
        return self.listed(Source.objects.all(), ("-created_at", "-id"), _sources)


def _sources(rows: Iterable[Source]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.pk,
            "channel": one.channel,
            "campaign": one.campaign,
            "placement": one.placement,
            "created_at": stamp(one.created_at),
        }
        for one in rows
    ]


def routes() -> list[Any]:
    """The addresses of campaigns and sources."""
    return [
        path("campaigns/", CampaignView.as_view({"get": "list", "post": "create"}), name="campaigns"),
        path(
            "campaigns/<uuid:pk>/",
            CampaignView.as_view({"get": "retrieve", "patch": "partial_update"}),
            name="campaign",
        ),
        path("sources/", SourceView.as_view({"get": "list"}), name="sources"),
    ]
