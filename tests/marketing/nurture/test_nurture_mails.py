"""The nurture mails: who gets them, when, with which words, and what ends them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff import reasons
from funnel.handoff.models import GiveBackReason, Handoff, Way
from funnel.leads.actions import touch
from funnel.leads.identity import Refused
from funnel.leads.models import Consent, Lead, Suppression
from funnel.mail.models import Message
from funnel.mail.sending import html_of, text_of
from funnel.outbox.models import Event
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, Letter, Step
from marketing.nurture.words import check, filled, pieces

DAY = timedelta(days=1)
SOON = timedelta(minutes=1)


def kinds(gate, member):
    with gate(member):
        return list(Event.objects.filter(kind__startswith="nurture").order_by("id").values_list("kind", flat=True))


def letters(gate, member):
    with gate(member):
        return list(Letter.objects.order_by("written_at").values_list("position", flat=True))


def test_a_reason_that_says_so_sends_them_one_after_the_other(nurtured, given_back, gate, owner, work):
    at = given_back()
    work(at=at + SOON)
    assert letters(gate, owner) == []
    for days, have in ((3, [1]), (9, [1]), (10, [1, 2]), (60, [1, 2])):
        work(at=at + days * DAY + SOON + SOON)
        assert letters(gate, owner) == have
    with gate(owner):
        one = Enrollment.objects.get()
        assert (one.state, one.because, one.next_at) == ("done", "Only looking around", None)
        assert [mail.subject for mail in Message.objects.filter(kind="nurture").order_by("created_at")] == [
            "Ann, what a roof costs",
            "A question from First",
        ]
    assert kinds(gate, owner) == ["nurture_started", "nurture_mailed", "nurture_mailed"]


def test_a_reason_that_doesn_t_say_so_sends_nothing(nurtured, given_back, gate, owner, work):
    at = given_back("no-answer")
    work(at=at + 30 * DAY)
    assert kinds(gate, owner) == []


@pytest.mark.parametrize("why", ["consent", "suppressed", "off"])
def test_who_may_not_be_mailed_is_left_out_and_told_why(nurtured, given_back, gate, owner, work, why, lead):
    with gate(owner) as at:
        if why == "consent":
            Consent.objects.all().delete()
        elif why == "suppressed":
            nurture.suppress(owner.workspace_id, [nurture.digest_of(owner.workspace_id, lead.email)], "bounced", at=at)
        else:
            nurtured.is_on = False
            nurtured.save(update_fields=["is_on"])
    work(at=given_back() + 30 * DAY)
    assert letters(gate, owner) == []
    assert kinds(gate, owner) == ["nurture_left_out"]


def test_running_twice_writes_nothing_twice(enrolled, gate, owner, work):
    with gate(owner):
        event = Event.objects.get(kind="nurture_started")
    for _ in range(3):
        with gate(owner):
            nurture.write_next(Enrollment.objects.get(), event, at=enrolled.next_at)
    work(at=enrolled.next_at + SOON)
    assert letters(gate, owner) == [1]
    with gate(owner):
        letter = Letter.objects.get()
        with pytest.raises(IntegrityError), transaction.atomic():
            Letter.objects.create(
                workspace=owner.workspace, enrollment=letter.enrollment, step=letter.step, position=9, digest="x",
                written_at=letter.written_at,
            )  # fmt: skip


def test_at_most_one_active_enrollment_per_lead(enrolled, lead, gate, owner, marketer):
    with gate(owner) as at:
        with pytest.raises(nurture.NoMails, match="already"):
            nurture.enroll(lead, by=marketer, at=at)
        with pytest.raises(IntegrityError), transaction.atomic():
            Enrollment.objects.create(workspace=owner.workspace, lead=lead, digest="y", enrolled_at=at)


def test_given_back_again_nobody_reads_the_same_mail_twice(enrolled, lead, gate, owner, rep, work):
    work(at=enrolled.next_at + SOON)
    with gate(owner):
        at = enrolled.next_at + DAY
        touch(lead, "contact_request", at=at)
    work(at=at + SOON)
    with gate(owner):
        reason = GiveBackReason.objects.get(key="not-ready")
        handoff.give_back(lead, reason=reason, by=rep, at=at + SOON + SOON)
    work(at=at + DAY)
    work(at=at + 40 * DAY)
    assert letters(gate, owner) == [1, 2]
    with gate(owner):
        assert [one.came_back_at is not None for one in Enrollment.objects.order_by("enrolled_at")] == [True, False]


# ── what ends them ──


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("reply", "replied"), ("button", "replied"), ("asks", "handed"), ("asks, held back", "asked"),
        ("handed over", "handed"), ("customer", "customer"), ("set aside", "ended"), ("working", "sales"),
        ("unsubscribe", "unsubscribed"), ("switched off", "off"), ("by hand", "hand"), ("address gone", "address"),
    ],
)  # fmt: skip
def test_they_stop(nurtured, enrolled, lead, gate, owner, rep, marketer, browse, work, what, why):
    at = enrolled.enrolled_at + DAY
    with gate(owner):
        lead = Lead.objects.get(pk=lead.pk)
        if what == "reply":
            touch(lead, "email_reply", at=at)
        elif what == "asks":
            touch(lead, "contact_request", at=at)
        elif what == "asks, held back":
            touch(lead, "contact_request", at=at, data={"handover": False})
        elif what == "handed over":
            handoff.open_for([lead], why={lead.pk: "."}, workspace=owner.workspace, at=at)
        elif what == "customer":
            lead.move("customer", at=at, by=owner, customer_since=at)
        elif what == "set aside":
            handoff.disqualify(lead, by=owner, at=at)
        elif what == "working":
            handoff.keep(lead, by=rep, at=at)
        elif what == "unsubscribe":
            nurture.unsubscribe(enrolled, at=at)
        elif what == "switched off":
            nurture.set_up(nurtured, is_on=False, sender=None)
        elif what == "address gone":
            Lead.objects.filter(pk=lead.pk).update(email="")
    if what in ("button", "by hand"):
        given = {"replied": "yes"} if what == "button" else {}
        assert browse(marketer).post(reverse("marketing:nurture-stop", args=[enrolled.pk]), given).status_code == 302
    work(at=at + SOON)
    work(at=enrolled.next_at + 30 * DAY)
    assert letters(gate, owner) == []
    with gate(owner):
        enrolled.refresh_from_db()
        assert (enrolled.state, enrolled.why) == ("stopped", why)


def test_an_integration_tells_of_the_answer(enrolled, lead, gate, owner, api, work):
    assert api(owner).post(f"leads/{lead.pk}/touches/", {"kind": "email_reply"}).status_code == 201
    work()
    with gate(owner):
        enrolled.refresh_from_db()
        assert enrolled.why == "replied"


def test_a_mail_that_was_written_before_the_answer_does_not_go_after_it(enrolled, lead, gate, owner, work, sink):
    work(at=enrolled.next_at - SOON)
    with gate(owner):
        event = Event.objects.get(kind="nurture_started")
        nurture.write_next(Enrollment.objects.get(), event, at=enrolled.next_at)
        touch(lead, "email_reply", at=enrolled.next_at)
    work(at=enrolled.next_at + SOON)
    assert [to for to, _ in sink.taken if to == [lead.email]] == []
    with gate(owner):
        message = Message.objects.get(kind="nurture")
        assert (message.state, message.error) == ("failed", "They replied.")


@pytest.mark.parametrize(
    ("what", "says"), [("off", "The sequence was switched off."), ("out", "This mail was taken out of the sequence.")]
)
def test_a_mail_that_waits_does_not_go_after_it_was_switched_off_or_taken_out(
    nurtured, enrolled, lead, gate, owner, work, sink, what, says
):
    work(at=enrolled.next_at - SOON)
    with gate(owner):
        event = Event.objects.get(kind="nurture_started")
        letter = nurture.write_next(Enrollment.objects.get(), event, at=enrolled.next_at)
        if what == "off":
            nurture.set_up(nurtured, is_on=False, sender=None)
        else:
            nurture.remove_step(letter.step, at=enrolled.next_at)
    work(at=enrolled.next_at + SOON)
    assert [to for to, _ in sink.taken if to == [lead.email]] == []
    with gate(owner):
        message = Message.objects.get(kind="nurture")
        assert (message.state, message.error) == ("failed", says)


# ── words ──


@pytest.mark.parametrize(
    ("subject", "text", "field"),
    [
        ("Hello\r\nBcc: all@world.example", "Text", "subject"),
        ("Hello\nthere", "Text", "subject"),
        ("", "Text", "subject"),
        ("Hello", "", "text"),
        ("Hi {{first_name}},", "Text", "subject"),
        ("Hello", "Hi {{ first_name }},", "text"),
        ("Hello", "Hi {{first_name|}},", "text"),
        ("Hello", "{{ settings.SECRET_KEY }}", "text"),
        ("Hello", "{{ x.__class__ }}", "text"),
        ("Hello", "{{7*7}}", "text"),
        ("Hello", "https://shop.example/{{name|x}}", "text"),
        ("Hello", "See http://[shop today.", "text"),
        ("Hello", "See {{company|https://shop.example}} today.", "text"),
        ("H" * 151, "Text", "subject"),
    ],
)
def test_words_that_cannot_be_sent_are_explained(marketer, browse, gate, subject, text, field):
    answer = browse(marketer).post(reverse("marketing:nurture-add"), {"subject": subject, "text": text, "days": "3"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    with gate(marketer):
        assert not Step.objects.exists()


def test_fields_are_put_in_once_and_nothing_is_evaluated():
    values = {"first_name": "{{7*7}}", "name": "{{company}}", "company": "", "business": "B & Co", "sender": "Nia"}
    words = "Hi {{first_name|you}} of {{company|your firm}}, {{ name|you }} {single} {{business}}"
    subject, text = check("For {{ company | you }}", words)
    assert filled(subject, values) == "For you"
    assert filled(text, values) == "Hi {{7*7}} of your firm, {{company}} {single} B & Co"


def test_a_field_that_there_is_not_is_named_with_those_that_there_are(marketer, browse):
    given = {"subject": "Hello", "text": "Hi {{vorname|Sie}},", "days": "3"}
    page = browse(marketer).post(reverse("marketing:nurture-add"), given).content.decode()
    marks = ["{{first_name|friend}}", "{{name|friend}}", "{{company|your company}}", "{{business}}", "{{sender}}"]
    assert f"“{{{{vorname|Sie}}}}” is no field. There are: {', '.join(marks)}." in page
    for mark in marks:
        assert f"<code>{mark}</code>" in page, "the help writes them as they work"
        assert check(mark, mark) == (mark, mark)


def test_a_lead_whose_name_is_a_field_is_one_without_a_name(enrolled, gate, owner, work, lead):
    with gate(owner):
        Lead.objects.filter(pk=lead.pk).update(name="{{company}} {{x}}", company_name="Bell }} {{name|y}}")
        Step.objects.filter(position=1).update(subject="{{name|friend}} of {{company|your firm}}", text="{{sender}}")
    work(at=enrolled.next_at + SOON)
    with gate(owner):
        message = Message.objects.get(kind="nurture")
        text, html = text_of(message, owner.workspace, hidden=False), html_of(message, owner.workspace)
    assert message.subject == "friend of your firm"
    assert text.startswith("Hello,\n\nMara Marketer")
    assert "{{" not in html + text


def test_a_name_of_several_lines_adds_no_header(enrolled, gate, owner, work, sink, lead):
    with gate(owner):
        Lead.objects.filter(pk=lead.pk).update(name="Ann\r\nBcc:\u2028all@world.example Bell")
        Step.objects.filter(position=1).update(subject="For {{name|friend}}")
    work(at=enrolled.next_at + SOON)
    ((to, mail),) = [taken for taken in sink.taken if taken[0] == [lead.email]]
    assert mail["Subject"] == "For Ann Bcc: all@world.example Bell"
    assert (to, mail["Bcc"]) == ([lead.email], None)


@pytest.mark.parametrize(
    "words", ["{% load x %}", "Hi {{first_name", "first_name}} hello", "100 %}", "Hi { name|you }"]
)
def test_what_would_reach_people_as_a_sign_is_refused(words):
    for subject, text in ((words, "Hello"), ("Hello", words)):
        with pytest.raises(Refused, match="would be sent as it is"):
            check(subject, text)


def test_only_the_businesss_own_addresses_become_links():
    values = {"first_name": "https://evil.example", "name": "", "company": "", "business": "", "sender": ""}
    found = pieces("See https://ours.example/a?b=1. Yours, {{first_name|you}}", values)
    assert found == [
        ("words", "See "), ("link", "https://ours.example/a?b=1"), ("words", ". Yours, https://evil.example"),
    ]  # fmt: skip


def test_a_missing_name_has_a_word_instead_and_markup_stays_text(enrolled, gate, owner, work, lead):
    with gate(owner):
        Lead.objects.filter(pk=lead.pk).update(name="", company_name="<b>Bell</b>\u202e")
        Step.objects.filter(position=1).update(
            subject="{{first_name|friend}}, roofs", text="For {{company|you}}\n\nhttps://ours.example/roof <i>now</i>"
        )
    work(at=enrolled.next_at + SOON)
    with gate(owner):
        message = Message.objects.get(kind="nurture")
        text, html = text_of(message, owner.workspace, hidden=False), html_of(message, owner.workspace)
    assert message.subject == "friend, roofs"
    assert "Hello,\n\nFor <b>Bell</b>" in text
    assert "&lt;b&gt;Bell&lt;/b&gt;" in html
    assert "&lt;i&gt;now&lt;/i&gt;" in html
    assert "\u202e" not in html + text
    assert "{{" not in html + text


def test_there_are_five_mails_at_most(nurtured, gate, owner):
    with gate(owner):
        for number in range(3, 6):
            nurture.keep_step(Step(workspace=owner.workspace, sequence=nurtured, days=1, subject=str(number), text="x"))
        with pytest.raises(Refused, match="5 mails already"):
            nurture.keep_step(Step(workspace=owner.workspace, sequence=nurtured, days=1, subject="6", text="x"))


# ── pages ──


def test_the_page_says_what_each_mail_did_and_who_gets_them(enrolled, lead, gate, owner, browse, work, sink):
    work(at=enrolled.next_at + SOON)
    with gate(owner):
        Letter.objects.update(clicked_at=enrolled.next_at)
        handoff.open_for([lead], why={lead.pk: "."}, workspace=owner.workspace, at=enrolled.next_at + DAY)
    answer = browse(owner).get(reverse("marketing:nurture"))
    (first, second) = answer.context["steps"]
    assert (first[1]["sent"], first[1]["clicked"], first[2]) == (1, 1, 1)
    assert (second[1]["sent"], second[2]) == (0, 0)
    assert answer.context["counts"] == {"all": 1, "now": 0, "back": 1}
    back = browse(owner).get(reverse("marketing:nurture") + "?is=back").content.decode()
    assert "Ann Bell" in back
    assert browse(owner).get(reverse("marketing:nurture") + "?is=else").status_code == 400


def test_a_marketer_writes_switches_on_and_takes_out(marketer, browse, gate):
    client = browse(marketer)
    early = client.post(reverse("marketing:nurture-set-up"), {"is_on": "on"})
    assert early.status_code == 422
    given = {"subject": "Roofs", "text": "Words\r\nmore", "days": "2"}
    assert client.post(reverse("marketing:nurture-add"), given).status_code == 302
    with gate(marketer):
        step = Step.objects.get()
        assert (step.text, step.position) == ("Words\nmore", 1)
    client.post(reverse("marketing:nurture-set-up"), {"is_on": "on", "sender": str(marketer.pk)})
    with gate(marketer):
        assert (step.sequence.is_on, step.sequence.sender) == (True, marketer)
    client.post(reverse("marketing:nurture-step", args=[step.pk]), given | {"days": "5"})
    client.post(reverse("marketing:nurture-remove", args=[step.pk]))
    with gate(marketer):
        step.refresh_from_db()
        assert step.days == 5
        assert step.removed_at is not None
        assert not nurture.Mails.objects.get().is_on
    assert client.get(reverse("marketing:nurture-step", args=[step.pk])).status_code == 404


def test_the_leads_page_offers_and_stops_them(nurtured, lead, gate, marketer, rep, viewer, browse, work):
    with gate(marketer) as at:
        Handoff.objects.all().delete()
        Lead.objects.filter(pk=lead.pk).update(stage="nurturing")
    page = browse(marketer).get(reverse("lead", args=[lead.pk])).content.decode()
    assert "Send them the mails" in page
    assert "Send them the mails" not in browse(viewer).get(reverse("lead", args=[lead.pk])).content.decode()
    browse(marketer).post(reverse("marketing:nurture-enroll", args=[lead.pk]))
    again = browse(marketer).post(reverse("marketing:nurture-enroll", args=[lead.pk]))
    assert again.status_code == 409
    page = browse(marketer).get(reverse("lead", args=[lead.pk])).content.decode()
    assert "They replied" in page
    with gate(marketer):
        Consent.objects.all().delete()
        Enrollment.objects.all().delete()
    page = browse(marketer).get(reverse("lead", args=[lead.pk])).content.decode()
    assert "They didn’t agree to mail" in page
    assert at


def test_an_unused_way_to_judge_stays_with_marketing(gate, owner):
    with gate(owner) as at:
        one = GiveBackReason(name="Ends", disqualifies=True, nurtures=True, way=Way.JUDGED, cool_days=5)
        reasons.add(one, workspace=owner.workspace, by=owner, at=at)
        assert (one.nurtures, one.cool_days) == (False, 0)
        assert not Suppression.objects.exists()
