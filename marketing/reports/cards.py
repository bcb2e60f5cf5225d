"""What marketing shows on the owner's home."""

from __future__ import annotations

from typing import Any

from funnel.workspaces.months import asked, begins_on
from marketing.channels.models import Channel
from marketing.reports.figures import CHANNEL, brought, summed, whole


def channels_of_the_period(request: Any) -> dict[str, Any]:
    """What the channels brought of those who came in the period, and what they cost. SLOTS["home_cards"]."""
    workspace, period = request.workspace, asked(request)
    since, until = begins_on(period.first, workspace), begins_on(period.after, workspace)
    found = summed(brought(since, CHANNEL, member=request.member, until=until), CHANNEL)
    names = dict(Channel.objects.values_list("pk", "name"))
    rows = [{"name": names.get(key, "Being sorted"), "figures": figures} for key, figures in found.items()]
    rows.sort(key=lambda row: (-row["figures"].leads, row["name"]))
    return {
        "template": "marketing/_channels_card.html",
        "context": {
            "rows": rows,
            "total": whole(found.values()),
            "most": max((row["figures"].leads for row in rows), default=0),
            "period": period,
            "currency": workspace.currency,
        },
    }
