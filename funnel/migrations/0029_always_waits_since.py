"""Every handoff says since when its lead has waited; on its own, as PostgreSQL alters no table with rows just filled."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("funnel", "0028_waits_since_the_first_offer")]
    operations = [migrations.AlterField("handoff", "began_at", models.DateTimeField())]
