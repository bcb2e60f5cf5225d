"""The one promise of a business becomes that of every fit; to be spoken to was promised to nobody yet."""

from django.db import migrations


def fill(apps, schema_editor):
    handoffs = apps.get_model("funnel", "Handoff").objects.all()
    for workspace in apps.get_model("funnel", "Workspace").objects.all():
        hours = workspace.promise_hours
        workspace.promises = {fit: {"accept": hours, "contact": min(hours * 2, 200)} for fit in "ABCD"}
        workspace.save(update_fields=["promises"])
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute("SELECT set_config('baton.workspace', %s, true)", [str(workspace.pk)])
        handoffs.filter(workspace=workspace.pk).update(promise_minutes=hours * 60)


class Migration(migrations.Migration):
    dependencies = [("funnel", "0023_promises_by_fit")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
