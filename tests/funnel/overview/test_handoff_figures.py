"""How handoffs of a period went: every lead once, each figure with its leads."""

import re
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.overview.handoff_figures import Groups, Line, WorkingTime, passages_of
from funnel.workspaces.hours import between
from funnel.workspaces.months import periods_at

MINUTE = timedelta(minutes=1)


@pytest.fixture
def noon(owner):
    """A Tuesday at noon, when the business works."""
    return datetime(2026, 3, 10, 12, tzinfo=owner.workspace.zone)


def come(owner, at, many, *, first=0, channel="radio", campaign="Spring"):
    """So many leads that are handed over at this moment."""
    captures = [
        Capture(email=f"a{first + n}@m.example", channel=channel, campaign=campaign, occurred_at=at)
        for n in range(many)
    ]
    leads = [one.lead for one in receive(owner.workspace, captures, at=at)]
    handoff.open_for(leads, why={one.pk: "." for one in leads}, workspace=owner.workspace, at=at)
    return [Handoff.objects.select_related("lead", "offered_to__user").get(lead=one) for one in leads]


@pytest.fixture
def month(owner, rep, other_rep, gate, noon):
    """Six leads: two taken, one of them given back later; one given back at once, one lapsed and taken, two wait."""
    with gate(owner):
        one, two, three, four, five, six = come(owner, noon, 4) + come(
            owner, noon, 2, first=4, channel="email", campaign=""
        )
        lead = handoff.accept(one.lead, by=one.offered_to, at=noon + 10 * MINUTE)
        touch(lead, "call_made", by=one.offered_to, at=noon + 30 * MINUTE)
        lead = handoff.accept(two.lead, by=two.offered_to, at=noon + 20 * MINUTE)
        reason = GiveBackReason.objects.get(key="no-answer")
        handoff.give_back(lead, reason=reason, by=two.offered_to, at=noon + 60 * MINUTE)
        handoff.give_back(
            three.lead, reason=GiveBackReason.objects.get(key="no-budget"), by=three.offered_to, at=noon + 5 * MINUTE
        )
        # Half a day and more: passed on by the clock, and taken from the other on the next day after 90 minutes.
        later = noon.replace(hour=16) + timedelta(days=1)
        again = passing.pass_on(four, at=later, workspace=owner.workspace)
        handoff.accept(Lead.objects.get(pk=four.lead_id), by=again.offered_to, at=later + 30 * MINUTE)
        return {"lapsed": four.offered_to, "taker": again.offered_to, "waiting": [five, six], "at": later + 40 * MINUTE}


def rows_of(owner, month):
    period = periods_at(month["at"], owner.workspace)["month"]
    return passages_of(period, workspace=owner.workspace, at=month["at"])


def test_each_lead_is_counted_once_and_the_ways_add_up(owner, month, gate):
    with gate(owner):
        whole = Line("", "", rows_of(owner, month))
    assert (whole.handed, whole.counts) == (6, [("taken", 3), ("back", 1), ("waits", 2), ("otherwise", 0)])
    assert (whole.decided, whole.later, whole.late) == (4, 1, 2)
    # 10, 20 and, from noon to 16:30 on the next day, 5 h + 7.5 h of working time.
    assert sorted(one.took for one in whole.rows if one.took is not None) == [10, 20, 750]
    assert (whole.took, whole.spoke) == (20, 30)


def test_by_rep_channel_and_campaign_the_leads_add_up_to_all(owner, month, gate):
    with gate(owner):
        groups, rows = Groups(), rows_of(owner, month)
        tables = {by: groups.lines(by, rows) for by in ("rep", "channel", "campaign", "fit")}
    for lines in tables.values():
        assert sum(line.handed for line in lines) == 6
        assert sum(line.taken for line in lines) == 3
    assert [(line.name, line.handed) for line in tables["channel"]] == [("Radio", 4), ("E-mail", 2)]
    assert [(line.name, line.handed) for line in tables["campaign"]] == [("Spring", 4), ("No campaign", 2)]
    assert {line.name: line.lapses for line in tables["rep"]} == {
        month["lapsed"].name: 1,
        month["taker"].name: 0,
    }


