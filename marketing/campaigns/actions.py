"""Start and change a campaign, and put a name that came in where it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from funnel.workspaces.models import AuditEntry, Member
from funnel.workspaces.refusals import Refusal
from marketing.campaigns.models import Campaign, CampaignChannel, Placement
from marketing.capture.models import Form
from marketing.channels.models import Channel

EDITABLE = ("name", "goal", "offer", "starts_on", "ends_on", "budget")


class NameTaken(Refusal):
    """There is a campaign of this name already."""

    def __init__(self) -> None:
        super().__init__("There is a campaign of this name already.", field="name")


@transaction.atomic
def start_campaign(campaign: Campaign, channels: Iterable[Channel] = (), *, by: Member, at: datetime) -> Campaign:
    """Save a new campaign with the channels it means to use; a source that says its name belongs to it."""
    campaign.key, campaign.created_at = Campaign.key_of(campaign.name), at
    if Campaign.objects.filter(key=campaign.key).exists():
        raise NameTaken
    campaign.save(force_insert=True)
    _use(campaign, channels)
    _audit("campaign started", campaign, by=by, at=at)
    return campaign


@transaction.atomic
def change_campaign(
    campaign: Campaign, changes: dict[str, Any], channels: Iterable[Channel], *, by: Member, at: datetime
) -> Campaign:
    """Change a campaign; the key by which sources say it stays, so that nothing it brought is lost."""
    was = {name: getattr(campaign, name) for name in EDITABLE if getattr(campaign, name) != changes.get(name)}
    for name in was:
        setattr(campaign, name, changes.get(name))
    campaign.is_new = False
    campaign.save(update_fields=[*was, "is_new"])
    _use(campaign, channels)
    if was:
        plain = {name: value if isinstance(value, str | int | None) else str(value) for name, value in was.items()}
        _audit("campaign changed", campaign, by=by, at=at, was=plain)
    return campaign


def _use(campaign: Campaign, channels: Iterable[Channel]) -> None:
    CampaignChannel.objects.filter(campaign=campaign).delete()
    CampaignChannel.objects.bulk_create(
        [CampaignChannel(workspace_id=campaign.workspace_id, campaign=campaign, channel=one) for one in channels]
    )


@transaction.atomic
def settle(placement: Placement, *, channel: Channel, campaign: Campaign | None, by: Member, at: datetime) -> Placement:
    """Say where a source belongs. A channel or campaign that only its name had made goes with it."""
    old_channel, old_campaign = placement.channel, placement.campaign
    placement.channel, placement.campaign, placement.is_new = channel, campaign, False
    placement.save(update_fields=["channel", "campaign", "is_new"])
    if old_campaign and old_campaign.is_new and old_campaign != campaign:
        Placement.objects.filter(campaign=old_campaign).update(campaign=campaign)
        Form.objects.filter(campaign=old_campaign).update(campaign=campaign)
        old_campaign.delete()
    if old_channel.is_new and old_channel != channel:
        Placement.objects.filter(channel=old_channel).update(channel=channel)
        CampaignChannel.objects.filter(channel=old_channel).delete()
        old_channel.delete()
    Channel.objects.filter(pk=channel.pk).update(is_new=False)
    if campaign:
        Campaign.objects.filter(pk=campaign.pk).update(is_new=False)
    AuditEntry.objects.create(
        workspace_id=placement.workspace_id,
        at=at,
        actor=by,
        action="source settled",
        target=str(placement.source)[:120],
        data={"channel": channel.name, "campaign": campaign.name if campaign else ""},
    )
    return placement


def _audit(action: str, campaign: Campaign, *, by: Member, at: datetime, **data: Any) -> None:
    AuditEntry.objects.create(
        workspace_id=campaign.workspace_id,
        at=at,
        actor=by,
        action=action,
        target=campaign.name,
        data={"campaign": str(campaign.pk), **data},
    )
