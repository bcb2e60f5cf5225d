"""What the page counts of each mail is what a recount of the rows gives, and nobody's time of day moves."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.outbox.models import Event
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, Letter, Step

SOON = timedelta(minutes=1)
# Per lead: what became of its two mails, which of them it clicked, and whether it came back.
STORIES = (
    (("sent", "sent"), (1, 2), True), (("sent", "queued"), (1,), True), (("sent", "sent"), (), False),
    (("sent", "unknown"), (1,), True), (("failed", "sent"), (2,), False), (("queued", "queued"), (), True),
    (("sending", "queued"), (), False), (("failed", "failed"), (), True),
)  # fmt: skip


@pytest.fixture
def told(nurtured, gate, owner, work):
    """Leads that got both mails and did with them what the stories say."""
    people = [
        Capture(kind="form", name=f"Lead {n}", email=f"l{n}@world.example", consents={"email": "Write to me"})
        for n, _ in enumerate(STORIES)
    ]
    with gate(owner) as at:
        leads = [one.lead for one in receive(owner.workspace, people, at=at)]
        for lead in leads:
            nurture.enroll(lead, at=at)
    for days in (3, 11):
        work(at=at + timedelta(days=days) + SOON)
    with gate(owner):
        sent = at + timedelta(days=12)
        for lead, (states, clicks, back) in zip(leads, STORIES, strict=True):
            letters = Letter.objects.filter(enrollment__lead=lead).order_by("position")
            for letter, state in zip(letters, states, strict=True):
                Message.objects.filter(pk=letter.message_id).update(
                    state=state, sent_at=sent if state == "sent" else None
                )
            Letter.objects.filter(enrollment__lead=lead, position__in=clicks).update(clicked_at=sent + SOON)
            Enrollment.objects.filter(lead=lead, came_back_at=None).update(came_back_at=sent + SOON if back else None)


def test_sent_wait_clicked_and_came_back_equal_a_recount(told, viewer, browse):
    answer = browse(viewer).get(reverse("marketing:nurture"))
    for place, (_, did, back) in enumerate(answer.context["steps"]):
        states = [states[place] for states, _, _ in STORIES]
        assert did["sent"] == states.count("sent")
        assert did["waits"] == states.count("queued") + states.count("sending")
        assert did["doubt"] == states.count("unknown")
        assert did["clicked"] == sum(place + 1 in clicks for _, clicks, _ in STORIES)
        # The latest that had reached them, not one that waited or never went.
        assert back == sum(
            here and states[place] == "sent" and "sent" not in states[place + 1 :] for states, _, here in STORIES
        )
    total = answer.context["total"]
    assert total == {"sent": 7, "waits": 5, "doubt": 1, "clicked": 5, "back": 3, "before": 2}
    page = answer.content.decode()
    columns = [f'<th scope="col" class="num">{word}</th>' for word in ("Sent", "Wait", "Clicked", "Came back")]
    assert "".join(columns) in page
    assert "2 came back before a mail had reached them." in page


def test_a_mail_that_was_taken_out_stays_in_the_sum(told, gate, owner, browse):
    with gate(owner) as at:
        nurture.remove_step(Step.objects.get(position=1), at=at)
    answer = browse(owner).get(reverse("marketing:nurture"))
    assert len(answer.context["steps"]) == 1
    assert answer.context["total"] == {"sent": 7, "waits": 5, "doubt": 1, "clicked": 5, "back": 3, "before": 2}


@pytest.mark.parametrize(
    ("at", "first", "second"),
    [("2026-03-27T00:30", "2026-03-30T00:30", "2026-04-06T00:30"), ("2026-10-16", "2026-10-19", "2026-10-26")],
)
def test_a_mail_goes_at_the_same_time_of_day_across_a_change_of_the_clock(nurtured, gate, owner, at, first, second):
    """Days are the business's own: half past midnight stays half past midnight, and none is skipped."""
    workspace = owner.workspace
    with gate(owner) as now:
        workspace.time_zone = "Europe/Berlin"
        workspace.save(update_fields=["time_zone"])
        begins, goes, follows = (
            datetime.fromisoformat(one).replace(tzinfo=workspace.zone).astimezone(UTC) for one in (at, first, second)
        )
        (got,) = receive(workspace, [Capture(email="a@b.example", consents={"email": "Write"})], at=now)
        enrolled = nurture.enroll(Lead.objects.get(pk=got.lead.pk), at=begins)
        assert enrolled.next_at == goes
        nurture.write_next(enrolled, Event.objects.get(kind="nurture_started"), at=goes)
        enrolled.refresh_from_db()
        assert enrolled.next_at == follows


def test_mails_that_are_off_say_so_before_any_number_and_how_to_switch_them_on(nurtured, marketer, viewer, browse):
    page = browse(marketer)
    assert "Nobody has got them yet." in page.get(reverse("marketing:nurture")).content.decode()
    page.post(reverse("marketing:nurture-set-up"), {"sender": ""})
    off = page.get(reverse("marketing:nurture")).content.decode()
    assert "They are off: <em>nobody gets a mail</em>." in off
    assert '<a class="inline-link" href="#set-t">Switch them on</a>' in off
    assert "of 0" not in off
    assert "Marketing switches them on." in browse(viewer).get(reverse("marketing:nurture")).content.decode()


def test_a_mail_without_days_between_goes_at_once(nurtured, marketer, gate, browse):
    with gate(marketer):
        Step.objects.update(days=0)
    page = browse(marketer).get(reverse("marketing:nurture")).content.decode()
    assert "At once after being given back" in page
    assert "0 day" not in page
