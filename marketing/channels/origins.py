"""The channels and campaigns from which somebody can be said to come, for forms of the hall."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from marketing.campaigns.models import Campaign
from marketing.channels.models import Channel

OFFERED = 200


def origins() -> tuple[list[tuple[str, str]], list[str]]:
    """Channels as (key, name), and the latest campaigns as sources say them."""
    channels = [(key, name) for key, name in Channel.objects.values_list("key", "name") if key != "unknown"]
    return channels, [one.said for one in Campaign.objects.order_by("-created_at")[:OFFERED]]


def campaigns_meant(words: Collection[str]) -> dict[str, str]:
    """Which campaign each of these words names, as its sources say it; a word that names none is left out."""
    asked, found = Q(key__in=[Campaign.key_of(word) for word in words]), {}
    for word in words:
        asked |= Q(name__iexact=word)
    for one in Campaign.objects.filter(asked):
        for word in words:
            # The name that one has now goes before what another was called once.
            if word.casefold() == one.name.casefold():
                found[word] = one.said
            elif Campaign.key_of(word) == one.key:
                found.setdefault(word, one.said)
    return found
