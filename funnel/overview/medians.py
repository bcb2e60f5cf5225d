"""The median as the database counts it: PostgreSQL's own, and one of ours for SQLite, which has none."""

from __future__ import annotations

import json
import sqlite3
import statistics
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Aggregate, FloatField, Func

# SQLite's own clock, which since 3.38 needs no text between.
SECONDS = "unixepoch({})" if sqlite3.sqlite_version_info >= (3, 38) else "strftime('%%s', {})"


class Days(Func):
    """The days from the second moment to the first, with their fraction."""

    output_field = FloatField()
    template = "(date_part('epoch', %(expressions)s) / 86400.0)"
    arg_joiner = " - "

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Count microseconds by SQLite's own means: Django's way leads back to Python for every lead."""
        (later, *told), (earlier, *said) = (compiler.compile(one) for one in self.get_source_expressions())
        values = [value for part in (*told, *told, *said, *said) for value in part]
        return f"(({_microseconds(later)} - {_microseconds(earlier)}) / 86400e6)", values


def _microseconds(moment: str) -> str:
    # Whole seconds apart from their parts: SQLite itself rounds a moment to the millisecond, and so to the next second.
    return f"({SECONDS.format(f'substr({moment}, 1, 19)')} * 1000000 + CAST(substr({moment}, 21) AS integer))"


class Median(Aggregate):
    """The middle value; between the two middle ones of an even number. Nothing of nothing."""

    output_field = FloatField()
    template = "percentile_cont(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        ours = self.copy()
        ours.template = "baton_median(%(expressions)s)"
        return ours.as_sql(compiler, connection, **context)


class Each(Aggregate):
    """Every value of a group, as a list of numbers."""

    output_field = FloatField()
    function = "array_agg"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_group_array", **context)

    def convert_value(self, value: Any, expression: Any, connection: Any) -> list[float]:
        return json.loads(value) if isinstance(value, str) else value or []


class _Middle:
    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: float | None) -> None:
        if value is not None:
            self.values.append(value)

    def finalize(self) -> float | None:
        return statistics.median(self.values) if self.values else None


def learn_median() -> None:
    """Teach the open connection the median; a connection knows it until it is closed."""
    if settings.SQLITE:
        connection.ensure_connection()
        connection.connection.create_aggregate("baton_median", 1, _Middle)
