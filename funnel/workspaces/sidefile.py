"""Small SQLite files beside the database, for what may be lost: rings and counts."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

# Waiting, a full disk and a folder without rights are not mended by a new file.
NO_CURE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}
_inherited: list[sqlite3.Connection] = []


@cache
def side_file(path: str, schema: str, timeout: float = 0.25) -> SideFile:
    """The process's one handle on the file at `path`."""
    return SideFile(path, schema, timeout)


class SideFile:
    """One SQLite file that several processes share and that anybody may delete or damage at any moment.

    A process has one connection behind a lock, because threads that wait for a lock are woken while SQLite
    sleeps in steps. A file that has gone is made anew, a damaged one is thrown away: nothing in it is the truth.
    """

    def __init__(self, path: str, schema: str, timeout: float = 0.25) -> None:
        self.path, self.schema, self.timeout = path, schema, timeout
        self.opened = 0
        self._connection: sqlite3.Connection | None = None
        self._opened_as: tuple[int, int] | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._after_fork)

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement as its own transaction and give its rows; raises sqlite3.Error after a short wait."""
        if not self._lock.acquire(timeout=self.timeout):
            raise sqlite3.OperationalError(f"{self.path} is busy")
        try:
            for cure in (self._close, self._discard, None):
                try:
                    return self._open().execute(statement, values).fetchall()
                except OSError as error:
                    raise sqlite3.OperationalError(str(error)) from error
                except sqlite3.DatabaseError as error:
                    if cure is None or getattr(error, "sqlite_errorcode", 0) & 0xFF in NO_CURE:
                        raise
                    with suppress(OSError):
                        cure()
            raise AssertionError("unreachable")
        finally:
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._opened_as is not None and self._opened_as == self._identity():
            return self._connection
        self._close()
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if self._identity() is None:
                # A log left behind by a deleted or emptied file would be read into the new one.
                self._remove("", "-wal", "-shm")
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            connection = sqlite3.connect(self.path, timeout=self.timeout, isolation_level=None, check_same_thread=False)
            try:
                connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {self.schema}")
            except BaseException:
                connection.close()
                raise
        self._connection, self._opened_as = connection, self._identity()
        self.opened += 1
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._opened_as = None

    def _discard(self) -> None:
        seen = self._opened_as or self._identity()
        self._close()
        with self._alone():
            # Another process may have replaced it meanwhile; its new file stays.
            if self._identity() == seen:
                self._remove("", "-wal", "-shm")

    def _remove(self, *endings: str) -> None:
        for ending in endings:
            Path(self.path + ending).unlink(missing_ok=True)

    def _identity(self) -> tuple[int, int] | None:
        """Give what tells this file and its log from others of the same name; None when there is no such file."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        if not found.st_size:
            return None
        try:
            # The log too: two processes with one file and two logs would never see each other's messages.
            return found.st_ino, os.stat(self.path + "-wal").st_ino
        except FileNotFoundError:
            return found.st_ino, 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock: two processes that make the file at once would each get a log of their own."""
        folder = os.open(Path(self.path).parent, os.O_RDONLY)
        try:
            end = time.monotonic() + max(self.timeout, 1.0)
            while True:
                try:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise sqlite3.OperationalError(f"{self.path} is being made by another process") from None
                    time.sleep(0.01)
            yield
        finally:
            os.close(folder)

    def _after_fork(self) -> None:
        if self._connection is not None:
            # Kept, never closed: closing it here could clear away the parent's log.
            _inherited.append(self._connection)
        self._connection = self._opened_as = None
        self._lock = threading.Lock()
