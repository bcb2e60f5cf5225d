"""Record what happened, with what must follow, in the transaction that is open."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from funnel.outbox.bell import ring
from funnel.outbox.kinds import route_of
from funnel.outbox.models import Effect, Event, Lane, State
from funnel.workspaces.inserting import insert_all, insert_led, row_of
from funnel.workspaces.models import Member

MAIL_HANDLERS = ("send",)


def record(
    workspace_id: UUID,
    kind: str,
    *,
    at: datetime,
    lead_id: UUID | None = None,
    occurred_at: datetime | None = None,
    actor: Member | None = None,
    source_id: int | None = None,
    data: dict[str, Any] | None = None,
    lane: str = Lane.LIVE,
    due: Mapping[str, datetime] | None = None,
    voids: Event | None = None,
    along: Model | None = None,
) -> Event:
    """Record one event; `due` sets the moment of a handler that must wait for it.

    `along` is a new row that names the event as its `event` and is written with it.
    """
    event = Event(
        workspace_id=workspace_id,
        kind=kind,
        lead_id=lead_id,
        occurred_at=occurred_at or at,
        recorded_at=at,
        actor=actor,
        source_id=source_id,
        data=data or {},
        voids=voids,
    )
    effects = _effects([event], lane=lane, due={kind: due} if due else {})
    followers: list[Model] = [*effects, *([along] if along is not None else [])]
    insert_led(event, [(row, "event_id") for row in followers])
    if effects:
        transaction.on_commit(ring)
    return event


def record_all(
    events: Sequence[Event],
    *,
    lane: str = Lane.LIVE,
    due: Mapping[str, Mapping[str, datetime]] | None = None,
    quiet: Collection[str] = (),
    along: Sequence[Sequence[Model]] = (),
) -> None:
    """Write the events and the effects routed to their kinds, and ring when they are committed.

    `due` gives per kind and handler a later moment; kinds in `quiet` get no effect of their own, because one
    event of their batch carries it. `along` are new rows, of one model each, that are written with them.
    """
    if len(events) == 1:
        effects = _effects([event for event in events if event.kind not in quiet], lane=lane, due=due or {})
        insert_led(events[0], [(effect, "event_id") for effect in effects], along)
    else:
        for rows in along:
            insert_all(rows)
        insert_all(events)
        effects = _effects([event for event in events if event.kind not in quiet], lane=lane, due=due or {})
        insert_all(effects)
    if effects:
        transaction.on_commit(ring)


def _effects(events: Sequence[Event], *, lane: str, due: Mapping[str, Mapping[str, datetime]]) -> list[Effect]:
    """What the routes say must follow from these events."""
    return [
        row_of(
            Effect,
            workspace_id=event.workspace_id,
            event_id=event.pk,
            handler=handler,
            lane=Lane.MAIL if handler in MAIL_HANDLERS else lane,
            due_at=due.get(event.kind, {}).get(handler, event.recorded_at),
        )
        for event in events
        for handler in settings.EVENT_ROUTES.get(route_of(event.kind), {})
    ]


@transaction.atomic
def try_again(effect_id: int, *, at: datetime) -> bool:
    """Put a stuck effect back with all its attempts; False when it isn't stuck any more."""
    freed = Effect.objects.filter(pk=effect_id, state=State.STUCK).update(
        state=State.DUE, attempts=0, due_at=at, error=""
    )
    if freed:
        transaction.on_commit(ring)
    return bool(freed)
