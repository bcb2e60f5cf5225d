"""The file of the rows that stayed out: their own columns, and why; made to be put right and brought again."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import IO

from funnel.transfer.mapping import formula_safe
from funnel.transfer.reading import storable

ADDED = ["line", "reason"]


def write_refused(out: IO[str], header: list[str], refused: Iterable[tuple[int, list[str], dict[str, str]]]) -> None:
    """Write the rows as CSV; nothing in them runs in a spreadsheet."""
    # A file that came from here and was put right carries these two already.
    own = header[: -len(ADDED)] if header[-len(ADDED) :] == ADDED else header
    writer = csv.writer(out)
    writer.writerow([formula_safe(name) for name in [*own, *ADDED]])
    for line, cells, errors in refused:
        padded = [*cells, *[""] * (len(own) - len(cells))][: max(len(own), len(cells) - (len(header) - len(own)))]
        reason = " ".join(f"{column}: {says}" for column, says in errors.items())
        writer.writerow([formula_safe(storable(cell)) for cell in [*padded, str(line), reason]])
