"""A country changes the rules of its clocks: a demo at ten stays one at ten."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from funnel.mail.sending import text_of
from sales.demos import actions as demos
from sales.demos.models import Demo
from tests.sales.demos.conftest import slot
from tests.sales.demos.test_letters import appointments, letters

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def booked_by_old_rules(demo, gate, member, by=HOUR):
    """Leave the demo as it would stand there, had the country's clocks been set otherwise when it was booked."""
    with gate(member):
        Demo.objects.filter(pk=demo.pk).update(starts_at=demo.starts_at + by, ends_at=demo.ends_at + by)


def next_monday(member, at):
    return at + timedelta(days=8)


def test_on_monday_demos_are_back_at_their_time_and_both_calendars_hear(rep, demo_of, gate, work):
    first, second = demo_of(rep, days=20), demo_of(rep, "Bo Dent", hour=10, days=20)
    past = demo_of(rep, "Cy Fry", days=2)
    work()
    for demo in (second, first, past):
        booked_by_old_rules(demo, gate, rep)
    with gate(rep) as at:
        monday = next_monday(rep, at)
    work(monday)
    with gate(rep):
        stand = {one.pk: one for one in Demo.objects.all()}
    for demo in (first, second):
        assert (stand[demo.pk].starts_at, stand[demo.pk].ends_at) == (demo.starts_at, demo.ends_at)
        assert stand[demo.pk].sequence == 1
    assert stand[past.pk].sequence == 0, "what has been stays as it was"
    moved = letters(rep, gate, "demo-moved")
    assert [one.to_email for one in moved] == [first.lead.email, second.lead.email]
    with gate(rep):
        assert "new rules" in text_of(moved[0], rep.workspace)
        assert appointments(moved[0]).vevent.dtstart.value == first.starts_at


def test_a_moved_demo_keeps_its_new_time_and_one_that_stands_right_is_left_alone(rep, demo_of, gate, work):
    demo = demo_of(rep, days=20)
    with gate(rep) as at:
        demos.move(demo, {"starts_at": slot(rep, at, 15, days=20)}, by=rep, at=at)
        demo = Demo.objects.get(pk=demo.pk)
        monday = next_monday(rep, at)
    booked_by_old_rules(demo, gate, rep, -HOUR)
    work(monday)
    with gate(rep):
        now = Demo.objects.get(pk=demo.pk)
        assert (now.starts_at, now.sequence) == (demo.starts_at, 2)
    work(monday + timedelta(days=7))
    with gate(rep):
        assert Demo.objects.get(pk=demo.pk).sequence == 2


def test_where_something_else_was_booked_meanwhile_both_stay(rep, demo_of, gate, work):
    demo = demo_of(rep, days=20)
    booked_by_old_rules(demo, gate, rep)
    other = demo_of(rep, "Bo Dent", days=20)
    with gate(rep) as at:
        monday = next_monday(rep, at)
    work(monday)
    with gate(rep):
        assert Demo.objects.get(pk=demo.pk).starts_at == demo.starts_at + HOUR
        assert Demo.objects.get(pk=other.pk).starts_at == other.starts_at


def test_the_hour_that_is_shown_twice_in_autumn_is_no_new_rule(rep, catch, gate, work):
    lead = catch(rep, "Ann Bell")
    with gate(rep) as at:
        year = rep.workspace.local(at).year + (rep.workspace.local(at).month > 9)
        last = datetime(year, 10, 31, tzinfo=rep.workspace.zone)
        sunday = last - timedelta(days=(last.weekday() + 1) % 7)
        second = sunday.replace(hour=0).astimezone(at.tzinfo) + timedelta(hours=2, minutes=30)
        demo = demos.book(lead, holder=rep, starts_at=second, ends_at=second + HOUR, by=rep, at=at)
        monday = next_monday(rep, at)
    work(monday)
    with gate(rep):
        assert (Demo.objects.get(pk=demo.pk).starts_at, Demo.objects.get(pk=demo.pk).sequence) == (second, 0)
