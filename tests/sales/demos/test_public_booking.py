"""Somebody outside books a meeting: without log-in, without cookie, at a time that is free."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.leads.stages import Stage
from funnel.outbox.models import Event
from funnel.people import away
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage
from sales.demos import actions as demos
from sales.demos import booking
from sales.demos.models import BookingPage, Demo, DemoState
from sales.demos.slots import offer
from tests.racing import race
from tests.sales.demos.conftest import HALF, NIA, send, slot, stamped

pytestmark = pytest.mark.django_db


def address(html, which="confirm"):
    """The first link of a page that leads to a time."""
    return re.search(rf'href="(/[bm]/[^"]+/{which}/[^"]*)"', html)[1].replace("&amp;", "&")


def test_a_visitor_chooses_a_time_and_books_it_with_one_post(page, rep, gate, work, mail_works):
    client = Client()
    chooses = client.get(page.path)
    assert chooses.status_code == 200
    confirm = client.get(address(chooses.content.decode()))
    text = confirm.content.decode()
    fields = dict(re.findall(r'name="(at|zone|shown)" value="([^"]+)"', text))
    early = client.post(f"{page.path}confirm/", fields | NIA)
    assert early.status_code == 422, "faster than anybody types"
    with gate(rep):
        assert not Demo.objects.exists()
    booked = client.post(f"{page.path}confirm/", fields | NIA | {"shown": stamped(page.token)})
    assert booked.status_code == 303
    with gate(rep):
        demo = Demo.objects.select_related("lead__source", "holder").get()
        assert (demo.holder, demo.booked_by, demo.title, demo.words) == (rep, None, "Site visit", "The dog is kind")
        assert (demo.lead.stage, demo.lead.holder, demo.lead.name) == (Stage.DEMO, rep, "Nia Beddoes")
        assert demo.lead.source.channel == "direct"
        assert demo.length == HALF
    assert booked.url == f"{demo.path}?booked=1#main"
    done = client.get(booked.url).content.decode()
    assert "Keep this page" in done
    assert done.count("At your roof") == 1
    assert "goes here" not in text, "no letter is promised while no mail leaves"
    assert "nia@clunforge.example" not in done
    assert not client.cookies, "no page sets a cookie"
    assert "<script" not in done + text
    work()
    with gate(rep):
        assert not Handoff.objects.open().exists(), "who has a meeting waits for nobody"
        assert Event.objects.filter(kind="form").get().data["form"] == "Site visit"
    assert "nia" not in booked.url
    mail_works(rep)
    done = client.get(booked.url).content.decode()
    assert "We send the appointment to n…@clunforge.example" in done
    assert "nia@clunforge.example" not in done
    assert "goes here" in client.get(address(client.get(page.path).content.decode())).content.decode()


def test_free_times_leave_out_what_is_booked_closed_or_past(page, rep, demo_of, gate):
    demo = demo_of(rep, hour=10)
    with gate(rep) as at:
        day = rep.workspace.local(demo.starts_at).date()
        holiday, off = day + timedelta(days=7), day + timedelta(days=14)
        away.close(rep.workspace, holiday, holiday, "", by=rep, at=at)
        away.take_off(rep, off, off, by=rep, at=at)
        page.refresh_from_db()

        def times(on):
            given = offer(page, workspace=rep.workspace, at=at, since=on, zone=rep.workspace.zone)
            found = next((one for one in given.days if one.day == on), None)
            return found and [f"{rep.workspace.local(moment):%H:%M}" for moment in found.times]

        every = [f"{hour:02}:{minute}" for hour in range(9, 17) for minute in ("00", "30")]
        assert times(day) == [one for one in every if one != "10:00"]
        assert times(holiday) is None
        assert times(off) == []
        ahead = math.ceil((demo.starts_at - at).total_seconds() / 3600) + 12
        booking.change_page(page, {"gap_minutes": 30, "minutes": 60, "notice_hours": ahead}, by=rep, at=at)
        assert times(day) is None, "all of that day is too soon"
        booking.change_page(page, {"notice_hours": 0}, by=rep, at=at)
        assert times(day) == ["12:00", "13:30", "15:00"]


def test_times_stand_on_the_visitors_clock_and_an_unknown_zone_is_refused(page, rep, gate):
    client = Client()
    there = client.get(page.path, {"zone": "America/New_York"}).content.decode()
    assert "Times are for New York" in there
    link = address(there)
    moment = datetime.fromisoformat(re.search(r"at=([^&]+)", link)[1].replace("Z", "+00:00"))
    clock = f"{moment.astimezone(ZoneInfo('America/New_York')):%H:%M}"
    confirm = client.get(link).content.decode()
    assert f"{clock} to" in confirm
    assert "New York time" in confirm
    assert send(page, moment, zone="America/New_York", **NIA).status_code == 303
    with gate(rep):
        assert Demo.objects.get().zone == "America/New_York"
    for wrong in ("Mars/Olympus", "../etc/passwd", "Europe/London\x00", "x" * 300):
        assert client.get(page.path, {"zone": wrong}).status_code == 400


def test_a_button_that_is_pressed_twice_books_once(page, rep, gate):
    with gate(rep) as at:
        when = slot(rep, at)
    shown = stamped(page.token)
    first, second = (send(page, when, shown=shown, **NIA) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.url == second.url
    assert send(page, when, **NIA).status_code == 409, "another showing of the page is another wish"
    with gate(rep):
        assert Demo.objects.count() == 1


def test_a_slot_keeps_its_length_on_the_day_the_clocks_change(rep, gate):
    """Europe/London goes forward on 28 March 2027 at 01:00, back on 31 October 2027 at 02:00; both are Sundays."""
    rep.workspace.hours = [[["00:00", "04:00"]]] * 7
    page = BookingPage(member=rep, workspace=rep.workspace, minutes=60, notice_hours=0)
    with gate(rep):
        for day, hours in ((date(2027, 3, 28), 3), (date(2027, 10, 31), 5)):
            at = datetime.combine(day, time(), rep.workspace.zone).astimezone(UTC) - timedelta(days=2)
            given = offer(page, workspace=rep.workspace, at=at, since=day, zone=rep.workspace.zone)
            times = next(one.times for one in given.days if one.day == day)
            assert len(set(times)) == len(times) == hours
            assert times[-1] + timedelta(hours=1) == datetime.combine(day, time(4), rep.workspace.zone)
            assert all(b - a == timedelta(hours=1) for a, b in pairwise(times))


def test_who_was_slower_reads_that_and_loses_nothing_that_was_typed(page, rep, demo_of, gate):
    demo = demo_of(rep, hour=9)
    late = send(page, demo.starts_at, **NIA)
    text = late.content.decode()
    assert late.status_code == 409
    assert "is not free any more" in text
    assert 'value="nia@clunforge.example"' in text
    assert "Take " in text
    kept = Client().post(
        f"{page.path}confirm/", {"look": "1", "at": demo.ends_at.astimezone(UTC).isoformat(), **NIA}
    ).content.decode()  # fmt: skip
    assert 'value="Nia Beddoes"' in kept
    assert "The dog is kind" in kept
    with gate(rep):
        assert Lead.objects.count() == 1, "who booked nothing was not received"
    for wrong in (demo.starts_at - timedelta(hours=3), timezone.now() - timedelta(days=3), demo.starts_at + HALF / 2):
        assert send(page, wrong, **NIA).status_code == 409
    assert Client().get(f"{page.path}confirm/", {"at": "2026-03-29T02:30"}).status_code == 400
    for unread in ("tomorrow", "9999-12-31T23:30Z", "0001-01-01T00:00Z"):
        assert Client().get(f"{page.path}confirm/", {"at": unread}).status_code == 400, unread


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"name": ""}, "Your name"), ({"email": "nobody"}, "E-mail"), ({"email": "a@x.com\nBcc: b@x.com"}, "E-mail"),
        ({"website": "http://spam.example"}, "press the button once more"), ({"name": "x" * 300}, "Your name"),
        ({"shown": "forged"}, "press the button once more"), ({"note": "a\x00b"}, "Anything"),
    ],
)  # fmt: skip
def test_what_a_person_can_put_right_is_shown_with_what_was_typed(page, rep, gate, typed, says):
    with gate(rep) as at:
        when = slot(rep, at)
    back = send(page, when, **(NIA | typed))
    text = back.content.decode()
    assert back.status_code == 422
    assert says in text
    assert "to put right" in text
    with gate(rep):
        assert not Demo.objects.exists()
        assert not Lead.objects.exists()


def test_a_lead_keeps_its_rep_whatever_page_somebody_found(page, rep, other_rep, catch, gate):
    lead = catch(rep, "Nia Beddoes", email="nia@clunforge.example")
    with gate(rep) as at:
        handoff.keep(lead, by=other_rep, at=at)
        first, second = slot(rep, at, 9), slot(rep, at, 11)
        busy = receive(rep.workspace, [Capture(email="other@mail.example")], at=at)[0].lead
        demos.book(busy, holder=other_rep, starts_at=second, ends_at=second + HALF, by=other_rep, at=at)
    assert send(page, first, **NIA).status_code == 303
    assert send(page, second, **NIA).status_code == 303
    with gate(rep):
        mine = Demo.objects.filter(lead=lead).order_by("starts_at")
        assert [one.holder for one in mine] == [other_rep, rep], "their own rep is busy at eleven"
        now = Lead.objects.get(pk=lead.pk)
        assert (now.holder, now.stage, now.name) == (other_rep, Stage.DEMO, "Nia Beddoes")


def test_who_waits_for_somebody_meets_them_and_who_was_set_aside_gets_a_meeting_but_no_deal(
    page, rep, other_rep, catch, gate
):
    waits, aside = catch(rep, "Nia Beddoes", email="nia@clunforge.example"), catch(rep, "Ben Bell")
    with gate(rep) as at:
        handoff.open_for([waits], why={waits.pk: "Asked"}, workspace=rep.workspace, at=at, to=other_rep)
        handoff.disqualify(aside, by=rep, at=at, reason="spam")
        first, second = slot(rep, at, 9), slot(rep, at, 11)
    assert send(page, first, **NIA).status_code == 303
    assert send(page, second, name="Ben", email=aside.email).status_code == 303
    with gate(rep):
        assert Demo.objects.get(lead=waits).holder == other_rep
        assert Handoff.objects.get(lead=waits).outcome == Outcome.ACCEPTED
        assert Lead.objects.get(pk=waits.pk).holder == other_rep
        set_aside = Demo.objects.get(lead=aside)
        assert (set_aside.holder, set_aside.deal) == (rep, None)
        assert Lead.objects.get(pk=aside.pk).stage == Stage.DISQUALIFIED


def test_who_has_the_link_moves_and_cancels_and_a_scanner_changes_nothing(page, rep, gate, work):
    with gate(rep) as at:
        first, second = slot(rep, at, 9), slot(rep, at, 14)
    path = send(page, first, **NIA).url.partition("?")[0]
    token = path.split("/")[2]
    client = Client()
    for where in ("", "times/", f"confirm/?at={second.astimezone(UTC):%Y-%m-%dT%H:%M}Z", "meeting.ics", "cancel/"):
        answer = client.get(f"{path}{where}")
        # What a refused cancellation left in the address bar leads back to the meeting.
        assert (answer.status_code, answer.get("Location")) == ((303, path) if where == "cancel/" else (200, None))
        assert "nia@clunforge.example" not in answer.content.decode()
    with gate(rep):
        assert Demo.objects.get().sequence == 0
    assert client.get(f"{path}times/").content.decode().count("stays yours until") == 1
    assert send(token, second).status_code == 303
    with gate(rep):
        demo = Demo.objects.get()
        assert (demo.starts_at, demo.sequence, demo.state) == (second, 1, DemoState.BOOKED)
    long = client.post(f"{path}cancel/", {"why": "Not now. " * 40})
    assert (long.status_code, "Write at most 300 characters; this has 359." in long.content.decode()) == (422, True)
    assert ("Not now. " * 40).strip() in long.content.decode()
    with gate(rep):
        assert Demo.objects.get().state == DemoState.BOOKED
    assert client.post(f"{path}cancel/", {"why": "Not now"}).status_code == 303
    assert client.post(f"{path}cancel/").status_code == 303
    with gate(rep):
        demo.refresh_from_db()
        assert (demo.state, demo.reason, demo.sequence) == (DemoState.CANCELLED, "Not now", 2)
    cancelled = client.get(path).content.decode()
    assert ("This meeting is cancelled" in cancelled, "free again" in cancelled) == (True, False)
    assert client.get(f"{path}meeting.ics").status_code == 404
    again = send(token, first)
    assert again.status_code == 303
    with gate(rep):
        assert Demo.objects.booked().get().lead == demo.lead, "the link knows who it is"
        assert Lead.objects.count() == 1


def test_who_missed_a_meeting_books_again_with_who_has_the_lead_now(page, rep, other_rep, past_demo, gate):
    demo = past_demo(rep, title="Site visit")
    with gate(rep) as at:
        demos.no_show(demo, by=rep, at=at)
        passing.pass_lead(Lead.objects.get(), to=other_rep, by=rep, at=at, reason="Away")
        when = slot(rep, at)
    missed = Client().get(demo.path).content.decode()
    assert "We missed you" in missed
    token = demo.path.split("/")[2]
    assert "Otto Rep" in Client().get(f"{demo.path}times/").content.decode()
    assert send(token, when).status_code == 303
    with gate(rep):
        assert Demo.objects.booked().get().holder == other_rep


def test_a_deal_that_a_lead_opens_or_moves_by_booking_is_no_members_doing(page, rep, demo_of, browse, gate):
    demo = demo_of(rep, title="Site visit")
    Client().post(f"{demo.path}cancel/")
    browse(rep).post(f"/sales/deals/{demo.deal_id}/lost/", {"reason": "price"})
    with gate(rep) as at:
        first, second = slot(rep, at, 10), slot(rep, at, 14)
    assert send(demo.path.split("/")[2], first).status_code == 303
    shown = " ".join(browse(rep).get(f"/leads/{demo.lead_id}/").content.decode().split())
    assert "A deal was opened, because the lead booked a demo: <bdi>Ann Bell (2)</bdi>" in shown
    assert shown.count("<bdi>Rita</bdi> opened a deal") == 1, "the first one, when she booked it herself"
    with gate(rep) as at:
        deal = Deal.objects.open().get()
        deals.move(deal, DealStage.QUALIFIED, by=rep, at=at)
        demos.cancel(Demo.objects.booked().get(), by=rep, at=at)
        token = Demo.objects.order_by("-made_at")[0].path.split("/")[2]
    assert send(token, second).status_code == 303
    shown = " ".join(browse(rep).get(f"/sales/deals/{deal.pk}/").content.decode().split())
    assert "The deal <bdi>Ann Bell (2)</bdi> went on to Demo" in shown
    assert "Rita</bdi> moved the deal <bdi>Ann Bell (2)</bdi> to Demo" not in shown


def test_closed_unknown_and_others_addresses_say_so(page, rep, gate, outsider):
    assert Client().get("/b/nothing-here/").status_code == 404
    assert Client().get(f"/m/{page.token}/").status_code == 404
    with gate(rep) as at:
        form = rep.workspace
        booking.change_page(page, {"is_open": False}, by=rep, at=at)
    closed = Client().get(page.path)
    assert closed.status_code == 410
    assert form.name in closed.content.decode()
    assert send(page, slot(rep, timezone.now()), **NIA).status_code == 410


def test_a_script_that_posts_on_and_on_is_stopped(page, rep, gate, settings):
    settings.FORM_LIMITS = (3, 6000)
    with gate(rep) as at:
        when = slot(rep, at)
    statuses = [send(page, when, name="").status_code for _ in range(5)]
    assert statuses == [422, 422, 422, 429, 429]


def test_nobody_fills_a_calendar_under_one_name(page, rep, gate):
    with gate(rep) as at:
        hours = [slot(rep, at, hour) for hour in (9, 10, 11, 12)]
    assert [send(page, one, **NIA).status_code for one in hours] == [303, 303, 303, 409]
    with gate(rep):
        assert Demo.objects.count() == 3


def test_the_page_costs_the_same_with_many_meetings_as_with_one(page, rep, gate, demo_of):
    demo_of(rep, "Ann Bell", hour=9)
    client = Client()
    client.get(page.path)
    with CaptureQueriesContext(connection) as few:
        client.get(page.path)
    for hour in range(10, 16):
        demo_of(rep, f"Lead {hour}", hour=hour)
    with CaptureQueriesContext(connection) as many:
        client.get(page.path)
    assert len(many) <= len(few) <= 12


@pytest.mark.django_db(transaction=True)
def test_fifty_visitors_at_once_make_one_meeting_and_one_lead(page, rep, gate):
    when = slot(rep, timezone.now())
    clients = [Client() for _ in range(50)]
    answers = race(
        [
            lambda n=n, client=client: (
                send(page, when, client, name=f"Visitor {n}", email=f"v{n}@mail.example").status_code
            )
            for n, client in enumerate(clients)
        ]
    )
    assert sorted(set(answers), key=str) in ([303, 409], [303, 409, 503]), answers
    assert answers.count(303) == 1
    with gate(rep):
        assert Demo.objects.count() == Lead.objects.count() == 1
