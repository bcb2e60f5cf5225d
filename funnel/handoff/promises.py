"""The day on which somebody was promised to be called again."""

from __future__ import annotations

from datetime import date, datetime, time

from funnel.api.shapes import Invalid
from funnel.handoff.actions import FAR, TOO_FAR
from funnel.workspaces.hours import spans
from funnel.workspaces.models import Workspace


def promised_moment(until: date | datetime | None, *, workspace: Workspace, at: datetime) -> datetime | None:
    """A promised day begins with its first working hour, at nine on a day without any; raise Invalid if too far."""
    if until is None or isinstance(until, datetime):
        return until
    if until > workspace.local(at + FAR).date():
        raise Invalid({"until": TOO_FAR})
    zone = workspace.zone
    begin, _ = next(spans(workspace, datetime.combine(until, time.min, zone)))
    if begin.astimezone(zone).date() == until:
        return begin
    return datetime.combine(until, time(9), zone)
