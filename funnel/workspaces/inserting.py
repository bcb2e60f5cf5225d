"""Insert rows by statements that are built once. Django builds them anew each time, value by value, which costs more
than the database does: the public door writes three rows for every form that is sent, the worker ten for every lead."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from io import StringIO
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connection, models
from django.db.models.base import ModelState

# SQLite takes 32,766 values in a statement.
VALUES = 32_000
# From here on PostgreSQL takes rows by COPY in two thirds of the time, and this process writes them in half of it.
COPIED = 100
Row = TypeVar("Row", bound=models.Model)
SPECIAL = re.compile(r"[\\\t\n\r]")
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
LEADER = "(SELECT key FROM leader)"


def row_of(model: type[Row], **values: Any) -> Row:
    """Make a row to insert, its columns by name. The class itself goes through signals and every field each time."""
    row = model.__new__(model)
    row._state = ModelState()
    plain, made = _blank(model)
    told = row.__dict__
    told |= plain
    told |= values
    for name, default in made:
        if name not in values:
            told[name] = default()
    return row


@cache
def _blank(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """What a row's columns hold when nobody says: values that rows may share, and what each must make for itself."""
    own = [field for field in model._meta.local_concrete_fields if callable(field.default)]
    own = [field for field in own if field.has_default()]
    shared = [field for field in model._meta.local_concrete_fields if field not in own]
    return {field.attname: field.get_default() for field in shared}, [(field.attname, field.default) for field in own]


def insert(row: models.Model) -> None:
    """Insert a new row as `save(force_insert=True)` would, without its signals; the row gets its id."""
    insert_all([row])


