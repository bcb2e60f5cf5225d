"""One figure as a line of JSON, and where the time goes when it misses its aim."""

from __future__ import annotations

import cProfile
import json
import operator
import pstats
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings

ROWS = 15
COMPARE = {">=": operator.ge, "<=": operator.le}
ROOT = str(Path(__file__).resolve().parent.parent.parent)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of the values doesn't exceed, by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)] if ordered else 0.0


class Report:
    """Writes the figures of one bench, each on a line."""

    def __init__(self, bench: str, out: TextIO) -> None:
        self.bench, self.out = bench, out

    def figure(
        self,
        what: str,
        value: float,
        unit: str,
        *,
        ms: Sequence[float] = (),
        limit: float | None = None,
        limit_what: str = "",
        aim: tuple[str, str, float] | None = None,
        refused: dict[str, int] | None = None,
    ) -> bool:
        """Write a figure with the limit of this run; say whether it meets its aim (of `value` or of `ratio`)."""
        row: dict[str, Any] = {
            "bench": self.bench,
            "database": "sqlite" if settings.SQLITE else "postgresql",
            "broker": "redis" if settings.REDIS_URL else "embedded",
            "what": what,
            "value": round(value, 3),
            "unit": unit,
            "p95_ms": round(percentile(ms, 0.95), 1) if ms else None,
            "p99_ms": round(percentile(ms, 0.99), 1) if ms else None,
            "limit": round(limit, 1) if limit else None,
            "limit_what": limit_what or None,
            "ratio": round(value / limit, 3) if limit else None,
            "aim": None,
            "met": None,
        }
        if aim:
            name, sign, line = aim
            row["aim"] = f"{name} {sign} {line:g}"
            row["met"] = bool(COMPARE[sign](row[name], line))
        if refused:
            row["refused"] = refused
        self._write(row)
        return row["met"] is not False

    def profile(self, what: str, work: Callable[[], Any]) -> None:
        """Do the work once more under a profiler and write which functions its time is spent in."""
        profiler = cProfile.Profile()
        profiler.runcall(work)
        # pstats types its table as private.
        table: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
        whole = sum(row[2] for row in table.values()) or 1.0
        top = sorted(table.items(), key=lambda row: -row[1][2])[:ROWS]
        shares = [[_name(*key), round(row[2] / whole, 3)] for key, row in top]
        self._write({"bench": self.bench, "what": what, "profile": shares})

    def _write(self, row: dict[str, Any]) -> None:
        self.out.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.out.flush()


def _name(path: str, line: int, function: str) -> str:
    if path == "~":
        return function
    short = path.rpartition("/site-packages/")[2] or path
    return f"{short.removeprefix(ROOT).lstrip('/')}:{line} {function}"


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)
