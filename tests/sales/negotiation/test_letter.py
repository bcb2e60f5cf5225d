"""A quote's letter on its way: what the lead's page says of it, and that it goes only while the quote is open."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.mail.models import Message
from sales.close import actions as close
from sales.deals.models import Deal, LostReason
from sales.negotiation import actions as quotes
from tests.funnel.mail.conftest import on_the_line, sink

__all__ = ["on_the_line", "sink"]
pytestmark = pytest.mark.django_db
SOON = timedelta(minutes=1)
LATER = timedelta(hours=1)


@pytest.fixture
def went(sink):
    """The subjects of the letters that the lead got."""
    return lambda: [str(mail["Subject"]) for to, mail in sink.taken if to == ["ann.bell@bell.example"]]


@pytest.fixture
def withdraw(browse, rep):
    """Press the button."""
    return lambda version: browse(rep).post(reverse("sales:quote-withdraw", args=[version.quote_id]), follow=True)


def first_letter(gate, rep):
    with gate(rep):
        letter = Message.objects.filter(kind="quote").order_by("created_at").first()
        return letter.state, letter.error


def test_a_letter_that_still_waits_is_not_called_sent(sent, rep, browse, gate):
    version = sent(rep)
    client, page = browse(rep), reverse("lead", args=[version.quote.deal.lead_id])

    def story() -> str:
        return " ".join(client.get(page).content.decode().split())

    name, address = version.quote.name, f"<bdi>{version.sent_to}</bdi>"
    assert f"</bdi> is sending {name}" in story()
    assert f"the letter to {address} waits to go" in story()
    became = {
        "sending": ("is sending", f"the letter to {address} waits to go"), "sent": ("sent", f"net, to {address}"),
        "failed": ("tried to send", f"the letter to {address} did not go"),
        "unknown": ("sent", f"whether the letter to {address} went is in doubt"),
    }  # fmt: skip
    for state, (does, says) in became.items():
        with gate(rep):
            assert Message.objects.filter(kind="quote").update(state=state) == 1
        assert f"</bdi> {does} {name}" in story(), state
        assert says in story(), state


def test_a_quote_that_is_withdrawn_before_its_letter_went_goes_to_nobody(sent, rep, gate, went, work, withdraw):
    version = sent(rep)
    withdraw(version)
    with gate(rep) as at:
        pass
    work(at=at + SOON)
    assert went() == []
    assert first_letter(gate, rep) == ("failed", "Not sent: the quote was withdrawn.")


def test_one_that_may_not_go_any_more_is_not_promised_to_whoever_tries_it_again(
    sent, owner, rep, browse, gate, work, withdraw
):
    withdraw(sent(rep))
    with gate(rep) as at:
        pass
    work(at=at + SOON)
    with gate(rep):
        letter = Message.objects.get(kind="quote")
    page = browse(owner).post(reverse("letter-again", args=[letter.pk]), follow=True).content.decode()
    assert "It stays here. Not sent: the quote is not open any more." in page
    assert "On its way" not in page
    assert first_letter(gate, rep) == ("failed", "Not sent: the quote was withdrawn.")


def test_one_that_is_withdrawn_while_the_server_keeps_us_waiting_goes_to_nobody(
    sent, rep, gate, went, work, withdraw, on_the_line
):
    version = sent(rep)
    on_the_line("open", lambda: withdraw(version))
    with gate(rep) as at:
        pass
    work(at=at + SOON)
    assert went() == []
    assert first_letter(gate, rep) == ("failed", "Not sent: the quote is not open any more.")


def test_one_that_the_server_puts_off_and_that_is_withdrawn_meanwhile_goes_to_nobody(
    sent, rep, gate, sink, went, work, withdraw, on_the_line
):
    version, pressed = sent(rep), []
    sink.answers = ["450 later"]
    on_the_line("send_messages", lambda: pressed or pressed.append(withdraw(version)))
    with gate(rep) as at:
        pass
    work(at=at + SOON)
    work(at=at + LATER)
    assert pressed
    assert went() == []
    assert first_letter(gate, rep) == ("failed", "Not sent: the quote is not open any more.")


def test_of_two_versions_that_wait_the_newer_goes_alone(sent, rep, gate, went, work):
    version = sent(rep)
    with gate(rep) as at:
        following = quotes.change(version.quote, by=rep, at=at)
        quotes.send(following, by=rep, at=at)
    work(at=at + SOON)
    assert len(went()) == 1
    assert first_letter(gate, rep) == ("failed", "Not sent: the quote is not open any more.")
    with gate(rep):
        assert Message.objects.get(kind="quote", context__version=str(following.pk)).state == "sent"


def test_the_quote_of_a_lost_deal_goes_to_nobody_until_the_deal_is_open_again(
    sent, rep, owner, gate, browse, went, work
):
    version = sent(rep)
    with gate(rep) as at:
        close.lose(Deal.objects.get(), reason=LostReason.objects.first(), by=rep, at=at)
    work(at=at + SOON)
    with gate(rep):
        pk = Message.objects.get(kind="quote").pk
    browse(owner).post(reverse("letter-again", args=[pk]))
    work(at=at + LATER)
    assert went() == []
    assert first_letter(gate, rep) == ("failed", "Not sent: the quote is not open any more.")
    assert "Not sent: the quote is not open any more." in browse(owner).get(reverse("mailbox")).content.decode()
    with gate(rep):
        close.undo(Deal.objects.get(), by=rep, at=at + SOON)
    browse(owner).post(reverse("letter-again", args=[pk]))
    work(at=at + 2 * LATER)
    assert went() == [f"Your quote {version.quote.name}: {version.title}"]
