"""Booking by hand: what is in the way is said, and what is unusual is asked about once."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.mail.models import Message
from funnel.outbox.models import Event
from funnel.people import away
from funnel.templatetags import words
from sales.demos import actions as demos
from sales.demos.models import Demo
from sales.queue import actions as queue
from sales.queue.models import Task
from tests.sales.demos.conftest import HALF, slot

pytestmark = pytest.mark.django_db


def text(answer):
    return " ".join(answer.content.decode().split())


def typed(member, starts_at, **also):
    local = member.workspace.local(starts_at)
    given = {"on": local.date().isoformat(), "hour": f"{local:%H:%M}", "minutes": "30", "title": "Visit", "place": ""}
    return given | also


def test_a_refused_time_says_when_the_other_demo_is_and_with_whom(rep, demo_of, catch, browse, gate):
    first = demo_of(rep, "Ann Bell")
    form = reverse("sales:demo-book", args=[catch(rep, "Ben Bell").pk])
    answer = browse(rep).post(form, typed(rep, first.starts_at + timedelta(minutes=15)))
    assert answer.status_code == 409
    assert "09:00 to 09:30, with Ann Bell." in text(answer)
    later = demo_of(rep, "Cat Bell", hour=11)
    answer = browse(rep).post(reverse("sales:demo-move", args=[later.pk]), typed(rep, first.starts_at))
    assert (answer.status_code, "09:00 to 09:30, with Ann Bell." in text(answer)) == (409, True)
    with gate(rep) as at:
        assert Demo.objects.count() == 2
        with pytest.raises(demos.Taken) as taken:
            demos.move(later, {"starts_at": first.starts_at, "ends_at": first.starts_at + HALF}, by=None, at=at)
    assert "Ann" not in taken.value.sentence, "a lead that moves its own reads nobody's name"


def test_a_day_off_is_said_and_asked_about_once(owner, rep, catch, browse, gate):
    lead = catch(rep)
    with gate(rep) as at:
        starts = slot(rep, at)
        day = rep.workspace.local(starts).date()
        away.take_off(rep, day, day, by=rep, at=at)
    form, given = reverse("sales:demo-book", args=[lead.pk]), typed(rep, starts, holder=str(rep.pk))
    asked = browse(owner).post(form, given)
    says = f"Rita is off on {words.day(day)}."
    assert (asked.status_code, says in text(asked), "Book it anyway" in text(asked)) == (422, True, True)
    with gate(rep):
        assert not Demo.objects.exists()
    assert f"You are off on {words.day(day)}." in text(browse(rep).post(form, typed(rep, starts)))
    assert browse(owner).post(form, given | {"anyway": says}).status_code == 302
    with gate(rep):
        demo = Demo.objects.get()
        assert (demo.starts_at, demo.holder) == (starts, rep)
    move = reverse("sales:demo-move", args=[demo.pk])
    assert browse(rep).post(move, typed(rep, starts, place="Upstairs")).status_code == 302, "the time stays"
    later = browse(rep).post(move, typed(rep, starts + HALF))
    assert (later.status_code, "Move it anyway" in text(later)) == (422, True)


@pytest.mark.parametrize(
    ("days", "hour", "says"),
    [
        (0, "20:00", "20:00 to 20:30 on {} is outside working hours."),
        (0, "08:45", "08:45 to 09:15 on {} is outside working hours."),
        (5, "09:00", "{} is no working day."),
        (1, "09:00", "{} is a holiday: Founders’ Day."),
    ],
)
def test_a_time_at_which_nobody_works_is_said_and_asked_about(rep, owner, catch, browse, gate, days, hour, says):
    lead = catch(rep)
    with gate(owner) as at:
        local = rep.workspace.local(at).date()
        monday = local + timedelta(days=14 - local.weekday())
        away.close(
            rep.workspace, monday + timedelta(days=1), monday + timedelta(days=1), "Founders’ Day", by=owner, at=at
        )
    day = monday + timedelta(days=days)
    given = {"on": day.isoformat(), "hour": hour, "minutes": "30", "title": "Visit", "place": ""}
    form, says = reverse("sales:demo-book", args=[lead.pk]), says.format(words.day(day))
    asked = browse(rep).post(form, given)
    assert (asked.status_code, says in text(asked)) == (422, True)
    other = browse(rep).post(form, given | {"anyway": "Something else."})
    assert other.status_code == 422, "only what was read counts as answered"
    assert browse(rep).post(form, given | {"anyway": says}).status_code == 302


def test_the_api_books_at_any_time_as_before(rep, catch, api, gate):
    with gate(rep) as at:
        starts = slot(rep, at, 22)
    body = {"lead": str(catch(rep).pk), "starts_at": starts.isoformat(), "ends_at": (starts + HALF).isoformat()}
    assert api(rep).post("/api/v1/demos/", body, content_type="application/json").status_code == 201


def test_whose_free_times_are_shown_follows_who_is_chosen(owner, rep, other_rep, catch, browse):
    form = reverse("sales:demo-book", args=[catch(rep).pk])
    page = browse(owner).get(form, {"holder": str(other_rep.pk)})
    assert f"When {other_rep.first_name} is free" in text(page)
    assert f"&amp;holder={other_rep.pk}" in text(page), "a free time that is chosen keeps with whom"
    assert f'<option value="{other_rep.pk}" selected' in text(page)
    for odd in ("x", str(owner.workspace_id)):
        assert "When Olga is free" in text(browse(owner).get(form, {"holder": odd}))
    assert "When Rita is free" in text(browse(rep).get(form, {"holder": str(other_rep.pk)})), "a rep books one’s own"


def test_a_demo_that_was_held_without_a_booking_is_noted_after_a_question_and_writes_to_nobody(
    rep, catch, browse, gate, work
):
    lead = catch(rep)
    with gate(rep) as at:
        starts = at.replace(second=0, microsecond=0) - timedelta(days=1)
    form, given = reverse("sales:demo-book", args=[lead.pk]), typed(rep, starts)
    asked = browse(rep).post(form, given)
    says = f"{words.day_time(starts.astimezone(rep.workspace.zone))} has passed, so it is noted as held"
    assert (asked.status_code, says in text(asked), "Note it as held" in text(asked)) == (422, True, True)
    assert "Times are London time. </p>" in text(asked), "no letter is promised or missed"
    with gate(rep):
        assert not Demo.objects.exists()
    noted = browse(rep).post(form, given | {"anyway": says}, follow=True)
    assert "Noted: held" in text(noted)
    work()
    with gate(rep):
        demo = Demo.objects.select_related("lead", "deal").get()
        assert (demo.starts_at, demo.state, demo.lead.stage, demo.deal.stage) == (starts, "held", "demo", "demo")
        assert not Message.objects.exists()
        told = Event.objects.filter(lead=lead, kind__in=["demo_booked", "demo_held"])
        assert {one.occurred_at for one in told} == {starts}


def test_the_step_that_a_booking_does_is_ticked_off_with_it_where_that_is_chosen(
    owner, rep, other_rep, catch, browse, gate
):
    lead = catch(rep)
    with gate(rep) as at:
        lead.move("working", at=at, holder=rep)
        starts = slot(rep, at)
        visit, other = (
            queue.plan(lead, queue.NextStep(what, at + timedelta(days=2)), by=rep, at=at) for what in ("Visit", "Send")
        )  # fmt: skip
        foreign = queue.plan_for(other_rep, lead, queue.NextStep("Ring", at + timedelta(days=2)), by=owner, at=at)
    form, given = reverse("sales:demo-book", args=[lead.pk]), typed(rep, starts)
    shown = text(browse(rep).get(form))
    chosen = shown[shown.index('id="demo-done"') :].partition("</select>")[0]
    assert (">None<" in chosen, "Visit · " in chosen, "Send · " in chosen) == (True, True, True)
    assert "Ring" not in chosen
    assert browse(rep).post(form, given | {"done": foreign.pk}).status_code == 422
    assert browse(rep).post(form, given | {"done": visit.pk}).status_code == 302
    with gate(rep):
        assert {task.pk for task in Task.objects.open()} == {other.pk, foreign.pk}
        assert Event.objects.get(kind="next_step_done").data["what"] == "Visit"
    assert browse(rep).post(form, given | {"hour": "14:00"}).status_code == 302
    with gate(rep):
        assert Task.objects.open().count() == 2, "nothing is ticked off unasked"
        assert Demo.objects.count() == 2


def test_a_demo_that_runs_now_is_booked_and_then_said_to_have_been_held(rep, catch, browse, gate):
    lead = catch(rep)
    with gate(rep) as at:
        starts = at.replace(second=0, microsecond=0) - timedelta(minutes=10)
    form, given = reverse("sales:demo-book", args=[lead.pk]), typed(rep, starts)
    assert anyway(browse(rep), form, given).status_code == 302
    with gate(rep):
        demo = Demo.objects.get()
        assert (demo.starts_at, demo.state) == (starts, "booked")
    assert "How did it go?" in text(browse(rep).get(reverse("lead", args=[lead.pk])))
    browse(rep).post(reverse("sales:demo-held", args=[demo.pk]), {"version": "1"})
    with gate(rep):
        assert Demo.objects.get().state == "held"


def test_a_demo_is_moved_to_a_time_that_runs_now_and_to_none_that_is_over(rep, demo_of, browse, gate):
    demo = demo_of(rep)
    where = reverse("sales:demo-move", args=[demo.pk])
    with gate(rep) as at:
        starts = at.replace(second=0, microsecond=0) - timedelta(minutes=10)
    over = anyway(browse(rep), where, typed(rep, starts - timedelta(hours=1)))
    assert (over.status_code, "This has passed; choose a later time." in text(over)) == (422, True)
    assert anyway(browse(rep), where, typed(rep, starts)).status_code == 302
    with gate(rep):
        demo.refresh_from_db()
        assert (demo.starts_at, demo.state) == (starts, "booked")


def anyway(page, where, given):
    """Post the form, and once more where it asks."""
    asked = page.post(where, given)
    found = re.search(r'name="anyway" value="([^"]+)"', asked.content.decode())
    return page.post(where, given | {"anyway": html.unescape(found[1])}) if found else asked


def test_what_is_left_of_a_demo_that_ended_early_can_be_booked(rep, past_demo, catch, browse, api, gate):
    demo = past_demo(rep, hours=0.25)
    other = catch(rep, "Ben Bell")
    with gate(rep) as at:
        left = {"starts_at": (at + timedelta(minutes=2)).isoformat(), "ends_at": demo.ends_at.isoformat()}
    key = api(rep)
    assert key.post("demos/", {"lead": str(other.pk), **left}).status_code == 409
    browse(rep).post(reverse("sales:demo-held", args=[demo.pk]), {"version": "1"})
    assert key.post("demos/", {"lead": str(other.pk), **left}).status_code == 201
    with gate(rep):
        ended = Demo.objects.get(pk=demo.pk)
        assert (ended.state, ended.starts_at, ended.ends_at) == ("held", demo.starts_at, ended.decided_at)
