"""Money as whole minor units with a currency; a decimal only at the edge."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cache

from babel import Locale
from babel.numbers import get_currency_precision

# More digits before the point are a slip, and sums of so many still fit a bigint.
MOST_DIGITS = 12


@cache
def currencies() -> frozenset[str]:
    """Every currency that we can name, by its ISO 4217 code."""
    return frozenset(Locale("en").currencies)


def digits(currency: str) -> int:
    """How many digits a currency's minor unit has: JPY 0, EUR 2, KWD 3."""
    return get_currency_precision(currency)


def read_currency(said: str) -> str:
    """Give the code in capitals; raise ValueError with a sentence."""
    code = said.strip().upper()
    if code not in currencies():
        raise ValueError("This is no currency; write its three letters, like EUR.")
    return code


def read_amount(said: str | Decimal, currency: str, *, least: int = 0) -> int:
    """Read a decimal text as minor units; raise ValueError with a sentence for what this currency can't hold.

    `least` is the smallest amount allowed, in minor units.
    """
    try:
        amount = Decimal(said)
    except InvalidOperation:
        raise ValueError("Write an amount like 1200.50.") from None
    if not amount.is_finite():
        raise ValueError("Write an amount like 1200.50.")
    if amount and amount.adjusted() >= MOST_DIGITS:
        raise ValueError("This is more than can be booked.")
    places = digits(currency)
    if int(amount.normalize().as_tuple().exponent) < -places:
        raise ValueError(
            f"{currency} has no smaller unit; write a whole amount."
            if not places
            else f"{currency} has {places} digits after the point."
        )
    minor = int(amount.scaleb(places))
    if minor < least:
        raise ValueError("This must not be below zero." if least == 0 else "Write an amount above 0.")
    return minor


def decimal(minor: int, currency: str) -> Decimal:
    """Minor units as an exact decimal with all the currency's digits."""
    return Decimal(minor).scaleb(-digits(currency)).quantize(Decimal(1).scaleb(-digits(currency)))


def text(minor: int | None, currency: str) -> str | None:
    """Minor units as the API writes them: "1200.50"; None stays None."""
    return None if minor is None else format(decimal(minor, currency), "f")


def converted(minor: int, currency: str, into: str, rate: Decimal) -> int:
    """Minor units of one currency in another's, at so many of `into` for one of `currency`; half-even."""
    exact = Decimal(minor) * rate * Decimal(10) ** (digits(into) - digits(currency))
    return int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
