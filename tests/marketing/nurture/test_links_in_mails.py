"""What somebody does with a nurture mail in hand: no more mail by one POST, links that lead only where they led."""

import re
import threading
from datetime import timedelta

import pytest
from django.conf import settings as live
from django.db import connections
from django.test import Client
from django.urls import reverse

from funnel.leads.models import Lead, Suppression
from funnel.leads.suppressing import digest_of
from funnel.mail.models import Message
from funnel.outbox.models import Event
from funnel.workspaces.facts import Difference
from funnel.workspaces.slots import slot
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, Letter
from marketing.nurture.public import AT_ONCE

SOON = timedelta(minutes=1)
PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture
def mailed(enrolled, gate, owner, sink, work):
    """The first mail went a while ago; as text, HTML and headers, with its own links."""
    work(at=enrolled.next_at + SOON)
    (mail,) = [mail for to, mail in sink.taken if to == ["ann@bell.example"]]
    with gate(owner) as at:
        Message.objects.filter(kind="nurture").update(sent_at=at - timedelta(hours=1))
    return mail


def body(mail, kind):
    (part,) = [part for part in mail.walk() if part.get_content_type() == f"text/{kind}"]
    return part.get_payload(decode=True).decode().replace("\r\n", "\n")


def path_of(mail):
    return re.fullmatch(f"<{re.escape(live.PUBLIC_URL)}(/u/[a-z2-7]+/)>", mail["List-Unsubscribe"])[1]


def tracked(mail):
    return re.findall(rf'href="{re.escape(live.PUBLIC_URL)}(/u/[a-z2-7]+/\d[^"]+)"', body(mail, "html"))


def suppressed(gate, owner):
    with gate(owner):
        return list(Suppression.objects.values_list("digest", "why"))


def test_each_mail_carries_its_own_way_out(mailed):
    assert mailed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "Mara Marketer" in mailed["Reply-To"]
    for kind in ("plain", "html"):
        assert live.PUBLIC_URL + path_of(mailed) in body(mailed, kind)
    assert body(mailed, "plain").startswith("Dear Ann,\n\nSee http")


