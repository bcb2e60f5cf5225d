"""Reasons say what brings a lead back, leads keep it; questions to marketing, and addresses not to be mailed."""

import django.db.models.deletion
from django.db import migrations, models

import funnel.workspaces.ids
import funnel.workspaces.scoping


def say_the_way(apps, schema_editor):
    workspaces, reasons = (apps.get_model("funnel", name).objects.all() for name in ("Workspace", "GiveBackReason"))
    for pk in workspaces.values_list("pk", flat=True):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute("SELECT set_config('baton.workspace', %s, true)", [str(pk)])
        reasons.filter(workspace=pk, asks_date=True).update(way="date")


class Migration(migrations.Migration):
    dependencies = [
        ("funnel", "0021_routing_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="givebackreason",
            name="above",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="givebackreason",
            name="nurtures",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="givebackreason",
            name="retired_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="givebackreason",
            name="touch",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="givebackreason",
            name="way",
            field=models.CharField(
                choices=[
                    ("judged", "When they are ready again, as anybody else"),
                    ("date", "On a day that the rep promised them"),
                    ("engagement", "When their engagement reaches a line"),
                    ("touch", "When they do one certain thing"),
                ],
                default="judged",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="way_back",
            field=models.JSONField(null=True),
        ),
        migrations.RunPython(say_the_way, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name="givebackreason",
            name="asks_date",
        ),
        migrations.CreateModel(
            name="Question",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=funnel.workspaces.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("words", models.TextField()),
                ("asked_at", models.DateTimeField()),
                ("answer", models.TextField(blank=True)),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "answered_by",
                    funnel.workspaces.scoping.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="funnel.member",
                    ),
                ),
                (
                    "asked_by",
                    funnel.workspaces.scoping.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="funnel.member",
                    ),
                ),
                (
                    "lead",
                    funnel.workspaces.scoping.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="questions",
                        to="funnel.lead",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="funnel.workspace",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("answered_at__isnull", True)),
                        fields=["workspace", "asked_at", "id"],
                        name="question_open",
                    ),
                    models.Index(fields=["workspace", "-asked_at", "-id"], name="question_recent"),
                    models.Index(fields=["workspace", "lead", "-asked_at"], name="question_lead"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64)),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("unsubscribed", "They asked for no more mail"),
                            ("bounced", "Their mail server knows no such address"),
                        ],
                        max_length=12,
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="funnel.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("workspace", "digest"), name="suppression_once")],
            },
        ),
    ]
