"""Enter what a channel and a campaign cost."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from funnel.leads.models import Source
from funnel.leads.sources import sources_for
from funnel.ledger import actions as ledger
from funnel.ledger.models import Cost
from funnel.workspaces.models import Member
from marketing.campaigns.models import Campaign, Placement
from marketing.channels.models import Channel


@transaction.atomic
def spend(
    channel: Channel,
    campaign: Campaign | None,
    amount: int,
    currency: str,
    *,
    by: Member,
    at: datetime,
    occurred_at: datetime,
    what: str = "",
) -> Cost:
    """Book what was spent on a channel, for a campaign or for none; raise Refused or NoRate."""
    source = _source(channel, campaign, at)
    return ledger.book_cost(
        source, amount, currency, workspace=by.workspace, by=by, at=at, occurred_at=occurred_at, what=what
    )


def _source(channel: Channel, campaign: Campaign | None, at: datetime) -> Source:
    """The source that stands for this channel and campaign as they are known now; made where none does.

    A source of these names that somebody has put elsewhere would carry the cost there, so it is passed over.
    """
    there = Placement.objects.filter(channel=channel, campaign=campaign, source__placement="").order_by("pk")
    if known := there.select_related("source").first():
        return known.source
    for placement in ("", "Costs", f"Costs of {channel.pk}"):
        names = (channel.key, campaign.said if campaign else "", placement)
        source = sources_for(channel.workspace, [names], at=at)[Source.key_of(*names)]
        # The worker would place it by its names in a moment; the page that comes next shall find it.
        placed, _ = Placement.objects.get_or_create(
            workspace_id=channel.workspace_id,
            source=source,
            defaults={"channel": channel, "campaign": campaign, "is_new": False},
        )
        if (placed.channel_id, placed.campaign_id) == (channel.pk, campaign.pk if campaign else None):
            break
    return source
