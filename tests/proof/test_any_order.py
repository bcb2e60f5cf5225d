"""Whatever happens in whatever order: one holder, one open handoff, one outcome each, nothing lost, all adds up."""

from __future__ import annotations

import pytest

from tests.proof.steps import play

# Kinds of events, outcomes of handoffs, and how a worker ends: where one never happens, less is proved than it seems.
EVERY = {
    "form", "call", "voided", "rules_published", "accepted", "given_back", "expired", "rerouted", "deal_won",
    "deal_lost", "deal_reopened", "fails", "dies before", "dies after",
}  # fmt: skip


@pytest.mark.once
def test_whatever_happens_in_whatever_order(db, work):
    happened = play(14)
    assert not EVERY - set(happened), happened
