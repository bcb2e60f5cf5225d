"""What a lead is to prepare stays with the meeting that they booked, whatever becomes of it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from funnel.mail.models import Message
from funnel.outbox.models import Event
from sales.demos import actions as demos
from sales.demos import booking
from sales.demos.models import Demo
from tests.sales.demos.conftest import slot

pytestmark = pytest.mark.django_db
BILLS = "Have your bills ready."


@pytest.fixture
def booked(rep, gate):
    """A site visit that a visitor booked on the rep's page."""
    with gate(rep) as at:
        page = booking.page_of(rep, at=at)
        booking.change_page(page, {"title": "Site visit", "before": BILLS}, by=rep, at=at)
        typed = {"name": "Ann Bell", "email": "ann@bell.example"}
        return booking.book(page, slot(rep, at), workspace=rep.workspace, at=at, typed=typed)


def move(browse, member, demo, **typed):
    local = member.workspace.local(demo.starts_at)
    same = {"on": local.date(), "hour": f"{local:%H:%M}", "minutes": "30", "title": demo.title, "place": demo.place}
    return browse(member).post(reverse("sales:demo-move", args=[demo.pk]), same | typed, follow=True)


def shown(client, demo):
    return client.get(demo.path).content.decode()


def test_it_stays_where_the_rep_moves_the_meeting_and_changes_its_kind(rep, booked, browse, client):
    assert BILLS in shown(client, booked)
    form = browse(rep).get(reverse("sales:demo-move", args=[booked.pk])).content.decode()
    assert f">\n{BILLS}</textarea>" in form
    move(browse, rep, booked, title="Video call", hour="11:00", before=BILLS)
    assert BILLS in shown(client, booked)
    move(browse, rep, booked, title="Video call", before="Have a microphone.")
    assert "Have a microphone." in shown(client, booked)
    move(browse, rep, booked, title="Site visit", before="")
    assert BILLS not in shown(client, booked), "the rep has taken it away"


def test_it_stays_where_the_page_says_something_else_by_now_and_for_who_books_again(rep, booked, gate, client):
    with gate(rep) as at:
        page = booking.page_of(rep, at=at)
        booking.change_page(page, {"title": "Call", "before": "Nothing"}, by=rep, at=at)
    assert BILLS in shown(client, booked)
    with gate(rep) as at:
        demos.cancel(booked, by=rep, at=at)
        again = booking.page_for(Demo.objects.select_related("lead__holder", "holder").get(), at=at)
        assert again.before == BILLS


def test_of_one_booked_before_it_was_kept_the_page_says_it_and_a_change_keeps_it(rep, booked, gate, browse, client):
    with gate(rep):
        Demo.objects.update(before=None)
    assert BILLS in shown(client, booked)
    assert "Nothing to save" in move(browse, rep, booked, before=BILLS).content.decode()
    move(browse, rep, booked, title="Video call", before=BILLS)
    assert BILLS in shown(client, booked)


def test_a_form_from_before_it_was_asked_takes_nothing_away(rep, booked, browse, client):
    move(browse, rep, booked, title="Video call")
    assert BILLS in shown(client, booked)


def test_another_thing_to_prepare_moves_no_meeting_and_nobody_is_told_so(rep, booked, browse, client, gate, work):
    work()
    said = move(browse, rep, booked, before="Have your bills ready.\r\nAnd the keys.").content.decode()
    work()
    assert "Saved." in said
    assert "Moved." not in said
    assert "And the keys." in shown(client, booked)
    with gate(rep):
        now = Demo.objects.get()
        assert (now.sequence, now.version) == (0, 2)
        assert not Event.objects.filter(kind="demo_moved").exists()
        assert not Message.objects.filter(kind="demo-moved").exists()
    move(browse, rep, booked, before="The keys.", hour="11:00")
    work()
    with gate(rep):
        assert (Demo.objects.get().sequence, Message.objects.filter(kind="demo-moved").count()) == (1, 1)


def test_the_end_of_a_line_is_one_sign_however_it_is_sent(rep, booked, browse, gate):
    two = "Have your bills ready.\nAnd the keys."
    with gate(rep):
        Demo.objects.update(before=two)
    assert "Nothing to save" in move(browse, rep, booked, before=two.replace("\n", "\r\n")).content.decode()
    with gate(rep):
        Demo.objects.update(before=two.replace("\n", "\r\n"))
    assert "Nothing to save" in move(browse, rep, booked, before=two.replace("\n", "\r\n")).content.decode()
    # Which is as much as the browser lets through.
    long = "a\r\n" * 299 + "bc"
    move(browse, rep, booked, before=long)
    with gate(rep):
        assert len(Demo.objects.get().before) == 600


def test_the_rep_reads_it_beside_the_demo_whether_it_was_kept_or_the_page_says_it(rep, booked, browse, gate):
    says = f"To prepare: <bdi>{BILLS}</bdi>"
    week = f"{reverse('sales:demos')}?week={rep.workspace.local(booked.starts_at).date()}"
    places = (reverse("lead", args=[booked.lead_id]), f"{reverse('sales:desk')}?lead={booked.lead_id}", week)
    for kept, shows in ((BILLS, True), (None, True), ("", False)):
        with gate(rep):
            Demo.objects.update(before=kept)
        for page in places:
            assert (says in browse(rep).get(page).content.decode()) == shows, (kept, page)
    with gate(rep):
        Demo.objects.update(before=None, title="Another kind")
    assert not any("To prepare" in browse(rep).get(page).content.decode() for page in places)
