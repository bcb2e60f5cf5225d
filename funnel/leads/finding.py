"""The index by which leads are found: what a lead is found by stands in a narrow table, kept in step by the database.

On SQLite an index of trigrams (FTS5) lies over that table, on PostgreSQL one of its own kind (pg_trgm). Behind the
second wall PostgreSQL asks an index only for what the wall itself asks for, because an operator may not see rows of
other businesses; so there the longest word becomes part of the wall for as long as the search lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

# Past so many, the newest of them are found sooner by looking from the newest lead on.
MOST = 1000
# Shorter words have no trigram.
SHORTEST = 3


def leads_with(words: Sequence[str], workspace_id: UUID) -> list[UUID] | None:
    """The leads whose text contains every word; None when there are too many, or no word is long enough to ask for."""
    asked = sorted((word for word in words if len(word) >= SHORTEST), key=len, reverse=True)
    if not asked:
        return None
    with connection.cursor() as cursor:
        if settings.SQLITE:
            quoted = " AND ".join('"' + word.replace('"', '""') + '"' for word in asked)
            cursor.execute(
                # In this order: the other way round the index would be asked once for each lead.
                "SELECT lead_id FROM funnel_searchindex one CROSS JOIN funnel_searchtext told ON told.id = one.rowid"
                " WHERE funnel_searchindex MATCH %s AND workspace_id = %s LIMIT %s",
                [quoted, workspace_id.hex, MOST + 1],
            )
            found = [UUID(row[0]) for row in cursor.fetchall()]
        else:
            cursor.execute("SELECT * FROM baton_leads_with(%s, %s)", [[_like(word) for word in asked], MOST + 1])
            found = [row[0] for row in cursor.fetchall()]
    return found if len(found) <= MOST else None


def _like(word: str) -> str:
    return "%" + word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"


def raise_index(**_: Any) -> None:
    """Make and fill what isn't there yet; runs after each migrate, as SQLite drops the triggers of a remade table."""
    with transaction.atomic(), connection.cursor() as cursor:
        if {"funnel_lead", "funnel_searchtext"} <= set(connection.introspection.table_names(cursor)):
            (_on_sqlite if settings.SQLITE else _on_postgresql)(cursor)


FILL = "INSERT INTO funnel_searchtext (workspace_id, lead_id, text) SELECT workspace_id, id, search FROM funnel_lead"
ON_SQLITE = {
    "funnel_searchindex": """CREATE VIRTUAL TABLE funnel_searchindex USING fts5
        (text, content='funnel_searchtext', content_rowid='id', tokenize='trigram', columnsize=0)""",
    "searchtext_came": """CREATE TRIGGER searchtext_came AFTER INSERT ON funnel_searchtext BEGIN
        INSERT INTO funnel_searchindex (rowid, text) VALUES (NEW.id, NEW.text);
        END""",
    "searchtext_went": """CREATE TRIGGER searchtext_went AFTER DELETE ON funnel_searchtext BEGIN
        INSERT INTO funnel_searchindex (funnel_searchindex, rowid, text) VALUES ('delete', OLD.id, OLD.text);
        END""",
    "searchtext_changed": """CREATE TRIGGER searchtext_changed AFTER UPDATE OF text ON funnel_searchtext BEGIN
        INSERT INTO funnel_searchindex (funnel_searchindex, rowid, text) VALUES ('delete', OLD.id, OLD.text);
        INSERT INTO funnel_searchindex (rowid, text) VALUES (NEW.id, NEW.text);
        END""",
    "lead_came": """CREATE TRIGGER lead_came AFTER INSERT ON funnel_lead BEGIN
        INSERT INTO funnel_searchtext (workspace_id, lead_id, text) VALUES (NEW.workspace_id, NEW.id, NEW.search);
        END""",
    "lead_changed": """CREATE TRIGGER lead_changed AFTER UPDATE OF search ON funnel_lead
        WHEN OLD.search <> NEW.search BEGIN
        UPDATE funnel_searchtext SET text = NEW.search WHERE workspace_id = NEW.workspace_id AND lead_id = NEW.id;
        END""",
}


def _on_sqlite(cursor: Any) -> None:
    cursor.execute("SELECT name FROM sqlite_master")
    there = {row[0] for row in cursor.fetchall()} & set(ON_SQLITE)
    if there == set(ON_SQLITE):
        return
    for name in there:
        cursor.execute(f"DROP {'TABLE' if name == 'funnel_searchindex' else 'TRIGGER'} {name}")
    cursor.execute("DELETE FROM funnel_searchtext")
    cursor.execute(FILL)
    for statement in ON_SQLITE.values():
        cursor.execute(statement)
    cursor.execute("INSERT INTO funnel_searchindex (funnel_searchindex) VALUES ('rebuild')")


ON_POSTGRESQL = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE INDEX funnel_searchindex ON funnel_searchtext USING gin (workspace_id, text gin_trgm_ops);
CREATE POLICY baton_find ON funnel_searchtext AS RESTRICTIVE FOR SELECT
    USING (text LIKE coalesce(nullif(current_setting('baton.find', true), ''), '%'));
CREATE FUNCTION baton_leads_with(words text[], most integer) RETURNS SETOF uuid LANGUAGE plpgsql AS $$ BEGIN
    PERFORM set_config('baton.find', words[1], true);
    -- Planned anew each time, because how rare a word is decides how it is looked for.
    RETURN QUERY EXECUTE 'SELECT lead_id FROM funnel_searchtext WHERE text LIKE ALL ($1) LIMIT $2' USING words, most;
    PERFORM set_config('baton.find', '', true);
END $$;
CREATE FUNCTION baton_lead_came() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO funnel_searchtext (workspace_id, lead_id, text) SELECT workspace_id, id, search FROM came;
    RETURN NULL;
END $$;
CREATE FUNCTION baton_lead_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE funnel_searchtext SET text = NEW.search WHERE workspace_id = NEW.workspace_id AND lead_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER lead_came AFTER INSERT ON funnel_lead REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION baton_lead_came();
CREATE TRIGGER lead_changed AFTER UPDATE OF search ON funnel_lead
    FOR EACH ROW WHEN (OLD.search IS DISTINCT FROM NEW.search) EXECUTE FUNCTION baton_lead_changed();
"""


def _on_postgresql(cursor: Any) -> None:
    cursor.execute("SELECT to_regclass('funnel_searchindex')")
    if cursor.fetchone()[0] is not None:
        return
    cursor.execute("SELECT id FROM funnel_workspace")
    for (workspace_id,) in cursor.fetchall():
        cursor.execute("SELECT set_config('baton.workspace', %s, true)", [str(workspace_id)])
        cursor.execute(FILL)
        # What is still to be looked at would keep the table from changing.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    cursor.execute("SELECT set_config('baton.workspace', '', true)")
    cursor.execute(ON_POSTGRESQL)
