"""What marketing shows on the owner's home."""

from __future__ import annotations

from typing import Any

from marketing.channels.models import Channel
from marketing.reports.figures import CHANNEL, begins, brought, summed, whole


def channels_this_month(request: Any) -> dict[str, Any]:
    """New leads this month by channel."""
    since = begins("month", request.workspace, request.at)
    found = summed(brought(since, CHANNEL, member=request.member), CHANNEL)
    names = dict(Channel.objects.values_list("pk", "name"))
    rows = [{"name": names.get(key, "Being sorted"), "figures": figures} for key, figures in found.items()]
    rows.sort(key=lambda row: (-row["figures"].leads, row["name"]))
    return {
        "template": "marketing/_channels_card.html",
        "context": {
            "rows": rows,
            "total": whole(found.values()),
            "most": max((row["figures"].leads for row in rows), default=0),
        },
    }
