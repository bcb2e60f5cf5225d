"""`manage.py import_leads FILE --workspace SLUG --map MAP.json`: bring in a table of leads."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from funnel.leads.stages import Stage
from funnel.transfer.importing import COUNTED, RefusedLine, Run, Seen, bring_in
from funnel.transfer.mapping import Mapping, members_by_mail
from funnel.transfer.reading import Reading
from funnel.transfer.refused import write_refused
from funnel.transfer.spool import rows_of, spool
from funnel.workspaces.gate import tenant
from funnel.workspaces.ids import uuid7
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
        counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        refused, of_today = list[RefusedLine](), 0
        try:
            with tempfile.TemporaryDirectory(prefix="import-", dir=settings.DATA) as folder:
                rows = Path(folder) / "rows"
                found = spool(options["file"], rows, Reading())
                run = self.run_of(workspace, given, found.header, options)
                for chunk in bring_in(run, (line for _, line in rows_of(rows))):
                    counts.update(chunk.counts)
                    refused += chunk.refused
                    of_today += chunk.undated[Stage.CUSTOMER]
                    if self.stderr.isatty():
                        self.stderr.write(f"\r{counts['rows']} rows", ending="")
        except Refusal as refusal:
            raise CommandError(refusal.sentence) from None
        if of_today:
            self.stderr.write(
                f"{of_today} customers have no date and count as of today; “$about” in the map gives one."
            )
        answer: dict[str, Any] = {**counts, "dry_run": options["dry_run"]}
        if refused:
            answer["refused_file"] = str(self.write_refused(options["file"], found.header, refused))
        self.stdout.write(json.dumps(answer))

    def run_of(self, workspace: Workspace, given: Any, header: list[str], options: dict[str, Any]) -> Run:
        """What brings the rows in, in the owner's name."""
        with tenant(workspace):
            people = list(Member.objects.select_related("user").order_by("joined_at"))
        owner = next(one for one in people if one.role == Role.OWNER and one.active)
        return Run(
            workspace,
            by=owner,
            mapping=Mapping(given, header, zone=workspace.zone, members=members_by_mail(people)),
            name=uuid7().hex,
            hand_over=options["hand_over"],
            seen=Seen() if options["dry_run"] else None,
        )

    def write_refused(self, source: Path, header: list[str], refused: list[RefusedLine]) -> Path:
        """Write the refused rows in their own columns, with line and reason behind; give the file."""
        folder = Path(settings.DATA) / "imports"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{source.stem}-refused.csv"
        with path.open("w", newline="", encoding="utf-8-sig") as out:
            write_refused(out, header, refused)
        return path
