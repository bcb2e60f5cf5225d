"""`manage.py import_leads FILE --workspace SLUG --map MAP.json`: bring in a table of leads."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from funnel.transfer.importing import Import
from funnel.transfer.mapping import Mapping
from funnel.transfer.reading import Table
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Member, Role, Workspace
from funnel.workspaces.refusals import Refusal


class Command(BaseCommand):
    help = "Bring in a table of leads. Nobody is handed over unless --hand-over says so."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument(
            "--map", required=True, type=Path, metavar="MAP.json",
            help='which column is what, like {"E-mail": "email", "Full name": "name", "City": "fields.city"}',
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="count, but change nothing")
        parser.add_argument("--hand-over", action="store_true", help="hand over those who are ready")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            there = ", ".join(Workspace.objects.order_by("created_at").values_list("slug", flat=True)[:20])
            raise CommandError(f"There is no business “{options['workspace']}”. There are: {there or 'none yet'}.")
        try:
            given = json.loads(options["map"].read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['map']} can’t be read: {error}") from None
        try:
            table = Table(options["file"])
            with tenant(workspace):
                people = list(Member.objects.select_related("user").order_by("joined_at"))
            owner = next(one for one in people if one.role == Role.OWNER and one.active)
            mapping = Mapping(
                given, table.header, zone=workspace.zone, members={one.email.casefold(): one for one in people}
            )
            run = Import(
                workspace,
                by=owner,
                mapping=mapping,
                hand_over=options["hand_over"],
                dry_run=options["dry_run"],
            )
            for counts in run.run(table):
                if self.stderr.isatty():
                    self.stderr.write(f"\r{counts['rows']} rows", ending="")
        except Refusal as refusal:
            raise CommandError(refusal.sentence if refusal.args else str(refusal)) from None
        answer: dict[str, Any] = {**run.counts, "dry_run": run.dry_run}
        if run.refused:
            answer["refused_file"] = str(self.write_refused(options["file"], table, run))
        self.stdout.write(json.dumps(answer))

    def write_refused(self, source: Path, table: Table, run: Import) -> Path:
        """Write the refused rows in their own columns, with line and reason behind; give the file."""
        folder = Path(settings.DATA) / "imports"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{source.stem}-refused.csv"
        with path.open("w", newline="", encoding="utf-8-sig") as out:
            writer = csv.writer(out)
            writer.writerow([*table.header, "line", "reason"])
            for line, cells, errors in run.refused:
                padded = [*cells, *[""] * (len(table.header) - len(cells))]
                reason = " ".join(f"{column}: {says}" for column, says in errors.items())
                writer.writerow([*padded, line, reason])
        return path
