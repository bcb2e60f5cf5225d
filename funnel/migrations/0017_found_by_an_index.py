"""What a lead is found by gets a narrow table; its index is raised and filled after the migration (leads/finding.py).

PostgreSQL's index on the leads themselves was never used: no operator sees rows before the second wall lets them by.
"""

import django.db.models.deletion
from django.db import migrations, models

import funnel.workspaces.scoping


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS lead_search")


class Migration(migrations.Migration):
    dependencies = [
        ("funnel", "0016_closed_days"),
    ]

    operations = [
        migrations.CreateModel(
            name="SearchText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                (
                    "lead",
                    funnel.workspaces.scoping.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="funnel.lead",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="funnel.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("workspace", "lead"), name="searchtext_once")],
            },
        ),
        migrations.RunPython(drop_index, migrations.RunPython.noop),
    ]
