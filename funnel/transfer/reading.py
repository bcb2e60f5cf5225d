"""Read a table somebody exported elsewhere: its encoding, its delimiter, its rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from funnel.workspaces.refusals import Refusal

BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
CELL = 1024 * 1024


class Unreadable(Refusal):
    """A file that is no table, with the sentence that says why."""

    status = 400


class Table:
    """A CSV or TSV file: `header` and its rows, each with the line on which it ends."""

    def __init__(self, path: Path) -> None:
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise Unreadable(f"{path} can’t be read: {error.strerror}.") from None
        text = decode(raw)
        if "\x00" in text:
            raise Unreadable("This file holds characters that no table has; is it really a CSV file?")
        csv.field_size_limit(CELL)
        self._reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter(text), strict=False)
        try:
            self.header = [name.strip() for name in next(self._reader)]
        except StopIteration:
            raise Unreadable("This file is empty.") from None
        named = [name for name in self.header if name]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise Unreadable(f"These columns stand there twice: {', '.join(twice)}.")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row that isn't blank, with its line number."""
        try:
            for row in self._reader:
                if any(cell.strip() for cell in row):
                    yield self._reader.line_num, row
        except csv.Error as error:
            raise Unreadable(f"Line {self._reader.line_num} can’t be read: {error}.") from None


def decode(raw: bytes) -> str:
    """The text of a file: by its byte order mark, as UTF-8, else as Windows-1252."""
    for bom, name in BOMS:
        if raw.startswith(bom):
            return raw.decode(name, errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def delimiter(text: str) -> str:
    """The sign that stands most often in the header line: comma, semicolon, tab or bar."""
    first = text.split("\n", 1)[0]
    return max(",;\t|", key=first.count)
