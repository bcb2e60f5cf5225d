"""Where people came from: found by name, made when nobody came from there before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from funnel.leads.models import Source
from funnel.outbox.actions import record_all
from funnel.outbox.models import Event
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import Workspace

SOURCES = Asked(lambda key: Source.objects.filter(key__in=[key]), str)


def sources_for(workspace: Workspace, names: Sequence[tuple[str, str, str]], *, at: datetime) -> dict[str, Source]:
    """Find or make the sources of these (channel, campaign, placement), by their key; marketing is told of new ones."""
    wanted = {Source.key_of(*three): three for three in reversed(names)}
    known = {one.key: one for one in SOURCES.rows(list(wanted))}
    missing = sorted(set(wanted) - set(known))
    if not missing:
        return known
    made = [
        Source(
            workspace=workspace,
            key=key,
            created_at=at,
            **dict(zip(("channel", "campaign", "placement"), wanted[key], strict=True)),
        )
        for key in missing
    ]
    Source.objects.bulk_create(made, ignore_conflicts=True)
    fresh = {one.key: one for one in Source.objects.filter(key__in=missing)}
    record_all(
        [
            Event(
                workspace=workspace,
                kind="source_seen",
                occurred_at=at,
                recorded_at=at,
                source=fresh[key],
            )
            for key in missing
        ]
    )
    return known | fresh
