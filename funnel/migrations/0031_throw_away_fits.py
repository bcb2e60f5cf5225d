"""Who writes from a throw-away domain fits as the longer list of them says, on every basis."""

from django.db import migrations

from funnel.leads.free_mail import DISPOSABLE
from funnel.scoring.rules import fit_band, fit_of

SLICE = 500


def fill(apps, schema_editor):
    workspaces, leads, scores = (apps.get_model("funnel", name).objects for name in ("Workspace", "Lead", "LeadScore"))
    for pk in workspaces.values_list("pk", flat=True):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute("SELECT set_config('baton.workspace', %s, true)", [str(pk)])
        mailed = leads.filter(workspace=pk).exclude(email="").values_list("pk", "email")
        thrown = [lead for lead, email in mailed if email.rpartition("@")[2].lower() in DISPOSABLE]
        for place in range(0, len(thrown), SLICE):
            of_them = scores.filter(workspace=pk, lead__in=thrown[place : place + SLICE])
            for one in of_them.select_related("lead", "basis__version"):
                fit = fit_of(one.lead, one.basis.version.rules)
                scores.filter(pk=one.pk).update(fit=fit, fit_band=fit_band(fit, one.basis.version.rules))


class Migration(migrations.Migration):
    dependencies = [("funnel", "0030_days_of_ones_own")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
