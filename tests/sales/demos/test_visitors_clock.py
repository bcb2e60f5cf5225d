"""A visitor reads times on their own clock: the one that they chose, else the one that their browser goes by."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from funnel.mail.models import Message
from funnel.outbox.models import Event
from sales.demos.models import Demo
from tests.sales.demos.conftest import NIA, send, slot, stamped

pytestmark = pytest.mark.django_db
ASKS = re.compile(r'<script src="[^"]*zone[^"]*" data-shown="([^"]+)"></script>')
YORK = "America/New_York"


def shown(path, **given):
    return Client().get(path, given).content.decode()


def asks(html):
    """Of which clock the browser is asked whether it is its own; nothing where it isn't asked."""
    return (found := ASKS.search(html)) and found[1]


def test_the_browser_is_asked_only_while_nobody_has_said_by_which_clock(page, rep, demo_of):
    demo = demo_of(rep)
    for path in (page.path, demo.path, f"{demo.path}times/"):
        assert asks(shown(path)) == "Europe/London", path
        assert asks(shown(path, zone="Europe/London")) is None, "who chose it by hand keeps it"
        assert asks(shown(path, zone=YORK)) is None
        assert asks(shown(path, here=YORK)) == YORK, "a link that was passed on is read on another clock"
    assert "Times are for New York" in shown(page.path, here=YORK)
    assert "zone=America%2FNew_York" in shown(page.path, here=YORK), "the pages that follow stay with it"
    assert "New York time" in shown(demo.path, here=YORK)


@pytest.mark.parametrize("odd", ["Mars/Olympus", "Etc/GMT+5", "../etc/passwd", "Europe/London\x00", "x" * 300])
def test_a_clock_of_the_browser_that_we_do_not_know_changes_nothing(page, odd):
    assert "Times are for London" in shown(page.path, here=odd)


def test_who_chose_a_clock_and_books_keeps_it(page, rep, gate):
    with gate(rep) as at:
        when = slot(rep, at)
    for zone, town in ((YORK, "New York"), ("Europe/London", "London")):
        booked = send(page, when, **NIA, zone=zone).url.partition("?")[0]
        for path in (booked, f"{booked}times/"):
            html = shown(path, here="Asia/Tokyo")
            assert asks(html) is None, path
            assert town in html, path
        with gate(rep):
            assert Demo.objects.booked().get().zone == zone
        Client().post(f"{booked}cancel/")


def test_a_refused_cancelling_stays_on_the_visitors_clock_and_asks_for_no_other_page(rep, demo_of):
    demo = demo_of(rep)
    assert f'name="zone" value="{YORK}"' in shown(demo.path, here=YORK)
    answer = Client().post(f"{demo.path}cancel/", {"why": "Not now. " * 40, "zone": YORK})
    assert answer.status_code == 422
    assert "New York time" in answer.content.decode()
    without = Client().post(f"{demo.path}cancel/", {"why": "Not now. " * 40})
    assert asks(without.content.decode()) is None, "what was typed would be lost"


def test_the_same_time_with_other_words_or_on_another_clock_moves_nothing_and_writes_to_nobody(
    rep, demo_of, gate, work
):
    demo = demo_of(rep)
    work()
    answer = send(demo.path.split("/")[2], demo.starts_at, zone=YORK, note="The dog is kind")
    assert answer.url == f"{demo.path}#main", "the page doesn't say that an appointment is sent"
    work()
    with gate(rep):
        now = Demo.objects.get()
        assert (now.words, now.zone, now.sequence, now.version) == ("The dog is kind", YORK, 0, 2)
        assert not Event.objects.filter(kind="demo_moved").exists()
        assert not Message.objects.filter(kind="demo-moved").exists()
    later = demo.starts_at + timedelta(hours=2)
    assert send(demo.path.split("/")[2], later, zone=YORK).url == f"{demo.path}?booked=1#main"
    work()
    with gate(rep):
        assert Message.objects.filter(kind="demo-moved").count() == 1


def test_who_presses_twice_to_move_a_meeting_reads_both_times_that_it_is_booked(rep, demo_of, gate, work):
    demo = demo_of(rep)
    token, later = demo.path.split("/")[2], demo.starts_at + timedelta(hours=2)
    shown = stamped(token)
    assert {send(token, later, zone=YORK, shown=shown).url for _ in range(2)} == {f"{demo.path}?booked=1#main"}
    work()
    with gate(rep):
        assert Message.objects.filter(kind="demo-moved").count() == 1
        Demo.objects.update(updated_at=demo.updated_at - timedelta(minutes=1))
    assert send(token, later, zone=YORK).url == f"{demo.path}#main", "another showing of the page moves nothing"


def test_who_moves_a_meeting_types_nothing_and_may_be_as_fast_as_they_like(rep, demo_of):
    demo = demo_of(rep)
    token, later = demo.path.split("/")[2], demo.starts_at + timedelta(hours=2)
    assert send(token, later, shown=stamped(token, ago=0)).url == f"{demo.path}?booked=1#main"
    assert send(token, demo.starts_at, shown=stamped(token, ago=0), website="x").status_code == 422


def test_a_rep_books_by_the_clock_that_the_lead_booked_by_before(rep, demo_of, gate):
    first = demo_of(rep)
    assert first.zone == ""
    send(first.path.split("/")[2], first.starts_at + timedelta(hours=2), zone=YORK)
    assert demo_of(rep, lead=first.lead, hour=15).zone == YORK
    assert demo_of(rep, "Ben Bell", hour=16).zone == ""
