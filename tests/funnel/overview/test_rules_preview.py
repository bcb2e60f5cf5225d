"""What a look ahead says: the sentences for many, for one and for nobody, and how many a week come to sales."""

from __future__ import annotations

import html
import re

import pytest
from django.urls import reverse

from funnel.scoring.models import Basis

pytestmark = pytest.mark.django_db


def said(page):
    """The words of the look ahead without their marks."""
    shown = page.get("/rules/").content.decode()
    words = re.sub(r"<[^>]+>", "", shown[shown.index('id="preview"') :].partition("</section>")[0])
    return " ".join(html.unescape(words).replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({"more": 37, "fewer": 4, "ready": 60}, "This would make 37 more leads ready, 4 fewer: 93 instead of 60."),
        ({"more": 1, "ready": 0}, "This would make 1 more lead ready: 1 instead of 0."),
        ({"fewer": 1, "ready": 1}, "This would make 1 fewer lead ready: 0 instead of 1."),
        ({"more": 2, "fewer": 2, "ready": 1200}, "This would make 2 more leads ready, 2 fewer: 1,200 as now."),
        ({}, "This would make as many leads ready as now: 0."),
        ({"ready": 14, "over": 14}, "now: 14. All of them are handed over already and stay so, whatever cell"),
        (
            {"more": 3, "ready": 14, "over": 11},
            "17 instead of 14. 11 of them are handed over already and stay so, whatever",
        ),
        ({"more": 1, "ready": 1, "over": 1}, "instead of 1. 1 of them is handed over already and stays so, whatever"),
        ({"ready": 3}, "as now: 3. Nobody bought"),
        (
            {"customers": {"all": 20, "handed": 18, "both": 17, "days": 102.0}},
            "Of the 20 who bought in the last 90 days 18 would have been handed over, on average 6 days earlier.",
        ),
        (
            {"customers": {"all": 2, "handed": 2, "both": 2, "days": -2.2}},
            "Of the 2 who bought in the last 90 days 2 would have been handed over, on average 1 day later.",
        ),
        (
            {"customers": {"all": 1, "handed": 1, "both": 1, "days": 6.2}},
            "The one who bought in the last 90 days would have been handed over, 6 days earlier.",
        ),
        (
            {"customers": {"all": 1, "handed": 1, "both": 1, "days": 0.4}},
            "The one who bought in the last 90 days would have been handed over, on the same day.",
        ),
        ({"customers": {"all": 1}}, "The one who bought in the last 90 days would not have been handed over."),
        ({"customers": {"all": 3}}, "Of the 3 who bought in the last 90 days 0 would have been handed over."),
        (
            {"losses": {"all": 1, "now": 1}},
            "Of 1 who was lost in the last 90 days 0 would have been handed over, and 1 by",
        ),
        (
            {"weekly": {"now": 2, "then": 1}},
            "About 0.2 a week would come to sales instead of 0.5; those who take leads",
        ),
        (
            {"weekly": {"now": 0, "then": 0}},
            "About 0 a week would come to sales, as now; those who take leads can take 10.",
        ),
        ({"weekly": {"now": 46, "then": 46}}, "About 12 a week would come to sales, as now;"),
        ({"people": 0}, "Nobody is with marketing or in handoff; this was judged today"),
        ({"people": 1}, "The one person with marketing and in handoff was judged today"),
        ({"people": 1234}, "All 1,234 people with marketing and in handoff were judged today"),
        ({"moved": 1}, "1 would stand in another cell."),
    ],
)
def test_a_look_ahead_reads_for_many_for_one_and_for_nobody(gate, owner, rep, browse, work, figures, says):
    page = browse(owner)
    page.post(reverse("rules-grid"), {})
    page.post(reverse("rules-try"), {"again": ""})
    work()
    with gate(owner):
        then = Basis.objects.get(in_force=False)
        found = {
            name: {**told, **figures.get(name, {})} if isinstance(told, dict) else figures.get(name, told)
            for name, told in then.figures.items()
        }
        Basis.objects.filter(pk=then.pk).update(figures=found)
    assert says in said(page)


def test_how_far_a_look_ahead_is_grows_from_the_first_lead_to_the_last_step(gate, owner, rep, browse, work):
    page = browse(owner)
    page.post(reverse("rules-grid"), {})
    page.post(reverse("rules-try"), {"again": ""})
    work()
    with gate(owner):
        then = Basis.objects.get(in_force=False)
    steps, shares = ("customers", "losses", "weekly"), []
    for done, filled, through in ((0, False, 0), (30, False, 0), (120, False, 0), (120, True, 0), (120, True, 2)):
        figures = {name: {**told, "through": name in steps[:through]} if name in steps else told
                   for name, told in then.figures.items()} | {"through": False}  # fmt: skip
        with gate(owner):
            Basis.objects.filter(pk=then.pk).update(
                done=done, of=120, filled_at=then.filled_at if filled else None, figures=figures if filled else None
            )
        shares.append(int(re.search(r'<progress max="100" value="(\d+)"', page.get("/rules/").content.decode())[1]))
    assert shares == [0, 12, 50, 50, 83]
