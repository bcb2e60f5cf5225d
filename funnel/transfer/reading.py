"""Read a table somebody exported elsewhere: what kind of file it is, its encoding, its delimiter, its rows."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import chain, islice
from pathlib import Path

from funnel.transfer import books
from funnel.transfer.books import Unreadable

BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# What a person may choose where the guess is wrong.
ENCODINGS = {
    "utf-8": "UTF-8",
    "cp1252": "Western European (Windows-1252)",
    "cp1250": "Central European (Windows-1250)",
    "cp1251": "Cyrillic (Windows-1251)",
    "utf-16": "UTF-16",
    "shift_jis": "Japanese (Shift-JIS)",
    "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)",
}
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
CELL = 1024 * 1024
MOST_COLUMNS = 200
SAMPLE = 64 * 1024
# A title or a date may stand above the names of the columns; nobody puts more than this there.
LOOKED_AT, BANNER, FILLED = 30, 10, 0.6
# A byte that can't be read stands for itself as half a letter; neither it nor a NUL can be stored.
FAULTY, FOREIGN = re.compile("[\x00\ud800-\udfff]"), re.compile("[^\x00-\x7f\ud800-\udfff]")


@dataclass
class Reading:
    """How a file is read; what is blank is found out. `head` is the row with the names of the columns, from 1."""

    delimiter: str = ""
    encoding: str = ""
    sheet: str = ""
    head: int = 0


class Table:
    """A CSV or TSV file or a workbook's sheet: `header` and its rows, each with the line on which it ends."""

    def __init__(self, path: Path, how: Reading | None = None, *, name: str = "") -> None:
        self.how = Reading(**vars(how)) if how else Reading()
        try:
            kind = books.kind_of(path, name or path.name)
            if kind == books.BOOK:
                self.sheets, rows = books.sheet_rows(path, self.how.sheet)
                self.how.sheet = self.how.sheet or self.sheets[0]
            else:
                self.sheets = []
                self.how.encoding = self.how.encoding or encoding_of(path)
                self.how.delimiter = self.how.delimiter or delimiter_of(_start(path, self.how.encoding))
                rows = _text_rows(path, self.how.encoding, self.how.delimiter)
        except OSError as error:
            raise Unreadable(f"{path} can’t be read: {error.strerror}.") from None
        filled = ((line, cells) for line, cells in rows if any(cell.strip() for cell in cells))
        ahead = list(islice(filled, LOOKED_AT))
        if not ahead:
            raise Unreadable("This file is empty.")
        if not self.how.head:
            self.how.head = _head(ahead)
        if self.how.head > len(ahead):
            raise Unreadable(f"There is no row {self.how.head} with the names of columns.")
        self.header = [name.strip() for name in ahead[self.how.head - 1][1]]
        self._rest = chain(ahead[self.how.head :], filled)
        self._judge_header()

    def _judge_header(self) -> None:
        named = [name for name in self.header if name]
        if len(self.header) > MOST_COLUMNS and len(named) > MOST_COLUMNS:
            raise Unreadable(f"This file has {len(named)} columns; {MOST_COLUMNS} are the most.")
        twice = sorted(name for name, times in Counter(named).items() if times > 1)
        if twice:
            raise Unreadable(f"These columns stand there twice: {', '.join(twice)}.")
        if any(FAULTY.search(name) for name in named):
            raise Unreadable("The names of the columns hold signs that can’t be read in this encoding.")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row that isn't blank, with its line number."""
        nameless = [place for place, name in enumerate(self.header) if not name]
        for line, cells in self._rest:
            for place in nameless:
                if place < len(cells) and cells[place].strip():
                    raise Unreadable(
                        f"Column {place + 1} has no name, but a value in line {line}. Give it a name in the first row."
                    )
            yield line, cells


def _head(rows: list[tuple[int, list[str]]]) -> int:
    """Which of the first rows names the columns: the first that is about as full as the fullest."""
    full = [sum(bool(cell.strip()) for cell in cells) for _, cells in rows]
    most = Counter(full).most_common(1)[0][0]
    return next((place for place, count in enumerate(full[:BANNER], start=1) if count >= most * FILLED), 1)


class _Lines:
    """Passes lines on and remembers those of the row that is being read."""

    def __init__(self, text: Iterator[str]) -> None:
        self.text, self.now = text, list[str]()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self.text)
        self.now.append(line)
        return line


def _text_rows(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(CELL)
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as text:
        lines = _Lines(text)
        reader, last = csv.reader(lines, delimiter=delimiter), list[str]()
        try:
            for cells in reader:
                last, lines.now = lines.now, []
                yield reader.line_num, cells
        except UnicodeError:
            raise Unreadable(
                f"Line {reader.line_num + 1} can’t be read as {ENCODINGS.get(encoding, encoding)}."
            ) from None
        except csv.Error as error:
            began = reader.line_num - len(lines.now) + 1
            if "limit" not in str(error):
                raise Unreadable(f"Line {reader.line_num} can’t be read: {error}.") from None
            raise Unreadable(
                f"The cell that begins in line {began} is longer than 1 MB; most likely a quote opens there and is"
                " never closed."
            ) from None
        try:
            list(csv.reader(last, delimiter=delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end" in str(error):
                began = reader.line_num - len(last) + 1
                raise Unreadable(
                    f"A quote opens in line {began} and is never closed, so the rows after it can’t be told apart."
                ) from None


def storable(text: str) -> str:
    """The text as the database takes it."""
    return text if text.isascii() and "\x00" not in text else FAULTY.sub("\N{REPLACEMENT CHARACTER}", text)


def encoding_of(path: Path, *, most: int = 0) -> str:
    """The encoding of a file: by its byte order mark, as UTF-8, else as Windows-1252; `most` bytes are looked at.

    A file that is UTF-8 but for a few bytes stays UTF-8, and the rows with these bytes are refused.
    """
    utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    bad = good = seen = 0
    with path.open("rb") as raw:
        while chunk := raw.read(CELL):
            if not seen:
                for bom, name in BOMS:
                    if chunk.startswith(bom):
                        return name
            if b"\x00" in chunk:
                return _wide(chunk[:2000])
            seen += len(chunk)
            text = utf8.decode(chunk)
            if not text.isascii():
                bad, good = bad + len(FAULTY.findall(text)), good + len(FOREIGN.findall(text))
            if most and seen >= most:
                break
    return "cp1252" if bad > good else "utf-8"


def _wide(start: bytes) -> str:
    """UTF-16 without its mark has a zero beside nearly every letter; a zero anywhere else is in no table."""
    half = len(start) // 2
    for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if half and zeros.count(0) > half * 0.6:
            return name
    raise Unreadable("This file holds characters that no table has; is it really a CSV file?")


def _start(path: Path, encoding: str) -> str:
    """The first lines of a file, none of them cut."""
    with path.open("rb") as raw:
        text = raw.read(SAMPLE).decode(encoding, errors="replace")
    return text.rpartition("\n")[0] + "\n" if len(text) * 4 > SAMPLE and "\n" in text else text


def delimiter_of(text: str) -> str:
    """The sign that cuts the first lines into the most cells, as many in each."""
    return max(DELIMITERS, key=lambda sign: _fit(text, sign))


def _fit(text: str, sign: str) -> float:
    csv.field_size_limit(CELL)
    rows = [row for row in islice(csv.reader(StringIO(text, newline=""), delimiter=sign), LOOKED_AT) if row]
    if not rows:
        return 0.0
    width, times = Counter(len(row) for row in rows).most_common(1)[0]
    return (width - 1) * times / len(rows)
