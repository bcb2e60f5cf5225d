"""How facts read: README of the reference pages, "Words"."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from funnel.templatetags import words

pytestmark = pytest.mark.once
TODAY = date(2026, 11, 17)
MORNING = datetime(2026, 11, 17, 10, 42, tzinfo=UTC)


def plain(text: str) -> str:
    return text.replace(words.NBSP, " ")


def test_a_day_names_its_year_only_when_it_differs():
    assert words.day(MORNING, TODAY) == "Tue 17 Nov"
    assert words.day(date(2025, 3, 1), TODAY) == "Sat 1 Mar 2025"
    assert words.short_day(MORNING, TODAY) == "17 Nov"
    assert words.long_day(MORNING, TODAY) == "Tuesday 17 November"


def test_days_and_times_are_those_of_the_workspace():
    late = datetime(2026, 11, 17, 23, 30, tzinfo=UTC)
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert words.day_time(late, TODAY) == "Wed 18 Nov, 00:30"
        assert words.calendar_day(late) == date(2026, 11, 18)


def test_near_days_are_said_in_words():
    with timezone.override(UTC):
        assert words.when(MORNING, TODAY) == "today, 10:42"
        assert words.when(MORNING - timedelta(days=1), TODAY) == "yesterday, 10:42"
        assert words.when(MORNING + timedelta(days=1), TODAY) == "tomorrow, 10:42"
        assert words.when(MORNING - timedelta(days=2), TODAY) == "Sun 15 Nov, 10:42"


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(143, "2 h 23 min"), (25, "25 min"), (480, "8 h"), (0, "0 min"), (-92, "1 h 32 min"), (0.9, "0 min")],
)
def test_a_duration_is_said_in_hours_and_minutes(minutes, said):
    assert plain(words.duration(minutes)) == said


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=4), "4 seconds"),
        (timedelta(seconds=61), "1 minute"),
        (timedelta(hours=5, minutes=59), "5 hours"),
        (timedelta(days=22), "22 days"),
        (timedelta(seconds=-3), "0 seconds"),
    ],
)
def test_a_span_is_said_in_its_largest_unit(length, said):
    assert plain(words.span(length)) == said


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (3_500_000, "GBP", "£35,000"),
        (986_050, "GBP", "£9,860.50"),
        (-500, "EUR", "−€5"),
        (1_200, "JPY", "JP¥1,200"),
        (120_000, "CZK", "CZK 1,200"),
        (1_500, "KWD", "KWD 1.500"),
        (0, "GBP", "£0"),
    ],
)
def test_money_shows_its_small_unit_only_where_there_is_one(minor, currency, said):
    assert plain(words.money(minor, currency)) == said


def test_money_on_a_quote_always_shows_its_small_unit():
    assert words.money(986_000, "GBP", exact=True) == "£9,860.00"


@pytest.mark.parametrize(
    ("value", "said"),
    [(9240, "9,240"), (37.44, "37.4"), (39.0, "39"), (-3, "−3"), (-0.04, "0"), (Decimal("1234.5"), "1,234.5")],
)
def test_a_number_has_no_needless_digits(value, said):
    assert words.number(value) == said


def test_a_share_of_nothing_is_missing_not_zero():
    assert words.share(24, 40) == f"60{words.NBSP}%"
    assert words.share(0, 40) == f"0{words.NBSP}%"
    assert words.share(0, 0) == "–"


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Hannah Whitlock", "HW"),
        ("Gwen", "G"),
        ("", "?"),
        ("  ", "?"),
        ("Žofie von Šťastná", "ŽŠ"),
        ("a@b.example", "AB"),
    ],
)
def test_initials_come_from_the_first_and_last_word(name, letters):
    assert words.initials(name) == letters


def test_rounded_rows_add_up_to_the_total_rounded_down():
    rows = [1.94, 5.72, 23.88, 5.94]
    rounded = words.add_up(rows)
    assert sum(rounded) == Decimal("37.4") == words.down(sum(rows))
    assert all(abs(Decimal(str(row)) - shown) < Decimal("0.1") for row, shown in zip(rows, rounded, strict=True))
    assert sum(words.add_up([-3.33, 10.0, -0.34])) == Decimal("6.3")
    assert words.add_up([]) == []
    assert sum(words.add_up([9.9999999996, 9.9999999996, -0.00000001])) == Decimal("19.9")


@pytest.mark.parametrize(("value", "shown"), [(9.999, "9.9"), (10.0 - 2e-15, "10"), (-0.01, "-0.1"), (0.0, "0")])
def test_a_number_is_rounded_down_but_not_for_a_floats_noise(value, shown):
    assert words.down(value) == Decimal(shown)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("This field is required.", "This is missing."),
        ("Select a valid choice. 7 is not one of the available choices.", "Choose one from the list."),
        ("Ensure this value is greater than or equal to 0.", "Write 0 or more."),
        ("Ensure this value is less than or equal to 0.5.", "Write 0.5 or less."),
        ("Ensure this value has at most 20 characters (it has 25).", "Write at most 20 characters; this has 25."),
        ("This number has too few digits.", "This number has too few digits."),
    ],
)
def test_errors_say_what_is_wrong_in_plain_words(theirs, ours):
    assert words.plainly(theirs) == ours
