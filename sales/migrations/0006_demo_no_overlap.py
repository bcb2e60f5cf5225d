"""On PostgreSQL the table itself refuses two demos of one rep at one time.

The extension that this needs is one that a database's owner may create (a trusted one, since PostgreSQL 13). Where it
isn't there, locking the rep's row guards alone, as the write lock does on SQLite.
"""

from django.db import DatabaseError, migrations, transaction

CONSTRAINT = """
ALTER TABLE sales_demo ADD CONSTRAINT demo_no_overlap EXCLUDE USING gist (
    workspace_id WITH =, holder_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&
) WHERE (state IN ('booked', 'held'))
"""


def refuse_overlaps(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        try:
            with transaction.atomic(using=connection.alias):
                cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        except DatabaseError:
            return
        cursor.execute(CONSTRAINT)


def allow_overlaps(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE sales_demo DROP CONSTRAINT IF EXISTS demo_no_overlap")


class Migration(migrations.Migration):
    dependencies = [("sales", "0005_demos")]

    operations = [migrations.RunPython(refuse_overlaps, allow_overlaps, elidable=False)]
