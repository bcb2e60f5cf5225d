"""What SQLite knows of its tables. PostgreSQL learns by itself; SQLite only when it is told to look.

Without this it takes every table for large and every index for a good one, and a rep's desk takes seconds among
100,000 leads.
"""

from __future__ import annotations

import time

from django.conf import settings
from django.db import connection

from funnel.outbox.drain import AIR
from funnel.workspaces.gate import writing

# So many rows of each index are looked at: by fewer the desk is planned wrongly, and all would hold the lock long.
LOOKED_AT = 10_000
# A unique index whose column is mostly empty looks as if one value stood in all rows; it finds one row like the others.
MISTAKEN = "DELETE FROM sqlite_stat1 WHERE idx LIKE 'sqlite_autoindex%' AND stat NOT LIKE '% 1'"


def learn() -> None:
    """Look at every table in turn, each in a short write of its own; connections use it once they are opened anew."""
    if not settings.SQLITE:
        return
    for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
        with writing(), connection.cursor() as cursor:
            cursor.execute(f"PRAGMA analysis_limit={LOOKED_AT}")
            cursor.execute(f'ANALYZE "{table}"')
            cursor.execute(MISTAKEN)
        time.sleep(AIR)
