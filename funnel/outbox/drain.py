"""The worker's loop: claim due effects, run them in batches, settle them with what they wrote (design.md, Events
and effects)."""

from __future__ import annotations

import logging
import mmap
import secrets
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.module_loading import import_string

from funnel.outbox.models import Effect, Lane, State
from funnel.workspaces.gate import database_now, everywhere, tenant

log = logging.getLogger("baton.drain")

LEASE = timedelta(seconds=20)
# A letter is claimed by itself and cut off before its lease ends: what a stopped worker held waits no longer than that.
MAIL_LEASE = timedelta(seconds=50)
ATTEMPTS = 5
CLAIM = 200
ASK_AGAIN = 0.25
# What is live goes before what comes in bulk; but where it never ends, that gets a turn so many seconds apart.
PATIENCE = 1.0
# On SQLite every write outside a request is short and followed by air, or captures wait for the one write lock.
SHORT, AIR, LEAST, TIDY = 0.045, 0.02, 12, 1.0

# One byte that a worker's processes share: whether it was asked to stop. Its turn ends with what is claimed then; a
# whole turn and a long batch would last longer than the patience of whoever asked.
stopping = mmap.mmap(-1, 1)

# What a handler gives back isn’t finished: it is due again at once.
Handler = Callable[[list[Effect], datetime], "Collection[Effect] | None"]


class LeaseLost(Exception):
    """Somebody else claimed the batch meanwhile; what was written is taken back."""


def outside(handler: Any) -> Any:
    """Mark a handler that talks to a network: it opens its own transactions and gets one effect at a time."""
    handler.outside = True
    return handler


def whole(handler: Any) -> Any:
    """Mark a handler that gets what is claimed of it undivided, because it tells of all in one letter."""
    handler.whole = True
    return handler


@cache
def handlers() -> dict[str, Handler]:
    """Every handler by its short name."""
    return {name: import_string(dotted) for routes in settings.EVENT_ROUTES.values() for name, dotted in routes.items()}


def drain(lanes: tuple[str, ...] = (Lane.LIVE, Lane.BULK), *, seconds: float = 30.0, at: datetime | None = None) -> int:
    """Do what is due until nothing is, or for about `seconds`; give how many effects were settled.

    `at` moves the moment by which due times are judged, for trying the clock.
    """
    end = time.monotonic() + seconds
    done, size, patience = 0, CLAIM, time.monotonic() + PATIENCE
    while time.monotonic() < end and not stopping[0]:
        before = done
        for lane in lanes:
            moment = at or database_now()
            turn, asked = waiting(lane, moment), time.monotonic()
            # Asking who waits reads all that is due, which is not for every batch of a long queue.
            while turn and time.monotonic() < asked + ASK_AGAIN and not stopping[0]:
                for workspace_id in list(turn):
                    if stopping[0]:
                        break
                    most = 1 if lane == Lane.MAIL else CLAIM
                    batch = claim(workspace_id, lane, moment, most)
                    if len(batch) < most or lane == Lane.BULK:
                        turn.remove(workspace_id)
                    while batch:
                        part, batch = _part(batch, size)
                        started = time.perf_counter()
                        done += run(workspace_id, part, at)
                        size = _pace(size, len(part), time.perf_counter() - started)
            if lane == Lane.BULK:
                patience = time.monotonic() + PATIENCE
            elif done > before and time.monotonic() < patience:
                break
        if done == before:
            break
    if settings.SQLITE and done:
        _tidy()
    return done


def _part(batch: list[Effect], size: int) -> tuple[list[Effect], list[Effect]]:
    """The first so many, with the others of a handler that gets all of its own; and what is left."""
    part, rest = batch[:size], batch[size:]
    names = {one.handler for one in part if getattr(handlers()[one.handler], "whole", False)}
    return part + [one for one in rest if one.handler in names], [one for one in rest if one.handler not in names]


def _pace(size: int, worked: int, took: float) -> int:
    """On SQLite leave air, and size the next batch by what this one took."""
    if not settings.SQLITE or not worked:
        return size
    _tidy()
    time.sleep(AIR)
    # Below LEAST a batch is mostly its own fixed cost, and a busy machine would only make the queue longer.
    return max(LEAST, min(CLAIM, int(worked * SHORT / took))) if took > SHORT / 2 else min(CLAIM, size * 2)


_tidied = 0.0


def _tidy() -> None:
    """Now and then move SQLite's log into its file beside the write lock: in a commit the next writer would wait."""
    global _tidied
    if time.monotonic() - _tidied < TIDY or connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
    _tidied = time.monotonic()


def waiting(lane: str, moment: datetime) -> list[UUID]:
    """The workspaces with something due in the lane, the longest waiting first."""
    with everywhere():
        rows = _claimable(lane, moment).order_by().values_list("workspace_id", flat=True).distinct()
        return list(rows)


def _claimable(lane: str, moment: datetime) -> Any:
    rows = Effect.objects.filter(
        Q(leased_until=None) | Q(leased_until__lte=moment),
        state=State.DUE,
        lane=lane,
        due_at__lte=moment,
        handler__in=list(handlers()),
    )
    if lane != Lane.BULK:
        return rows
    # One process at a time does what a business has in bulk: a second would mostly wait for the first one's locks,
    # and nobody would be left for what is live.
    at_work = Effect.objects.filter(
        workspace=OuterRef("workspace"), lane=lane, state=State.DUE, leased_until__gt=moment
    )
    return rows.filter(~Exists(at_work))


