"""Businesses that are there already get their weekly letter from the next Monday on."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import migrations


def plan(apps, schema_editor):
    workspaces, events, effects = (
        apps.get_model("funnel", name).objects.all() for name in ("Workspace", "Event", "Effect")
    )
    now = datetime.now(UTC)
    for workspace in workspaces:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute("SELECT set_config('baton.workspace', %s, true)", [str(workspace.pk)])
        zone = ZoneInfo(workspace.time_zone)
        today = now.astimezone(zone).date()
        monday = today + timedelta(days=7 - today.weekday())
        due = datetime.combine(monday, time(7, 30), zone).astimezone(UTC)
        event = events.create(
            workspace=workspace, kind="week_planned", occurred_at=now, recorded_at=now, data={"monday": str(monday)}
        )
        for handler in ("weekly", "next_week"):
            effects.create(workspace=workspace, event=event, handler=handler, lane="live", due_at=due)


class Migration(migrations.Migration):
    dependencies = [("funnel", "0014_customers_latest_first")]
    operations = [migrations.RunPython(plan, migrations.RunPython.noop)]
