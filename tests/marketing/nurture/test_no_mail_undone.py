"""“No mail to this person” is a slip at times: for a day it can be undone, unless they say so themselves."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from funnel.leads.models import Lead, Suppression
from funnel.leads.suppressing import digest_of, suppress
from funnel.outbox.models import Event
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, Letter

DAY = timedelta(days=1)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def ways(lead):
    return [
        reverse(name, args=[lead.pk]) for name in ("lead", "marketing:nurture-no-mail", "marketing:nurture-mail-again")
    ]


@pytest.fixture
def kept(gate, owner):
    """Why addresses are kept from mail, and what the ledger says of it."""

    def read():
        with gate(owner):
            told = Event.objects.filter(kind__in=["unsubscribed", "subscribed_again", "bounced"]).order_by("id")
            whys = sorted(Suppression.objects.values_list("why", flat=True))
            return whys, [(one.kind, one.actor and one.actor.name) for one in told.select_related("actor__user")]

    return read


def panel(page):
    return page.content.decode().partition('id="nurture-title"')[2].partition("</section>")[0]


def token(enrolled):
    return f"/u/{nurture.token_for(nurture.DOOR, enrolled.pk)}/"


def test_who_set_it_undoes_it_from_the_message_or_the_page_and_both_are_told(ways, kept, marketer, viewer, browse):
    page, post, back = ways
    said = browse(marketer).post(post, follow=True).content.decode()
    assert f'action="{back}"' in said.partition('class="toast-bar"')[2].partition("</div>")[0]
    shown = panel(browse(marketer).get(page))
    assert f'action="{back}"' in shown
    assert "this can be taken back as if it had not been" in shown
    assert back not in browse(viewer).get(page).content.decode()
    assert kept() == (["unsubscribed"], [("unsubscribed", "Mara Marketer")])
    words = browse(marketer).post(back, follow=True).content.decode()
    assert "Taken back. Nobody keeps marketing’s mail from Ann Bell any more." in words
    assert "<bdi>Mara</bdi> took back that they want no more mail" in words
    assert "<bdi>Mara</bdi> says that they want no more mail" in words, "the ledger keeps what was"
    assert "Do not mail" not in words
    assert "No mail to this person" in words
    assert kept() == ([], [("unsubscribed", "Mara Marketer"), ("subscribed_again", "Mara Marketer")])
    assert "This has been taken back already." in browse(marketer).post(back, follow=True).content.decode()
    assert len(kept()[1]) == 2, "twice is once"


def test_only_who_may_set_it_may_undo_it(ways, kept, marketer, viewer, rep, other_rep, outsider, browse):
    _, post, back = ways
    browse(marketer).post(post)
    statuses = [browse(who).post(back).status_code for who in (viewer, outsider, other_rep)]
    assert statuses == [403, 404, 404]
    assert browse(marketer).get(back).status_code == 405
    assert kept()[0] == ["unsubscribed"]
    assert browse(rep).post(back).status_code == 302, "whoever has the lead"
    assert kept()[0] == []


def test_after_a_day_it_stays(ways, kept, lead, gate, marketer, browse):
    page, _, back = ways
    with gate(marketer) as at:
        nurture.no_mail(lead, by=marketer, at=at - DAY - timedelta(minutes=1))
    assert back not in browse(marketer).get(page).content.decode()
    assert "can’t be taken back any more" in browse(marketer).post(back, follow=True).content.decode()
    assert kept() == (["unsubscribed"], [("unsubscribed", "Mara Marketer")])


def test_what_they_say_themselves_is_theirs_to_take_back_before_and_after(enrolled, ways, kept, marketer, browse):
    page, post, back = ways
    browse(marketer).post(post)
    assert Client().post(token(enrolled), ONE_CLICK).status_code == 200
    assert Client().post(token(enrolled), ONE_CLICK).status_code == 200
    both = (["unsubscribed"], [("unsubscribed", "Mara Marketer"), ("unsubscribed", None)])
    assert kept() == both
    assert back not in browse(marketer).get(page).content.decode()
    browse(marketer).post(back)
    assert kept() == both
    assert Client().post(token(enrolled), {"wants": "on"}).status_code == 200
    assert kept()[0] == []
    Client().post(token(enrolled), ONE_CLICK)
    browse(marketer).post(post)
    browse(marketer).post(back)
    assert kept()[0] == ["unsubscribed"], "they had said so before"


def test_what_came_so_in_a_list_is_not_undone(ways, kept, lead, gate, marketer, browse):
    page, _, back = ways
    with gate(marketer) as at:
        suppress(lead.workspace_id, [digest_of(lead.workspace_id, lead.email)], "unsubscribed", at=at)
        Event.objects.create(
            workspace=lead.workspace, lead=lead, kind="unsubscribed", occurred_at=at, recorded_at=at, actor=marketer
        )
    assert back not in browse(marketer).get(page).content.decode()
    browse(marketer).post(back)
    assert kept()[0] == ["unsubscribed"]


def test_an_address_that_bounced_meanwhile_stays_kept_from_mail(
    enrolled, ways, kept, gate, owner, marketer, work, browse
):
    work(at=enrolled.next_at + timedelta(minutes=1))
    browse(marketer).post(ways[1])
    with gate(owner) as at:
        nurture.bounced(Letter.objects.select_related("enrollment").get(), at=at)
    browse(marketer).post(ways[2])
    assert len(kept()[0]) == 1


def test_an_old_address_that_they_refused_themselves_stays_kept(
    enrolled, ways, kept, lead, gate, owner, marketer, browse
):
    Client().post(token(enrolled), ONE_CLICK)
    with gate(owner):
        Lead.objects.filter(pk=lead.pk).update(email="ann@new.example")
    browse(marketer).post(ways[1])
    assert kept()[0] == ["unsubscribed", "unsubscribed"]
    browse(marketer).post(ways[2])
    with gate(owner):
        assert [one.digest for one in Suppression.objects.all()] == [digest_of(owner.workspace_id, "ann@bell.example")]


def test_mails_that_stopped_with_it_stay_stopped_and_it_says_so(enrolled, ways, gate, owner, marketer, browse):
    page, post, back = ways
    browse(marketer).post(post)
    assert "this can be taken back; the mails stay stopped" in panel(browse(marketer).get(page))
    words = browse(marketer).post(back, follow=True).content.decode()
    assert "The mails that stopped with it stay stopped." in words
    assert "Send them the mails" in words
    with gate(owner):
        assert Enrollment.objects.get().why == "unsubscribed"
