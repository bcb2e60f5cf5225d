"""A letter goes at most once, and what became of it is known or said to be in doubt."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings as live
from django.core import mail as django_mail
from django.db import connection
from django.template.loader import get_template
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.leads.models import Lead
from funnel.leads.receiving import Capture, receive
from funnel.mail.actions import SUBJECTS, is_sent, queue
from funnel.mail.files import File
from funnel.mail.looks import _linear, _luminance, colours
from funnel.mail.models import Message, MessageState
from funnel.mail.sending import html_of, text_of
from funnel.outbox.models import Effect, State
from funnel.people import actions as people
from funnel.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def later(minutes=60):
    return timezone.now() + timedelta(minutes=minutes)


def state(message, gate, member):
    with gate(member):
        message.refresh_from_db()
    return message.state


def test_a_letter_is_sent_once_and_proves_that_mail_works(owner, sink, letter, work, gate):
    one = letter(owner)
    assert not is_sent(owner.workspace)
    work()
    work(later())
    assert state(one, gate, owner) == "sent"
    ((to, mail),) = sink.taken
    assert to == [owner.email]
    assert mail["Subject"] == "A test mail from Baton"
    assert str(one.pk) in mail["Message-ID"]
    assert {part.get_content_type() for part in mail.walk()} >= {"text/plain", "text/html"}
    assert is_sent(Workspace.objects.get(pk=owner.workspace_id))


@pytest.mark.parametrize("refusal", ["421 busy", "450 try later", "451 greylisted"])
def test_a_server_that_says_later_is_asked_again(owner, sink, letter, work, gate, refusal):
    sink.answers = [refusal]
    one = letter(owner)
    work()
    assert state(one, gate, owner) == "queued"
    assert refusal[:3] in one.error
    assert not sink.taken
    work(later())
    assert state(one, gate, owner) == "sent"
    assert len(sink.taken) == 1


def test_a_server_that_always_says_later_is_given_up_after_five_tries(owner, sink, letter, work, gate):
    sink.answers = ["450 never"] * 9
    one = letter(owner)
    for hours in range(1, 9):
        work(later(60 * hours))
    assert state(one, gate, owner) == "failed"
    assert len(sink.answers) == 9 - 5


@pytest.mark.parametrize("how", ["recipients", "answers"])
def test_a_refused_letter_has_failed_and_is_not_tried_again(owner, sink, letter, work, gate, how):
    setattr(sink, how, ["550 no such user"])
    one = letter(owner)
    work()
    work(later())
    assert state(one, gate, owner) == "failed"
    assert "550" in one.error
    assert not sink.taken


@pytest.mark.parametrize("how", ["reset", "hang"])
def test_a_line_that_breaks_after_the_letter_was_handed_over_leaves_it_in_doubt(owner, sink, letter, work, gate, how):
    sink.answers = [how]
    one = letter(owner)
    work()
    assert state(one, gate, owner) == "unknown"
    work(later())
    work(later(600))
    assert len(sink.taken) == 1


def test_a_person_may_send_a_doubtful_letter_again(owner, sink, letter, work, gate, browse):
    sink.answers = ["reset"]
    one = letter(owner)
    work()
    page = browse(owner).get(reverse("mailbox")).content.decode()
    assert "In doubt" in page
    assert "Send again" in page
    assert browse(owner).post(reverse("letter-again", args=[one.pk])).status_code == 302
    work()
    assert state(one, gate, owner) == "sent"
    assert len(sink.taken) == 2
    browse(owner).post(reverse("letter-again", args=[one.pk]))
    work(later())
    assert len(sink.taken) == 2


def test_a_server_that_is_away_makes_mail_unproved_until_it_is_back(owner, sink, letter, work, gate, settings):
    letter(owner)
    work()
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    one = letter(owner)
    work()
    assert state(one, gate, owner) == "queued"
    assert "can’t be reached" in one.error
    assert not is_sent(Workspace.objects.get(pk=owner.workspace_id))
    settings.EMAIL_PORT = port
    work(later())
    assert state(one, gate, owner) == "sent"
    assert is_sent(Workspace.objects.get(pk=owner.workspace_id))


def test_without_a_server_letters_are_kept_and_nothing_is_stuck(owner, letter, work, gate, browse):
    one = letter(owner)
    work()
    assert state(one, gate, owner) == "queued"
    with gate(owner) as at:
        assert not Effect.objects.exclude(state=State.DONE).filter(due_at__lte=at).exists()
    assert "Kept here, because no mail server is set." in browse(owner).get(reverse("mailbox")).content.decode()
    for name in ("people", "business", "mailbox"):
        assert "Mail is not being sent" in browse(owner).get(reverse(name)).content.decode()


def test_a_server_that_has_taken_nothing_yet_is_called_untried(owner, manager, browse, settings):
    settings.EMAIL_URL = "smtp://127.0.0.1"
    page = browse(owner).get(reverse("people")).content.decode()
    assert "Mail is not being sent" not in page
    assert "A test mail shows whether it works. " in page
    assert f'<a href="{reverse("business")}#mail">Send a test mail</a>' in page
    page = browse(manager).get(reverse("people")).content.decode()
    assert "A test mail shows whether it works; the owner can send one." in page


def test_mail_that_works_says_nothing(owner, sink, letter, work, browse):
    letter(owner)
    work()
    assert "Mail is not being sent" not in browse(owner).get(reverse("people")).content.decode()


def test_a_second_claim_after_a_crash_leaves_the_letter_in_doubt(owner, sink, letter, work, gate):
    one = letter(owner)
    with gate(owner) as at:
        Message.objects.filter(pk=one.pk).update(state=MessageState.SENDING)
        Effect.objects.filter(handler="send").update(attempts=1, lease="gone", leased_until=at + timedelta(minutes=2))
    work()
    assert state(one, gate, owner) == "sending"
    work(later())
    assert state(one, gate, owner) == "unknown"
    assert not sink.taken


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_between_the_servers_answer_and_its_note_sends_nothing_twice(
    owner, sink, letter, work, gate
):
    """Fault 22: the process ends right after the server has taken the letter; the next one doesn't wait for that."""
    one, other = letter(owner), letter(owner)
    database = connection.settings_dict
    address = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        address = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    killed = subprocess.run(
        [sys.executable, "-c", DIES],
        cwd=live.BASE_DIR,
        env=os.environ
        | {"DATABASE_URL": address, "EMAIL_URL": live.EMAIL_URL, "DJANGO_SETTINGS_MODULE": "funnel.settings"},
        timeout=60,
        check=False,
    )
    assert killed.returncode == 9
    assert len(sink.taken) == 1
    assert state(one, gate, owner) == "sending"
    work()
    assert state(other, gate, owner) == "sent"
    assert state(one, gate, owner) == "sending"
    work(later(1))
    assert state(one, gate, owner) == "unknown"
    work(later(600))
    assert len(sink.taken) == 2


