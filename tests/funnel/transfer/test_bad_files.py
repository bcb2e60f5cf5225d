"""Files as they shouldn't be: each is refused with a sentence, or read as far as it can be; nothing breaks."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from funnel.leads.models import Lead
from funnel.transfer import spool
from funnel.transfer.models import State
from funnel.workspaces.models import Member

from .conftest import text_of

pytestmark = pytest.mark.django_db(transaction=True)

TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINKS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="{office}/{kind}" Target="{target}"/></Relationships>'
)
BOOK = (
    '<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    f' xmlns:r="{OFFICE}"><sheets><sheet name="All" sheetId="1" r:id="r1"/></sheets></workbook>'
)
SHEET = (
    '<?xml version="1.0"?>{doctype}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "{before}<sheetData>{rows}</sheetData></worksheet>"
)


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def rows_of(*rows: list[str]) -> str:
    return "".join(
        f'<row r="{number}">{"".join(cell(f"{chr(65 + place)}{number}", text) for place, text in enumerate(row))}</row>'
        for number, row in enumerate(rows, start=1)
    )


GOOD = rows_of(["Id", "E-mail"], ["00123", "a@oak.example"])


def book(
    rows: str = GOOD, *, doctype: str = "", before: str = "", parts: dict[str, bytes | str] | None = None
) -> bytes:
    """A workbook as small as can be."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", TYPES)
        packed.writestr("_rels/.rels", LINKS.format(office=OFFICE, kind="officeDocument", target="xl/workbook.xml"))
        packed.writestr("xl/workbook.xml", BOOK)
        links = LINKS.format(office=OFFICE, kind="worksheet", target="worksheets/sheet1.xml")
        packed.writestr("xl/_rels/workbook.xml.rels", links)
        packed.writestr("xl/worksheets/sheet1.xml", SHEET.format(doctype=doctype, before=before, rows=rows))
        for name, content in (parts or {}).items():
            packed.writestr(name, content)
    return out.getvalue()


def encrypted(content: bytes) -> bytes:
    """The same archive with the mark of a password on each part."""
    raw = bytearray(content)
    for sign, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = raw.find(sign)
        while place >= 0:
            raw[place + flags] |= 1
            place = raw.find(sign, place + 4)
    return bytes(raw)


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MANY = "".join(f"c{number}," for number in range(500))
ARCHIVE = io.BytesIO()
with zipfile.ZipFile(ARCHIVE, "w") as _packed:
    _packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    _packed.writestr("content.xml", "<x/>")

AT_ONCE = {
    "nothing": ("a.csv", b"", 400, "empty"),
    "blank lines": ("a.csv", b"\n\n , \n", 400, "empty"),
    "names twice": ("a.csv", b"E-mail,Name,E-mail,Name\na,b,c,d\n", 400, "twice: E-mail, Name"),
    "500 columns": ("a.csv", MANY.encode() + b"\n" + MANY.encode(), 400, "500 columns"),
    "a quote left open": ("a.csv", b'Id,E-mail\n1,a@b.example\n2,"b\n3,c@b.example\n', 400, "opens in line 3"),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", 400, "characters that no table has"),
    "a PDF": ("a.xlsx", b"%PDF-1.7\n1 0 obj", 415, "PDF"),
    "a web page": ("a.xlsx", b"<html><table><tr><td>Id</td></tr></table></html>", 415, "web page"),
    "a web page as CSV": ("a.csv", b"\xef\xbb\xbf <!DOCTYPE html><html></html>", 415, "web page"),
    "text as XLSX": ("a.xlsx", b"Id,E-mail\n1,a@oak.example\n", 415, "no workbook"),
    "a password": ("a.xlsx", encrypted(book()), 400, "password"),
    "a password, old": ("a.xlsx", OLE + b"\x00" * 600 + "EncryptedPackage".encode("utf-16-le"), 400, "password"),
    "an old Excel": ("a.xls", OLE + b"\x00" * 600, 400, "old Excel"),
    "macros": ("a.xlsx", book(parts={"xl/vbaProject.bin": b"x"}), 400, "macros"),
    "macros by name": ("a.xlsm", book(), 400, "macros"),
    "OpenDocument": ("a.xlsx", ARCHIVE.getvalue(), 400, "OpenDocument"),
    "a letter": ("a.xlsx", book(parts={})[:60] + b"", 400, "damaged"),
    "swollen": ("a.xlsx", book(before=f"<!--{' ' * 30_000_000}-->"), 400, "far too big"),
    "many parts": ("a.xlsx", book(parts={f"x{n}": "" for n in range(2_100)}), 400, "more parts"),
}  # fmt: skip


