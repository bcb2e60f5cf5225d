"""The median: PostgreSQL counts it; SQLite, which has none, gives the values."""

from __future__ import annotations

import json
import sqlite3
import statistics
from typing import Any

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


class Each(Aggregate):
    """Every value of a group, as a list of numbers."""

    output_field = FloatField()
    function = "array_agg"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_group_array", **context)

    def convert_value(self, value: Any, expression: Any, connection: Any) -> list[float]:
        return json.loads(value) if isinstance(value, str) else value or []


class Median(Aggregate):
    """The middle value; between the two middle ones of an even number. Nothing of nothing."""

    output_field = FloatField()
    template = "percentile_cont(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Ask for the values: an aggregate of our own would lead back to Python for every one of them."""
        asks = self.copy()
        asks.function, asks.template = "json_group_array", Aggregate.template
        return asks.as_sql(compiler, connection, **context)

    def convert_value(self, value: Any, expression: Any, connection: Any) -> float | None:
        if isinstance(value, str):
            found = [one for one in json.loads(value) if one is not None]
            return statistics.median(found) if found else None
        return value
