"""A small year with everything that a large one has: a recount finds nothing, and finds what pages count wrongly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.ledger.models import Revenue
from tests.proof.recount import Recount, look
from tests.proof.year import LOOKS, Year

# Where a page would begin to count wrongly, and which part of the recount has to notice.
WRONG = (
    ("funnel.overview.home.month_of", lambda workspace, at: at - timedelta(days=300), "homes"),
    ("marketing.reports.figures.received", lambda since, until=None: Lead.objects.all(), "marketings"),
    ("sales.reports.pace.booked", lambda *asked: Revenue.objects.all(), "months"),
    ("funnel.overview.handoff_figures._median", lambda values: 7.0, "handoffs"),
    ("sales.queue.desk.new_handoffs", lambda member: Handoff.objects.order_by("due_at"), "desks"),
)


@pytest.mark.once
def test_after_a_year_nothing_is_lost_and_every_number_is_that_of_a_recount(db, work, monkeypatch):
    year, found, noticed = Year(100, seed=1, beat=timedelta(hours=1)), [], []

    def looks(now):
        if now.clock.now not in LOOKS[1::2]:
            return
        found.extend(look(now))
        if now.clock.now != LOOKS[-1]:
            return
        for name, wrongly, part in WRONG:
            with monkeypatch.context() as patch:
                patch.setattr(name, wrongly)
                noticed.append(bool(getattr(Recount(now), part)()))

    year.play(looks)
    assert found == []
    assert noticed == [True] * len(WRONG)
    assert min(year.did[name] for name in ("taken", "given back", "won", "lost", "rules", "by a list")) > 0
