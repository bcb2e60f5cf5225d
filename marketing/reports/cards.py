"""What marketing shows on the owner's home."""

from __future__ import annotations

from typing import Any

from marketing.channels.models import Channel
from marketing.reports.figures import CHANNEL, begins, counted, received, summed, whole


def channels_this_month(request: Any) -> dict[str, Any]:
    """New leads this month by channel."""
    found = summed(counted(received(begins("month", request.workspace, request.at)), CHANNEL), CHANNEL)
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
