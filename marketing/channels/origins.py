"""The channels and campaigns from which somebody can be said to come, for forms of the hall."""

from __future__ import annotations

from marketing.campaigns.models import Campaign
from marketing.channels.models import Channel

OFFERED = 200


def origins() -> tuple[list[tuple[str, str]], list[str]]:
    """Channels as (key, name), and the latest campaigns' names."""
    channels = [(key, name) for key, name in Channel.objects.values_list("key", "name") if key != "unknown"]
    return channels, list(Campaign.objects.order_by("-created_at").values_list("key", flat=True)[:OFFERED])
