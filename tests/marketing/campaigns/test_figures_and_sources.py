"""Figures agree between pages, and a name that came in can be put in its place."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff.models import Handoff, Outcome
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from marketing.campaigns.actions import start_campaign
from marketing.campaigns.models import Campaign, Placement
from marketing.channels.models import Channel
from marketing.reports.figures import CAMPAIGN, CHANNEL, begins, brought, summed, whole

pytestmark = pytest.mark.django_db


def come(owner: Any, at: Any, *sources: tuple[str, str]) -> None:
    captures = [
        Capture(email=f"a{n}@{channel}.example", name="Ann", channel=channel, campaign=campaign, asks=n == 0)
        for n, (channel, campaign) in enumerate(sources)
    ]
    receive(owner.workspace, captures, at=at, by=None, lane="live")


def test_campaigns_and_channels_add_up_to_the_same(owner: Any, rep: Any, gate: Any, work: Any) -> None:
    with gate(owner) as at:
        come(owner, at, ("radio", "Spring"), ("radio", "spring"), ("flyer", "SPRING"), ("email", ""))
    work()
    with gate(owner) as at:
        rows = brought(begins("month", owner.workspace, at), CAMPAIGN, CHANNEL, member=owner)
        total = whole(row["figures"] for row in rows)
        assert total.leads == 4
        assert total.ready == total.taken + total.waits + total.back_at_once + total.otherwise == 1
        assert whole(summed(rows, CAMPAIGN).values()) == whole(summed(rows, CHANNEL).values()) == total
        assert summed(rows, CAMPAIGN)[Campaign.objects.get(key="spring").pk].leads == 3


def test_what_became_of_them_is_counted_lead_by_lead_and_by_one_query(owner: Any, gate: Any) -> None:
    dice, ended = random.Random(7), [one for one in Outcome if one != Outcome.OPEN]
    with gate(owner) as at:
        come(owner, at, *[("radio", "")] * 60)
        for lead in Lead.objects.all():
            for turn in range(dice.randrange(4)):
                Handoff.objects.create(
                    workspace=owner.workspace, lead=lead, opened_at=at, began_at=at, remind_at=at, due_at=at,
                    reroute_at=at,
                    outcome=dice.choice(ended) if turn else dice.choice([Outcome.OPEN, Outcome.ACCEPTED]),
                    given_back_at=dice.choice([None, None, at - timedelta(days=1)]),
                )  # fmt: skip
        met = [list(lead.handoffs.all()) for lead in Lead.objects.all()]
        taken = [any(one.outcome == Outcome.ACCEPTED for one in its) for its in met]
        waits = [any(one.is_open for one in its) for its in met]
        back = [any(one.given_back_at for one in its) for its in met]
        with CaptureQueriesContext(connection) as asked:
            (row,) = brought(None, "source__channel", member=owner)
        assert len(asked) == 1
        found = row["figures"]
        assert (found.leads, found.ready, found.taken) == (60, sum(map(bool, met)), sum(taken))
        assert found.given_back == sum(back) > found.back_at_once
        assert found.waits == sum(w and not t for w, t in zip(waits, taken, strict=True)) > 0
        assert found.back_at_once == sum(b and not w and not t for b, w, t in zip(back, waits, taken, strict=True))


def test_a_link_and_an_integration_name_the_same_campaign(owner: Any, gate: Any, work: Any) -> None:
    with gate(owner) as at:
        planned = start_campaign(Campaign(workspace=owner.workspace, name="Lower bills"), by=owner, at=at)
        come(owner, at, ("radio", "lower-bills"), ("email", "LOWER BILLS"))
    work()
    with gate(owner):
        assert set(Placement.objects.values_list("campaign", flat=True)) == {planned.pk}


def test_a_new_name_can_be_put_in_its_place_and_means_it_again(owner: Any, browse: Any, gate: Any, work: Any) -> None:
    with gate(owner) as at:
        planned = start_campaign(Campaign(workspace=owner.workspace, name="Lower bills"), by=owner, at=at)
        come(owner, at, ("wireless", "spring radio"))
        radio = Channel.objects.get(key="radio")
    work()
    with gate(owner):
        placement = Placement.objects.get()
        assert placement.is_new
        assert placement.channel.is_new
        assert placement.campaign
        assert placement.campaign.is_new
    client = browse(owner)
    assert "wireless" in client.get(reverse("marketing:sources")).content.decode()
    client.post(reverse("marketing:source", args=[placement.pk]), {"channel": radio.pk, "campaign": str(planned.pk)})
    with gate(owner) as at:
        assert not Channel.objects.filter(key="wireless").exists()
        assert not Campaign.objects.filter(key="spring radio").exists()
        come(owner, at, ("wireless", "Spring Radio"), ("Wireless", "spring radio"))
        receive(
            owner.workspace,
            [Capture(email="z@z.example", channel="wireless", campaign="spring radio", placement="07:40")],
            at=at,
            by=None,
            lane="live",
        )
    work()
    with gate(owner):
        assert {(one.channel.key, one.campaign) for one in Placement.objects.select_related("channel", "campaign")} == {
            ("radio", planned)
        }
