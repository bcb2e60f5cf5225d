"""Tables as other programs export them, and the command that brings them in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from funnel.workspaces.models import Workspace

# The shape of a real export: a placeholder for blanks, one name in two spellings, an empty last column, no e-mail.
HEADER = ["Prospect ID", "Lead Number", "Lead Origin", "Lead Source", "Converted", "TotalVisits", "City", "Notes", ""]
MAP = {
    "Prospect ID": "external_id",
    "Lead Origin": "fields.origin",
    "Lead Source": "source.channel",
    "Converted": "stage",
    "TotalVisits": "fields.visits",
    "City": "fields.city",
    "Notes": "fields.notes",
    "$blank": ["Select"],
    "$values": {"Converted": {"1": "customer", "0": "nurturing"}, "Lead Source": {"google": "Google"}},
}


def rows_of(count: int) -> list[list[str]]:
    """So many people, every fifth a customer."""
    return [
        [
            f"7927b2df-8bba-4d29-b9a2-{number:012}",
            str(660000 + number),
            "API" if number % 2 else "Landing Page Submission",
            ("Google", "google", "Direct Traffic", "Olark Chat")[number % 4],
            "1" if number % 5 == 0 else "0",
            str(number % 7),
            "Select" if number % 3 else "Mumbai",
            "",
            "",
        ]
        for number in range(count)
    ]


def text_of(header: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    """The rows as CSV."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    return out.getvalue()


@pytest.fixture
def bring_in(workspace: Workspace, tmp_path: Path, settings: Any) -> Callable[..., dict[str, Any]]:
    """Run the command over a table, given as rows, text or bytes; give what it prints."""
    settings.DATA = tmp_path

    def run(
        rows: Any, *words: str, mapping: Any = MAP, header: Sequence[str] = HEADER, slug: str = ""
    ) -> dict[str, Any]:
        file, plan, out = tmp_path / "Leads.csv", tmp_path / "map.json", io.StringIO()
        if isinstance(rows, list):
            rows = text_of(header, rows)
        file.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
        plan.write_text(mapping if isinstance(mapping, str) else json.dumps(mapping))
        call_command(
            "import_leads", str(file), "--workspace", slug or workspace.slug, "--map", str(plan), *words, stdout=out
        )
        told: dict[str, Any] = json.loads(out.getvalue())
        return told

    return run
