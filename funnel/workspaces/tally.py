"""What a page counts of many tables, counted by one statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import CharField, Count, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

# Under each name the rows to be counted, and the column by which they are; blank for all of them together.
Asked = Mapping[str, tuple[QuerySet[Any], str | Combinable]]
Counts = dict[str, dict[str, int]]


class _Text(Cast):
    """A value as text, so that names, numbers and ids stand in one column; SQLite's columns hold any of them."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Leave the column as it is, or its index would not group it."""
        return compiler.compile(self.get_source_expressions()[0])


def tally(asked: Asked) -> Counts:
    """Count them all at once: under each name how many by each value of the column as text, or all under ""."""
    parts = [
        rows.order_by()
        .annotate(tally=Value(name), tally_by=_Text(by, CharField()) if by else Value(""))
        .values_list("tally", "tally_by")
        .annotate(tally_many=Count("*"))
        for name, (rows, by) in asked.items()
    ]
    found: Counts = {name: {} for name in asked}
    for name, key, many in parts[0].union(*parts[1:], all=True):
        found[name][key] = many
    return found
