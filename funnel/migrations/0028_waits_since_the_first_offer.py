"""A handoff says since when its lead has waited, whoever was offered it before."""

from django.db import migrations, models
from django.db.models import F


def fill(apps, schema_editor):
    workspaces, handoffs = (apps.get_model("funnel", name).objects for name in ("Workspace", "Handoff"))
    for pk in workspaces.values_list("pk", flat=True):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute("SELECT set_config('baton.workspace', %s, true)", [str(pk)])
        handoffs.filter(workspace=pk).update(began_at=F("opened_at"))


class Migration(migrations.Migration):
    dependencies = [("funnel", "0027_spoken_to_by_index")]
    operations = [
        migrations.AddField("handoff", "began_at", models.DateTimeField(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
