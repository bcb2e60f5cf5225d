"""How facts read on a page and in a mail: days, spans, money and figures as words. Pure functions, no requests."""

import re
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import cache

from django.utils import timezone

DASH = "–"
MINUS = "−"
NBSP = "\N{NO-BREAK SPACE}"
Moment = date | datetime
# Django's own sentences say that something is not valid; ours say what is wrong or what helps.
PLAINLY = {
    "This field is required.": "This is missing.",
    "Enter a valid email address.": "This is no e-mail address; it looks like name@firm.example.",
    "Enter a valid date.": "This is no date; write it like 2026-11-17.",
    "Enter a valid time.": "This is no time; write it like 14:30.",
    "Enter a valid date/time.": "This is no date with a time; write it like 2026-11-17 14:30.",
    "Enter a valid URL.": "This is no address of a page; it begins with https://.",
    "Select a valid choice.": "Choose one from the list.",
    "Enter a whole number.": "Write a whole number.",
    "Enter a number.": "Write a number.",
    "Null characters are not allowed.": "This holds a sign that can’t be kept; type it again.",
    "No file was submitted.": "Choose a file.",
    "The submitted file is empty.": "This file is empty.",
}
# Those that name a figure.
FIGURED = (
    (re.compile(r"Ensure this value is greater than or equal to (\S+)\."), r"Write \1 or more."),
    (re.compile(r"Ensure this value is less than or equal to (\S+)\."), r"Write \1 or less."),
    (
        re.compile(r"Ensure this value has at most (\d+) characters? \(it has (\d+)\)\."),
        r"Write at most \1 characters; this has \2.",
    ),
    (
        re.compile(r"Ensure this value has at least (\d+) characters? \(it has (\d+)\)\."),
        r"Write at least \1 characters; this has \2.",
    ),
)


def local(value: Moment) -> Moment:
    """Bring a moment into the zone that the door activated for the workspace; a plain date stays as it is."""
    if isinstance(value, datetime) and timezone.is_aware(value):
        return timezone.localtime(value)
    return value


def calendar_day(value: Moment) -> date:
    """Give the workspace's calendar day of a moment."""
    value = local(value)
    return value.date() if isinstance(value, datetime) else value


def _year(day: date, today: date | None) -> str:
    return "" if day.year == (today or timezone.localdate()).year else f" {day.year}"


def day(value: Moment, today: date | None = None) -> str:
    """Write "Tue 17 Nov", with the year only when it is not today's."""
    on = calendar_day(value)
    return f"{on:%a} {on.day} {on:%b}{_year(on, today)}"


def short_day(value: Moment, today: date | None = None) -> str:
    """Write "17 Nov", with the year only when it is not today's."""
    on = calendar_day(value)
    return f"{on.day} {on:%b}{_year(on, today)}"


def long_day(value: Moment, today: date | None = None) -> str:
    """Write "Tuesday 17 November", with the year only when it is not today's."""
    on = calendar_day(value)
    return f"{on:%A} {on.day} {on:%B}{_year(on, today)}"


def clock_time(value: datetime) -> str:
    """Write "10:42"."""
    return f"{local(value):%H:%M}"


def day_time(value: datetime, today: date | None = None) -> str:
    """Write "Mon 16 Nov, 07:44"."""
    return f"{day(value, today)}, {clock_time(value)}"


def when(value: datetime, today: date | None = None) -> str:
    """Write "today, 10:36", "yesterday, 13:35", "tomorrow, 09:00", else the day and time."""
    today = today or timezone.localdate()
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((calendar_day(value) - today).days)
    return f"{near}, {clock_time(value)}" if near else day_time(value, today)


def plural(count: int, one: str, many: str = "") -> str:
    """Write "1 lead", "3 leads"."""
    return f"{number(count)}{NBSP}{one if count == 1 else many or one + 's'}"


def duration(minutes: float | timedelta) -> str:
    """Write minutes as "25 min", "2 h" or "2 h 23 min"; rounded down, the sign left out."""
    if isinstance(minutes, timedelta):
        minutes = minutes.total_seconds() / 60
    hours, rest = divmod(int(abs(minutes)), 60)
    parts = [f"{number(hours)}{NBSP}h"] if hours else []
    if rest or not hours:
        parts.append(f"{rest}{NBSP}min")
    return NBSP.join(parts)


