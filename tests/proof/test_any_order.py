"""Whatever happens in whatever order: one holder, one open handoff, one outcome each, nothing lost, all adds up."""

from __future__ import annotations

import pytest

from tests.proof.steps import play

# Kinds of events, outcomes of handoffs, how a worker ends, what a step came to: where one never happens, less is proved
# than it seems.
EVERY = {
    "form", "call", "voided", "rules_published", "accepted", "given_back", "expired", "rerouted", "deal_won",
    "deal_lost", "deal_reopened", "passed_on", "asked_again", "brought_back", "fails", "dies before", "dies after",
    "tried again", "gave a go", "went back", "came back by touch", "came back by engagement",
    "time_off", "went away", "went to who has the company", "nurture went", "kept back", "demo-booked went",
    "demo-reminder went", "demo-missed went", "quote went", "quote_withdrawn", "quote_ended",
    "is withdrawn meanwhile", "asks for a time that is taken",
}  # fmt: skip


@pytest.mark.once
def test_whatever_happens_in_whatever_order(db, work):
    happened = play(10)
    assert not EVERY - set(happened), f"never: {EVERY - set(happened)}"
