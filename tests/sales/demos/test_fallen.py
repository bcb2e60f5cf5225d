"""On the desk: a demo that was cancelled or missed, until something newer is planned or done."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import void
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from funnel.templatetags.words import day_time
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, LostReason
from sales.demos import actions as demos
from sales.demos.models import Demo
from sales.negotiation import actions as quotes
from sales.queue import actions as queue
from sales.queue.actions import NextStep
from sales.queue.models import CallOutcome, Task
from tests.sales.demos.conftest import HALF
from tests.sales.negotiation.conftest import ROOF

pytestmark = pytest.mark.django_db
NOTHING = "Nothing is planned: call, or say what is next"


@pytest.fixture
def rows(browse):
    """What the desk says of each lead, by its heading."""

    def shown(member):
        groups = browse(member).get(reverse("sales:desk")).context["groups"]
        return [(group.title, str(row.lead), row.what, row.when) for group in groups for row in group.rows]

    return shown


@pytest.fixture
def says(rows):
    """What the desk says, without the clock."""
    return lambda member: [(title, what) for title, _, what, _ in rows(member)]


@pytest.fixture
def cancelled(demo_of, client):
    """A demo that the lead has cancelled on its own page."""

    def called_off(member, why="We have no budget\nthis year", **also):
        demo = demo_of(member, **also)
        assert client.post(f"{demo.path}cancel/", {"why": why}).status_code == 303
        return demo

    return called_off


@pytest.fixture
def missed(past_demo, gate):
    """A demo to which the lead did not come."""

    def did_not_come(member, **also):
        demo = past_demo(member, **also)
        with gate(member) as at:
            demos.no_show(demo, by=member, at=at)
        return demo

    return did_not_come


def test_what_the_lead_cancelled_stands_under_today_with_its_words(rep, cancelled, rows, gate):
    demo = cancelled(rep)
    with gate(rep):
        demo.refresh_from_db()
        at = rep.workspace.local(demo.decided_at)
        on = day_time(rep.workspace.local(demo.starts_at))
    what = f"The lead cancelled the demo of {on}: “We have no budget this year”. Call, or book again"
    assert rows(rep) == [("Today", "Ann Bell", what, f"Since {at:%H:%M}")]


def test_a_long_reason_is_there_to_its_last_word_and_none_leaves_no_empty_quotes(rep, cancelled, says):
    why = f"{'No ' * 95}never at all"
    assert len(why) <= 300
    cancelled(rep, why=why)
    cancelled(rep, why="", name="Ben Bell", hour=11)
    with_why, without = sorted((what for _, what in says(rep)), key=len, reverse=True)
    assert f": “{why}”. Call" in with_why
    assert "“" not in without


def test_it_says_which_colleague_cancelled_and_why(rep, owner, demo_of, browse, says):
    demo = demo_of(rep)
    browse(owner).post(reverse("sales:demo-cancel", args=[demo.pk]), {"reason": "The van is broken."})
    ((title, what),) = says(rep)
    assert title == "Today"
    assert what.startswith("Olga Owner cancelled the demo of ")
    assert what.endswith(": “The van is broken”. Call, or book again")


def test_who_did_not_come_stands_under_today(rep, past_demo, browse, says, gate):
    demo = past_demo(rep)
    browse(rep).post(reverse("sales:demo-missed", args=[demo.pk]), {"version": demo.version})
    with gate(rep):
        on = day_time(rep.workspace.local(demo.starts_at))
    assert says(rep) == [("Today", f"Did not come to the demo of {on}. Call, or book again")]
    browse(rep).post(reverse("sales:demo-held", args=[demo.pk]), {"version": demo.version + 1})
    assert says(rep) == [("Without a next step", NOTHING)]


def _book(lead, rep, at):
    begins = at + timedelta(days=9)
    demos.book(lead, holder=rep, starts_at=begins, ends_at=begins + HALF, by=None, at=at)


def _quote(lead, rep, at):
    quotes.send(quotes.draft(deals.first_open(lead), [ROOF], by=rep, at=at), by=rep, at=at)


def _done(lead, rep, at):
    queue.finish(queue.plan(lead, NextStep("Write", at + timedelta(days=1)), by=rep, at=at), by=rep, at=at)


def _back(lead, rep, at):
    handoff.give_back(lead, reason=GiveBackReason.objects.get(key="no-answer"), by=rep, at=at)


def _again(lead, rep, at):
    """They ask for contact, and a step comes of it by itself."""
    return Task.objects.create(
        workspace_id=lead.workspace_id, lead=lead, holder=rep, what="Call", due_at=at, made_at=at
    )


def _again_and_done(lead, rep, at):
    queue.finish(_again(lead, rep, at), by=rep, at=at)


@pytest.mark.parametrize("fell", ["cancelled", "missed"])
@pytest.mark.parametrize(
    "then",
    [
        _book, _quote, _done, _again, _again_and_done, _back,
        lambda lead, rep, at: queue.log_call(lead, CallOutcome.NO_ANSWER, by=rep, at=at),
        lambda lead, rep, at: queue.plan(lead, NextStep("Write", at + timedelta(days=1)), by=rep, at=at),
        lambda lead, rep, at: close.lose(deals.first_open(lead), reason=LostReason.objects.first(), by=rep, at=at),
        lambda lead, rep, at: close.win(deals.first_open(lead), by=rep, at=at, amount=5),
    ],
)  # fmt: skip
def test_what_is_planned_or_done_after_it_ends_it(rep, fell, then, request, gate, says):
    demo = request.getfixturevalue(fell)(rep)
    with gate(rep) as at:
        then(Lead.objects.get(pk=demo.lead_id), rep, at)
    assert [what for _, what in says(rep) if "demo of" in what] == []


def test_what_was_planned_before_it_does_not_hide_it(rep, demo_of, client, gate, says):
    demo = demo_of(rep)
    with gate(rep) as at:
        queue.plan(Lead.objects.get(), NextStep("Prepare", at + timedelta(days=3)), by=rep, at=at)
    demo_of(rep, lead=demo.lead, days=14)
    client.post(f"{demo.path}cancel/")
    assert [title for title, _ in says(rep)] == ["Today", "Later", "Later"]


def test_another_time_that_was_given_before_the_miss_was_noted_counts(rep, past_demo, demo_of, gate, says):
    demo = past_demo(rep)
    demo_of(rep, lead=demo.lead)
    with gate(rep) as at:
        demos.no_show(demo, by=rep, at=at)
    assert [title for title, _ in says(rep)] == ["Later"]


def test_who_was_shown_everything_later_that_day_did_come(rep, past_demo, gate, says):
    first = past_demo(rep, hours=6)
    second = past_demo(rep, lead=first.lead, hours=1)
    with gate(rep) as at:
        demos.held(second, by=rep, at=at)
        demos.no_show(first, by=rep, at=at)
    assert [what for _, what in says(rep)] == [NOTHING]


def test_a_call_before_the_miss_was_noted_counts_and_one_before_the_demo_does_not(rep, past_demo, gate, says):
    called, early = past_demo(rep), past_demo(rep, "Ben Bell", hours=3)
    for demo, after in (called, timedelta(minutes=20)), (early, -timedelta(minutes=20)):
        with gate(rep) as at:
            lead = Lead.objects.get(pk=demo.lead_id)
            queue.log_call(lead, CallOutcome.NO_ANSWER, by=rep, at=demo.starts_at + after)
            demos.no_show(demo, by=rep, at=at)
    assert [(title, what.split(" of ")[0]) for title, what in says(rep)] == [
        ("Today", "Did not come to the demo"), ("Without a next step", NOTHING),
    ]  # fmt: skip


def test_a_step_from_before_that_was_put_off_ends_it(rep, demo_of, client, gate, says):
    demo = demo_of(rep)
    with gate(rep) as at:
        step = queue.plan(Lead.objects.get(), NextStep("Prepare", at + timedelta(days=3)), by=rep, at=at)
    client.post(f"{demo.path}cancel/")
    assert [title for title, _ in says(rep)] == ["Today", "Later"]
    with gate(rep) as at:
        queue.move(step, NextStep("Prepare", at + timedelta(days=4)), by=rep, at=at)
    assert [title for title, _ in says(rep)] == ["Later"]


def test_a_call_that_was_taken_back_ends_nothing(rep, cancelled, gate, says):
    demo = cancelled(rep)
    with gate(rep) as at:
        queue.log_call(Lead.objects.get(pk=demo.lead_id), CallOutcome.SPOKE, by=rep, at=at)
        void(Event.objects.get(kind="call_made"), reason="It was Ben", by=rep, at=at)
    assert [title for title, _ in says(rep)] == ["Today"]


def test_of_several_with_one_lead_the_last_says_it_and_twice_missed_is_still_offered_back(rep, missed, browse, says):
    first = missed(rep, hours=50)
    second = missed(rep, lead=first.lead, hours=3)
    ((_, what),) = says(rep)
    assert f"{rep.workspace.local(second.starts_at):%H:%M}" in what
    assert "Missed 2 demos" in browse(rep).get(reverse("sales:desk")).content.decode()


def test_it_goes_with_the_lead_and_stands_with_who_has_the_deal(rep, other_rep, owner, cancelled, gate, says):
    demo = cancelled(rep)
    assert says(other_rep) == []
    with gate(rep):
        Deal.objects.update(holder=other_rep)
    assert [title for title, _ in says(other_rep)] == ["Today"]
    with gate(rep) as at:
        Deal.objects.update(holder=rep)
        passing.pass_lead(Lead.objects.get(pk=demo.lead_id), to=other_rep, by=owner, at=at, reason="Away")
        Deal.objects.update(holder=other_rep)
    assert [title for title, _ in says(other_rep)] == ["Today"]
    assert says(rep) == []


def test_whom_nobody_has_spoken_to_since_the_handoff_is_called_first_by_when_it_was_promised(
    rep, cancelled, gate, rows, browse
):
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(name="Ann Bell", email="ann@bell.example")], at=at)
        handoff.open_for([got.lead], why={got.lead.pk: "Asked"}, workspace=rep.workspace, at=at)
        lead = handoff.accept(Lead.objects.get(), by=rep, at=at)
        Handoff.objects.update(contact_due_at=at - timedelta(days=2))
    cancelled(rep, lead=lead)
    ((title, _, what, _),) = rows(rep)
    assert (title, what.split(":")[0]) == ("Late", "Call first")
    browse(rep).post(reverse("sales:call", args=[lead.pk]), {"outcome": "no_answer"})
    assert [title for title, *_ in rows(rep)] == ["Without a next step"]
    cancelled(rep, lead=lead, days=9)
    assert [(title, what[:18]) for title, _, what, _ in rows(rep)] == [("Today", "The lead cancelled")]


def test_a_desk_that_stands_open_hears_of_it(rep, demo_of, browse, client):
    demo, tab = demo_of(rep), browse(rep)
    have = tab.get(reverse("sales:desk")).context["stamp"]
    news = f"{reverse('sales:news')}?lead={demo.lead_id}&have="
    client.post(f"{demo.path}cancel/", {"why": "No"})
    came = tab.get(news + have, headers={"HX-Request": "true"})
    assert "The lead cancelled the demo of" in came.content.decode()
    tab.post(reverse("sales:call", args=[demo.lead_id]), {"outcome": "spoke"})
    have = re.search(r"have=(\w+)", came.content.decode())[1]
    gone = tab.get(news + have, headers={"HX-Request": "true"})
    assert (gone.status_code, "The lead cancelled the demo of" in gone.content.decode()) == (200, False)


def test_the_desk_asks_as_much_for_ten_as_for_one(rep, cancelled, browse):
    def questions():
        tab = browse(rep)
        tab.get(reverse("sales:desk"))
        with CaptureQueriesContext(connection) as seen:
            page = tab.get(reverse("sales:desk")).content.decode()
        return len(seen), page.count("cancelled the demo")

    cancelled(rep, name="A Bell")
    one, many = questions()
    assert many == 1
    for hour, name in enumerate("BCDEFGH", 10):
        cancelled(rep, name=f"{name} Bell", hour=hour)
    assert questions() == (one, 8)


def test_another_business_sees_nothing_of_it(rep, outsider, cancelled, says, gate):
    cancelled(rep)
    assert says(outsider) == []
    with gate(outsider):
        assert not Demo.objects.exists()