def lateness(minutes: float) -> str:
    """Write how late something is: "25 min late", or only "late" where it is less than a minute of working time."""
    return f"{duration(minutes)} late" if abs(minutes) >= 1 else "late"


def too_long(late: int, waiting: int) -> str:
    """Write how many of those who wait do so too long: "1 of them too long", "all of them …", or "too long already"."""
    if late < waiting:
        return f"{number(late)} of them too long"
    return "too long already" if waiting == 1 else "all of them too long"


def span(length: timedelta) -> str:
    """Write a span in its largest unit: "4 seconds", "3 minutes", "5 hours", "22 days"."""
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def ago(length: timedelta) -> str:
    """Write how long something is past: "just now", "4 seconds ago"."""
    return f"{span(length)} ago" if length.total_seconds() >= 1 else "just now"


def number(value: float | Decimal, digits: int = 1) -> str:
    """Write "9,240", "37.4", "−3"; at most so many decimals, none that are zero."""
    exact = Decimal(str(value))
    rounded = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN) if exact != exact.to_integral() else exact
    if rounded == rounded.to_integral():
        rounded = rounded.to_integral()
    return f"{rounded:,f}".replace("-", MINUS) if rounded else "0"


def percent(value: float | Decimal) -> str:
    """Write 60 as "60 %"."""
    return f"{number(value, 0)}{NBSP}%"


def share(part: float, whole: float) -> str:
    """Write a part of a whole as "60 %"; of nothing there is no share, so a dash."""
    return percent(100 * part / whole) if whole else DASH


@cache
def _currency(code: str) -> tuple[str, int]:
    """Give what stands before an amount and how many digits the currency has."""
    from babel.numbers import get_currency_precision, get_currency_symbol

    sign = get_currency_symbol(code, "en_GB")
    return (sign + NBSP if sign[-1].isalpha() else sign), get_currency_precision(code)


def money(minor: int, currency: str, *, exact: bool = False) -> str:
    """Write minor units as "£35,000" where they are whole, else "£35,000.50"; `exact` always shows the small unit."""
    sign, digits = _currency(currency)
    amount = Decimal(abs(minor)).scaleb(-digits)
    whole = not exact and amount == amount.to_integral()
    return f"{MINUS if minor < 0 else ''}{sign}{amount:,.{0 if whole else digits}f}"


def about(minor: float, currency: str) -> str:
    """Write money for a figure that was divided: whole from ten on, "£106", below with its small unit, "£0.43"."""
    unit = 10 ** _currency(currency)[1]
    return money(round(minor / unit) * unit if abs(minor) >= 10 * unit else round(minor), currency)


def plainly(message: str) -> str:
    """Say one of Django's own error messages in our words; leave any other as it is."""
    for pattern, ours in FIGURED:
        if found := pattern.fullmatch(message):
            return found.expand(ours)
    return PLAINLY.get(message.partition(".")[0] + ".", message)


def shortened(said: str, most: int) -> str:
    """Write somebody's words, and where there are more than `most` characters, that they go on."""
    return said if len(said) <= most else f"{said[: most - 1].rstrip()}…"


def initials(name: str) -> str:
    """Give the first letters of the first and the last word, as on the round badge."""
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    ends = words[:1] if len(words) == 1 else [words[0], words[-1]]
    return "".join(word[0] for word in ends).upper()


def down(value: float | Decimal, digits: int = 1) -> Decimal:
    """Round down, so that a number never reads as if it had reached a line that it is below: 9.99 is 9.9.

    What is beyond nine digits is a float's noise: 9.999999999999998 is 10.
    """
    return Decimal(str(round(value, 9))).quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR)


def add_up(values: list[float], digits: int = 1) -> list[Decimal]:
    """Round rows so that they add up to their total rounded down: the largest remainders are rounded up first."""
    step, exact = Decimal(1).scaleb(-digits), [Decimal(str(round(value, 9))) for value in values]
    rows = [down(value, digits) for value in exact]
    missing = int((down(sum(exact, Decimal(0)), digits) - sum(rows, Decimal(0))) / step)
    by_remainder = sorted(range(len(exact)), key=lambda place: rows[place] - exact[place])
    for place in by_remainder[:missing]:
        rows[place] += step
    return rows
