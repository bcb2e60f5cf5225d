"""A mail of the sequence before it goes: shown as a lead would read it, and mailed to whoever asks, as a test."""

import pytest
from django.urls import reverse

from funnel.leads.identity import Capture
from funnel.leads.models import Lead, Suppression
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.outbox.models import Event
from funnel.workspaces.models import Workspace
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, Letter, Step
from tests.marketing.nurture.test_links_in_mails import body

PAGE = "marketing:nurture"


def read(client):
    answer = client.get(reverse(PAGE))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("who", ["owner", "marketer", "rep", "viewer"])
def test_everybody_reads_each_mail_as_a_real_lead_would(nurtured, lead, browse, request, who):
    page = read(browse(request.getfixturevalue(who)))
    assert "Filled in for" in page
    assert ">Ann Bell</bdi></a>" in page
    assert "Ann, what a roof costs" in page
    assert "Dear Ann," in page
    assert "See https://first.example/roofs?from=mail." in page
    assert "Mara Marketer, First" in page
    assert "Stop these mails (a link here, in the real mail only)" in page
    assert "/u/" not in page
    assert ("Send me a test" in page) is (who in ("owner", "marketer"))


def test_without_a_lead_stand_ins_say_that_they_are_some(nurtured, marketer, browse):
    page = read(browse(marketer))
    assert "An example, because there is no lead yet who would get them" in page
    assert "Firstname, what a roof costs" in page
    assert "Dear Firstname," in page


def test_a_mail_is_called_by_its_subject_with_stand_ins(nurtured, gate, marketer, browse):
    with gate(marketer):
        first, second = Step.objects.kept()
        assert (first.title, second.title) == ("friend, what a roof costs", "A question from your business")
    client = browse(marketer)
    page = read(client)
    assert "{{" not in page
    assert "friend, what a roof costs</bdi></a>" in page
    # The table and the mails below it say when each goes in the same words.
    assert page.count("3 days after being given back") == page.count("7 days after the previous mail") == 2
    page = client.get(reverse("marketing:nurture-step", args=[first.pk])).content.decode()
    assert "<h1><bdi>friend, what a roof costs</bdi></h1>" in page
    assert 'value="{{first_name|friend}}, what a roof costs"' in page


def test_nobody_is_shown_who_would_get_no_mail(enrolled, lead, gate, marketer, rep, browse):
    with gate(rep) as at:
        bo = Capture(kind="form", name="Bo Crow", email="bo@crow.example", consents={"email": "Send me advice"})
        receive(rep.workspace, [bo, Capture(kind="form", name="Cy Dove", email="cy@dove.example")], at=at)
    assert ">Ann Bell</bdi></a>" in read(browse(marketer))
    with gate(rep) as at:
        nurture.no_mail(lead, by=rep, at=at)
    assert "Bo, what a roof costs" in read(browse(marketer))
    with gate(rep) as at:
        nurture.no_mail(Lead.objects.get(name="Bo Crow"), by=rep, at=at)
    page = read(browse(marketer))
    assert "An example, because there is no lead yet who would get them" in page
    assert "Firstname, what a roof costs" in page


def test_without_a_name_the_words_for_that_stand_there(enrolled, gate, marketer, browse):
    with gate(marketer):
        Lead.objects.update(name="")
    page = read(browse(marketer))
    assert "friend, what a roof costs" in page
    assert "Hello," in page


def test_showing_and_testing_ask_no_more_the_more_leads_there_are(nurtured, lead, gate, marketer, browse):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = browse(marketer)
    read(client)
    with CaptureQueriesContext(connection) as two:
        read(client)
    with gate(marketer):
        sequence = Step.objects.first().sequence
        for position in (3, 4, 5):
            Step.objects.create(
                workspace=marketer.workspace, sequence=sequence, position=position, days=1, subject="x", text="x"
            )
    with CaptureQueriesContext(connection) as five:
        read(client)
    assert len(five) == len(two)


