"""Who enters a day on which nobody is there reads at once which demos stand on it; none is cancelled by itself."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.templatetags.words import day_time
from funnel.workspaces.models import TimeOff
from sales.demos.models import Demo

pytestmark = pytest.mark.django_db


def text(answer):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode())))


def day_of(demo):
    return demo.holder.workspace.local(demo.starts_at).date()


def when(demo):
    return day_time(demo.holder.workspace.local(demo.starts_at))


def link(demo):
    return f'href="{reverse("lead", args=[demo.lead_id])}#demos"'


def booked(answer):
    """The demos that stand beside the days, as a person reads them."""
    return [html.unescape(re.sub("<[^>]+>", "", one)) for one in re.findall(STANDS, answer.content.decode())]


STANDS = r'<span class="under">(<a class="inline-link".*?)</span>'


def test_a_day_that_is_closed_names_the_demos_on_it(owner, rep, other_rep, demo_of, browse, gate):
    ann, ben = demo_of(rep), demo_of(other_rep, "Ben Bell", hour=11)
    demo_of(rep, "Cat Bell", days=14)
    page = browse(owner)
    on = day_of(ann).isoformat()
    answer = page.post(reverse("holidays"), {"first": on, "name": "A fair"}, follow=True)
    assert "2 demos are booked then, and stay until somebody moves or cancels them." in text(answer)
    assert booked(answer) == [f"Ann Bell, {when(ann)}, with Rita", f"Ben Bell, {when(ben)}, with Otto"]
    assert link(ann) in answer.content.decode()
    assert page.get(reverse("lead", args=[ann.lead_id])).status_code == 200
    week = browse(rep).get(reverse("sales:demos"), {"week": on})
    assert text(week).count("Closed that day") == 1, "the rep reads it too"
    with gate(rep):
        assert set(Demo.objects.values_list("state", flat=True)) == {"booked"}
    page.post(reverse("sales:demo-cancel", args=[ann.pk]))
    assert booked(page.get(reverse("holidays"))) == [f"Ben Bell, {when(ben)}, with Otto"]


def test_a_day_without_a_demo_says_nothing_of_one(owner, rep, demo_of, browse):
    demo_of(rep, days=14)
    elsewhere = day_of(demo_of(rep, "Ben Bell"))
    answer = browse(owner).post(reverse("time-off-add"), {"member": owner.pk, "first": elsewhere}, follow=True)
    assert "Entered." in text(answer)
    assert "booked then" not in text(answer)
    assert booked(answer) == []


def test_time_off_names_the_demos_of_who_is_away_and_no_others(owner, rep, other_rep, demo_of, browse):
    ann, ben = demo_of(rep), demo_of(rep, "Ben Bell", hour=11, days=9)
    demo_of(other_rep, "Cat Bell")
    days = {"first": day_of(ann).isoformat(), "last": day_of(ben).isoformat()}
    answer = browse(owner).post(reverse("time-off-add"), {"member": rep.pk, **days}, follow=True)
    assert "2 demos are booked then, and stay until somebody moves or cancels them." in text(answer)
    assert booked(answer) == [f"Ann Bell, {when(ann)}", f"Ben Bell, {when(ben)}"]
    assert booked(browse(rep).get(reverse("me"))) == [f"Ann Bell, {when(ann)}", f"Ben Bell, {when(ben)}"]


def test_who_enters_their_own_time_off_reads_it_there(rep, other_rep, demo_of, browse):
    ann = demo_of(rep)
    answer = browse(rep).post(reverse("me"), {"which": "off", "first": day_of(ann).isoformat()}, follow=True)
    assert "1 demo is booked then, and stays until somebody moves or cancels it." in text(answer)
    assert booked(answer) == [f"Ann Bell, {when(ann)}"]
    assert link(ann) in answer.content.decode()


def test_the_pages_ask_as_much_for_many_days_as_for_one(owner, rep, demo_of, browse):
    page = browse(owner)

    def asked(address):
        page.get(address)
        with CaptureQueriesContext(connection) as seen:
            page.get(address)
        return len(seen)

    def take(demo):
        page.post(reverse("holidays"), {"first": day_of(demo).isoformat()})
        page.post(reverse("time-off-add"), {"member": rep.pk, "first": day_of(demo).isoformat()})

    places = [reverse("holidays"), reverse("people")]
    take(demo_of(rep))
    one = [asked(place) for place in places]
    for ahead in range(14, 70, 7):
        take(demo_of(rep, f"Lead {ahead}", days=ahead))
    assert [asked(place) for place in places] == one
    assert len(booked(page.get(places[0]))) == 9


def test_many_times_off_are_no_longer_a_question_than_the_database_takes(owner, rep, other_rep, demo_of, browse, gate):
    ann, ben = demo_of(rep), demo_of(other_rep, "Ben Bell", hour=11, days=14)
    with gate(owner) as at:
        TimeOff.objects.bulk_create(
            TimeOff(workspace=owner.workspace, member=member, first=day, last=day, made_at=at)
            for member, demo in ((rep, ann), (other_rep, ben))
            for day in (day_of(demo) + timedelta(days=2 * ahead) for ahead in range(500))
        )
    assert booked(browse(owner).get(reverse("people"))) == [f"Ann Bell, {when(ann)}", f"Ben Bell, {when(ben)}"]


def test_a_weekday_on_which_somebody_stops_working_names_the_demos_on_it(owner, rep, other_rep, demo_of, browse):
    ann, ben = demo_of(rep), demo_of(rep, "Ben Bell", days=14)
    demo_of(rep, "Cat Bell", days=10)
    demo_of(other_rep, "Dan Bell", hour=11)
    assert day_of(ann).weekday() == day_of(ben).weekday()
    rest = {"days": [day for day in range(5) if day != day_of(ann).weekday()]}
    own = browse(rep).post(reverse("me"), {"which": "days", **rest}, follow=True)
    assert "2 demos are booked then, and stay until somebody moves or cancels them." in text(own)
    assert booked(own) == [f"Ann Bell, {when(ann)}", f"Ben Bell, {when(ben)}"]
    theirs = browse(owner).post(reverse("working-days", args=[rep.pk]), rest, follow=True)
    assert booked(theirs) == booked(own), "the owner reads them where they chose the days"
    everyday = browse(owner).post(reverse("working-days", args=[rep.pk]), {"days": range(5)}, follow=True)
    assert "booked then" not in text(everyday)


@pytest.mark.parametrize(("off", "says"), [("holiday", "Closed that day"), ("time off", "Away that day"), ("", "")])
def test_a_demo_on_a_day_off_says_so_on_the_desk_and_on_the_leads_page(off, says, owner, rep, demo_of, browse):
    demo = demo_of(rep)
    on = {"first": day_of(demo).isoformat()}
    if off == "holiday":
        browse(owner).post(reverse("holidays"), on)
    elif off:
        browse(owner).post(reverse("time-off-add"), {"member": rep.pk, **on})
    desk = text(browse(rep).get(reverse("sales:desk"), {"lead": str(demo.lead_id)}))
    page = text(browse(rep).get(reverse("lead", args=[demo.lead_id])))
    every = ("Closed that day", "Away that day")
    assert [each for each in every if f"{each}: Meeting" in desk] == [each for each in every if each in page]
    assert [each for each in every if each in page] == ([says] if says else [])