def claim(workspace_id: UUID, lane: str, moment: datetime, size: int) -> list[Effect]:
    """Lease the next effects of a workspace: a batch of fresh ones, else one that was claimed before.

    One that was claimed before runs alone, so that what ends the process can't spend its neighbours' attempts.
    """
    with everywhere(), transaction.atomic():
        _unhurried(lane)
        mine = _claimable(lane, moment).filter(workspace_id=workspace_id).order_by("due_at", "id")
        if connection.features.has_select_for_update_skip_locked:
            mine = mine.select_for_update(skip_locked=True, of=("self",))
        batch = list(mine.filter(attempts=0)[:size]) or list(mine.filter(attempts__gt=0)[:1])
        if not batch:
            return []
        lease = secrets.token_hex(8)
        until = moment + (MAIL_LEASE if lane == Lane.MAIL else LEASE)
        attempts = batch[0].attempts + 1
        if batch[0].attempts >= ATTEMPTS:
            Effect.objects.filter(pk=batch[0].pk).update(
                state=State.STUCK, error=batch[0].error or "It ended the worker five times."
            )
            return []
        Effect.objects.filter(pk__in=[effect.pk for effect in batch]).update(
            attempts=attempts, lease=lease, leased_until=until
        )
    for effect in batch:
        effect.attempts, effect.lease = attempts, lease
    return batch


def run(workspace_id: UUID, batch: list[Effect], at: datetime | None) -> int:
    """Run a claimed batch handler by handler; give how many effects were settled."""
    settled, ended = 0, time.perf_counter()
    for name, group in groupby(sorted(batch, key=lambda one: (one.handler, one.pk)), lambda one: one.handler):
        if settings.SQLITE and time.perf_counter() > ended + SHORT / 2:
            time.sleep(AIR)
        ended = time.perf_counter()
        effects, handler = list(group), handlers()[name]
        if getattr(handler, "outside", False):
            settled += sum(_alone(workspace_id, handler, [effect], at) for effect in effects)
            continue
        try:
            settled += _together(workspace_id, handler, effects, at)
        except LeaseLost:
            continue
        except Exception:
            if len(effects) > 1:
                log.warning("batch of %d %r failed; running one by one", len(effects), name, exc_info=True)
            settled += sum(_alone(workspace_id, handler, [effect], at) for effect in effects)
    return settled


def _together(workspace_id: UUID, handler: Handler, effects: list[Effect], at: datetime | None) -> int:
    with tenant(workspace_id, write=True) as now:
        _unhurried(effects[0].lane)
        _keep(effects)
        unfinished = handler(effects, at or now) or ()
        return _settle(effects, unfinished, at or now)


def _unhurried(lane: str) -> None:
    """Let what is done in bulk reach the disk a moment after its commit, in small parts: a page that commits meanwhile
    would wait for all of it. A crash takes the last of it back, in order, and it is done again.
    """
    if lane == Lane.BULK and not settings.SQLITE:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")


def _keep(effects: list[Effect]) -> None:
    """Lock what is going to be done until it is, so that nobody claims it meanwhile, however long that takes.

    A lease alone would let work that outlives it be begun again and again, and never end. On SQLite nobody claims
    while another writes.
    """
    if settings.SQLITE:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {Effect._meta.db_table} WHERE id = ANY(%s) AND lease = %s AND state = %s"  # noqa: S608
            " ORDER BY id FOR KEY SHARE",
            [[effect.pk for effect in effects], effects[0].lease, State.DUE],
        )
        if cursor.rowcount != len(effects):
            raise LeaseLost


def _settle(effects: list[Effect], unfinished: Collection[Effect], at: datetime) -> int:
    """End these effects in their handler's transaction; long work ends one slice and stays due for the next."""
    again = {effect.pk for effect in unfinished}
    mine = Effect.objects.filter(lease=effects[0].lease, state=State.DUE)
    settled = mine.filter(pk__in=[effect.pk for effect in effects if effect.pk not in again]).update(
        state=State.DONE, lease="", leased_until=None, error=""
    )
    if again:
        settled += mine.filter(pk__in=again).update(attempts=0, lease="", leased_until=None, error="", due_at=at)
    if settled != len(effects):
        raise LeaseLost
    return settled


def _alone(workspace_id: UUID, handler: Handler, effects: list[Effect], at: datetime | None) -> int:
    """Run one effect; when it fails, keep the attempt and wait, or put it on the page of stuck work."""
    try:
        if getattr(handler, "outside", False):
            handler(effects, at or database_now())
            with tenant(workspace_id, write=True):
                return _settle(effects, (), at or database_now())
        return _together(workspace_id, handler, effects, at)
    except LeaseLost:
        return 0
    except Exception as error:
        (effect,) = effects
        log.exception("effect %s of workspace %s failed", effect, workspace_id)
        moment = at or database_now()
        state = State.STUCK if effect.attempts >= ATTEMPTS else State.DUE
        with everywhere(), transaction.atomic():
            Effect.objects.filter(pk=effect.pk, lease=effect.lease).update(
                state=state,
                lease="",
                leased_until=None,
                due_at=moment + timedelta(seconds=5 * 4 ** (effect.attempts - 1)),
                error=_sentence(error),
            )
        return 0


def _sentence(error: Exception) -> str:
    """What went wrong without what was in it: an exception's text may quote somebody's data."""
    return f"{type(error).__module__}.{type(error).__qualname__}"[:300]
