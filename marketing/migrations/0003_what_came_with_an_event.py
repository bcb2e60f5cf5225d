from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("funnel", "0018_handoffs_given_back"),
        ("marketing", "0002_a_file_to_download"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(fields=["workspace", "event"], name="submission_event"),
        ),
    ]
