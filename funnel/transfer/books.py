"""Tell what an uploaded file is before anything reads it, and read a workbook's sheet.

Only a process of its own, with bounded memory, may call `sheet_rows` (see spool.py): a sheet with one cell far away
makes the reader ask for more memory than any machine has, and ends its process.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from funnel.workspaces.refusals import Refusal

TEXT, BOOK = "text", "book"
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
# A workbook has some dozens of parts; a sheet shrinks to a tenth, one that says little to a fiftieth.
MOST_PARTS, MOST_BYTES, RATIO, SMALL = 2_000, 400 * 1024 * 1024, 200, 10 * 1024 * 1024
END, END_SIZE = b"PK\x05\x06", 22
SAVE = "Save it as .xlsx or .csv and bring that."


class Unreadable(Refusal):
    """A file that is no table, with the sentence that says why."""

    status = 400


class OtherKind(Unreadable):
    """A file of another kind than a table."""

    status = 415


def kind_of(path: Path, name: str) -> str:
    """TEXT or BOOK, by what stands in the file, not by its name; raise Unreadable for all that is neither."""
    with path.open("rb") as raw:
        start = raw.read(8192)
    if start.startswith((b"PK\x03\x04", END)):
        _guard(path, name)
        return BOOK
    if start.startswith(OLD_OFFICE):
        if ENCRYPTED in path.read_bytes()[: 4 * 1024 * 1024]:
            raise Unreadable("This workbook is locked by a password. Take the password away and bring it again.")
        raise Unreadable(f"This is a file of an old Excel. {SAVE}")
    plain = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"%pdf-" in plain[:1024]:
        raise OtherKind(f"This is a PDF, not a table. {SAVE}")
    if plain.startswith((b"<!doctype", b"<html", b"<table", b"<?xml", b"<head", b"<meta", b"<style", b"<div")):
        raise OtherKind(f"This is a web page or XML, whatever its name says. Open it in Excel. {SAVE}")
    if name.lower().endswith((".xlsx", ".xlsm", ".xlsb", ".ods", ".numbers")):
        raise OtherKind(f"This is no workbook, though its name says so. {SAVE}")
    return TEXT


def _guard(path: Path, name: str) -> None:
    """Refuse a workbook that is none, or would swell to more than can be read; nothing of it is unpacked here."""
    try:
        _count_parts(path)
        with ZipFile(path) as packed:
            parts = packed.infolist()
            kind = packed.read("mimetype")[:80] if _small(packed, "mimetype") else b""
    except (BadZipFile, NotImplementedError, ValueError, RuntimeError, EOFError, OSError, struct.error):
        raise Unreadable("This file is damaged, so it can’t be read as a workbook.") from None
    names = {part.filename for part in parts}
    if kind.startswith(b"application/vnd.oasis.opendocument"):
        raise Unreadable(f"This is an OpenDocument file (.ods). {SAVE}")
    if any(part.flag_bits & 1 for part in parts):
        raise Unreadable("This file is locked by a password. Take the password away and bring it again.")
    if "xl/vbaProject.bin" in names or name.lower().endswith(".xlsm"):
        raise Unreadable(f"This workbook holds macros (.xlsm), which are not read. {SAVE}")
    if "xl/workbook.bin" in names:
        raise Unreadable(f"This is a binary workbook (.xlsb). {SAVE}")
    if "xl/workbook.xml" not in names:
        raise OtherKind(f"This is an archive or another kind of document, not a workbook. {SAVE}")
    swollen = any(part.file_size > SMALL and part.file_size > RATIO * part.compress_size for part in parts)
    if swollen or sum(part.file_size for part in parts) > MOST_BYTES:
        raise Unreadable("Unpacked, this workbook would be far too big. Save the sheet as .csv and bring that.")


def _count_parts(path: Path) -> None:
    """Read how many parts it says it has before its list of parts is read, which could be endless."""
    with path.open("rb") as raw:
        raw.seek(0, 2)
        raw.seek(max(0, raw.tell() - END_SIZE - 65_535))
        tail = raw.read()
    place = tail.rfind(END)
    if place < 0:
        raise BadZipFile
    parts, size = struct.unpack("<HI", tail[place + 10 : place + 16])
    if parts > MOST_PARTS or size > MOST_PARTS * 512:
        raise Unreadable("This file has more parts than a workbook has.")


def _small(packed: ZipFile, name: str) -> bool:
    return name in packed.namelist() and packed.getinfo(name).file_size < 1000


def sheet_rows(path: Path, sheet: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names of a workbook's visible sheets, and the rows of one of them (the first, unless named) as text."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = [
            one.name
            for one in book.sheets_metadata
            if one.typ == SheetTypeEnum.WorkSheet and one.visible == SheetVisibleEnum.Visible
        ]
        if not sheets:
            raise Unreadable("This workbook has no sheet with a table.")
        if sheet and sheet not in sheets:
            raise Unreadable(f"There is no sheet “{sheet}” in this workbook.")
        found = book.get_sheet_by_name(sheet or sheets[0])
    except CalamineError:
        raise Unreadable("This workbook is damaged, or holds what no spreadsheet program writes.") from None
    return sheets, _sheet(found)


def _sheet(found: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows as text, numbered as a person sees them."""
    for line, cells in enumerate(found.iter_rows(), start=1):
        yield line, [cell if type(cell) is str else _text(cell) for cell in cells]


def _text(cell: Any) -> str:
    """A cell as somebody would type it: a whole number without its point, a date as ISO."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e16 else format(Decimal(repr(cell)), "f")
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return "" if cell is None else str(cell)
