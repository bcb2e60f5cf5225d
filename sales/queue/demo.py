"""What sales can do in the demo business."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from funnel.leads.models import Lead
from funnel.workspaces.models import Member, Workspace
from sales.queue import actions as queue
from sales.queue.actions import NextStep
from sales.queue.models import CallOutcome


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    return {"call": call, "plan": plan}


def call(lead: Lead, outcome: str, *, by: Member, at: datetime, note: str = "") -> None:
    """Log a call; `outcome` is the name of a CallOutcome."""
    queue.log_call(lead, CallOutcome[outcome], by=by, at=at, note=note)


def plan(lead: Lead, what: str, *, due_at: datetime, by: Member, at: datetime) -> None:
    """Promise what comes next, without a reminder by mail."""
    queue.plan(lead, NextStep(what, due_at), by=by, at=at)
