"""A deal is lost: the demos to come go with it, and are said before and after."""

from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.mail.files import files_of
from funnel.mail.models import Message
from funnel.templatetags.words import when
from sales.deals import actions as deals
from sales.deals.models import Deal
from sales.demos.models import Demo, DemoState

LOST = {"reason": "price"}


@pytest.fixture
def shown(rep, demo_of, past_demo, gate):
    """A lead with a demo to come, and one that is over without a word."""
    demo = demo_of(rep, title="Site visit")
    past_demo(rep, lead=demo.lead, hours=30)
    return demo


def text(answer):
    return " ".join(answer.content.decode().split())


def states(gate, member):
    with gate(member):
        return [str(state) for state in Demo.objects.order_by("starts_at").values_list("state", flat=True)]


def test_a_lost_deal_cancels_the_demo_to_come_and_the_lead_is_told(shown, rep, browse, gate, work):
    sheet = reverse("sales:deal-lost", args=[shown.deal_id])
    with gate(rep):
        on = when(shown.starts_at)
    said = f"“<bdi>Site visit</bdi>” on {on} is cancelled."
    assert text(browse(rep).get(sheet)).count(" is cancelled.") == 1
    assert said in text(browse(rep).get(sheet))
    assert states(gate, rep) == ["booked", "booked"]
    assert browse(rep).post(sheet, LOST).status_code == 302
    assert states(gate, rep) == ["booked", "cancelled"]
    work()
    with gate(rep):
        letter = Message.objects.get(kind="demo-cancelled", lead=shown.lead_id)
        assert b"METHOD:CANCEL" in files_of(letter)[0].make()
    work(shown.starts_at - timedelta(minutes=1))
    with gate(rep):
        assert not Message.objects.filter(kind__in=["demo-reminder", "demo-rep-reminder"]).exists()


def test_who_takes_the_loss_back_reads_that_the_demo_is_to_be_booked_again(shown, rep, browse, gate):
    client = browse(rep)
    client.post(reverse("sales:deal-lost", args=[shown.deal_id]), LOST)
    page = text(client.post(reverse("sales:deal-undo", args=[shown.deal_id]), follow=True))
    with gate(rep):
        assert f"“Site visit” on {when(shown.starts_at)} stays cancelled: book it again." in page
        assert Deal.objects.get().stage == "demo"
    assert states(gate, rep) == ["booked", "cancelled"]


def test_who_takes_a_loss_back_without_a_demo_reads_of_none(rep, deal_with, browse):
    client, deal = browse(rep), deal_with(rep)
    client.post(reverse("sales:deal-lost", args=[deal.pk]), LOST)
    page = text(client.post(reverse("sales:deal-undo", args=[deal.pk]), follow=True))
    assert "Taken back." in page
    assert "book it again" not in page


@pytest.mark.parametrize("stays", ["open", "won"])
def test_with_another_open_deal_or_a_customer_the_demo_stays(stays, shown, rep, browse, gate):
    with gate(rep) as at:
        other = deals.open_deal(shown.lead, by=rep, at=at, title="Battery", amount=100)
    if stays == "won":
        browse(rep).post(
            reverse("sales:deal-won", args=[other.pk]), {"amount": "1", "on": f"{rep.workspace.local(at):%Y-%m-%d}"}
        )
    sheet = reverse("sales:deal-lost", args=[shown.deal_id])
    assert "is cancelled" not in text(browse(rep).get(sheet))
    browse(rep).post(sheet, LOST)
    with gate(rep):
        assert Deal.objects.get(pk=shown.deal_id).stage == "lost"
        assert Demo.objects.get(pk=shown.pk).state == DemoState.BOOKED
