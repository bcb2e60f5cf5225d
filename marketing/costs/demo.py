"""What marketing spends in the demo business."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from funnel.workspaces.models import Member, Workspace
from marketing.campaigns.models import Campaign
from marketing.channels.models import Channel
from marketing.costs import actions


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    return {"spend": spend}


def spend(channel: str, campaign: str, amount: int, *, what: str, by: Member, at: datetime) -> None:
    """Enter a cost of a channel and a campaign by their names."""
    actions.spend(
        Channel.objects.get(key=channel),
        Campaign.objects.filter(key=Campaign.key_of(campaign)).first(),
        amount,
        by.workspace.currency,
        by=by,
        at=at,
        occurred_at=at,
        what=what,
    )
