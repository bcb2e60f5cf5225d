"""The promise that knew no fit is kept nowhere any more."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("funnel", "0024_promises_filled")]
    operations = [migrations.RemoveField("workspace", "promise_hours")]
