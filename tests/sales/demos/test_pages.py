"""The rep's pages: the week, the lead's demos, the desk, and one's own booking page."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.mail.models import Message
from funnel.people import away
from funnel.templatetags.words import long_day, when
from funnel.workspaces.models import Workspace
from sales.demos.models import BookingPage, Demo, DemoState
from tests.sales.demos.conftest import slot

pytestmark = pytest.mark.django_db


def text(answer):
    return " ".join(answer.content.decode().split())


def test_a_demo_is_booked_on_the_leads_page_and_moved_there(rep, catch, browse, gate):
    lead = catch(rep)
    client = browse(rep)
    form = reverse("sales:demo-book", args=[lead.pk])
    shown = text(client.get(form))
    assert "When Rita is free" in shown
    with gate(rep) as at:
        starts = slot(rep, at)
        local = rep.workspace.local(starts)
    typed = {
        "on": local.date().isoformat(),
        "hour": "09:00",
        "minutes": "45",
        "title": "Site\r\nvisit",
        "place": "Here",
    }
    assert "Write a date like" in text(client.post(form, typed | {"on": "2026-02-30"}))
    assert client.post(form, typed | {"on": "2020-01-06"}).status_code == 422
    assert "This has passed" in text(client.post(form, typed | {"on": "2020-01-06"}))
    assert client.post(form, typed).url == f"/leads/{lead.pk}/#demos"
    with gate(rep):
        demo = Demo.objects.get()
        assert (demo.starts_at, demo.length, demo.title) == (starts, timedelta(minutes=45), "Site visit")
    page = text(client.get(reverse("lead", args=[lead.pk])))
    assert "Site visit" in page
    assert "<bdi>Rita</bdi> booked “<bdi>Site visit</bdi>”" in page
    again = client.post(form, typed)
    assert again.status_code == 409
    assert "has another demo at that time" in text(again)
    moved = client.post(reverse("sales:demo-move", args=[demo.pk]), typed | {"hour": "14:30"})
    assert moved.status_code == 302
    with gate(rep):
        demo.refresh_from_db()
        assert (f"{rep.workspace.local(demo.starts_at):%H:%M}", demo.sequence) == ("14:30", 1)


def test_an_empty_week_says_which_demo_comes_next(rep, demo_of, browse):
    assert "The next is on" not in text(browse(rep).get(reverse("sales:demos")))
    demo = demo_of(rep)
    day = rep.workspace.local(demo.starts_at)
    shown = text(browse(rep).get(f"{reverse('sales:demos')}?week={day - timedelta(days=7):%Y-%m-%d}"))
    assert f'?week={day:%Y-%m-%d}">The next is on {long_day(day.date())}</a>' in shown


def test_the_link_by_which_a_lead_moves_or_books_again_can_be_copied(
    rep, other_rep, demo_of, past_demo, browse, client, settings
):
    demo, missed = demo_of(rep), past_demo(rep, "Ben Bell")
    browse(rep).post(reverse("sales:demo-missed", args=[missed.pk]))
    for one, says in ((demo, "Who has it can move or cancel the demo."), (missed, "Who has it can choose a new time.")):
        page, link = reverse("lead", args=[one.lead_id]), f'value="{settings.PUBLIC_URL}{one.path}"'
        shown = text(browse(rep).get(page))
        assert (link in shown, says in shown) == (True, True), one
        assert one.path not in text(browse(other_rep).get(page)), "a colleague reads the demo, and may not move it"
        assert client.get(one.path).status_code == 200


@pytest.mark.parametrize(
    ("server", "works", "says"),
    [
        ("", False, "Mail is not being sent: tell Ann Bell yourself."),
        ("smtp://mail.example", False, "Mail is not tried yet: tell Ann Bell yourself."),
        ("smtp://mail.example", True, "Ann Bell is told by mail."),
    ],
)
def test_who_hears_of_a_demo_is_said_as_it_is(rep, demo_of, browse, mail_works, settings, server, works, says):
    settings.EMAIL_URL = server
    if works:
        mail_works(rep)
    demo = demo_of(rep)
    page = text(browse(rep).post(reverse("sales:demo-cancel", args=[demo.pk]), {"reason": "Ill"}, follow=True))
    assert f"Cancelled. {says}" in page


def test_the_question_before_a_demo_is_cancelled_promises_no_letter_while_none_leaves(
    rep, demo_of, browse, mail_works, settings
):
    settings.EMAIL_URL = ""
    demo, letter = demo_of(rep), "The letter to both takes it out of their calendar."
    places = (
        reverse("lead", args=[demo.lead_id]),
        f"{reverse('sales:desk')}?lead={demo.lead_id}",
        f"{reverse('sales:demos')}?week={rep.workspace.local(demo.starts_at):%Y-%m-%d}",
    )
    for page in places:
        shown = text(browse(rep).get(page))
        assert ("Mail is not being sent, so tell them yourself." in shown, letter in shown) == (True, False), page
    mail_works(rep)
    for page in places:
        shown = text(browse(rep).get(page))
        assert ("so tell them yourself" in shown, letter in shown) == (False, True), page


def test_a_demo_to_come_is_the_next_step_among_my_leads(rep, demo_of, browse, gate):
    demo = demo_of(rep)
    page = text(browse(rep).get(reverse("sales:mine")))
    assert f"<bdi>{demo.title}</bdi>" in page
    with gate(rep):
        assert f'<td class="nowrap">{when(demo.starts_at)}' in page
    assert "Nothing planned" not in page


def test_a_demo_that_is_over_asks_how_it_went_among_my_leads(rep, past_demo, browse):
    past_demo(rep)
    page = text(browse(rep).get(reverse("sales:mine")))
    assert "How did it go?" in page
    assert "Late" in page


def test_no_letter_is_promised_while_no_mail_leaves(rep, catch, browse, mail_works):
    form = reverse("sales:demo-book", args=[catch(rep).pk])
    shown = text(browse(rep).get(form))
    assert "Mail is not being sent, so tell them yourself." in shown
    assert "The owner can set up mail." in shown
    mail_works(rep)
    shown = text(browse(rep).get(form))
    assert "Lead and rep get the appointment for their calendar by mail." in shown
    assert "not being sent" not in shown


def test_a_time_that_the_clocks_jump_over_is_refused_with_a_sentence(rep, catch, browse, gate):
    """Bad input 91: in London it is 02:00 right after 00:59 on 28 March 2027."""
    lead = catch(rep)
    typed = {"on": "2027-03-28", "hour": "01:30", "minutes": "30", "title": "Visit", "place": ""}
    answer = browse(rep).post(reverse("sales:demo-book", args=[lead.pk]), typed)
    assert answer.status_code == 422
    assert "the clocks go forward, and this time does not exist" in text(answer)
    with gate(rep):
        assert not Demo.objects.exists()


@pytest.mark.parametrize(
    ("zone", "day", "hour"), [("Europe/Berlin", "0001-01-01", "00:30"), ("America/New_York", "9999-12-31", "23:30")]
)
def test_a_day_at_the_end_of_the_calendar_is_refused_with_a_sentence(rep, catch, browse, gate, zone, day, hour):
    """Bad input 93."""
    lead = catch(rep)
    Workspace.objects.filter(pk=rep.workspace_id).update(time_zone=zone)
    typed = {"on": day, "hour": hour, "minutes": "30", "title": "Visit", "place": ""}
    answer = browse(rep).post(reverse("sales:demo-book", args=[lead.pk]), typed)
    assert (answer.status_code, "This is too long ago or too far ahead." in text(answer)) == (422, True)
    with gate(rep):
        assert not Demo.objects.exists()


def test_todays_demos_stand_on_the_desk_until_somebody_says_how_they_went(rep, past_demo, demo_of, browse, gate, work):
    demo = past_demo(rep, "Ann Bell", title="Site visit", hours=0.25)
    demo_of(rep, "Ben Bell", title="Later visit", days=14)
    desk = text(browse(rep).get(reverse("sales:desk")))
    assert "Site visit" in desk
    assert "Later visit" in desk
    assert "Nothing is planned" not in desk
    assert "How did it go?" in desk
    with gate(rep):
        Demo.objects.filter(pk=demo.pk).update(ends_at=demo.starts_at + timedelta(minutes=1))
    assert "How did it go? Site visit" in text(browse(rep).get(reverse("sales:desk")))
    held = browse(rep).post(
        reverse("sales:demo-held", args=[demo.pk]),
        {"note": "They like it", "next": f"/sales/?lead={demo.lead_id}#lead"},
    )
    assert held.url == f"/sales/?lead={demo.lead_id}#lead"
    assert "How did it go? Site visit" not in text(browse(rep).get(reverse("sales:desk")))
    assert "They like it" in text(browse(rep).get(reverse("lead", args=[demo.lead_id])))


def test_an_older_page_does_not_overwrite_what_was_said_meanwhile_and_a_fresh_one_puts_it_right(
    rep, owner, past_demo, browse, gate, work
):
    demo = past_demo(rep)
    work()
    where, tab = reverse("lead", args=[demo.lead_id]), browse(rep)

    def say(verb, version, **typed):
        return tab.post(reverse(f"sales:demo-{verb}", args=[demo.pk]), {"version": version, **typed})

    def drawn():
        return re.search(r'name="version" value="(\d+)"', text(tab.get(where)))[1]

    def now():
        with gate(rep):
            letters = Message.objects.filter(kind="demo-missed").order_by("created_at")
            return Demo.objects.get().state, Demo.objects.get().note, [one.state for one in letters]

    old = drawn()
    browse(owner).post(reverse("sales:demo-held", args=[demo.pk]), {"version": old})
    refused = say("missed", old, note="Nobody there")
    assert refused.status_code == 409
    assert "noted as held already on" in text(refused)
    assert f"by {owner.name}. Press the button once more to change it." in text(refused)
    assert ">\nNobody there</textarea>" in refused.content.decode(), "what was typed is still there"
    assert f'name="version" value="{drawn()}"' in text(refused), "who has read it may say otherwise"
    assert say("held", old, note="Another note").status_code == 409
    assert say("held", old).status_code == 302, "the same said twice is no error"
    work()
    assert now() == ("held", "", [])
    assert say("missed", drawn()).status_code == 302
    work()
    assert now() == ("missed", "", ["queued"])
    assert say("held", drawn()).status_code == 302
    work()
    assert now() == ("held", "", ["failed"]), "a letter that still waits is taken back"


@pytest.mark.parametrize(
    ("verb", "field", "limit"), [("cancel", "reason", 300), ("held", "note", 4000), ("missed", "note", 4000)]
)
def test_what_is_said_of_a_demo_is_kept_whole_or_refused_whole(
    rep, past_demo, demo_of, browse, gate, verb, field, limit
):
    demo = demo_of(rep) if verb == "cancel" else past_demo(rep)
    where, page = reverse(f"sales:demo-{verb}", args=[demo.pk]), browse(rep)
    answer = page.post(where, {field: "word " * (limit // 5 + 1), "next": "/sales/demos/"})
    assert answer.status_code == 422
    assert f"Write at most {limit} characters; this has {limit + 4}." in text(answer)
    assert ("word " * (limit // 5 + 1)).strip() in text(answer)
    assert 'name="next" value="/sales/demos/"' in text(answer)
    with gate(rep):
        assert Demo.objects.get().state == DemoState.BOOKED
    assert page.post(where, {field: "word " * (limit // 5)}).status_code == 302
    with gate(rep):
        assert getattr(Demo.objects.get(), field) == ("word " * (limit // 5)).strip()


def test_of_a_reason_in_several_lines_as_much_is_kept_as_the_browser_lets_through(rep, demo_of, browse, gate):
    demo = demo_of(rep)
    answer = browse(rep).post(reverse("sales:demo-cancel", args=[demo.pk]), {"reason": "a\r\n" * 149 + "bc"})
    assert answer.status_code == 302
    with gate(rep):
        assert Demo.objects.get().reason == "a " * 149 + "bc"


def test_a_second_no_show_suggests_to_give_the_lead_back_with_one_click(rep, past_demo, browse, gate, work):
    first = past_demo(rep, hours=50)
    second = past_demo(rep, lead=first.lead, hours=2)
    client = browse(rep)
    where = reverse("lead", args=[first.lead_id])
    client.post(reverse("sales:demo-missed", args=[first.pk]))
    assert "Missed" not in text(client.get(where)).replace("Missed the demo", "")
    client.post(reverse("sales:demo-missed", args=[second.pk]))
    page = text(client.get(where))
    assert "Missed 2 demos" in page
    assert "Could not reach them" in page
    given = {"reason": "no-answer", "note": "Missed 2 demos"}
    assert client.post(reverse("lead-give-back", args=[first.lead_id]), given).status_code == 302
    with gate(rep):
        assert Lead.objects.get().stage == Stage.NURTURING
    assert "Missed 2 demos:" not in text(client.get(where))


def test_giving_back_is_spoken_of_only_where_it_is_offered(rep, past_demo, demo_of, browse):
    first = past_demo(rep, hours=50)
    second = past_demo(rep, lead=first.lead, hours=2)
    demo_of(rep, lead=first.lead)
    client, offer = browse(rep), "This was not the first time; you can give the lead back."
    client.post(reverse("sales:demo-missed", args=[first.pk]))
    page = text(client.post(reverse("sales:demo-missed", args=[second.pk]), follow=True))
    assert "This was not the first time: ask them for another time yourself." in page, "one more is to come"
    assert (offer in page, "Missed 2 demos" in page) == (False, False)
    third = past_demo(rep, "Ben Bell", hours=50)
    fourth = past_demo(rep, lead=third.lead, hours=2)
    client.post(reverse("sales:demo-missed", args=[third.pk]))
    page = text(client.post(reverse("sales:demo-missed", args=[fourth.pk]), follow=True))
    assert (offer in page, "Missed 2 demos" in page) == (True, True)
    page = text(client.get(reverse("lead", args=[third.lead_id])))
    assert (offer in page, "Missed 2 demos" in page) == (False, True), "it stands until somebody acts"


def test_my_week_shows_mine_and_a_leader_everybodys(rep, other_rep, owner, demo_of, browse, gate):
    mine = demo_of(rep, "Ann Bell")
    demo_of(other_rep, "Ben Bell")
    with gate(rep) as at:
        day = rep.workspace.local(mine.starts_at).date()
        away.take_off(rep, day, day, by=rep, at=at)
    week = {"week": day.isoformat()}
    own = text(browse(rep).get(reverse("sales:demos"), week))
    assert "Ann Bell" in own
    assert "Ben Bell" not in own
    assert "Away that day" in own
    assert "Ben Bell" not in text(browse(rep).get(reverse("sales:demos"), week | {"who": "all"}))
    every = text(browse(owner).get(reverse("sales:demos"), week | {"who": "all"}))
    assert "Ann Bell" in every
    assert "Ben Bell" in every
    for odd in ("x", "0001-01-01", "9999-12-31", "2026-13-01"):
        assert browse(rep).get(reverse("sales:demos"), {"week": odd}).status_code == 200


def test_the_week_and_the_desk_cost_the_same_with_one_demo_and_with_ten(rep, demo_of, browse):
    client = browse(rep)
    first = demo_of(rep, "Lead 0", hour=9)
    pages = [(reverse("sales:demos"), {"week": first.starts_at.date().isoformat()}), (reverse("sales:desk"), {})]
    before = []
    for address, query in pages:
        client.get(address, query)
        with CaptureQueriesContext(connection) as few:
            client.get(address, query)
        before.append(len(few))
    for n in range(7):
        demo_of(rep, f"Lead {n + 1}", hour=10 + n % 7)
    for (address, query), count in zip(pages, before, strict=True):
        client.get(address, query)
        with CaptureQueriesContext(connection) as many:
            client.get(address, query)
        assert len(many) <= count, address


def test_a_rep_opens_a_booking_page_and_says_what_stands_on_it(rep, browse, gate, client):
    mine = browse(rep)
    address = reverse("sales:booking")
    assert "You have no booking page yet" in text(mine.get(address))
    assert mine.post(address).status_code == 302
    typed = {
        "title": "Site visit", "intro": "We look at the roof", "minutes": "60", "place": "At your roof",
        "before": "Your latest bill", "gap_minutes": "30", "notice_hours": "24", "is_open": "on",
    }  # fmt: skip
    assert mine.post(address, typed | {"minutes": "7"}).status_code == 422
    assert "Write 0 or more." in text(mine.post(address, typed | {"notice_hours": "-1"}))
    assert mine.post(address, typed).status_code == 302
    with gate(rep):
        page = BookingPage.objects.get()
        assert (page.minutes, page.gap_minutes, page.notice_hours, page.before) == (60, 30, 24, "Your latest bill")
    assert page.path in text(mine.get(address))
    public = text(client.get(page.path))
    for words in ("Site visit", "We look at the roof", "60 minutes", "At your roof", "Rita Rep"):
        assert words in public
    assert mine.post(address, {name: typed[name] for name in typed if name != "is_open"}).status_code == 302
    assert client.get(page.path).status_code == 410


def test_a_colleagues_demo_is_read_not_changed_and_anothers_is_not_there(
    rep, other_rep, outsider, demo_of, browse, gate
):
    demo = demo_of(rep)
    page = text(browse(other_rep).get(reverse("lead", args=[demo.lead_id])))
    assert "with <bdi>Rita</bdi>" in page
    assert reverse("sales:demo-move", args=[demo.pk]) not in page
    for verb in ("move", "cancel", "held", "missed"):
        where = reverse(f"sales:demo-{verb}", args=[demo.pk])
        assert browse(other_rep).post(where).status_code == 403
        assert browse(outsider).post(where).status_code == 404
    off = browse(rep).post(reverse("sales:demo-cancel", args=[demo.pk]), {"reason": "They asked"})
    assert off.status_code == 302
    with gate(rep):
        demo.refresh_from_db()
        assert (demo.state, demo.reason) == (DemoState.CANCELLED, "They asked")


def test_today_s_demo_stands_on_the_desk_however_many_are_over_without_a_word(rep, catch, past_demo, browse):
    lead = catch(rep)
    for hours in range(1, 33):
        past_demo(rep, lead=lead, hours=hours)
    past_demo(rep, lead=lead, hours=0.1, title="On the roof")
    page = text(browse(rep).get(reverse("sales:desk")))
    assert page.count("How did it go? Meeting") == 29
    assert "On the roof" in page