def test_a_test_goes_to_whoever_asks_and_counts_nowhere(nurtured, lead, gate, owner, marketer, browse, work, sink):
    work()
    sink.taken.clear()
    with gate(marketer):
        pk = Step.objects.get(position=1).pk
        events = Event.objects.filter(lead=lead).exclude(kind="mail_queued").count()
    answer = browse(owner).post(reverse("marketing:nurture-test", args=[pk]), follow=True)
    assert f"A test is on its way to {owner.email}." in answer.content.decode()
    work()
    ((to, mail),) = sink.taken
    assert to == [owner.email]
    assert mail["Subject"] == "[Test] Ann, what a roof costs"
    assert mail["From"].startswith("First <")
    assert "Mara Marketer" in mail["Reply-To"]
    for kind in ("plain", "html"):
        words = body(mail, kind)
        assert "Dear Ann," in words
        assert "https://first.example/roofs?from=mail" in words
        assert "Stop these mails" in words
        assert "/u/" not in words
    assert (mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]) == (None, None)
    with gate(marketer):
        assert not Letter.objects.exists()
        assert not Enrollment.objects.exists()
        assert not Suppression.objects.exists()
        assert Event.objects.filter(lead=lead).exclude(kind="mail_queued").count() == events
    assert browse(owner).get(reverse(PAGE)).context["total"]["sent"] == 0


def test_a_test_goes_without_a_lead_too_and_to_an_address_that_gets_no_nurture_mails(
    nurtured, gate, marketer, browse, work, sink
):
    from funnel.leads.suppressing import digest_of, suppress

    with gate(marketer) as at:
        pk = Step.objects.get(position=1).pk
        suppress(marketer.workspace_id, [digest_of(marketer.workspace_id, marketer.email)], "unsubscribed", at=at)
    browse(marketer).post(reverse("marketing:nurture-test", args=[pk]))
    work()
    ((to, mail),) = sink.taken
    assert (to, mail["Subject"]) == ([marketer.email], "[Test] Firstname, what a roof costs")
    assert body(mail, "plain").startswith("Dear Firstname,\n")


def test_a_test_that_bounces_suppresses_nobody(nurtured, lead, gate, marketer, browse, work, sink):
    work()
    with gate(marketer):
        pk = Step.objects.get(position=1).pk
    sink.recipients = ["550 no such user"]
    browse(marketer).post(reverse("marketing:nurture-test", args=[pk]))
    work()
    with gate(marketer):
        assert Message.objects.get(kind="nurture-test").state == "failed"
        assert not Suppression.objects.exists()


def test_without_a_mail_server_both_pages_say_so(nurtured, gate, owner, marketer, browse):
    with gate(marketer):
        pk = Step.objects.get(position=1).pk
    answer = browse(marketer).post(reverse("marketing:nurture-test", args=[pk]), follow=True)
    assert "the test waits in the owner’s local mailbox" in answer.content.decode()
    assert "Mail is not being sent" in answer.content.decode()
    assert "[Test] Firstname, what a roof costs" in browse(owner).get(reverse("mailbox")).content.decode()


def test_with_a_mail_server_that_was_not_tried_yet_nobody_reads_that_there_is_none(
    nurtured, rep, marketer, browse, gate, settings
):
    settings.EMAIL_URL = "smtp://mail.example"
    for page in ("/marketing/nurture/", "/handoffs/"):
        shown = browse(marketer).get(page).content.decode()
        assert "Mail is not tried yet" in shown
        assert "Mail is not being sent" not in shown
    assert f"It goes to {marketer.email}." in browse(marketer).get("/marketing/nurture/").content.decode()
    with gate(marketer) as at:
        test = reverse("marketing:nurture-test", args=[Step.objects.get(position=1).pk])
    said = f"A test is on its way to {marketer.email}."
    first = browse(marketer).post(test, follow=True).content.decode()
    assert f"{said} Mail is not tried yet: this one shows whether it works." in first
    Workspace.objects.filter(pk=marketer.workspace_id).update(mail_proved_at=at)
    later = browse(marketer).post(test, follow=True).content.decode()
    assert (said in later, "this one shows" in later) == (True, False)


def test_who_may_not_change_them_gets_no_test(nurtured, gate, rep, viewer, outsider, browse):
    with gate(rep):
        pk = Step.objects.get(position=1).pk
    for member, status in ((rep, 403), (viewer, 403), (outsider, 404)):
        assert browse(member).post(reverse("marketing:nurture-test", args=[pk])).status_code == status
    assert browse(rep).get(reverse("marketing:nurture-test", args=[pk])).status_code in (403, 405)
    with gate(rep):
        assert not Message.objects.filter(kind="nurture-test").exists()
