"""Tables as other programs export them, and the command that brings them in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from funnel.transfer.models import Import
from funnel.workspaces.models import Member, Workspace

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


class Desk:
    """Somebody at the page: uploads, chooses, begins; the worker does its part when told."""

    def __init__(self, client: Any, gate: Any, member: Member, work: Any) -> None:
        self.client, self.gate, self.member, self.work = client, gate, member, work
        self.files = Path(settings.MEDIA_ROOT)
        self.pk: Any = None

    def upload(self, content: str | bytes, name: str = "list.csv", *, read: bool = True) -> Any:
        raw = content if isinstance(content, bytes) else content.encode()
        answer = self.client.post(reverse("imports"), {"file": SimpleUploadedFile(name, raw)})
        if answer.status_code == 302:
            self.pk = answer.headers["Location"].rstrip("/").rpartition("/")[2]
            if read:
                self.work()
        return answer

    @property
    def one(self) -> Import:
        with self.gate(self.member):
            found: Import = Import.objects.get(pk=self.pk)
        return found

    @property
    def page(self) -> str:
        return str(self.client.get(reverse("import", args=[self.pk])).content.decode())

    def form(self) -> dict[str, str]:
        """What the form of the columns holds as it stands there."""
        form = self.client.get(reverse("import", args=[self.pk])).context["form"]
        found = {f"to-{line.place}": line.target for line in form.lines}
        for line in form.lines:
            found[f"shown-{line.place}"] = line.target if line.values else ""
            found[f"d-{line.place}"] = line.order
            found |= {one.name: one.means for one in line.values}
        return found | {"blank": form.blank, "about": form.about, "system": form.system}

    def choose(self, **said: str) -> Any:
        answer = self.post("import-columns", **self.form() | {name.replace("_", "-"): to for name, to in said.items()})
        self.work()
        return answer

    def post(self, name: str, **said: str) -> Any:
        return self.client.post(reverse(name, args=[self.pk]), said)

    def bring_in(self, **said: str) -> None:
        self.post("import-begin", **said)
        self.work()


@pytest.fixture
def desk(browse: Any, gate: Any, owner: Member, work: Any, tmp_path: Path, settings: Any) -> Callable[..., Desk]:
    settings.DATA, settings.MEDIA_ROOT = tmp_path, tmp_path / "files"
    return lambda member=owner: Desk(browse(member), gate, member, work)
