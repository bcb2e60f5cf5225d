"""How often somebody may do something; counted in Redis, else in the file beside the doorbell."""

from __future__ import annotations

import functools
import logging
import sqlite3
import threading
import zlib
from hashlib import blake2b
from time import monotonic, time
from typing import Any

from django.conf import settings
from django.core.cache import cache

log = logging.getLogger("baton.limits")

# A store that hangs costs each question a quarter of a second; after a failure nobody asks for this long.
PAUSE = 5.0
SAY_EVERY = 60.0


class StoreAway(Exception):
    """The store of the counters doesn't answer, so nobody can tell how often this was tried."""


def hit(name: str, key: str, limit: int, window: int, *, closed_without_store: bool = False) -> int | None:
    """Count one more and give the seconds to wait when that is over `limit` per `window` seconds, else None.

    Without the store everything passes, unless `closed_without_store`: then it raises StoreAway.
    """
    now = time()
    who = blake2b(f"{name}\0{key}".encode(errors="replace"), digest_size=16).hexdigest()
    # Windows begin at another moment for everybody, or all who wait would come back in the same second.
    place = int(now) + zlib.crc32(who.encode()) % window
    if _breaker.may_ask():
        try:
            count = _count(f"hits:{who}:{place // window}", window)
        except store_errors() as error:
            _breaker.failed(error)
        else:
            _breaker.worked()
            return window - place % window if count > limit else None
    if closed_without_store:
        raise StoreAway("The counters can't be reached.")
    return None


def store_errors() -> tuple[type[Exception], ...]:
    """Give what the cache raises while its store is away, for `except limits.store_errors():`."""
    if settings.REDIS_URL:
        from redis.exceptions import RedisError

        return RedisError, OSError
    return (sqlite3.Error,)


@functools.cache
def _redis(address: str) -> Any:
    """One client for the process: the cache's own makes a new one for every question, which costs a millisecond."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    once = Retry(NoBackoff(), 0)
    return Redis.from_url(address, socket_timeout=0.25, socket_connect_timeout=0.25, retry=once)


def _count(slot: str, window: int) -> int:
    if settings.REDIS_URL:
        store = _redis(settings.REDIS_URL)
        count = int(store.incr(f"baton:{slot}"))
        if count == 1:
            store.expire(f"baton:{slot}", window)
        return count
    for _ in range(3):
        try:
            return cache.incr(slot)
        except ValueError:
            if cache.add(slot, 1, window):
                return 1
    return 1


class Breaker:
    """Keeps everybody from waiting for a store that is away: one asks every few seconds, the others go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._failing = False
        self._said = -SAY_EVERY

    def may_ask(self) -> bool:
        """Say whether to ask the store now; while it is away, one question per pause."""
        if not self._failing:
            return True
        with self._lock:
            now = monotonic()
            if now < self._away_until:
                return False
            self._away_until = now + PAUSE
            return True

    def worked(self) -> None:
        """Let everybody ask again."""
        if self._failing:
            self._failing = False
            log.warning("The store of the rate limits is back.")

    def failed(self, error: Exception) -> None:
        """Begin a pause, and say so once a minute."""
        with self._lock:
            now = monotonic()
            self._failing, self._away_until = True, now + PAUSE
            if now - self._said < SAY_EVERY:
                return
            self._said = now
        log.warning("The store of the rate limits is away, so limits are off: %s", error)


_breaker = Breaker()
