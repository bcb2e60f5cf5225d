"""Find a word inside names and addresses without reading every row (PostgreSQL's trigrams)."""

from django.db import migrations


def index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        schema_editor.execute("CREATE INDEX lead_search ON funnel_lead USING gin (search gin_trgm_ops)")


class Migration(migrations.Migration):
    dependencies = [("funnel", "0001_initial")]
    operations = [migrations.RunPython(index, migrations.RunPython.noop)]
