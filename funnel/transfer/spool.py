"""Turn an uploaded file into plain rows once, in a process of its own, and learn what stands in its columns.

Everything after works on the spool: one JSON line [line number, cells] per row. It can be read on from any place, so
that an import goes on where it was, and the reading of a hostile file can end nobody but its own process.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from funnel.transfer.books import Unreadable
from funnel.transfer.reading import FAULTY, Reading, Table, storable

ROOT = Path(__file__).resolve().parents[2]
MEMORY, SECONDS, PATIENCE = 700 * 1024 * 1024, 90, 100
# Beyond so many different values a column is no list to choose from.
MOST_VALUES, LONGEST_VALUE, EXAMPLE = 60, 80, 60
DATE = re.compile(r"(\d{1,4})[./ -](\d{1,2})[./ -](\d{1,4})(?!\d)")
TOO_BIG = "This file needs more memory or time than Baton gives to one. Save it as .csv, or in several parts."

Line = tuple[int, list[str]]


@dataclass
class Spooled:
    """What reading a file told: how it was read, its header, its columns, how many rows it has."""

    how: Reading
    sheets: list[str]
    header: list[str]
    columns: list[dict[str, Any]]
    rows: int


def spool(path: Path, target: Path, how: Reading, *, name: str = "") -> Spooled:
    """Read a file in a process of its own and write its rows to `target`; raise Unreadable with the reason."""
    words = [str(path), str(target), json.dumps(vars(how)), name or path.name]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "funnel.transfer.spool", *words],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unreadable(TOO_BIG) from None
    try:
        told = json.loads(done.stdout)
    except ValueError:
        if "No space left" in done.stderr:
            raise OSError(28, "No space left on device") from None
        if done.returncode >= 0 and "MemoryError" not in done.stderr:
            raise RuntimeError(f"spool ended with {done.returncode}: {done.stderr[-2000:]}") from None
        raise Unreadable(TOO_BIG) from None
    if "unreadable" in told:
        refusal = Unreadable(told["unreadable"])
        refusal.status = told["status"]
        raise refusal
    return Spooled(**told | {"how": Reading(**told["how"])})


def rows_of(target: Path, place: int = 0) -> Iterator[tuple[int, Line]]:
    """The rows of a spool from a place on, each with the place behind it."""
    with target.open("rb") as lines:
        lines.seek(place)
        for raw in lines:
            place += len(raw)
            line, cells = json.loads(raw)
            yield place, (line, cells)


# ── inside the process of its own ────────────────────────────────────────────


@dataclass
class Column:
    """What stands in one column: an example, how many cells are filled, its values if they are few, its dates."""

    name: str
    eg: str = ""
    filled: int = 0
    values: dict[str, list[Any]] | None = field(default_factory=dict)
    dates: Counter[str] = field(default_factory=Counter)

    def see(self, text: str) -> None:
        """Take in one cell that isn't blank."""
        if not self.filled:
            self.eg = storable(text[:EXAMPLE])
        self.filled += 1
        if self.values is not None:
            key = text.casefold()
            if key in self.values:
                self.values[key][1] += 1
            elif len(self.values) < MOST_VALUES and len(text) <= LONGEST_VALUE and not FAULTY.search(text):
                self.values[key] = [text, 1]
            else:
                self.values = None
        # Text that begins with no date will hardly become a column of dates.
        if self.dates["none"] < 20:
            self.dates[order_of(text)] += 1

    def told(self) -> dict[str, Any]:
        """As it is kept."""
        dates = {} if self.dates["none"] * 5 > self.filled else {k: n for k, n in self.dates.items() if n}
        values = sorted(self.values.values(), key=lambda one: -one[1]) if self.values else None
        return {"name": self.name, "eg": self.eg, "filled": self.filled, "values": values, "dates": dates}


def order_of(text: str) -> str:
    """Which part of a date stands first: year, day, month, or either of the latter two; "none" where it is no date."""
    found = DATE.match(text)
    if found is None:
        return "none"
    first, second = int(found[1]), int(found[2])
    if len(found[1]) == 4:
        return "year"
    if len(found[1]) > 2 or len(found[3]) == 3 or max(first, second) > 31 or min(first, second) > 12:
        return "none"
    return "day" if first > 12 else "month" if second > 12 else "either"


def write(path: Path, target: Path, how: Reading, name: str) -> Spooled:
    """Read a file in this process."""
    table = Table(path, how, name=name)
    columns = [Column(name) for name in table.header]
    count, dumps = 0, json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
    part = target.with_name(target.name + ".part")
    with part.open("w", encoding="ascii") as out:
        for line, cells in table.rows():
            count += 1
            for column, cell in zip(columns, cells, strict=False):
                if text := cell.strip():
                    column.see(text)
            out.write(dumps([line, cells]) + "\n")
    part.replace(target)
    return Spooled(table.how, table.sheets, table.header, [column.told() for column in columns], count)


def main(path: str, target: str, how: str, name: str) -> None:
    """Read the file that the words name, within bounds, and print what it told."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        found = write(Path(path), Path(target), Reading(**json.loads(how)), name)
    except Unreadable as refusal:
        told: dict[str, Any] = {"unreadable": refusal.sentence, "status": refusal.status}
    else:
        told = {**vars(found), "how": vars(found.how)}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
