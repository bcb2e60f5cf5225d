"""Leads that are there already learn from their `moved` events when they first came to each stage."""

from django.db import migrations
from django.db.models import Min, OuterRef, Subquery

STAGES = ("ready", "working", "qualified", "demo", "negotiation")


def fill(apps, schema_editor):
    workspaces, leads, events = (
        apps.get_model("funnel", name).objects.all() for name in ("Workspace", "Lead", "Event")
    )
    for pk in workspaces.values_list("pk", flat=True):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute("SELECT set_config('baton.workspace', %s, true)", [str(pk)])
        moves = events.filter(workspace=pk, lead=OuterRef("pk"), kind="moved").order_by()
        first = {
            f"{stage}_at": Subquery(
                moves.filter(data__to=stage).values("lead").annotate(first=Min("occurred_at")).values("first")
            )
            for stage in STAGES
        }
        moved = events.filter(workspace=pk, kind="moved", data__to__in=STAGES).values("lead")
        leads.filter(workspace=pk, pk__in=moved).update(**first)


class Migration(migrations.Migration):
    dependencies = [("funnel", "0007_arrivals")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