def test_what_the_beginning_shows_is_refused_at_once(desk: Any) -> None:
    one, wrong = desk(), []
    for case, (name, content, status, says) in AT_ONCE.items():
        answer = one.upload(content, name, read=False)
        if (answer.status_code, one.pk) != (status, None) or says not in answer.content.decode():
            wrong.append((case, answer.status_code))
    assert wrong == []
    assert not [path for path in one.files.rglob("*") if path.is_file()]


FAR = rows_of(["Id", "E-mail"], ["1", "a@oak.example"]) + f'<row r="1048576">{cell("XFD1048576", "x")}</row>'
ENTITIES = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
DEEP = b"Id,E-mail\n" + b"1,x@oak.example\n" * 40
LATER = {
    "no rows": ("a.csv", b"Id,E-mail\n", "no row under them"),
    "an unnamed column": ("a.csv", b"Id,,E-mail\n1,,a@oak.example\n2,x,b@oak.example\n", "Column 2 has no name"),
    "a quote left open": ("a.csv", DEEP + b'2,"b@oak.example\n3,c@oak.example\n', "opens in line 42"),
    "a quote left open for long": ("a.csv", DEEP + b'2,"' + b"x@oak.example\n1," * 80_000, "longer than 1 MB"),
    "entities": ("a.xlsx", book(rows_of(["Id", "E-mail"], ["&f;", "&b;"]), doctype=ENTITIES), "damaged"),
    "a cell far away": ("a.xlsx", book(FAR), "more memory or time"),
    "a sheet cut off": ("a.xlsx", book("<row r='1'><c r='A1' t='inlineStr'><is><t>Id"), "damaged"),
    "an empty sheet": ("a.xlsx", book(""), "empty"),
}  # fmt: skip


def test_what_only_its_rows_show_is_said_on_its_page(desk: Any) -> None:
    wrong = []
    for case, (name, content, says) in LATER.items():
        one = desk()
        assert one.upload(content, name).status_code == 302, case
        if one.one.state != State.UNREADABLE or says not in one.page or "passwd" in one.page:
            wrong.append((case, one.one.state, one.one.says))
    assert wrong == []


def brought(one: Any, content: bytes, name: str = "a.csv", **said: str) -> Any:
    one.upload(content, name)
    one.choose(**said)
    one.bring_in()
    return one.one


def test_a_workbook_comes_in_as_it_is_seen(desk: Any, gate: Any, owner: Member) -> None:
    numbers = '<c r="C2"><v>1234567890123456</v></c><c r="D2"><v>100000</v></c><c r="E2"><v>0.1</v></c>'
    head = rows_of(["Id", "E-mail", "Card", "Sum", "Rate"]).removesuffix("</row>")
    rows = f'{head}</row><row r="2">{cell("A2", "00123")}{cell("B2", "=a@oak.example")}{numbers}</row>'
    slip = {"../../evil.txt": "x", "xl/../../../evil.txt": "x"}
    one = desk()
    content = book(rows.replace("=a@", "a@"), before='<dimension ref="A1:XFD1048576"/>', parts=slip)
    brought(one, content, "a.xlsx", to_2="new", to_3="new", to_4="new")
    assert "sheet “All”" in one.page
    with gate(owner):
        lead = Lead.objects.get()
        assert (lead.external_id, lead.email) == ("00123", "a@oak.example")
        assert lead.fields == {"card": "1234567890123456", "sum": "100000", "rate": "0.1"}
    assert not list(one.files.parent.rglob("evil.txt"))


