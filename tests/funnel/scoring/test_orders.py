"""Fault 25: what happened to a lead reaches us in any order, in any batches, and ends in the same."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest

from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.scoring.models import LeadScore, ScorePoint
from tests.funnel.scoring.test_changing import sound

ORDERS = 8


@pytest.mark.parametrize("seed", range(3))
def test_in_whatever_order_and_batches_things_arrive_the_end_is_the_same(owner, gate, work, seed):
    """A lead per order lives through the same acts, some of them taken back later."""
    dice = random.Random(seed)
    with gate(owner) as at:
        captures = [Capture(name="Ann", phone=f"01632 96{n:04}", occurred_at=at) for n in range(ORDERS)]
        leads = [got.lead for got in receive(owner.workspace, captures, at=at)]
        noon = (at - timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)
    acts = [
        (
            dice.choice(["form", "form", "page_view", "call", "visit", "email_click"]),
            noon - timedelta(hours=7 * dice.randrange(12), minutes=number),
            {"page": dice.choice(["/prices", "/about"])},
            number % 5 == 0,
        )
        for number in range(14)
    ]
    for lead in leads:
        order = acts if lead is leads[0] else dice.sample(acts, len(acts))
        back = []
        while order or back:
            size = dice.randrange(1, 6)
            with gate(owner) as at:
                for event in back[:size]:
                    void(event, reason="A test by ourselves", by=owner, at=at)
                del back[:size]
                for kind, moment, data, taken_back in order[:size]:
                    event = touch(Lead.objects.get(pk=lead.pk), kind, at=at, occurred_at=moment, data=data)
                    back += [event] if taken_back else []
                order = order[size:]
            if dice.random() < 0.6:
                work()
    work()
    with gate(owner):
        ends = []
        for lead in leads:
            points: Counter[tuple[object, ...]] = Counter()
            for moment, rule, given in ScorePoint.objects.filter(lead=lead).values_list(
                "occurred_at", "rule", "points"
            ):
                points[moment, rule] += given
            found, score = Lead.objects.get(pk=lead.pk), LeadScore.objects.in_force().get(lead=lead)
            kept = {key: given for key, given in points.items() if given}
            ends.append((kept, score.fit, score.fit_band, found.stage, found.received_at, score.total))
        assert len(ends[0][0]) > 3
        assert [end[:5] for end in ends[1:]] == [ends[0][:5]] * (ORDERS - 1)
        assert [end[5] for end in ends] == pytest.approx([ends[0][5]] * ORDERS, rel=1e-9)
    sound()
