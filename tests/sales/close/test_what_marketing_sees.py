"""Why deals are lost comes back to the campaign that brought the lead."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils import timezone

from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.templatetags.words import short_day
from marketing.campaigns.models import Campaign
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import LostReason


def test_the_campaign_s_page_says_why_its_deals_were_lost_until_one_is_won_after_all(
    rep, marketer, browse, gate, work, catch
):
    with gate(rep) as at:
        captures = [Capture(email=f"{one}@x.example", channel="radio", campaign="Spring") for one in ("a", "b")]
        leads = [one.lead for one in receive(rep.workspace, captures, at=at)]
    work()
    elsewhere = catch(rep)
    with gate(rep) as at:
        price, rival = LostReason.objects.get(key="price"), LostReason.objects.get(key="competitor")
        first = deals.open_deal(leads[0], by=rep, at=at, amount=5_00)
        close.lose(first, reason=price, by=rep, at=at, note="Twice what she has")
        close.lose(deals.open_deal(leads[1], by=rep, at=at), reason=rival, by=rep, at=at, competitor="Sunny Roofs")
        close.lose(deals.open_deal(elsewhere, by=rep, at=at), reason=price, by=rep, at=at, note="Not of this campaign")
        campaign = Campaign.objects.get()

    def page():
        text = browse(marketer).get(f"/marketing/campaigns/{campaign.pk}/").content.decode()
        return text[text.index('id="lost"') :].partition("</section>")[0]

    told = page()
    assert "Twice what she has" in told
    assert "Sunny Roofs" in told
    # What the reason says follows, on the day of the business.
    with gate(rep) as at, timezone.override(rep.workspace.zone):
        days = [short_day(at + timedelta(days=one.cool_days)) for one in (price, rival)]
    read = " ".join(re.sub(r"<[^>]+>", "", told).split())
    assert f"Too expensive. With marketing until {days[0]}." in read
    assert f"Sunny Roofs. With marketing until {days[1]}." in read
    assert "Not of this campaign" not in told
    with gate(rep) as at:
        close.win(first, by=rep, at=at)
    assert "Twice what she has" not in page()
