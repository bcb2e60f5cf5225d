"""What deals are worth together: in the business's own currency; other currencies stand apart and are never added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, QuerySet, Sum

from funnel.templatetags.words import money


@dataclass(slots=True)
class Worth:
    """How many deals, and what they come to per currency in minor units."""

    home: str
    many: int = 0
    without: int = 0
    sums: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, currency: str, many: int, known: int, worth: int | None) -> None:
        """Add a row that the database summed."""
        self.many += many
        self.without += many - known
        if known:
            self.sums[currency] += worth or 0

    @property
    def base(self) -> str:
        """The sum in the business's own currency; blank where there is none."""
        return money(self.sums[self.home], self.home) if self.home in self.sums else ""

    @property
    def apart(self) -> str:
        """The sums in other currencies, each for itself."""
        return " and ".join(money(minor, code) for code, minor in sorted(self.sums.items()) if code != self.home)

    @property
    def words(self) -> str:
        """Every sum, the business's own first."""
        return " and ".join(part for part in (self.base, self.apart) if part)


def grouped(rows: QuerySet[Any], *by: str, **also: Any) -> list[dict[str, Any]]:
    """Deals summed by the database: many, known (those with an amount) and worth per group and currency."""
    return list(
        rows.order_by()
        .values(*by, "currency")
        .annotate(many=Count("*"), known=Count("amount"), worth=Sum("amount"), **also)
    )


def together(rows: Iterable[Mapping[str, Any]], home: str, prefix: str = "") -> Worth:
    """The worth of grouped rows; `prefix` names another set of the three columns."""
    worth = Worth(home)
    for row in rows:
        worth.add(row["currency"], row[f"{prefix}many"], row[f"{prefix}known"], row[f"{prefix}worth"])
    return worth
