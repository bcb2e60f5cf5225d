"""Django's cache on a small SQLite file: what counts log-ins and captures where there is no Redis."""

from __future__ import annotations

import pickle
import time
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from funnel.workspaces.sidefile import side_file

SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (key TEXT PRIMARY KEY, value NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS expiring ON counter (expires);
"""
FOR_EVER = float("inf")
CLEAN_EVERY = 30.0


class CounterCache(BaseCache):
    """A cache for small values; whole numbers are counted up by one statement, so no count is lost.

    Its methods raise sqlite3.Error when the file can't be had.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = params.get("OPTIONS", {})
        self._most = int(params.get("max_entries", options.get("MAX_ENTRIES", 100_000)))
        self._file = side_file(location, SCHEMA, float(options.get("timeout", 0.25)))
        self._cleaned = time.monotonic()

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        self._clean()
        return bool(
            self._file.run(
                "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
                " SET value = excluded.value, expires = excluded.expires WHERE expires <= ? RETURNING 1",
                self.make_and_validate_key(key, version),
                _packed(value),
                self._until(timeout),
                time.time(),
            )
        )

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        rows = self._file.run(
            "SELECT value FROM counter WHERE key = ? AND expires > ?",
            self.make_and_validate_key(key, version),
            time.time(),
        )
        return _unpacked(rows[0][0]) if rows else default

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._clean()
        self._file.run(
            "INSERT OR REPLACE INTO counter VALUES (?, ?, ?)",
            self.make_and_validate_key(key, version),
            _packed(value),
            self._until(timeout),
        )

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        rows = self._file.run(
            "UPDATE counter SET value = value + ?"
            " WHERE key = ? AND typeof(value) = 'integer' AND expires > ? RETURNING value",
            delta,
            self.make_and_validate_key(key, version),
            time.time(),
        )
        if not rows:
            raise ValueError(f"Key {key!r} not found")
        return int(rows[0][0])

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(
            self._file.run(
                "UPDATE counter SET expires = ? WHERE key = ? AND expires > ? RETURNING 1",
                self._until(timeout),
                self.make_and_validate_key(key, version),
                time.time(),
            )
        )

    def delete(self, key: str, version: int | None = None) -> bool:
        rows = self._file.run(
            "DELETE FROM counter WHERE key = ? RETURNING expires > ?",
            self.make_and_validate_key(key, version),
            time.time(),
        )
        return bool(rows and rows[0][0])

    def has_key(self, key: str, version: int | None = None) -> bool:
        return bool(
            self._file.run(
                "SELECT 1 FROM counter WHERE key = ? AND expires > ?",
                self.make_and_validate_key(key, version),
                time.time(),
            )
        )

    def clear(self) -> None:
        self._file.run("DELETE FROM counter")

    def _until(self, timeout: Any) -> float:
        until = self.get_backend_timeout(timeout)
        return FOR_EVER if until is None else float(until)

    def _clean(self) -> None:
        """Now and then drop what has expired, and above the limit what expires soonest."""
        if time.monotonic() - self._cleaned < CLEAN_EVERY:
            return
        self._cleaned = time.monotonic()
        self._file.run("DELETE FROM counter WHERE expires <= ?", time.time())
        self._file.run(
            "DELETE FROM counter WHERE key IN (SELECT key FROM counter ORDER BY expires"
            " LIMIT max(0, (SELECT count(*) FROM counter) - ?))",
            self._most,
        )


def _packed(value: Any) -> int | bytes:
    # Only plain numbers can be counted by the statement; True must come back as True.
    return value if type(value) is int and abs(value) < 2**62 else pickle.dumps(value)


def _unpacked(value: int | bytes) -> Any:
    return pickle.loads(value) if isinstance(value, bytes) else value  # noqa: S301 (its own file, mode 0600)
