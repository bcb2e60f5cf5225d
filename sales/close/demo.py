"""What sales can do with deals in the demo business."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from funnel.leads.models import Lead
from funnel.workspaces.models import Member, Workspace
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import DealStage, LostReason


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    return {"deal": deal, "win": win, "lose": lose}


def deal(lead: Lead, stage: str, *, title: str, amount: int, by: Member, at: datetime) -> None:
    """Bring the lead's open deal to a stage; open one where there is none."""
    found = deals.first_open(lead)
    if found is None:
        deals.open_deal(lead, by=by, at=at, title=title, amount=amount, stage=DealStage(stage))
    else:
        deals.move(found, DealStage(stage), by=by, at=at)


def win(lead: Lead, *, title: str, amount: int, reason: str, by: Member, at: datetime) -> None:
    """Win the lead's open deal."""
    found = deals.first_open(lead) or deals.open_deal(lead, by=by, at=at, title=title, amount=amount)
    close.win(found, by=by, at=at, amount=amount, reason=reason)


def lose(lead: Lead, reason: str, *, note: str, competitor: str, by: Member, at: datetime) -> None:
    """Lose the lead's open deal for one of the reasons by its key."""
    if found := deals.first_open(lead):
        why = LostReason.objects.get(key=reason)
        close.lose(found, reason=why, by=by, at=at, note=note, competitor=competitor)
