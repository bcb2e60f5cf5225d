"""Handlers that do as they are told, for the drain's own promises."""

from __future__ import annotations

from typing import Any

# What each run saw: the ids of the events' data, in order; "bad" ones raise, "endless" ones are never through.
runs: list[list[str]] = []
bad: set[str] = set()
endless: set[str] = set()


def note(effects: list[Any], at: Any) -> list[Any]:
    """Write a fact per event in the batch's transaction, and fail for those that are bad; give what is endless."""
    from funnel.outbox.models import Event
    from funnel.workspaces.models import AuditEntry

    events = list(Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("pk"))
    names = [event.data["name"] for event in events]
    runs.append(names)
    for event in events:
        AuditEntry.objects.create(workspace_id=event.workspace_id, at=at, action="noted", target=event.data["name"])
    if bad.intersection(names):
        raise ValueError(f"a secret of {names}")
    told = {event.pk: event.data["name"] for event in events}
    return [one for one in effects if told[one.event_id] in endless]
