"""manage.py bench: measure how fast Baton is on this machine, on an installation made for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from funnel.bench import doors, draining, importing, lists, rescoring
from funnel.bench.figures import Report
from funnel.bench.load import ROOT
from funnel.bench.stage import CantMeasure, Stage, apart

BENCHES = ("capture", "api", "drain", "import", "lists", "report", "rescore")


class Command(BaseCommand):
    """Print one JSON line per figure: what was measured, this machine's limit in the same run, the aim."""

    help = "Measure the speed of a part on an installation made for it beside this one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read what to measure and for how long."""
        parser.add_argument("name", choices=BENCHES)
        parser.add_argument("--seconds", type=float, default=5.0, help="of each measured stretch; 5 unless told")
        parser.add_argument(
            "--leads",
            type=int,
            help="how many the drain submits (10,000), an import brings in or lists and report show (100,000)",
        )
        parser.add_argument("--inside", action="store_true", help="measure on this installation; what the bench calls")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the installation and measure in a process that lives in it, or be that process."""
        usual = 10_000 if options["name"] == "drain" else importing.ROWS
        seconds, leads = min(max(options["seconds"], 0.5), 60.0), min(max(options["leads"] or usual, 100), 1_000_000)
        # Stopping must take the installation away too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            if options["inside"]:
                self.measure(options["name"], seconds, leads)
                return
            with apart() as env:
                words = ["bench", options["name"], "--seconds", str(seconds), "--leads", str(leads), "--inside"]
                done = subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env, check=False)
        except CantMeasure as missing:
            raise CommandError(str(missing)) from None
        if done.returncode:
            raise CommandError("The measuring ended early; what is above is what it found.")

    def measure(self, name: str, seconds: float, leads: int) -> None:
        """Set the scene in this process's installation, and measure."""
        report, stage = Report(name, self.stdout), Stage()  # type: ignore[arg-type]
        if name in ("lists", "report"):
            {"lists": lists.lists, "report": lists.funnel}[name](report, stage, leads, seconds)
        elif name in ("drain", "import", "rescore"):
            many = {"drain": draining.drain, "import": importing.bring_in, "rescore": rescoring.rescore}
            many[name](report, stage, leads)
        else:
            {"capture": doors.capture, "api": doors.api}[name](report, stage, seconds)
