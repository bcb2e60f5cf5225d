"""The walls inside the database: row-level security, and references that stay in their workspace.

They are derived from the models and raised again after every migration, because SQLite drops a table's triggers
when Django remakes the table.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction

from funnel.workspaces.scoping import TenantForeignKey

# What log-in, keys, public tokens and claiming must find before the workspace is known.
OUTSIDE = {"funnel_member", "funnel_apikey", "funnel_publicdoor", "funnel_effect"}

# By these words a wall's trigger is known.
BREACH = "leaves its workspace"

# What the worker writes by the thousand. A composite foreign key looks a parent up for each row, and marks it: four
# times as long as the rows themselves take. Their references are looked up as a set, each parent once a statement.
BY_SET = {"funnel_leadscore", "funnel_scorepoint"}


def tenant_models() -> list[type[models.Model]]:
    """Every model with a workspace of its own, sorted by table."""
    found = [
        model for model in apps.get_models() if any(field.name == "workspace" for field in model._meta.concrete_fields)
    ]
    return sorted(found, key=lambda model: model._meta.db_table)


def references(model: type[models.Model]) -> list[Any]:
    """The model's references to rows of its own workspace."""
    return [field for field in model._meta.concrete_fields if isinstance(field, TenantForeignKey)]


def lower_walls(plan: Any = (), **_: Any) -> None:
    """Take SQLite's walls away before migrations: it renames no table while a trigger of another one names it.

    A migrate that ends early leaves them away until the next one, and no program runs on a half migrated database.
    """
    if not (settings.SQLITE and plan):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE %s", [f"%{BREACH}%"])
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TRIGGER "{name}"')


def raise_walls(**_: Any) -> None:
    """Raise every wall that isn't there yet; runs after each migrate and changes nothing the second time."""
    tables = set(connection.introspection.table_names())
    ready = [model for model in tenant_models() if model._meta.db_table in tables]
    with transaction.atomic(), connection.cursor() as cursor:
        if settings.SQLITE:
            for model in ready:
                for field in references(model):
                    if field.related_model._meta.db_table in tables:
                        _triggers(cursor, model, field)
            return
        cursor.execute(
            "SELECT conname::text FROM pg_constraint WHERE connamespace = current_schema()::regnamespace"
            " UNION ALL SELECT tablename FROM pg_policies WHERE policyname = 'baton_workspace'"
            " UNION ALL SELECT prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
        )
        there = {row[0] for row in cursor.fetchall()}
        for model in ready:
            _policy(cursor, model._meta.db_table, there)
        for model in ready:
            if model._meta.db_table in BY_SET:
                _set_based(cursor, model, there)
            else:
                for field in references(model):
                    if field.related_model._meta.db_table in tables:
                        _composite(cursor, model, field, there)
            _carried(cursor, model)


def _policy(cursor: Any, table: str, there: set[str]) -> None:
    if table in OUTSIDE or table in there:
        return
    cursor.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    cursor.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
    # Asked apart, or a plan that is kept would be made for the size of the workspace that was open then: what suits a
    # small one goes through every row of a large one, each time.
    cursor.execute(
        f'CREATE POLICY baton_workspace ON "{table}" USING'
        " (workspace_id = (SELECT nullif(current_setting('baton.workspace', true), '')::uuid))"
    )


def _composite(cursor: Any, model: type[models.Model], field: Any, there: set[str]) -> None:
    table, parent = model._meta.db_table, field.related_model._meta.db_table
    key, name = f"{parent}_in_workspace", f"{table}_{field.column}_in_workspace"[:63]
    if key not in there:
        cursor.execute(f'ALTER TABLE "{parent}" ADD CONSTRAINT "{key}" UNIQUE (workspace_id, id)')
        there.add(key)
    if name not in there:
        cursor.execute(
            f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" FOREIGN KEY (workspace_id, "{field.column}")'
            f' REFERENCES "{parent}" (workspace_id, id) DEFERRABLE INITIALLY DEFERRED'
        )


def _set_based(cursor: Any, model: type[models.Model], there: set[str]) -> None:
    """Look up what the rows that a statement wrote refer to, at its end.

    Always by the parents' index: the plan is kept, and what suits a statement of a million rows doesn't suit one row.
    """
    table = model._meta.db_table
    columns = defaultdict(list)
    for field in references(model):
        columns[field.related_model._meta.db_table].append(field.column)
    checks = ""
    for parent, names in columns.items():
        named = " UNION ".join(
            f'SELECT workspace_id, "{name}" AS pk FROM written WHERE "{name}" IS NOT NULL'  # noqa: S608
            for name in names
        )
        checks += (
            f" IF EXISTS (SELECT FROM (SELECT DISTINCT * FROM ({named}) every) one"  # noqa: S608
            f' WHERE (SELECT parent.workspace_id FROM "{parent}" parent WHERE parent.id = one.pk)'
            " IS DISTINCT FROM one.workspace_id) THEN RAISE foreign_key_violation"
            f" USING MESSAGE = 'by its {parent} a row of {table} {BREACH}'; END IF;"
        )
    body = f" BEGIN{checks} RETURN NULL; END "
    if body in there:
        # A trigger made anew would wait for whoever writes, and hold off the others.
        return
    cursor.execute(
        f'CREATE OR REPLACE FUNCTION "{table}_in_workspace"() RETURNS trigger LANGUAGE plpgsql'
        f" SET enable_seqscan = off SET jit = off AS $${body}$$"
    )
    for verb in ("insert", "update"):
        cursor.execute(
            f'CREATE OR REPLACE TRIGGER "{table}_{verb}" AFTER {verb} ON "{table}"'
            f' REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION "{table}_in_workspace"()'
        )
    for field in references(model):
        cursor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT IF EXISTS "{table}_{field.column}_in_workspace"')


def _carried(cursor: Any, model: type[models.Model]) -> None:
    """Drop the plain reference to the workspace where one that is always there carries it.

    It is asked for each row that is written, and each time marks the one row of the business that everybody marks.
    """
    table = model._meta.db_table
    if all(field.null for field in references(model)):
        return
    cursor.execute(
        "SELECT conname FROM pg_constraint"
        " WHERE contype = 'f' AND conrelid = %s::regclass AND confrelid = 'funnel_workspace'::regclass",
        [table],
    )
    for (name,) in cursor.fetchall():
        cursor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')


def _triggers(cursor: Any, model: type[models.Model], field: Any) -> None:
    table, parent, column = model._meta.db_table, field.related_model._meta.db_table, field.column
    there = f'SELECT 1 FROM "{parent}" WHERE id = NEW."{column}" AND workspace_id = NEW.workspace_id'  # noqa: S608
    for verb, moment in (("insert", "INSERT"), ("update", f'UPDATE OF "{column}", workspace_id')):
        cursor.execute(
            f'CREATE TRIGGER IF NOT EXISTS "{table}_{column}_{verb}" BEFORE {moment} ON "{table}"'
            f' WHEN NEW."{column}" IS NOT NULL AND NOT EXISTS ({there})'
            f" BEGIN SELECT RAISE(ABORT, '{table}.{column} {BREACH}'); END"
        )