def test_text_that_looks_like_a_number_stays_text(desk: Any, gate: Any, owner: Member) -> None:
    content = text_of(["Id", "Card", "Sum"], [["00123", "1234567890123456", "1e5"]]).encode()
    brought(desk(), content, to_1="new", to_2="new")
    with gate(owner):
        lead = Lead.objects.get(external_id="00123")
        assert lead.fields == {"card": "1234567890123456", "sum": "1e5"}


def test_a_file_in_another_encoding_says_so_and_can_be_read_another_way(desk: Any) -> None:
    one = desk()
    one.upload("Name,E-mail\nŁukasz Żak,l@oak.example\n".encode("cp1250"))
    assert "Western European" in one.page
    one.post("import-read", encoding="cp1250", delimiter=",", head="1")
    one.work()
    assert "Łukasz Żak" in one.page
    assert "Central European" in one.page


def test_bytes_that_are_no_letters_refuse_their_row_by_its_line(desk: Any, gate: Any, owner: Member) -> None:
    content = "Name,E-mail\nZoë,a@oak.example\nJosé,b@oak.example\n".encode() + b"B\xffd,c@oak.example\n"
    one = desk()
    told = brought(one, content)
    assert (told.counts["new"], told.counts["refused"]) == (2, 1)
    with gate(owner):
        (row,) = told.refused.all()
        assert (row.line, row.cells[0]) == (4, "B\N{REPLACEMENT CHARACTER}d")
        assert "Name" in row.errors
    assert one.client.get(f"/leads/import/{one.pk}/refused.csv").status_code == 200


def test_lines_may_end_in_any_way(desk: Any, gate: Any, owner: Member) -> None:
    told = brought(desk(), b'Name,E-mail\r"A\r""B""",a@oak.example\rC,c@oak.example\r')
    assert told.counts["new"] == 2
    with gate(owner):
        assert Lead.objects.get(email="a@oak.example").name == 'A "B"'


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_that_was_found_is_shown(desk: Any, delimiter: str) -> None:
    one = desk()
    one.upload(text_of(["Full name", "E-mail"], [["Oak, Ann", "a@oak.example"]], delimiter))
    words = {";": "semicolons", "\t": "tabs", "|": "bars"}
    assert f"read with {words[delimiter]}" in one.page


def test_a_title_above_the_names_is_passed_over(desk: Any) -> None:
    one = desk()
    one.upload("Our customers\n\nFull name,E-mail,Phone\nAnn,a@oak.example,020 7946 0000\nBen,b@oak.example,\n")
    assert (one.one.header, one.one.rows) == (["Full name", "E-mail", "Phone"], 2)


def test_a_file_bigger_than_may_come_is_not_kept(desk: Any, settings: Any, rep: Member) -> None:
    settings.UPLOAD_LIMIT = 1000
    one = desk()
    assert one.upload(b"E-mail\n" + b"a@oak.example\n" * 200).status_code == 413
    assert not [path for path in one.files.rglob("*") if path.is_file()]


def test_a_full_disk_is_said_and_leaves_no_half_file(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    one = desk()
    with monkeypatch.context() as away:
        away.setattr(os, "replace", full)
        assert one.upload(b"E-mail\na@oak.example\n").status_code == 507
    assert not [path for path in one.files.rglob("*") if path.is_file()]


def test_a_reader_that_dies_is_tried_again(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one = desk()
    with monkeypatch.context() as broken:
        broken.setattr(spool.sys, "executable", "/bin/false")
        one.upload(b"E-mail\na@oak.example\n")
    assert one.one.state == State.READING
    from datetime import timedelta

    from django.utils import timezone

    one.work(timezone.now() + timedelta(minutes=1))
    assert one.one.state == State.COLUMNS
