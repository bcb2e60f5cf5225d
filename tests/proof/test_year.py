"""A small year with everything that a large one has: a recount finds nothing, and finds what pages count wrongly."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import MagicMock

import pytest

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.ledger.models import Revenue
from funnel.overview.home import _handoffs, legs
from funnel.workspaces.months import periods_at
from marketing.reports.figures import Figures
from marketing.reports.views import _campaigns
from tests.proof.recount import Recount, look
from tests.proof.year import Year
from tests.proof.year_clock import LOOKS


def _one_more_left(known, numbers):
    way, on_it, left = legs(known, numbers)
    return way, on_it, left + 1


def _one_more_of_yours(request):
    waiting, own, back = _handoffs(request)
    return waiting, [*own, Handoff.objects.exclude(outcome="").select_related("lead", "offered_to__user")[0]], back


def _without_the_rest(*asked):
    return _campaigns(*asked) | {"others": 0, "rest": Figures()}


# Where a page would begin to count wrongly, which part of the recount has to notice, and of what it has to speak.
WRONG = (
    ("funnel.overview.home.month_of", lambda workspace, at: at - timedelta(days=300), "homes", "won"),
    ("funnel.overview.home.HOLDERS", 1, "homes", "holders"),
    ("funnel.overview.home.late_first_contacts", lambda at: Handoff.objects.all(), "homes", "silent"),
    ("funnel.overview.home.legs", _one_more_left, "homes", "left"),
    ("funnel.overview.home._handoffs", _one_more_of_yours, "homes", "things"),
    ("sales.reports.pace.Pace.even", property(lambda pace: pace.target), "homes", "pace"),
    ("sales.reports.pace.Pace.ends_near", property(lambda pace: pace.won), "homes", "pace"),
    (
        "sales.reports.cards.periods_at",
        lambda *asked: {"quarter": periods_at(*asked)["month"]},
        "homes",
        "quarter beside",
    ),
    ("marketing.reports.cards.plural", lambda many, *words: f"{many + 1} forms", "homes", "held back"),
    ("marketing.questions.views.plural", lambda many, *words: f"{many + 1} asked", "homes", "questions"),
    ("marketing.reports.figures._each", lambda cost, many: cost, "homes", "channels"),
    ("marketing.reports.figures.Figures.back", property(lambda figures: 7.0), "homes", "channels"),
    ("marketing.reports.figures.received", lambda since, until=None: Lead.objects.all(), "marketings", "all"),
    ("marketing.reports.figures.Figures.back", property(lambda figures: 7.0), "marketings", "campaigns"),
    ("marketing.reports.views._campaigns", _without_the_rest, "marketings", "others"),
    ("marketing.reports.views._campaigns", _without_the_rest, "marketings", "rest"),
    ("marketing.reports.views.Submission", MagicMock(), "marketings", "held"),
    (
        "marketing.reports.views.Question",
        MagicMock(**{"objects.open.return_value.count.return_value": 99}),
        "marketings",
        "questions",
    ),
    ("sales.reports.pace.booked", lambda *asked: Revenue.objects.all(), "months", "pace"),
    (
        "sales.reports.views.periods_at",
        lambda *asked: {**periods_at(*asked), "quarter": periods_at(*asked)["month"]},
        "months",
        "quarter beside",
    ),
    ("funnel.overview.handoff_figures._median", lambda values: 7.0, "handoffs", "by fit"),
    ("funnel.overview.handoff_figures.Line.back", property(lambda line: line.handed), "handoffs", "by rep"),
    ("funnel.overview.handoff_figures.Line.later", property(lambda line: 7), "handoffs", "by channel"),
    ("funnel.overview.handoff_figures.Line.waits", property(lambda line: 7), "handoffs", "by campaign"),
    ("sales.queue.desk.new_handoffs", lambda member: Handoff.objects.order_by("due_at"), "desks", "new"),
    ("sales.queue.desk._place", lambda task, at: ("tomorrow", ""), "desks", "Late"),
    ("sales.queue.desk._place", lambda task, at: ("later", ""), "desks", "Later"),
    ("sales.demos.fallen.FALLEN.rows", lambda members: [], "desks", "Today"),
    ("sales.demos.panel._stands", lambda demo, at, off: ("", "later", ""), "desks", "Late"),
    ("sales.queue.views.DUE", ("Later",), "desks", "to do"),
    ("sales.queue.desk.with_nothing_planned", lambda member: Lead.objects.none(), "desks", "Without a next step"),
)
DONE = (
    "taken", "given back", "won", "lost", "rules", "by a list", "let go", "let through", "questions", "answers",
    "demos held", "demos missed", "taken over", "joined",
)  # fmt: skip


@pytest.mark.once
def test_after_a_year_nothing_is_lost_and_every_number_is_that_of_a_recount(db, work, monkeypatch):
    year, found, missed = Year(100, seed=6, beat=timedelta(hours=1)), [], []

    def looks(now):
        if now.clock.now not in LOOKS[1::2]:
            return
        found.extend(look(now))
        if now.clock.now != LOOKS[-1]:
            return
        for name, wrongly, part, word in WRONG:
            with monkeypatch.context() as patch:
                patch.setattr(name, wrongly)
                if not any(f": {word}:" in one for one in getattr(Recount(now), part)()):
                    missed.append(f"{name}: {word}")

    year.play(looks)
    assert found == []
    assert missed == []
    assert min(year.did[name] for name in DONE) > 0
