"""Tables as they come: encodings, delimiters, quotes, ragged rows; and maps that don't fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from funnel.leads.models import FieldDefinition, Lead
from funnel.workspaces.models import Member

from .conftest import rows_of, text_of

pytestmark = pytest.mark.django_db
Bring = Callable[..., dict[str, Any]]
SMALL = ["Id", "Name", "City"]
PLAN = {"Id": "external_id", "Name": "name", "City": "fields.city"}
PEOPLE = [["a", "Zoë Müller", "Köln"], ["b", "José Nuñez", "Málaga"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_letters_survive_their_encoding(bring_in: Bring, gate: Any, owner: Member, encoding: str) -> None:
    text = text_of(SMALL, PEOPLE)
    marked = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    assert bring_in(marked + text.encode(encoding), mapping=PLAN)["new"] == 2
    with gate(owner):
        assert {one.name: one.fields["city"] for one in Lead.objects.all()} == {
            "Zoë Müller": "Köln",
            "José Nuñez": "Málaga",
        }


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found(bring_in: Bring, gate: Any, owner: Member, delimiter: str) -> None:
    assert bring_in(text_of(SMALL, PEOPLE, delimiter), mapping=PLAN)["new"] == 2
    with gate(owner):
        assert set(Lead.objects.values_list("name", flat=True)) == {"Zoë Müller", "José Nuñez"}


def test_a_quoted_cell_may_hold_lines_and_delimiters(bring_in: Bring, gate: Any, owner: Member) -> None:
    text = 'Id,Name,City\r\na,"Oak, Ann","Old\nTown"\r\nb,"Ben ""B"" Elm",New\r\n'
    assert bring_in(text, mapping=PLAN)["new"] == 2
    with gate(owner):
        found = {one.external_id: (one.name, one.fields["city"]) for one in Lead.objects.all()}
    assert found == {"a": ("Oak, Ann", "Old\nTown"), "b": ('Ben "B" Elm', "New")}


def test_blank_lines_are_no_rows(bring_in: Bring) -> None:
    assert bring_in("Id,Name,City\n\na,Ann,Rome\n,,\n\nb,Ben,Rome\n\n", mapping=PLAN)["rows"] == 2


def test_ragged_rows_are_refused_with_their_line(bring_in: Bring) -> None:
    text = "Id,Name,City\na,Ann,Rome\nb,Ben\nc\nd,Dan,Rome,extra\ne,Eve,Rome,,\n"
    told = bring_in(text, mapping=PLAN)
    # A last cell that is left out and blank ones behind the last lose nothing.
    assert (told["new"], told["refused"]) == (3, 2)
    reasons = Path(told["refused_file"]).read_text("utf-8-sig")
    assert "1 cell, the header 3" in reasons
    assert "4 cells, the header 3" in reasons


def test_a_header_alone_brings_nobody(bring_in: Bring) -> None:
    assert bring_in("Id,Name,City\n", mapping=PLAN)["rows"] == 0


def test_a_cell_that_looks_like_a_formula_stays_text(bring_in: Bring, gate: Any, owner: Member) -> None:
    assert bring_in([["a", "=1+1", "@SUM(A1)"]], header=SMALL, mapping=PLAN)["new"] == 1
    with gate(owner):
        assert Lead.objects.get().name == "=1+1"


@pytest.mark.parametrize(
    ("content", "mapping", "says"),
    [
        ("", PLAN, "empty"),
        ("Id,Name,Name,City\n", PLAN, "twice: Name"),
        ("Id,Name\na,b\n", PLAN, "no column “City”"),
        (b"Id,Name,City\na,\x00,c\n", PLAN, "CSV"),
        (text_of(SMALL, PEOPLE), {**PLAN, "City": "town"}, "which is no target"),
        (text_of(SMALL, PEOPLE), {**PLAN, "City": "fields."}, "which is no target"),
        (text_of(SMALL, PEOPLE), {**PLAN, "City": "name"}, "Two columns go to “name”"),
        (text_of(SMALL, PEOPLE), {**PLAN, "$values": {"Town": {"a": "b"}}}, "Town"),
        (text_of(SMALL, PEOPLE), {**PLAN, "$blank": "Select"}, "$blank"),
        (text_of(SMALL, PEOPLE), {**PLAN, "$values": {"City": ["a"]}}, "$values"),
        (text_of(SMALL, PEOPLE), {**PLAN, "City": ["fields.city"]}, "which is no target"),
        (text_of(SMALL, PEOPLE), ["Id"], "object of columns"),
        (text_of(SMALL, PEOPLE), "{not json", "can’t be read"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_brought_in(
    bring_in: Bring, gate: Any, owner: Member, content: Any, mapping: Any, says: str
) -> None:
    with pytest.raises(CommandError, match=says.replace("$", r"\$")):
        bring_in(content, mapping=mapping)
    with gate(owner):
        assert not Lead.objects.exists()
        assert not FieldDefinition.objects.exists()


def test_an_unknown_business_is_said(bring_in: Bring, owner: Member) -> None:
    with pytest.raises(CommandError, match="no business “elsewhere”"):
        bring_in(rows_of(1), slug="elsewhere")