DIES = """
import os, django
django.setup()
from funnel.mail import sending
handed_over = sending.deliver
def deliver(*what):
    handed_over(*what)
    os._exit(9)
sending.deliver = deliver
from funnel.outbox.drain import drain
drain(("mail",))
"""


def test_the_mailbox_holds_no_link_that_lets_anybody_in(owner, sink, work, browse, gate):
    with gate(owner) as at:
        people.invite("new@first.example", role="rep", by=owner, at=at)
        queue("password", to=owner, event=None, at=at, context={"name": owner.name})
    page = browse(owner).get(reverse("mailbox")).content.decode()
    assert "The link that lets you in is not kept here" in page
    assert "/join/" not in page
    assert "/password/" not in page
    with gate(owner):
        kept = str(list(Message.objects.values_list("context", "subject")))
    assert "/join/" not in kept
    work()
    bodies = [
        part.get_payload(decode=True).decode()
        for _, mail in sink.taken
        for part in mail.walk()
        if not part.is_multipart()
    ]
    assert sum("/join/" in body for body in bodies) == 2
    assert sum("/password/" in body for body in bodies) == 2


def test_a_letter_of_another_business_is_not_found(owner, outsider, letter, browse):
    one = letter(owner)
    assert browse(outsider).post(reverse("letter-again", args=[one.pk])).status_code == 404
    assert owner.email not in browse(outsider).get(reverse("mailbox")).content.decode()


def test_the_mailbox_goes_on_by_key_and_costs_the_same_for_one_and_for_twenty(owner, letter, browse):
    client = browse(owner)
    letter(owner)
    client.get(reverse("mailbox"))
    with CaptureQueriesContext(connection) as few:
        client.get(reverse("mailbox"))
    for _ in range(21):
        letter(owner)
    with CaptureQueriesContext(connection) as many:
        first = client.get(reverse("mailbox"))
    assert len(many) <= len(few)
    shown = [row["message"].pk for row in first.context["letters"]]
    rest = client.get(reverse("mailbox"), {"before": first.context["more"]})
    shown += [row["message"].pk for row in rest.context["letters"]]
    assert len(shown) == len(set(shown)) == 22
    assert client.get(reverse("mailbox"), {"before": "x\0y"}).status_code == 200


def test_a_new_lead_is_told_to_its_rep_by_mail(owner, rep, sink, work, gate):
    with gate(owner) as at:
        capture = Capture(name="Anna\u202e Ahlberg", email="anna@lead.example")
        (received,) = receive(owner.workspace, [capture], at=at)
        lead = Lead.objects.get(pk=received.lead.pk)
        handoff.open_for([lead], why={lead.pk: "Asked <b>now</b>"}, workspace=owner.workspace, at=at, to=rep)
    work()
    ((to, mail),) = sink.taken
    assert to == [rep.email]
    assert "\u202e" not in str(mail["Subject"])
    text, html = (part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart())
    assert f"{live.PUBLIC_URL}/leads/{lead.pk}/" in text
    assert "Asked <b>now</b>" in text
    assert "Asked &lt;b&gt;now&lt;/b&gt;" in html


