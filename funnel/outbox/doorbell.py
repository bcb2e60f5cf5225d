"""The doorbell where there is no Redis: a kombu transport on a small SQLite file.

A message is leased, not taken: its consumer deletes it when it is done, and a lease that runs out puts it back. Two
equal tasks that wait are one, because the work itself stands in the database. For the same reason a lost message
does no harm, and trouble with the file is logged and never ends the worker.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from hashlib import blake2b
from queue import Empty
from typing import Any

from kombu.transport import virtual
from kombu.utils.json import dumps, loads

from funnel.workspaces.sidefile import SideFile, side_file

log = logging.getLogger("baton.doorbell")

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, queue TEXT NOT NULL, ring TEXT, lease TEXT, leased_until REAL, payload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS of_queue ON message (queue);
CREATE INDEX IF NOT EXISTS leased ON message (lease) WHERE lease IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS waiting ON message (queue, ring) WHERE lease IS NULL;
CREATE TRIGGER IF NOT EXISTS bounded AFTER INSERT ON message BEGIN
    DELETE FROM message WHERE id <= new.id - 10000;
END;
CREATE TABLE IF NOT EXISTS binding (
    exchange TEXT, routing_key TEXT, pattern TEXT, queue TEXT, PRIMARY KEY (exchange, queue, routing_key)
);
"""
# A waiting message has no lease and a lease is never long, so a clock that is set back can't silence the bell.
FIND = "SELECT 1 FROM message WHERE queue = ? AND (lease IS NULL OR leased_until NOT BETWEEN ? AND ?) LIMIT 1"
TAKE = """
UPDATE message SET lease = ?, leased_until = ? WHERE id = (
    SELECT id FROM message WHERE queue = ? AND (lease IS NULL OR leased_until NOT BETWEEN ? AND ?) ORDER BY id LIMIT 1
) RETURNING payload
"""
LEASE = 600.0
SAY_EVERY = 60.0


class Channel(virtual.Channel):
    """Puts and gets the messages of one connection."""

    supports_fanout = True
    from_transport_options = (*virtual.Channel.from_transport_options, "visibility_timeout")  # type: ignore[assignment]
    visibility_timeout = LEASE

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self._file: SideFile = side_file(connection.client.virtual_host, SCHEMA, 2.0)
        self._file.run("SELECT 1")
        self._seen, self._said, self._unacked = self._file.opened, -SAY_EVERY, set[str]()

    def _put(self, queue: str, message: dict[str, Any], **_options: Any) -> None:
        task, eta = (message["headers"].get(name) for name in ("task", "eta"))
        what = f"{task} {eta} {message['body']}".encode()
        self._file.run(
            "INSERT INTO message (queue, ring, payload) VALUES (?, ?, ?)"
            " ON CONFLICT (queue, ring) WHERE lease IS NULL DO UPDATE SET payload = excluded.payload",
            queue,
            blake2b(what, digest_size=16).hexdigest() if task else None,
            dumps(message),
        )

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        now, lease = time.time(), uuid.uuid4().hex
        ready = queue, now, now + self.visibility_timeout
        try:
            if self._seen != self._file.opened:
                self._bind_again()
            # Looking first keeps an idle worker from taking the write lock many times a second.
            if not self._file.run(FIND, *ready):
                raise Empty
            rows = self._file.run(TAKE, lease, ready[2], *ready)
        except sqlite3.Error as error:
            self._trouble(error)
            raise Empty from None
        if not rows:
            raise Empty
        try:
            message: dict[str, Any] = loads(rows[0][0])
            # The lease is the tag, so that whoever comes late can't answer for the next holder.
            message["properties"]["delivery_tag"] = lease
        except (ValueError, KeyError, TypeError) as error:
            self._trouble(error)
            self._settle("DELETE FROM message WHERE lease = ?", lease)
            raise Empty from None
        if queue in self._unacked:
            self._settle("DELETE FROM message WHERE lease = ?", lease)
        return message

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **options: Any) -> None:
        """Consume from the queue; remember whether its messages will be answered for."""
        (self._unacked.add if no_ack else self._unacked.discard)(queue)
        super().basic_consume(queue, no_ack, *args, **options)

    def basic_get(self, queue: str, no_ack: bool = False, **options: Any) -> Any:
        """Get one message without consuming, or None."""
        message = super().basic_get(queue, no_ack=no_ack, **options)
        if message is not None and no_ack:
            self._settle("DELETE FROM message WHERE lease = ?", message.delivery_tag)
        return message

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Delete what is done."""
        super().basic_ack(delivery_tag, multiple)
        self._settle("DELETE FROM message WHERE lease = ?", delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Delete what nobody wants, or put it back."""
        super().basic_reject(delivery_tag, requeue=requeue)
        if not requeue:
            self._settle("DELETE FROM message WHERE lease = ?", delivery_tag)

    def _restore(self, message: Any) -> None:
        self._settle("UPDATE OR REPLACE message SET lease = NULL WHERE lease = ?", message.delivery_tag)

    def _settle(self, statement: str, lease: str) -> None:
        try:
            self._file.run(statement, lease)
        except sqlite3.Error as error:
            self._trouble(error)

    def _trouble(self, error: Exception) -> None:
        if time.monotonic() - self._said >= SAY_EVERY:
            self._said = time.monotonic()
            log.warning("The doorbell's file: %s", error)

    def _size(self, queue: str) -> int:
        return int(self._file.run("SELECT count(*) FROM message WHERE queue = ? AND lease IS NULL", queue)[0][0])

    def _purge(self, queue: str) -> int:
        return len(self._file.run("DELETE FROM message WHERE queue = ? AND lease IS NULL RETURNING 1", queue))

    def _delete(self, queue: str, *_meta: Any, **_options: Any) -> None:
        self._file.run("DELETE FROM message WHERE queue = ?", queue)
        self._file.run("DELETE FROM binding WHERE queue = ?", queue)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        self._file.run(
            "INSERT OR IGNORE INTO binding VALUES (?, ?, ?, ?)", exchange, routing_key or "", pattern or "", queue
        )

    def _bind_again(self) -> None:
        """Write our bindings into a file that was made anew, or remote control stays deaf."""
        self._seen = self._file.opened
        for exchange, declared in self.state.exchanges.items():
            for bound in declared["table"]:
                self._queue_bind(exchange, *bound)

    def get_table(self, exchange: str) -> list[tuple[Any, ...]]:
        """Give the bindings of every process, and our own even when the file has lost them."""
        shared = self._file.run("SELECT routing_key, pattern, queue FROM binding WHERE exchange = ?", exchange)
        own = self.state.exchanges.get(exchange, {}).get("table", ())
        return list({(key or "", pattern or "", queue) for key, pattern, queue in (*shared, *own)})

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **_options: Any) -> None:
        for *_binding, queue in self.get_table(exchange):
            self._put(queue, message)


class Transport(virtual.Transport):
    """`doorbell://localhost//absolute/path/of/the/file`, its special characters percent-encoded."""

    Channel = Channel
    driver_type = driver_name = "doorbell"
    polling_interval = 0.1
    connection_errors = (*virtual.Transport.connection_errors, sqlite3.Error)  # type: ignore[assignment]
    implements = virtual.Transport.implements.extend(exchange_type=frozenset(["direct", "topic", "fanout"]))

    def driver_version(self) -> str:
        """Give SQLite's version."""
        return sqlite3.sqlite_version