def insert_all(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model as `bulk_create` would; each gets its id where the database makes it."""
    if not rows:
        return
    plan = _plan(type(rows[0]))
    with connection.cursor() as cursor:
        if settings.SQLITE and not plan.keyless and len(rows) > 1:
            cursor.executemany(plan.head + plan.place, [plan.values(row) for row in rows])
        elif not settings.SQLITE and len(rows) >= COPIED:
            plan.copy(cursor, rows)
        else:
            size = VALUES // plan.width
            for start in range(0, len(rows), size):
                plan.write(cursor, rows[start : start + size])
    alias = connection.alias
    for row in rows:
        row._state.adding, row._state.db = False, alias


def insert_absent(rows: Sequence[models.Model]) -> set[Any]:
    """Insert rows that make their own ids, but none that somebody else has written meanwhile; give the ids written."""
    if settings.SQLITE or not rows:
        # There is one writer at a time, and it has just looked.
        insert_all(rows)
        return {row.pk for row in rows}
    plan, key = _plan(type(rows[0])), connection.ops.quote_name(str(rows[0]._meta.pk.column))
    with connection.cursor() as cursor:
        values = [value for row in rows for value in plan.values(row)]
        places = ", ".join([plan.place] * len(rows))
        cursor.execute(f"{plan.head}{places} ON CONFLICT DO NOTHING RETURNING {key}", values)
        return {row[0] for row in cursor.fetchall()}


def insert_led(
    leader: models.Model,
    followers: Sequence[tuple[models.Model, str]],
    others: Sequence[Sequence[models.Model]] = (),
) -> None:
    """Insert a row that gets its id from the database, and rows that keep that id under the given name.

    On PostgreSQL all are one statement: each on its own costs a way there and back. `others` are rows of one model
    each that nobody asks for an id which the database makes.
    """
    others = [rows for rows in others if rows]
    if settings.SQLITE or not (followers or others):
        for rows in others:
            insert_all(rows)
        insert(leader)
        for row, name in followers:
            setattr(row, name, leader.pk)
            insert(row)
        return
    first = _plan(type(leader))
    parts, values = [f"WITH leader (key) AS ({first.head}{first.place}{first.tail})"], first.values(leader)
    for number, (row, name) in enumerate(followers):
        plan = _plan(type(row))
        parts.append(f"follower{number} AS ({plan.head}{plan.led(name)})")
        values += plan.values(row, without=name)
    for number, rows in enumerate(others):
        plan = _plan(type(rows[0]))
        parts.append(f"other{number} AS ({plan.head}{', '.join([plan.place] * len(rows))})")
        for row in rows:
            values += plan.values(row)
    with connection.cursor() as cursor:
        cursor.execute(f"{', '.join(parts)} SELECT key FROM leader", values)  # noqa: S608
        leader.pk = cursor.fetchone()[0]
    for row, name in followers:
        setattr(row, name, leader.pk)
    for row in (leader, *(row for row, _ in followers), *(row for rows in others for row in rows)):
        row._state.adding, row._state.db = False, connection.alias


class _Plan:
    """How a model's rows are written: the statement's parts, and each column's way to the database."""

    def __init__(self, model: type[models.Model]) -> None:
        meta, quote = model._meta, connection.ops.quote_name
        self.meta: Any = meta
        self.keyless = isinstance(meta.pk, models.AutoField)
        fields = [field for field in meta.local_concrete_fields if not (self.keyless and field.primary_key)]
        self.columns = [(field.attname, _adapter(field)) for field in fields]
        # Such a field fills itself in when its row is written.
        self.own = [field for field in fields if getattr(field, "auto_now", 0) or getattr(field, "auto_now_add", 0)]
        self.width = len(fields)
        self.names = [quote(str(field.column)) for field in fields]
        self.head = f"INSERT INTO {quote(meta.db_table)} ({', '.join(self.names)}) VALUES "  # noqa: S608
        self.place = f"({', '.join(['%s'] * self.width)})"
        self.tail = f" RETURNING {quote(str(meta.pk.column))}" if self.keyless and meta.pk else ""

    def copy(self, cursor: Any, rows: Sequence[models.Model]) -> None:
        """Write many rows at once: COPY takes none into a table behind a policy, so they come by a table of their own.

        Rows that get their id from the database get it before, because nothing says in which order they come back. What
        all rows share, which is most, comes but once.
        """
        table, quote = self.meta.db_table, connection.ops.quote_name
        for row in rows if self.own else ():
            self.fill(row)
        columns = dict(zip(self.names, self.columns, strict=True))
        if self.keyless:
            # Named within, the sequence would be looked for anew for every row.
            cursor.execute(
                "SELECT nextval(named) FROM (SELECT pg_get_serial_sequence(%s, %s)::regclass AS named OFFSET 0) one,"
                " generate_series(1, %s)",
                [quote(table), self.meta.pk.column, len(rows)],
            )
            key = self.meta.pk
            columns[quote(str(key.column))] = (key.attname, None)
            for row, (told,) in zip(rows, cursor.fetchall(), strict=True):
                row.__dict__[key.attname] = told
        coming, names = quote(f"coming_{table}"), ", ".join(columns)
        cursor.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS {coming} ON COMMIT DELETE ROWS"  # noqa: S608
            f" AS SELECT {names} FROM {quote(table)} WITH NO DATA"
        )
        shared, texts = dict[str, Any](), dict[str, list[str]]()
        for column, (name, adapt) in columns.items():
            values = [row.__dict__[name] for row in rows]
            if adapt is not None:
                values = [value if value is None else adapt(value) for value in values]
            if values.count(values[0]) == len(values):
                shared[column] = values[0]
            else:
                texts[column] = _as_texts(values)
        lines = "\n".join(map("\t".join, zip(*texts.values(), strict=True)))
        cursor.copy_expert(f"COPY {coming} ({', '.join(texts)}) FROM STDIN", StringIO(lines))
        told = ", ".join("%s" if column in shared else column for column in columns)
        cursor.execute(f"INSERT INTO {quote(table)} ({names}) SELECT {told} FROM {coming}", [*shared.values()])  # noqa: S608
        cursor.execute(f"DELETE FROM {coming}")  # noqa: S608

    def led(self, name: str) -> str:
        """The row's place in a statement in which one value is the leader's key."""
        return f"({', '.join(LEADER if one == name else '%s' for one, _ in self.columns)})"

    def fill(self, row: models.Model) -> None:
        for field in self.own:
            field.pre_save(row, True)

    def values(self, row: models.Model, without: str = "") -> list[Any]:
        self.fill(row)
        told = row.__dict__
        return [
            adapt(told[name]) if adapt is not None and told[name] is not None else told[name]
            for name, adapt in self.columns
            if name != without
        ]

    def write(self, cursor: Any, rows: Sequence[models.Model]) -> None:
        values: list[Any] = []
        for row in rows:
            values += self.values(row)
        cursor.execute(self.head + ", ".join([self.place] * len(rows)) + self.tail, values)
        if self.keyless:
            for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
                row.pk = key


_plan = cache(_Plan)


def _as_texts(values: list[Any]) -> list[str]:
    """A column's values as COPY reads them."""
    texts = [value.hex if type(value) is UUID else "" if value is None else str(value) for value in values]
    if SPECIAL.search("".join(texts)):
        texts = [text.translate(ESCAPES) for text in texts]
    return ["\\N" if value is None else text for value, text in zip(values, texts, strict=True)]


def _adapter(field: Any) -> Callable[[Any], Any] | None:
    """What makes a value of this field one that the driver takes; None where it takes it as it is."""
    while field.is_relation:
        field = field.target_field
    if isinstance(field, models.JSONField) and field.encoder is None:
        return json.dumps
    if isinstance(field, models.UUIDField):
        return _hex if settings.SQLITE else None
    if isinstance(field, models.DateTimeField):
        return _naive if settings.SQLITE else None
    if isinstance(field, models.DateField):
        return str if settings.SQLITE else None
    if isinstance(field, models.CharField | models.TextField | models.IntegerField | models.FloatField):
        return None
    return lambda value: field.get_db_prep_save(value, connection)


def _hex(value: UUID) -> str:
    return value.hex


def _naive(value: datetime) -> str:
    return str(value.astimezone(UTC).replace(tzinfo=None))
