"""What marketing does when the hall has seen a new source: find or make its channel and campaign."""

from __future__ import annotations

from datetime import datetime

from funnel.leads.models import Source
from funnel.outbox.models import Effect, Event
from marketing.campaigns.models import Campaign, Placement
from marketing.channels.actions import channel_key
from marketing.channels.models import Channel

__all__ = ["channel_key", "place"]


def place(effects: list[Effect], at: datetime) -> None:
    """Attach new sources to channels and campaigns; names never seen before appear flagged as new."""
    events = Event.objects.filter(pk__in=[effect.event_id for effect in effects]).values_list("source_id", flat=True)
    for source in Source.objects.filter(pk__in=list(events), placements=None).order_by("id"):
        channel = _channel(source)
        campaign = _campaign(source, at) if source.campaign else None
        new = channel.is_new or bool(campaign and campaign.is_new) or bool(source.placement)
        Placement.objects.get_or_create(
            workspace_id=source.workspace_id,
            source=source,
            defaults={"channel": channel, "campaign": campaign, "is_new": new},
        )


def _channel(source: Source) -> Channel:
    key = channel_key(source.channel)
    found = Channel.objects.filter(key=key).first()
    if found is None and (before := _precedent(channel=source.channel)):
        return before.channel
    return (
        found
        or Channel.objects.get_or_create(
            workspace_id=source.workspace_id, key=key, defaults={"name": source.channel[:80], "is_new": True}
        )[0]
    )


def _campaign(source: Source, at: datetime) -> Campaign | None:
    key = Campaign.key_of(source.campaign)
    found = Campaign.objects.filter(key=key).first()
    if found is None and (before := _precedent(campaign=source.campaign)):
        return before.campaign
    return (
        found
        or Campaign.objects.get_or_create(
            workspace_id=source.workspace_id,
            key=key,
            defaults={"name": source.campaign, "is_new": True, "created_at": at},
        )[0]
    )


def _precedent(**name: str) -> Placement | None:
    """The latest source of this name that somebody has put in its place: what it meant then it means again."""
    ((part, said),) = name.items()
    return (
        Placement.objects.filter(**{f"source__{part}__iexact": said}, is_new=False)
        .exclude(**{part: None})
        .select_related("channel", "campaign")
        .order_by("-id")
        .first()
    )