def test_one_post_without_a_page_ends_it_and_the_address_is_kept_as_a_digest(mailed, gate, owner, lead):
    answer = Client().post(path_of(mailed), {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert not answer.cookies
    assert suppressed(gate, owner) == [(digest_of(owner.workspace_id, "Ann+news@bell.example"), "unsubscribed")]
    with gate(owner):
        assert Enrollment.objects.get().why == "unsubscribed"
        assert "ann@" not in str(list(Suppression.objects.values()))
        assert Event.objects.filter(kind="unsubscribed", lead=lead).count() == 1
    Client().post(path_of(mailed), {"List-Unsubscribe": "One-Click"})
    with gate(owner):
        assert Event.objects.filter(kind="unsubscribed").count() == 1


def test_the_address_that_the_mail_went_to_is_kept_from_mail_also_after_the_lead_has_another(mailed, gate, owner, lead):
    with gate(owner):
        Lead.objects.filter(pk=lead.pk).update(email="ann@new.example")
    Client().post(path_of(mailed), {"List-Unsubscribe": "One-Click"})
    kept = {digest_of(owner.workspace_id, address) for address in ("ann@bell.example", "ann@new.example")}
    assert {digest for digest, _ in suppressed(gate, owner)} == kept


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
def test_whoever_only_opens_it_changes_nothing(mailed, gate, owner, method):
    status = getattr(Client(), method)(path_of(mailed)).status_code
    assert status == (200 if method in ("get", "head") else 405)
    assert suppressed(gate, owner) == []
    with gate(owner):
        assert Enrollment.objects.get().is_active


def test_the_page_says_who_what_and_why_and_takes_it_back(mailed, gate, owner):
    page = Client().get(path_of(mailed))
    words = page.content.decode()
    assert "To a…@bell.example" in words
    assert "You have had 1" in words
    assert "“Send me advice” on our form “Contact us”" in words
    assert page["Cache-Control"] == "no-store"
    assert "Baton" not in words
    saved = Client().post(path_of(mailed), {}).content.decode()
    assert "You get no advice and no offers from us any more" in saved
    assert len(suppressed(gate, owner)) == 1
    again = Client().post(path_of(mailed), {"wants": "on"}).content.decode()
    assert "We may send you advice and offers again" in again
    assert suppressed(gate, owner) == []
    Client().post(path_of(mailed), {"wants": "on", "stop": "all"})
    assert len(suppressed(gate, owner)) == 1


def test_whoever_looks_at_the_lead_sees_that_it_must_not_be_mailed_and_what_happened(mailed, owner, lead, browse):
    page = reverse("lead", args=[lead.pk])
    before = browse(owner).get(page).content.decode()
    assert "Do not mail" not in before
    assert "Ann, what a roof costs" in before, "the timeline says which mail"
    Client().post(path_of(mailed), {"List-Unsubscribe": "One-Click"})
    after = browse(owner).get(page).content.decode()
    assert "Do not mail</span> They asked for no more mail" in after
    assert "Wants no more mail" in after
    assert "They want no more mail, so no" not in after
    assert "Send them the mails" not in after


def test_a_bounce_is_not_taken_back_by_a_tick(mailed, gate, owner):
    with gate(owner) as at:
        nurture.bounced(Letter.objects.select_related("enrollment").get(), at=at)
    words = Client().post(path_of(mailed), {"wants": "on"}).content.decode()
    assert "doesn’t exist" in words
    assert [why for _, why in suppressed(gate, owner)] == ["bounced"]


@pytest.mark.parametrize("path", ["/u/nothing/", "/u/nothing/1.0.abc/"])
def test_a_guessed_address_is_nobody_s(db, path):
    assert Client().get(path).status_code == 404
    assert Client().post("/u/nothing/").status_code == 404


def test_a_form_s_or_a_meeting_s_token_opens_nothing_here(mailed, gate, owner):
    from marketing.capture.models import Form

    with gate(owner):
        token = Form.objects.first().token
    assert Client().post(f"/u/{token}/").status_code == 404


# ── links ──


def test_a_person_s_click_leads_there_and_counts_once(mailed, gate, owner, lead, work):
    (path,) = tracked(mailed)
    for _ in range(3):
        answer = Client(headers=PERSON).get(path)
        assert (answer.status_code, answer["Location"]) == (302, "https://first.example/roofs?from=mail")
        assert not answer.cookies
    with gate(owner):
        (event,) = Event.objects.filter(kind="email_click")
        assert event.lead == lead
        assert event.data == {"mail": "Ann, what a roof costs", "link": "https://first.example/roofs?from=mail"}
        assert Letter.objects.get().clicked_at is not None
    work()
    with gate(owner):
        assert event.points.exists()


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("head", PERSON),
        ("get", {}),
        ("get", PERSON | {"Purpose": "prefetch"}),
        ("get", PERSON | {"Sec-Purpose": "prefetch;prerender"}),
        ("get", PERSON | {"X-Moz": "prefetch"}),
        ("get", {"User-Agent": "Mozilla/5.0 (compatible; SomethingBot/1.0)"}),
        ("get", {"User-Agent": "python-requests/2.32"}),
        ("get", {"User-Agent": "Mozilla/5.0 HeadlessChrome/140"}),
        ("get", {"User-Agent": "Barracuda Sentinel (EE)"}),
    ],
)
def test_a_machine_is_led_there_and_not_counted(mailed, gate, owner, method, headers):
    answer = getattr(Client(headers=headers), method)(tracked(mailed)[0])
    assert (answer.status_code, answer["Location"]) == (302, "https://first.example/roofs?from=mail")
    with gate(owner):
        assert not Event.objects.filter(kind="email_click").exists()
        assert Letter.objects.get().clicked_at is None


def test_a_click_sooner_than_one_reads_is_a_scanner_s(mailed, gate, owner):
    with gate(owner) as at:
        Message.objects.filter(kind="nurture").update(sent_at=at - AT_ONCE / 2)
    assert Client(headers=PERSON).get(tracked(mailed)[0]).status_code == 302
    with gate(owner):
        assert not Event.objects.filter(kind="email_click").exists()


def test_a_link_that_was_tampered_with_leads_nowhere(mailed, gate, owner):
    path = tracked(mailed)[0]
    start, mark = path.rstrip("/").rsplit("/", 1)
    position, place, signed = mark.split(".", 2)
    for wrong in (
        f"{position}.1.{signed}", f"2.{place}.{signed}", f"{position}.{place}.{signed[:-1]}x", f"{position}.{place}.",
        "https://evil.example", f"{position}.{place}", f"٣.{place}.{signed}", f"9999.0.{signed}", "a.b.c",
    ):  # fmt: skip
        answer = Client(headers=PERSON).get(f"{start}/{wrong}/?next=https://evil.example")
        assert answer.status_code == (404 if "/" in wrong else 400), wrong
        assert "Location" not in answer
    with gate(owner):
        assert not Event.objects.filter(kind="email_click").exists()


def test_the_mailbox_shows_the_words_without_our_links(mailed, owner, browse, gate):
    page = browse(owner).get(reverse("mailbox")).content.decode()
    assert "https://first.example/roofs?from=mail" in page
    assert "/u/" not in page
    with gate(owner):
        assert "/u/" not in str(list(Message.objects.values_list("context", flat=True)))


# ── hostile servers ──


def went(sink):
    return [mail for to, mail in sink.taken if to == ["ann@bell.example"]]