@pytest.mark.parametrize("kind", SUBJECTS)
def test_every_kind_of_letter_reads_in_both_forms(owner, gate, kind):
    context = {
        "lead": "Anna & Co", "company": "Bakery", "why": "Asked", "due": timezone.now().isoformat(), "path": "/leads/",
        "waits_for": "Rita", "what": "Call", "inviter": "Olga", "role": "rep", "until": timezone.now().isoformat(),
        "passed": "Olga passed it on.", "promised": ["A visit"], "ask": ["When?"],
        "invitation": "01a2021b-dfa2-739f-9a3b-c1eb364f59f9",
        "meeting": "Site visit", "starts": "2026-11-19T09:00:00+00:00", "ends": "2026-11-19T10:00:00+00:00",
        "zone": "Europe/London", "place": "At your roof", "version": "01a2021b-dfa2-739f-9a3b-c1eb364f59f9",
        "on": timezone.now().isoformat(), "how": "declined", "reason": "The price", "words": "<b>No</b>",
        "week": "9 to 15 November", "rows": [["New leads", "36", "33"]], "won": {"rows": [["Ann", "", "Radio", "£5"]]},
    }  # fmt: skip
    outside = "mail/outside" in get_template(f"mail/{kind}.html").template.source
    with gate(owner) as at:
        capture = Capture(name="Anna & Co", email="anna@lead.example")
        person = receive(owner.workspace, [capture], at=at)[0].lead
        to = {"to_lead": person, "by": owner} if outside else {"to": owner}
        one = queue(kind, **to, event=None, at=at, context=context)
        text, html = text_of(one, owner.workspace, hidden=False), html_of(one, owner.workspace)
    assert "&amp;" not in text
    assert "\n\n\n" not in text
    assert "{{" not in text + html
    assert html.startswith("<!doctype html>")
    assert django_mail.outbox == []


def carried(message):
    return [File("meeting.ics", "text/calendar; charset=utf-8; method=REQUEST", b"BEGIN:VCALENDAR".lower)]


def path_of(message):
    return f"/m/{message.context['demo']}/"


MEETING = {
    "meeting": "Site visit", "when": "Thu 19 Nov, 10:00", "demo": "abc", "zone": "Europe/Berlin", "with": "Rita Rep",
    "starts": "2026-11-19T09:00:00+00:00", "ends": "2026-11-19T10:00:00+00:00", "zone_words": "Berlin time",
}  # fmt: skip


def test_a_letter_to_a_lead_goes_in_the_business_name_with_its_link_and_its_file(
    owner, rep, sink, work, gate, browse, settings
):
    settings.MAIL_LINKS = {"demo-booked": f"{__name__}.path_of"}
    settings.MAIL_FILES = {"demo-booked": f"{__name__}.carried"}
    with gate(owner) as at:
        owner.workspace.name = "Brook\u202e & Sons"
        owner.workspace.save(update_fields=["name"])
        person = receive(owner.workspace, [Capture(name="Anna Ahlberg", email="anna@lead.example")], at=at)[0].lead
        queue("demo-booked", to_lead=person, by=rep, event=None, at=at, context=MEETING)
        nobody = receive(owner.workspace, [Capture(name="Ben", phone="+44 7700 900461")], at=at)[0].lead
        assert queue("demo-booked", to_lead=nobody, by=rep, event=None, at=at, context=MEETING) is None
    kept = browse(owner).get(reverse("mailbox")).content.decode()
    assert "/m/abc/" not in kept
    assert "meeting.ics" in kept
    work()
    ((to, mail),) = sink.taken
    assert to == ["anna@lead.example"]
    assert "Brook & Sons" in mail["From"]
    assert "Baton" not in mail["From"]
    assert rep.email in mail["Reply-To"]
    parts = {part.get_content_type(): part for part in mail.walk()}
    text = parts["text/plain"].get_payload(decode=True).decode()
    assert text.startswith("Dear Anna,")
    assert "10:00 to 11:00, Berlin time" in text
    assert f"{live.PUBLIC_URL}/m/abc/" in text
    assert f"{live.PUBLIC_URL}/m/abc/" in parts["text/html"].get_payload(decode=True).decode()
    assert "Baton" not in text + parts["text/html"].get_payload(decode=True).decode()
    assert parts["text/calendar"].get_payload(decode=True) == b"begin:vcalendar"
    assert parts["text/calendar"].get_param("method") == "REQUEST"


@pytest.mark.parametrize("brand", ["#4549bd", "#f2b200", "#ffffff", "#000000", "#e4623c", "#17968e", "#808080"])
def test_words_on_a_brand_colour_and_its_edge_can_be_read(brand):
    fill, on, edge = colours(brand)
    assert contrast(fill, on) >= 4.6
    assert contrast(edge, "#ffffff") >= 3.45


def contrast(one, other):
    dark, light = sorted(
        _luminance([_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5)])
        for colour in (one, other)
    )
    return (light + 0.05) / (dark + 0.05)
