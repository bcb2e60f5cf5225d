"""Lead and rep are told by mail, each with the appointment for their calendar."""

from __future__ import annotations

from datetime import timedelta

import icalendar
import pytest
import vobject
from django.urls import reverse

from funnel.mail.files import files_of
from funnel.mail.models import Message
from funnel.mail.sending import text_of
from funnel.outbox.drain import drain
from sales.demos import actions as demos
from sales.demos.models import Demo
from tests.funnel.mail.conftest import on_the_line, sink
from tests.sales.demos.conftest import HALF, slot

__all__ = ["on_the_line", "sink"]
pytestmark = pytest.mark.django_db


def letters(rep, gate, *kinds):
    with gate(rep):
        rows = Message.objects.filter(kind__in=kinds) if kinds else Message.objects.all()
        return list(
            rows.select_related("lead", "member__user", "sender__user", "workspace").order_by("created_at", "kind")
        )


def appointments(message):
    """The appointment of a letter as two readers see it that did not write it."""
    (file,) = files_of(message)
    body = file.make()
    assert f"method={icalendar.Calendar.from_ical(body)['method']}" in file.type
    return vobject.readOne(body.decode())


def test_booked_moved_and_cancelled_reach_both_calendars_as_one_appointment(rep, demo_of, gate, work):
    demo = demo_of(rep, place="12 High Street, Clun")
    work()
    with gate(rep) as at:
        demos.move(demo, {"starts_at": slot(rep, at, 15)}, by=rep, at=at)
    work()
    with gate(rep) as at:
        demos.cancel(demo, by=rep, at=at, reason="The roof is being repaired.")
    work()
    told = letters(rep, gate)
    assert [(one.kind, one.to_email) for one in told if one.kind != "demo-rep"] == [
        ("demo-booked", demo.lead.email), ("demo-moved", demo.lead.email), ("demo-cancelled", demo.lead.email)
    ]  # fmt: skip
    assert [one.to_email for one in told if one.kind == "demo-rep"] == [rep.email] * 3
    with gate(rep):
        for who in (demo.lead.email, rep.email):
            read = [appointments(one) for one in told if one.to_email == who]
            events = [one.vevent for one in read]
            assert {one.uid.value for one in events} == {str(demo.pk)}
            assert [int(one.sequence.value) for one in events] == [0, 1, 2]
            assert [one.method.value for one in read] == ["REQUEST", "REQUEST", "CANCEL"]
            assert [one.status.value for one in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
            assert events[0].dtstart.value == demo.starts_at
            assert events[1].dtstart.value == events[2].dtstart.value > demo.starts_at
            assert events[1].dtend.value - events[1].dtstart.value == HALF
            assert events[0].location.value == "12 High Street, Clun"
            assert {one.value for one in events[0].attendee_list} == {
                f"mailto:{demo.lead.email}",
                f"mailto:{rep.email}",
            }
        assert "The roof is being repaired." in text_of(told[-2], rep.workspace)
        assert "/m/" not in text_of(told[0], rep.workspace), "the link is made when it goes"
        assert demo.path in text_of(told[0], rep.workspace, hidden=False)


def test_both_are_reminded_a_day_before_and_of_the_time_that_holds(rep, demo_of, gate, work):
    demo = demo_of(rep)
    work()
    work(demo.starts_at - timedelta(days=1, minutes=1))
    assert not letters(rep, gate, "demo-reminder", "demo-rep-reminder")
    with gate(rep) as at:
        demos.move(demo, {"starts_at": demo.starts_at + timedelta(days=7)}, by=rep, at=at)
    work(demo.starts_at - timedelta(hours=23))
    assert not letters(rep, gate, "demo-reminder", "demo-rep-reminder"), "the earlier time holds no more"
    work(demo.starts_at + timedelta(days=6, minutes=1))
    work(demo.starts_at + timedelta(days=6, minutes=9))
    assert {one.to_email for one in letters(rep, gate, "demo-reminder", "demo-rep-reminder")} == {
        demo.lead.email, rep.email
    }  # fmt: skip


def test_who_books_late_is_reminded_an_hour_before_and_who_cancels_not_at_all(rep, catch, gate, work):
    leads = [catch(rep, name) for name in ("Ann Bell", "Ben Bell")]
    with gate(rep) as at:
        starts = at + timedelta(hours=5)
        soon = demos.book(leads[0], holder=rep, starts_at=starts, ends_at=starts + HALF, by=rep, at=at)
        off = demos.book(leads[1], holder=rep, starts_at=starts + HALF, ends_at=starts + 2 * HALF, by=rep, at=at)
        demos.cancel(off, by=rep, at=at)
        assert demos.reminder_at(soon, at) == starts - timedelta(hours=1)
    work(starts - timedelta(minutes=61))
    assert not letters(rep, gate, "demo-reminder")
    work(starts - timedelta(minutes=59))
    work(starts - timedelta(minutes=20))
    assert [one.to_email for one in letters(rep, gate, "demo-reminder")] == [leads[0].email]


def test_who_books_within_the_hour_is_not_reminded_at_once(rep, catch, gate, work):
    lead = catch(rep, "Ann Bell", email="ann@bell.example")
    with gate(rep) as at:
        soon = at + timedelta(minutes=20)
        demos.book(lead, holder=rep, starts_at=soon, ends_at=soon + HALF, by=rep, at=at)
    work()
    work(soon + timedelta(seconds=1))
    assert letters(rep, gate, "demo-booked")
    assert not letters(rep, gate, "demo-reminder", "demo-rep-reminder")


def test_a_first_no_show_is_sent_a_link_to_book_again_a_second_one_is_not(rep, past_demo, gate, work):
    first = past_demo(rep, hours=30)
    again = past_demo(rep, lead=first.lead, hours=2)
    assert not letters(rep, gate), "nobody is written to about what has been"
    for demo in (first, again):
        with gate(rep) as at:
            demos.no_show(demo, by=rep, at=at)
        work()
    (letter,) = letters(rep, gate, "demo-missed")
    with gate(rep):
        assert first.path in text_of(letter, rep.workspace, hidden=False)


def test_who_takes_a_demo_over_gets_it_and_the_lead_reads_with_whom_it_is(rep, other_rep, demo_of, gate, work):
    demo = demo_of(rep)
    work()
    with gate(rep) as at:
        demos.give_to(demo, other_rep, at=at)
    work()
    (moved,) = letters(rep, gate, "demo-moved")
    with gate(rep):
        assert "From now on it is with Otto Rep." in text_of(moved, rep.workspace)
    theirs = {one.to_email: one for one in letters(rep, gate, "demo-rep") if one.context["sequence"] == 1}
    with gate(rep):
        methods = {who: appointments(one).method.value for who, one in theirs.items()}
    assert methods == {other_rep.email: "REQUEST", rep.email: "CANCEL"}


def test_what_a_calendar_reads_survives_odd_names_and_places(rep, catch, demo_of, gate, work, browse, owner):
    lead = catch(rep, 'Ann "Böse"; Bell,\u202e', email="ann@bell.example")
    demo = demo_of(rep, lead=lead, title="Visit; roof, loft\\n", place='https://meet.example/a?b=1;c,"d"')
    work()
    (letter,) = letters(rep, gate, "demo-booked")
    with gate(rep):
        event = appointments(letter).vevent
    assert event.location.value == demo.place
    assert event.summary.value.startswith("Visit; roof, loft\\n: First")
    got = browse(owner).get(reverse("letter-file", args=[letter.pk, 0]))
    assert got.status_code == 200
    assert got.headers["Content-Disposition"] == 'attachment; filename="meeting.ics"'
    assert b"BEGIN:VCALENDAR" in got.content


def test_a_lead_without_an_address_costs_no_letter_and_stops_nothing(rep, demo_of, catch, gate, work):
    lead = catch(rep, "Ann Bell", email="", phone="+44 7700 900461")
    demo_of(rep, lead=lead)
    work()
    assert [one.to_email for one in letters(rep, gate)] == [rep.email]
    with gate(rep):
        assert Demo.objects.get().lead == lead


def test_who_did_come_is_not_invited_again_though_their_letter_is_on_the_line(
    past_demo, rep, browse, gate, sink, on_the_line, work
):
    demo, client = past_demo(rep), browse(rep)
    client.post(reverse("sales:demo-missed", args=[demo.pk]))
    drain()
    (letter,) = letters(rep, gate, "demo-missed")
    assert letter.state == "queued"
    with gate(rep):
        seen = Demo.objects.get().version
    on_the_line("open", lambda: client.post(reverse("sales:demo-held", args=[demo.pk]), {"version": seen}))
    work()
    assert [to for to, _ in sink.taken if to == [demo.lead.email]] == []
    (letter,) = letters(rep, gate, "demo-missed")
    assert (letter.state, letter.error) == ("failed", "Not sent: the demo was held after all.")


@pytest.mark.parametrize("change", ["move", "cancel", ""])
def test_nobody_is_reminded_of_a_demo_that_changed_while_the_reminder_waited(change, rep, demo_of, gate, sink, work):
    demo = demo_of(rep)
    work()
    due = demo.starts_at - timedelta(hours=23)
    drain(at=due)
    assert len(letters(rep, gate, "demo-reminder", "demo-rep-reminder")) == 2
    with gate(rep) as at:
        if change == "move":
            demos.move(demo, {"starts_at": demo.starts_at + timedelta(days=7)}, by=rep, at=at)
        elif change == "cancel":
            demos.cancel(demo, by=rep, at=at)
    work(due)
    told = {(one.state, one.error) for one in letters(rep, gate, "demo-reminder", "demo-rep-reminder")}
    because = "Not sent: the demo was moved, cancelled or noted meanwhile."
    assert told == ({("failed", because)} if change else {("sent", "")})
