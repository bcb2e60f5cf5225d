"""What is promised to a lead depends on its fit, and says when somebody is to have spoken to them."""

from django.db import migrations, models

import funnel.workspaces.models


class Migration(migrations.Migration):
    dependencies = [("funnel", "0022_given_back_and_brought_back")]

    operations = [
        migrations.AddField("handoff", "contact_due_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "handoff", "fit_band", models.CharField(blank=True, default="", max_length=1), preserve_default=False
        ),
        migrations.AddField("handoff", "promise_minutes", models.PositiveIntegerField(default=480)),
        migrations.AddField("workspace", "promises", models.JSONField(default=funnel.workspaces.models.promises)),
    ]
