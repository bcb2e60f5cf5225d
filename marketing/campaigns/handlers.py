"""What marketing does when the hall has seen a new source: find or make its channel and campaign."""

from __future__ import annotations

from datetime import datetime

from funnel.leads.models import Source
from funnel.outbox.models import Effect, Event
from marketing.campaigns.models import Campaign, Placement
from marketing.channels.models import Channel


def place(effects: list[Effect], at: datetime) -> None:
    """Attach new sources to channels and campaigns; names never seen before appear flagged as new."""
    events = Event.objects.filter(pk__in=[effect.event_id for effect in effects]).values_list("source_id", flat=True)
    for source in Source.objects.filter(pk__in=list(events), placements=None).order_by("id"):
        channel, _ = Channel.objects.get_or_create(
            workspace_id=source.workspace_id,
            key=channel_key(source.channel),
            defaults={"name": source.channel[:80], "is_new": True},
        )
        campaign = None
        if source.campaign:
            campaign, _ = Campaign.objects.get_or_create(
                workspace_id=source.workspace_id,
                key=source.campaign.casefold(),
                defaults={"name": source.campaign, "is_new": True, "created_at": at},
            )
        Placement.objects.get_or_create(
            workspace_id=source.workspace_id,
            source=source,
            defaults={"channel": channel, "campaign": campaign},
        )


def channel_key(name: str) -> str:
    """A channel's name as sources say it, in the form of the shipped keys: "Paid search" is "paid_search"."""
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