@pytest.mark.parametrize("how", ["recipients", "answers"])
@pytest.mark.parametrize(
    ("says", "hard"),
    [
        ("550 no such user", True), ("550 5.1.1 unknown", True), ("550 5.7.1 your server is on a list", False),
        ("450 try later", False), ("421 busy", False), ("552 mailbox full", False),
    ],
)  # fmt: skip
def test_fault_21_only_an_address_that_does_not_exist_is_suppressed(enrolled, gate, owner, sink, work, how, says, hard):
    work(at=enrolled.next_at - SOON)
    setattr(sink, how, [says])
    work(at=enrolled.next_at + SOON)
    assert ([why for _, why in suppressed(gate, owner)] == ["bounced"]) is hard
    work(at=enrolled.next_at + timedelta(hours=3))
    assert len(went(sink)) == (1 if says[0] == "4" else 0)
    with gate(owner):
        assert (Enrollment.objects.get().why == "bounced") is hard
    work(at=enrolled.next_at + timedelta(days=20))
    assert len(went(sink)) == (0 if hard else 2 if says[0] == "4" else 1)


@pytest.mark.parametrize("how", ["reset", "hang"])
def test_fault_21_what_is_in_doubt_is_not_sent_again(enrolled, gate, owner, sink, work, how):
    work(at=enrolled.next_at - SOON)
    sink.answers = [how]
    work(at=enrolled.next_at + SOON)
    work(at=enrolled.next_at + timedelta(days=1))
    with gate(owner):
        assert Message.objects.get(kind="nurture").state == "unknown"
    assert len(went(sink)) == 1


@pytest.mark.django_db(transaction=True)
def test_fault_33_who_unsubscribes_while_the_server_keeps_us_waiting_gets_nothing(
    enrolled, gate, owner, sink, work, monkeypatch
):
    """The line is open, the mail is ready, and the last word is theirs; without it the mail goes."""
    from funnel.mail import sending

    work(at=enrolled.next_at - SOON)
    with gate(owner):
        nurture.write_next(Enrollment.objects.get(), Event.objects.get(kind="nurture_started"), at=enrolled.next_at)
        path = f"/u/{nurture.token_for(nurture.DOOR, enrolled.pk)}/"
    opened, done = threading.Event(), threading.Event()

    def slowly(server, make=sending.connection_to):
        line = make(server)
        opens = line.open

        def open_then_wait():
            made = opens()
            opened.set()
            done.wait(10)
            return made

        line.open = open_then_wait
        return line

    def leaves():
        opened.wait(10)
        try:
            Client().post(path, {"List-Unsubscribe": "One-Click"})
        finally:
            done.set()
            connections.close_all()

    monkeypatch.setattr("funnel.mail.sending.connection_to", slowly)
    racer = threading.Thread(target=leaves)
    racer.start()
    work(at=enrolled.next_at + SOON)
    racer.join()
    assert went(sink) == []
    with gate(owner) as at:
        message = Message.objects.get(kind="nurture")
        assert (message.state, message.error) == ("failed", "They want no more mail.")
        assert [found for check in slot("facts") for found in check(owner.workspace, at)] == []


@pytest.mark.django_db(transaction=True)
def test_fault_33_without_the_last_question_it_would_go(enrolled, gate, owner, sink, work, monkeypatch):
    """The negative control of the race above."""
    monkeypatch.setattr("funnel.mail.sending._still", lambda *_: "")
    with pytest.raises(AssertionError):
        test_fault_33_who_unsubscribes_while_the_server_keeps_us_waiting_gets_nothing(
            enrolled, gate, owner, sink, work, monkeypatch
        )
    assert len(went(sink)) == 1


def test_fault_22_claimed_again_after_a_crash_the_mail_is_in_doubt_and_not_sent(enrolled, gate, owner, sink, work):
    from funnel.outbox.models import Effect

    work(at=enrolled.next_at - SOON)
    with gate(owner) as at:
        nurture.write_next(Enrollment.objects.get(), Event.objects.get(kind="nurture_started"), at=enrolled.next_at)
        Message.objects.filter(kind="nurture").update(state="sending")
        queued = Event.objects.filter(kind="mail_queued").order_by("-id").first()
        Effect.objects.filter(event_id=queued.pk).update(attempts=1, lease="gone", leased_until=at)
    work(at=enrolled.next_at + timedelta(hours=1))
    with gate(owner):
        assert Message.objects.get(kind="nurture").state == "unknown"
    assert went(sink) == []


def test_the_facts_find_what_must_not_be(mailed, gate, owner, lead):
    def found() -> list[Difference]:
        with gate(owner) as at:
            return [one for check in slot("facts") for one in check(owner.workspace, at)]

    assert found() == []
    with gate(owner) as at:
        digest = digest_of(owner.workspace_id, lead.email)
        nurture.suppress(owner.workspace_id, [digest], "unsubscribed", at=at - timedelta(hours=2))
    ((fact, _),) = found()
    assert fact == "suppression"
