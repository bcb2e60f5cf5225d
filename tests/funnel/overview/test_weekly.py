"""The owner's letter on Monday morning: once, with the figures of the home, whatever rings twice or late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.mail.sending import html_of, text_of
from funnel.outbox.models import Effect, Event, State
from funnel.overview.weekly import Week, next_morning, plan
from sales.close import actions as close
from sales.deals import actions as deals
from sales.targets.actions import set_target

pytestmark = pytest.mark.django_db(transaction=True)


def letters(member, gate):
    with gate(member):
        return list(Message.objects.filter(kind="weekly").select_related("member__user").order_by("created_at"))


def plain(text):
    return text.replace("\xa0", " ")


@pytest.fixture
def monday(owner, gate):
    """The moment of the first letter."""
    with gate(owner):
        return Effect.objects.get(handler="weekly").due_at


def test_a_letter_goes_on_monday_morning_on_the_business_s_clock_once(owner, rep, monday, gate, work):
    local = monday.astimezone(ZoneInfo("Europe/London"))
    assert (local.weekday(), local.hour, local.minute) == (0, 7, 30)
    work(monday - timedelta(seconds=1))
    assert letters(owner, gate) == []
    for _ in range(3):
        work(monday + timedelta(minutes=1))
    (letter,) = letters(owner, gate)
    assert letter.to_email == owner.email
    work(monday + timedelta(days=7, hours=3))
    assert len(letters(owner, gate)) == 2
    with gate(owner):
        assert Effect.objects.filter(handler="weekly", state=State.DUE).count() == 1


def test_a_week_is_planned_once_and_a_worker_that_was_away_tells_nothing_old(owner, monday, gate, work):
    with gate(owner) as at:
        plan(owner.workspace, at)
        plan(owner.workspace, at)
        assert Event.objects.filter(kind="week_planned").count() == 1
    work(monday + timedelta(days=24))
    assert letters(owner, gate) == []
    work(monday + timedelta(days=28, hours=2))
    assert len(letters(owner, gate)) == 1


def test_the_next_morning_is_after_now_also_over_a_change_of_the_clock(owner):
    owner.workspace.time_zone = "Europe/Berlin"
    at = datetime(2026, 10, 19, 5, 30, tzinfo=UTC)
    assert next_morning(owner.workspace, at - timedelta(seconds=1)) == at
    assert next_morning(owner.workspace, at) == datetime(2026, 10, 26, 6, 30, tzinfo=UTC)


def test_the_letter_says_what_the_home_says(owner, rep, monday, gate, work):
    zone = ZoneInfo("Europe/London")
    last = monday.astimezone(zone).date() - timedelta(days=4)
    noon = datetime(last.year, last.month, last.day, 12, tzinfo=zone)
    with gate(owner):
        came = receive(
            owner.workspace,
            [
                Capture(name=f"Ann Bell{n}", email=f"a{n}@b.example", channel="radio", occurred_at=noon)
                for n in range(3)
            ],
            at=noon,
        )
        first, second, third = (one.lead for one in came)
        set_target(monday.astimezone(zone).date(), 1_000_00, member=None, by=owner, at=noon)
        close.win(deals.open_deal(first, by=rep, at=noon), by=rep, at=noon, amount=250_50)
        handoff.open_for([second], why={second.pk: "Asked"}, workspace=owner.workspace, at=noon, to=rep)
        deals.open_deal(third, by=rep, at=noon + timedelta(days=8), amount=77_00)
        reason = GiveBackReason.objects.get(key="no-budget")
        handoff.give_back(second, reason=reason, by=rep, at=noon, note="Wants <b>nothing</b>")
    work(monday + timedelta(minutes=1))
    (letter,) = letters(owner, gate)
    with gate(owner):
        text, page = plain(text_of(letter, owner.workspace)), html_of(letter, owner.workspace)
    same_month = last.month == monday.astimezone(zone).month
    assert letter.subject.startswith("£250 won of £1,000" if same_month else "£0 won of £1,000")
    assert "Last week brought 1 sale and £250." in text.replace("\n", " ")
    for label, now, before in (("New leads", "3", "0"), ("Ready for sales", "1", "0"), ("Won", "£250.50", "£0")):
        assert f"{label:<42}{now:>14}{before:>14}" in text
    for label, now, before in (("Qualified", "1", "0"), ("New customers", "1", "0")):
        assert f"{label:<42}{now:>14}{before:>14}" in text
    assert "1 open deal, worth £77. " in f"{text} ".replace("\n", " ")
    assert "The quarter: £" in text
    assert f"LAST WEEK, {Week(last - timedelta(days=last.weekday())).words.upper()}" in text
    assert "Ann Bell0 (Rita)" in text
    assert "1 lead came back." in text
    assert "Rita: “Wants <b>nothing</b>”" in text
    assert "Wants &lt;b&gt;nothing&lt;/b&gt;" in page
    assert max(len(line) for line in text.splitlines() if not line.startswith(("- ", "  ", "http"))) <= 100


def test_who_waits_too_long_and_what_is_stuck_are_named_in_words(owner, rep, monday, gate, work):
    asked = monday - timedelta(days=4)
    with gate(owner):
        (came,) = receive(
            owner.workspace, [Capture(name="Ann Bell", email="ann@bell.example", occurred_at=asked)], at=asked
        )
        handoff.open_for([came.lead], why={came.lead.pk: "Asked"}, workspace=owner.workspace, at=asked, to=rep)
        Effect.objects.filter(handler="score").update(state=State.STUCK)
    work(monday + timedelta(minutes=1))
    (letter,) = letters(owner, gate)
    with gate(owner):
        text, page = plain(text_of(letter, owner.workspace)), plain(html_of(letter, owner.workspace))
    for what, more in (("1 lead waits too long.", "Ann Bell."), ("1 piece of work is stuck.", "Nothing is lost.")):
        assert f"- {what}\n  {more}\n" in text
        assert f"<b>{what}</b> {more}</p>" in page


def test_the_mailbox_shows_the_letter_in_its_columns(owner, monday, gate, work, browse):
    work(monday + timedelta(minutes=1))
    page = browse(owner).get("/mailbox/").content.decode()
    shown = plain(page[page.index("<pre ") : page.index("</pre>")])
    assert f"{'New leads':<42}{'0':>14}{'0':>14}\n" in shown
    assert "<br>" not in shown


def test_a_quiet_business_gets_a_quiet_letter(owner, monday, gate, work):
    work(monday + timedelta(minutes=1))
    (letter,) = letters(owner, gate)
    with gate(owner):
        text = plain(text_of(letter, owner.workspace))
    assert letter.subject == "0 new leads last week, 0 ready for sales"
    assert "NEEDS YOU" not in text
    assert "WON LAST WEEK\n" not in text


def test_weeks_are_named_by_their_days():
    assert Week(date(2026, 11, 9)).words == "9 to 15 November"
    assert Week(date(2026, 9, 28)).words == "28 September to 4 October"
