"""Fault 25: what happened to a lead reaches us in any order, in any batches, and ends in the same."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.scoring.models import LeadScore, ScorePoint
from tests.conftest import undone
from tests.funnel.scoring.test_changing import sound

KINDS = ["form", "page_view", "call", "visit", "email_click"]


@st.composite
def lives(draw):
    """What happened, some of it taken back later; and an order in which we hear of both, and the worker's turns."""
    kinds, pages = st.sampled_from(KINDS), st.sampled_from(["/prices", "/about"])
    acts = draw(st.lists(st.tuples(kinds, st.integers(0, 12), pages, st.booleans()), min_size=2, max_size=10))
    heard = [(place, False) for place in range(len(acts))] + [(place, True) for place, act in enumerate(acts) if act[3]]
    return acts, draw(st.permutations(heard)), draw(st.lists(st.booleans(), min_size=len(heard), max_size=len(heard)))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(lives())
def test_in_whatever_order_and_batches_things_arrive_the_end_is_the_same(owner, gate, work, life):
    """One lead lives through it as it happened, another as it comes; what was taken back early comes with it."""
    acts, heard, turns = life
    with undone():
        with gate(owner) as at:
            captures = [Capture(name="Ann", phone=f"01632 96{n:04}", occurred_at=at) for n in range(2)]
            leads = [got.lead for got in receive(owner.workspace, captures, at=at)]
            noon = (at - timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)

        def hear(lead, some, known):
            with gate(owner) as at:
                for place, back in some:
                    kind, hours, page, _ = acts[place]
                    if place not in known:
                        moment = noon - timedelta(hours=7 * hours, minutes=place)
                        known[place] = touch(
                            Lead.objects.get(pk=lead.pk), kind, at=at, occurred_at=moment, data={"page": page}
                        )
                    if back:
                        void(known[place], reason="A test by ourselves", by=owner, at=at)

        first, known, batch = {}, {}, []
        for one in sorted(heard, key=lambda one: (-acts[one[0]][1], -one[0], one[1])):
            hear(leads[0], [one], first)
            work()
        for one, turn in zip(heard, [*turns[1:], True], strict=True):
            batch.append(one)
            if turn:
                hear(leads[1], batch, known)
                work()
                batch = []
        with gate(owner):
            ends = []
            for lead in leads:
                points = Counter()
                for moment, rule, worth in ScorePoint.objects.filter(lead=lead).values_list(
                    "occurred_at", "rule", "points"
                ):
                    points[moment, rule] += worth
                found, score = Lead.objects.get(pk=lead.pk), LeadScore.objects.in_force().get(lead=lead)
                kept = {key: worth for key, worth in points.items() if worth}
                ends.append((kept, score.fit, score.fit_band, found.stage, found.received_at, score.total))
            assert ends[1][:5] == ends[0][:5]
            assert abs(ends[1][5] - ends[0][5]) <= 1e-9 * max(1, abs(ends[0][5]))
        sound()
