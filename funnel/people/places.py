"""Countries and time zones as a person picks them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_name, get_territory_currencies
from django.http import HttpRequest


@cache
def countries() -> tuple[tuple[str, str], ...]:
    """Every country with a currency of its own or a shared one, by name."""
    named: dict[str, str] = dict(Locale("en", "GB").territories)
    # ZZ and the like name no place; EU and UN are no country.
    found = [
        (code, named[code])
        for code in named
        if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "ZZ", "QO", "XA", "XB")
        and get_territory_currencies(code)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: one[1]))


@cache
def zones() -> frozenset[str]:
    """The zones of places; the old names and the fixed offsets only confuse."""
    return frozenset(
        zone for zone in available_timezones() if "/" in zone and zone.split("/")[0] not in ("Etc", "SystemV", "US")
    ) | {"UTC"}


def money_called(currency: str) -> str:
    """Name a currency as one counts it: "euros", "British pounds"."""
    return get_currency_name(currency, count=2, locale="en_GB")


def zone_choices(now: datetime) -> list[tuple[str, list[tuple[str, str]]]]:
    """The zones by continent, each with its present time, which tells people more than an offset."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for zone in sorted(zones()):
        area, _, city = zone.partition("/")
        local = now.astimezone(ZoneInfo(zone))
        label = f"{(city or zone).replace('_', ' ').replace('/', ', ')} ({local:%H:%M} now)"
        groups.setdefault(area, []).append((zone, label))
    return sorted(groups.items())


@cache
def zones_of(country: str) -> tuple[str, ...]:
    """The country's zones, one per clock: two that always show the same time count once."""
    by_clock: dict[tuple[object, ...], str] = {}
    territories: dict[str, str] = get_global("zone_territories")  # type: ignore[assignment]
    for zone in sorted(zone for zone, territory in territories.items() if territory == country and zone in zones()):
        clock = tuple(
            ZoneInfo(zone).utcoffset(datetime(2025, month, 1, tzinfo=UTC).replace(tzinfo=None)) for month in (1, 7)
        )
        by_clock.setdefault(clock, zone)
    return tuple(by_clock.values())


def country_of(request: HttpRequest) -> str:
    """Guess the country from the languages that the browser asks for; blank when it doesn't say."""
    known = dict(countries())
    for part in request.headers.get("Accept-Language", "")[:200].split(","):
        region = part.split(";")[0].strip().partition("-")[2].upper()
        if region in known:
            return region
    return ""
