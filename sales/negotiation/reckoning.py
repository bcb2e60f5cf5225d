"""What a quote's lines come to, exactly: whole minor units, each line rounded half-even once, tax by rate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from funnel.ledger.money import MOST_DIGITS, digits, read_amount

# A quantity counts ten-thousandths, a percentage thousandths of a percent (New York City's tax is 8.875 %).
QUANTITY_DIGITS, PERCENT_DIGITS = 4, 3
QUANTITY, PERCENT = 10**QUANTITY_DIGITS, 10**PERCENT_DIGITS
WHOLE = 100 * PERCENT
MOST_QUANTITY = 10**9
# A decimal as people write it: no exponent, no other script's digits, no underscores.
PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,12})?")


class Line(Protocol):
    """What counts of a line: scaled integers, the unit price in minor units."""

    quantity: int
    unit_price: int
    discount: int
    tax_rate: int


@dataclass(frozen=True)
class Totals:
    """A quote's sums in minor units; `taxes` holds (rate, net at this rate, its tax) by rate."""

    before: int
    net: int
    taxes: tuple[tuple[int, int, int], ...]

    @property
    def discount(self) -> int:
        return self.before - self.net

    @property
    def tax(self) -> int:
        return sum(tax for _, _, tax in self.taxes)

    @property
    def total(self) -> int:
        return self.net + self.tax


def half_even(part: int, whole: int) -> int:
    """Divide integers and round to the nearest, a half to the even one; `whole` is positive."""
    down, rest = divmod(part, whole)
    return down + (2 * rest > whole or (2 * rest == whole and down % 2 == 1))


def before_discount(line: Line) -> int:
    """Quantity times price in minor units."""
    return half_even(line.quantity * line.unit_price, QUANTITY)


def net_of(line: Line) -> int:
    """What a line comes to without tax; rounded once, not once more for its discount."""
    return half_even(line.quantity * line.unit_price * (WHOLE - line.discount), QUANTITY * WHOLE)


def reckon(lines: Sequence[Line]) -> Totals:
    """Sum the rounded lines, and tax the sum of each rate."""
    by_rate: dict[int, int] = {}
    for line in lines:
        by_rate[line.tax_rate] = by_rate.get(line.tax_rate, 0) + net_of(line)
    taxes = tuple((rate, net, half_even(net * rate, WHOLE)) for rate, net in sorted(by_rate.items()))
    return Totals(sum(map(before_discount, lines)), sum(by_rate.values()), taxes)


# ── at the edge ──────────────────────────────────────────────────────────


def _plain(said: str | int | float) -> Decimal:
    """Read a decimal; raise ValueError with a sentence."""
    text = str(said).strip()
    if isinstance(said, bool) or not PLAIN.fullmatch(text):
        raise ValueError("Write a plain number like 1250.50.")
    return Decimal(text)


def _scaled(said: str | int | float, places: int) -> int:
    exact = _plain(said)
    scaled = exact.scaleb(places)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"Write at most {places} digits after the point.")
    return int(scaled)


def read_quantity(said: str | int | float) -> int:
    """Read a quantity as ten-thousandths; raise ValueError with a sentence."""
    quantity = _scaled(said, QUANTITY_DIGITS)
    if quantity <= 0:
        raise ValueError("Write a quantity above 0.")
    if quantity >= MOST_QUANTITY * QUANTITY:
        raise ValueError("This is more than can be reckoned.")
    return quantity


def read_percent(said: str | int | float) -> int:
    """Read a percentage from 0 to 100 as thousandths of a percent; raise ValueError with a sentence."""
    percent = _scaled(said, PERCENT_DIGITS)
    if not 0 <= percent <= WHOLE:
        raise ValueError("Write a percentage from 0 to 100.")
    return percent


def read_price(said: str | int | float, currency: str) -> int:
    """Read a unit price as minor units of the currency; raise ValueError with a sentence."""
    return read_amount(_plain(said), currency, least=1)


def fits(totals: Totals, currency: str) -> bool:
    """Whether the sums can be stored and booked."""
    return max(totals.total, totals.before) < 10 ** (MOST_DIGITS + digits(currency))


def shortest(scaled: int, scale: int) -> str:
    """Write a scaled integer without zeros at its end: 145000 of 10,000 is "14.5"."""
    exact = Decimal(scaled) / scale
    return format(exact.normalize() if exact != exact.to_integral() else exact.quantize(Decimal(1)), "f")


def quantity_text(quantity: int) -> str:
    """Write a quantity as people write it."""
    return shortest(quantity, QUANTITY)


def percent_text(percent: int) -> str:
    """Write a percentage as people write it, without its sign."""
    return shortest(percent, PERCENT)
