"""Whether one of us has spoken to a lead is found by an index of what people did, beside all that leads did."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("funnel", "0026_scores_by_band"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["workspace", "lead", "kind", "occurred_at"],
                condition=models.Q(("actor__isnull", False)),
                name="event_by_people",
            ),
        ),
    ]
