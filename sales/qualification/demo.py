"""What sales asks in the demo business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from funnel.leads.models import Lead
from funnel.workspaces.models import Member, Workspace
from sales.qualification import actions
from sales.qualification.actions import Said
from sales.qualification.models import Met


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    return {"answers": answers}


def answers(lead: Lead, words: Mapping[str, str], *, by: Member, at: datetime) -> None:
    """Note that what is asked is met, in these words by the question's key."""
    actions.answer(lead, {key: Said(Met.MET, note) for key, note in words.items()}, by=by, at=at)
