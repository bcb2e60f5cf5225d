"""Numbers as people type them into pages: in their country's own form, as the pages write them, or plain."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import TypeVar

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberFormatError, format_decimal, get_currency_symbol, parse_decimal

from funnel.ledger.money import digits, read_amount, text

# No exponent, no other script's digits; longer is no number that anybody counts with.
SHAPE = re.compile(r"-?[0-9.,]{0,30}[0-9]")
APOSTROPHES = re.compile(r"-?[0-9]{1,3}(['’][0-9]{3})+(\.[0-9]+)?")
# Pages write money in this form everywhere, and a plain 1250.50 belongs to it.
PAGES = Locale("en")
Read = TypeVar("Read")


@cache
def _own(country: str) -> Locale:
    try:
        return Locale.parse(f"und_{country}")
    except (UnknownLocaleError, ValueError):
        return PAGES


def readings(said: str, country: str) -> set[Decimal]:
    """Every number that it can be meant for by somebody of this country; empty for what is none."""
    joined = "".join(said.split())
    if APOSTROPHES.fullmatch(joined):
        joined = joined.replace("'", "").replace("’", "")
    if not SHAPE.fullmatch(joined):
        return set()
    found = set()
    for locale in (PAGES, _own(country)):
        try:
            found.add(parse_decimal(joined, locale=locale, strict=True))
        except NumberFormatError:
            continue
    return found


def shown(number: str, country: str) -> str:
    """A plain number in the country's own form, with all its digits."""
    places = len(number.partition(".")[2])
    return format_decimal(Decimal(number), "#,##0" + ("." + "0" * places if places else ""), locale=_own(country))


def read_typed(said: str, country: str, into: Callable[[str], Read], what: str, like: str) -> Read:
    """Give what `into` makes of it; raise ValueError with a sentence for no number and for one of two meanings.

    A meaning that `into` refuses doesn't count beside one that it takes. `what` names the number and `like` is an
    example of it, plain.
    """
    taken: set[Read] = set()
    refused = None
    for one in readings(said, country):
        try:
            taken.add(into(format(one, "f")))
        except ValueError as wrong:
            refused = wrong
    if len(taken) == 1:
        return taken.pop()
    if refused is not None and not taken:
        raise refused
    twofold = f"“{said.strip()}” can be read in two ways. " if taken else ""
    raise ValueError(f"{twofold}Write {what} like {shown(like, country)}.")


def typed_amount(said: str, currency: str, country: str, *, least: int = 0, what: str = "an amount") -> int:
    """Read an amount that a person typed as minor units; raise ValueError with a sentence."""
    like = "1200" + ("." + "50".ljust(digits(currency), "0") if digits(currency) else "")
    bare = _bare(said, currency, country)
    return read_typed(bare, country, lambda one: read_amount(one, currency, least=least), what, like)


def _bare(said: str, currency: str, country: str) -> str:
    """An amount without the sign or the code of its own currency before or after it."""
    joined = said.strip()
    signs = {currency, *(get_currency_symbol(currency, one) for one in (PAGES, "en_GB", _own(country)))}
    for sign in sorted(signs, key=len, reverse=True):
        if joined[: len(sign)].upper() == sign.upper():
            return joined[len(sign) :]
        if joined[-len(sign) :].upper() == sign.upper():
            return joined[: -len(sign)]
    return joined


def in_field(number: str, country: str) -> str:
    """A number as a field is filled with it: so that this country's reading of it is the same."""
    if len(readings(number, country)) == 1:
        return number
    plain = number.replace(",", "")
    return plain if len(readings(plain, country)) == 1 else f"{plain}0"


def amount_in_field(minor: int | None, currency: str, country: str) -> str:
    """Minor units as a field is filled with them; None stays empty."""
    return "" if minor is None else in_field(text(minor, currency) or "", country)
