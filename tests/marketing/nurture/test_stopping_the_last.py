"""The last mail is written and waits: whatever ends the mails keeps this one from going too."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.leads.actions import touch
from funnel.leads.models import Consent, Lead, Suppression
from funnel.mail.models import Message
from funnel.outbox.models import Event
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, Step

SOON = timedelta(minutes=1)
DAY = timedelta(days=1)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def waits(enrolled, gate, owner, work):
    """Both mails are written, the last a moment ago, and no server has taken that one; the moment."""
    work(at=enrolled.next_at + SOON)
    with gate(owner):
        at = Enrollment.objects.get().next_at
        event = Event.objects.filter(kind="nurture_mailed").get()
        nurture.write_next(Enrollment.objects.get(), event, at=at)
        Message.objects.filter(kind="nurture").exclude(subject="A question from First").update(state="sent", sent_at=at)
        event = Event.objects.filter(kind="nurture_mailed").order_by("-id").first()
        nurture.write_next(Enrollment.objects.get(), event, at=at)
        assert Enrollment.objects.get().state == "done"
        assert last_mail().state == "queued"
    return at + SOON


def last_mail():
    return Message.objects.get(kind="nurture", subject="A question from First")


def theirs(sink):
    return [to for to, _ in sink.taken if to[0].endswith("@bell.example")]


def token(enrolled):
    return f"/u/{nurture.token_for(nurture.DOOR, enrolled.pk)}/"


def test_it_goes_where_nothing_ends_it(waits, work, sink, lead):
    work(at=waits)
    assert theirs(sink) == [[lead.email]]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("reply", "They replied."), ("they replied", "They replied."), ("asks", "Handed over to sales."),
        ("handed over, and given back", "Handed over to sales."), ("customer", "Became a customer."),
        ("unsubscribes", "They want no more mail."), ("unsubscribes, and again", "They want no more mail."),
        ("off", "The sequence was switched off."), ("out", "This mail was taken out of the sequence."),
        ("by hand", "Stopped by hand."), ("no mail", "They want no more mail."),
        ("consent", "They didn’t agree to mail."), ("address", "They have another address now."),
        ("address gone", "No e-mail address."),
    ],
)  # fmt: skip
def test_it_does_not_go_after_what_ends_it(
    waits, nurtured, enrolled, lead, gate, owner, marketer, browse, work, sink, what, says
):
    with gate(owner):
        lead = Lead.objects.get(pk=lead.pk)
        if what == "reply":
            touch(lead, "email_reply", at=waits)
        elif what == "asks":
            touch(lead, "contact_request", at=waits)
        elif what.startswith("handed over"):
            handoff.open_for([lead], why={lead.pk: "."}, workspace=owner.workspace, at=waits)
            Lead.objects.filter(pk=lead.pk).update(stage="nurturing")
        elif what == "customer":
            lead.move("customer", at=waits, by=owner, customer_since=waits)
        elif what == "off":
            nurture.set_up(nurtured, is_on=False, sender=None)
        elif what == "out":
            nurture.remove_step(Step.objects.get(position=2), at=waits)
        elif what == "consent":
            Consent.objects.all().delete()
        elif what == "address":
            Lead.objects.filter(pk=lead.pk).update(email="other@bell.example")
        elif what == "address gone":
            Lead.objects.filter(pk=lead.pk).update(email="")
    if what in ("they replied", "by hand"):
        given = {"replied": "yes"} if what == "they replied" else {}
        assert browse(marketer).post(reverse("marketing:nurture-stop", args=[enrolled.pk]), given).status_code == 302
    elif what == "no mail":
        assert browse(marketer).post(reverse("marketing:nurture-no-mail", args=[lead.pk])).status_code == 302
    elif what.startswith("unsubscribes"):
        assert Client().post(token(enrolled), ONE_CLICK).status_code == 200
        if "again" in what:
            assert Client().post(token(enrolled), {"wants": "on"}).status_code == 200
    work(at=waits + SOON)
    work(at=waits + DAY)
    assert theirs(sink) == []
    with gate(owner):
        assert (last_mail().state, last_mail().error) == ("failed", says)


def test_what_is_stopped_waits_no_more_at_once(waits, enrolled, gate, owner, marketer, browse):
    page = reverse("marketing:nurture")
    assert browse(marketer).get(page).context["total"]["waits"] == 1
    browse(marketer).post(reverse("marketing:nurture-stop", args=[enrolled.pk]))
    assert browse(marketer).get(page).context["total"]["waits"] == 0
    with gate(owner):
        assert (Enrollment.objects.get().state, last_mail().state) == ("stopped", "failed")


def test_who_has_had_them_all_is_not_stopped_any_more(waits, enrolled, lead, gate, owner, marketer, browse, work, sink):
    page = reverse("lead", args=[lead.pk])
    words = browse(marketer).get(page).content.decode()
    assert "the last waits to be sent" in words
    assert "Stop the mails" in words
    work(at=waits)
    words = browse(marketer).get(page).content.decode()
    assert "Has had them all" in words
    assert "Stop the mails" not in words
    browse(marketer).post(reverse("marketing:nurture-stop", args=[enrolled.pk]))
    with gate(owner):
        assert Enrollment.objects.get().state == "done"
        assert not Event.objects.filter(kind="nurture_ended").exists()


# ── no mail to this person ──


def test_a_person_says_that_they_want_no_mail(lead, gate, marketer, viewer, outsider, browse):
    page, post = (reverse(name, args=[lead.pk]) for name in ("lead", "marketing:nurture-no-mail"))
    assert "No mail to this person" in browse(marketer).get(page).content.decode(), "without any sequence too"
    assert "No mail to this person" not in browse(viewer).get(page).content.decode()
    assert browse(viewer).post(post).status_code == 403
    assert browse(outsider).post(post).status_code == 404
    assert browse(marketer).get(post).status_code == 405
    with gate(marketer):
        assert not Suppression.objects.exists()
    assert browse(marketer).post(post).status_code == 302
    assert browse(marketer).post(post).status_code == 302, "twice is once"
    for member in (marketer, viewer):
        words = browse(member).get(page).content.decode()
        for block in ("nurture", "consent"):
            inside = words.partition(f'id="{block}-title"')[2].partition("</section>")[0]
            assert "Do not mail</span> They asked for no more mail" in inside, block
        assert "No mail to this person" not in words
        assert "<bdi>Mara</bdi> says that they want no more mail" in words
    with gate(marketer):
        told = Event.objects.get(kind="unsubscribed")
        assert (told.lead, told.actor) == (lead, marketer)
        assert Suppression.objects.get().why == "unsubscribed"


def test_a_rep_says_so_for_their_own_leads_only(lead, gate, rep, other_rep, browse):
    post = reverse("marketing:nurture-no-mail", args=[lead.pk])
    assert browse(other_rep).post(post).status_code == 404
    with gate(rep):
        assert not Suppression.objects.exists()
    assert browse(rep).post(post).status_code == 302
    with gate(rep):
        assert Suppression.objects.exists()


def test_who_gave_no_address_can_t_be_kept_from_mail(lead, gate, marketer, browse):
    with gate(marketer):
        Lead.objects.filter(pk=lead.pk).update(email="")
    assert "No mail to this person" not in browse(marketer).get(reverse("lead", args=[lead.pk])).content.decode()
    answer = browse(marketer).post(reverse("marketing:nurture-no-mail", args=[lead.pk]))
    assert answer.status_code == 409
    with gate(marketer):
        assert not Suppression.objects.exists()


@pytest.mark.parametrize("stage", ["ready", "working"])
def test_nobody_sends_them_to_who_is_with_sales(stage, nurtured, lead, rep, gate, marketer, browse):
    if stage == "working":
        with gate(rep) as at:
            handoff.accept(lead, by=rep, at=at)
    answer = browse(marketer).post(reverse("marketing:nurture-enroll", args=[lead.pk]))
    assert answer.status_code == 409
    assert {"ready": "Handed over to sales", "working": "With sales"}[stage] in answer.content.decode()
    with gate(marketer):
        assert not Enrollment.objects.exists()
