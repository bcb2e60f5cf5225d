"""What a campaign's page asks of the database, with everything on it."""

import re
from datetime import timedelta
from html import unescape

import pytest

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.ledger import actions as ledger
from marketing.campaigns.actions import start_campaign
from marketing.campaigns.models import Campaign
from marketing.campaigns.page import COSTS_SHOWN, PAGE
from marketing.capture.actions import open_form, send_in
from marketing.capture.models import Form
from marketing.channels.models import Channel
from marketing.costs.actions import spend
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import LostReason
from sales.queue import actions as queue
from sales.queue.actions import NextStep
from tests.sales.test_statements import MOST, statements

EVERYTHING = {
    "Flyer</b>", "is held back", "Name 3", "Sunny Roofs", "Too far away for us", "Not of this month", "Show the latest",
    "£5,000", "1 more", "In conversation",
}  # fmt: skip


@pytest.fixture
def spring(owner, marketer, rep, gate, work):
    """A campaign over two channels that has brought and cost more than its page holds, with all that became of it."""
    with gate(owner) as at:
        channels = [Channel.objects.get(key=key) for key in ("radio", "flyer")]
        one = start_campaign(Campaign(workspace=owner.workspace, name="Spring"), channels, by=marketer, at=at)
        form = Form(workspace=owner.workspace, name="Roofs", title="Roofs", campaign=one, fields=[], created_at=at)
        send_in(open_form(form, by=marketer), {"name": "A"}, origin={}, flags=["trap"], at=at)
        came = {"kind": "form", "channel": "radio", "campaign": "Spring", "asks": True}
        asking = [Capture(name=f"Name {n}", email=f"n{n}@x.example", **came) for n in range(2 * PAGE)]
        leads = [one.lead for one in receive(owner.workspace, asking, at=at)]
        for _ in range(COSTS_SHOWN):
            spent = spend(channels[0], one, 1_00, "GBP", by=marketer, at=at, occurred_at=at, what="A spot")
        ledger.take_back(spent, by=marketer, at=at)
    work()
    with gate(rep) as at:
        kept, lost, won, back = (
            handoff.accept(Lead.objects.get(pk=lead.pk), by=rep, at=at) for lead in leads[:4]
        )  # fmt: skip
        queue.plan(kept, NextStep("Call", at + timedelta(hours=3)), by=rep, at=at)
        reason = LostReason.objects.get(key="competitor")
        close.lose(deals.open_deal(lost, by=rep, at=at), reason=reason, by=rep, at=at, competitor="Sunny Roofs")
        close.win(deals.open_deal(won, by=rep, at=at), by=rep, at=at, amount=5000_00)
        for lead, words in ((back, "Too far away for us"), (Lead.objects.get(pk=leads[4].pk), "Not of this month")):
            handoff.give_back(lead, reason=GiveBackReason.objects.get(key="not-ready"), note=words, by=rep, at=at)
    work()
    return one


@pytest.mark.parametrize("who", ["owner", "marketer", "viewer"])
@pytest.mark.parametrize("query", ["", "?order=fit", "?order=engagement"])
def test_the_page_of_a_campaign_with_everything_on_it_asks_little(spring, who, query, request, browse):
    client = browse(request.getfixturevalue(who))
    place = f"/marketing/campaigns/{spring.pk}/"
    asked, page = statements(client, place + query)
    assert len(asked) <= MOST, "\n".join(asked)
    assert {words for words in EVERYTHING if words not in page} == set()
    onward = unescape(re.search(r'hx-get="([^"]+)" hx-select="#came-rows', page)[1])
    asked, page = statements(client, place + onward)
    assert len(asked) <= MOST, "\n".join(asked)
    assert 'id="came-rows"' in page
