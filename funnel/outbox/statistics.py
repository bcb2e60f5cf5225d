"""What the databases know of their tables. PostgreSQL learns by itself, in a minute; SQLite only when told to look.

Without this SQLite takes every table for large and every index for a good one: it looks for two hundred leads by going
through all of their business, and a rep's desk takes seconds among 100,000 leads.
"""

from __future__ import annotations

import time
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction

from funnel.outbox.drain import AIR
from funnel.workspaces.gate import writing

# So many rows of each index are looked at: by fewer the desk is planned wrongly, and all would hold the lock long.
LOOKED_AT = 10_000
# A unique index whose column is mostly empty looks as if one value stood in all rows; it finds one row like the others.
MISTAKEN = "DELETE FROM sqlite_stat1 WHERE idx LIKE 'sqlite_autoindex%' AND stat NOT LIKE '% 1'"
# What a table with fewer rows looks like says nothing of what it will be in an hour; it is taken for one with so many.
FEW, MANY = 1000, 100_000
# A column of this kind holds one word of a few: a stage, a kind, a state.
WORDS = {"bool", *(f"varchar({length})" for length in range(1, 41))}


def learn() -> None:
    """Look at every table in turn, each in a short write of its own; other connections use it once opened anew."""
    if not settings.SQLITE:
        return
    for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
        with writing(), connection.cursor() as cursor:
            cursor.execute(f"PRAGMA analysis_limit={LOOKED_AT}")
            cursor.execute(f'ANALYZE "{table}"')
            cursor.execute(MISTAKEN)
            _suppose(cursor, table)
            # Here too what was supposed counts, and not what was seen of a small table.
            cursor.execute("ANALYZE sqlite_schema")
        time.sleep(AIR)


def look_at(*tables: type[models.Model]) -> None:
    """Let PostgreSQL see at once how its tables are filled by now: in a minute they grow from nothing to a list's size.

    Until it has looked, it goes through all of them for each row. Where somebody else looks just now, nothing is done.
    """
    if not settings.SQLITE:
        with connection.cursor() as cursor:
            cursor.execute(
                f"ANALYZE (SKIP_LOCKED) {', '.join(connection.ops.quote_name(one._meta.db_table) for one in tables)}"
            )


def suppose(**_: Any) -> None:
    """Say of tables that nobody has looked at yet what will be so; runs after each migrate."""
    if not settings.SQLITE:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        # It makes the table of what is known.
        cursor.execute("ANALYZE sqlite_schema")
        for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
            _suppose(cursor, table)


def _suppose(cursor: Any, table: str) -> None:
    """Take a small table for a large one in which every row is of one business; the rest is as SQLite supposes."""
    cursor.execute("SELECT max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = %s", [table])
    if (cursor.fetchone()[0] or 0) >= FEW:
        return
    cursor.execute("DELETE FROM sqlite_stat1 WHERE tbl = %s", [table])
    cursor.execute(
        """SELECT list.name, list."unique", told.name, told.type
        FROM pragma_index_list(%s) list, pragma_index_info(list.name) one
        LEFT JOIN pragma_table_info(%s) told ON told.cid = one.cid ORDER BY list.name, one.seqno""",
        [table, table],
    )
    for (index, unique), columns in groupby(cursor.fetchall(), key=lambda row: row[:2]):
        first, *others = [row[2:] for row in columns]
        if first[0] != "workspace_id":
            continue
        rows, found = MANY, [MANY, MANY]
        for _, kind in others:
            rows = rows // 10 if kind in WORDS else min(10, rows - 1)
            found.append(max(2, rows))
        if unique:
            found[-1] = 1
        told = " ".join(map(str, found))
        cursor.execute("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (%s, %s, %s)", [table, index, told])