def test_an_offer_of_last_month_that_went_on_is_not_counted_again(owner, rep, other_rep, gate):
    last = datetime(2026, 2, 27, 15, tzinfo=owner.workspace.zone)
    now = datetime(2026, 3, 3, 12, tzinfo=owner.workspace.zone)
    with gate(owner):
        (one,) = come(owner, last, 1)
        passing.pass_on(one, at=now, workspace=owner.workspace)
        offered = periods_at(now, owner.workspace)
        assert passages_of(offered["month"], workspace=owner.workspace, at=now) == []
        assert len(passages_of(offered["last-month"], workspace=owner.workspace, at=now)) == 1


def test_working_time_reckoned_once_is_the_same_as_each_time_anew(owner, noon):
    workspace = owner.workspace
    workspace.closed = {"2026-03-16": "Holiday"}
    time = WorkingTime(workspace, noon - timedelta(days=9), noon + timedelta(days=30))
    for hours in range(0, 700, 7):
        begin = noon - timedelta(days=8) + timedelta(hours=hours)
        for more in (0, 1, 15, 40, 111):
            end = begin + timedelta(hours=more)
            assert time.between(begin, end) == pytest.approx(between(workspace, begin, end).total_seconds() / 60)


def test_each_figure_of_the_page_opens_as_many_leads_as_it_says(owner, rep, other_rep, viewer, browse, gate):
    with gate(owner) as at:
        offers = come(owner, at, 5)
        for one in offers[:2]:
            handoff.accept(one.lead, by=one.offered_to, at=at)
        handoff.give_back(
            offers[2].lead, reason=GiveBackReason.objects.get(key="no-budget"), by=offers[2].offered_to, at=at
        )
    page = browse(viewer)
    said = page.get(reverse("handoff-figures")).content.decode()
    links = re.findall(r'<a href="(\?period=[^"#]+)#rows">(\d+)', said)
    assert len(links) > 12
    for query, number in links:
        opened = page.get(reverse("handoff-figures") + query.replace("&amp;", "&")).content.decode()
        listed = opened[opened.index('id="passages"') :]
        assert listed[: listed.index("</tbody>")].count("<tr>") == int(number), query
    assert "67 %" in said.replace("\xa0", " "), "two of three that were decided"


def test_who_was_given_back_later_stands_by_rep_channel_and_campaign(owner, rep, other_rep, viewer, browse, gate):
    with gate(owner) as at:
        radio, mail = come(owner, at, 2), come(owner, at, 2, first=2, channel="email", campaign="")
        for one in (*radio, *mail):
            lead = handoff.accept(one.lead, by=one.offered_to, at=at)
            if one == radio[0]:
                reason = GiveBackReason.objects.get(key="no-budget")
                handoff.give_back(lead, reason=reason, by=one.offered_to, at=at + MINUTE)
    page = browse(viewer).get(reverse("handoff-figures")).content.decode()
    for by, key in (("rep", radio[0].offered_to_id), ("channel", "radio"), ("campaign", "spring")):
        table = page[page.index(f'id="{by}"') :]
        table = table[: table.index("</section>")]
        assert "Given back<br>later</th>" in table
        assert re.findall(r"by=\w+&amp;key=([^&]+)&amp;is=later#rows\">(\d+)<", table) == [(str(key), "1")]


def test_ten_leads_cost_no_more_queries_than_one(owner, rep, viewer, browse, gate):
    page = browse(viewer)

    def queries():
        page.get(reverse("handoff-figures"))
        with CaptureQueriesContext(connection) as seen:
            assert page.get(reverse("handoff-figures")).status_code == 200
        return len(seen)

    with gate(owner) as at:
        come(owner, at, 1)
    once = queries()
    with gate(owner) as at:
        come(owner, at, 10, first=1)
    assert queries() == once
