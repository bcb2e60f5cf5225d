"""Why now: a sentence made of what counted most, and of nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from funnel.handoff.models import Handoff
from funnel.leads.actions import touch
from funnel.leads.fields import define
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.mail.sending import html_of, text_of
from funnel.scoring import changing
from funnel.scoring.rules import default_rules
from funnel.templatetags.words import day


@pytest.fixture
def came(rep, gate, work):
    """Somebody who came and did this and that, each so many minutes ago, by rules of engagement and fit of ours."""

    def came(acts, *, engagement=(), fit=(), **about):
        with gate(rep) as at:
            rules = {**default_rules(), "ready": {"A": [2, 3, 4], "D": [2, 3, 4]}}
            for part, ours in (("engagement", engagement), ("fit", fit)):
                rules[part] += [{"key": f"ours-{place}", **one} for place, one in enumerate(ours)]
            changing.save_draft(rules, by=rep, at=at)
            changing.publish(again=False, why="", by=rep, at=at)
        work()
        with gate(rep) as at:
            (got,) = receive(rep.workspace, [Capture(external_id="7", **about)], at=at)
            for kind, minutes, values in acts:
                touch(got.lead, kind, at=at, occurred_at=at - timedelta(minutes=minutes), **values)
        work()
        with gate(rep) as at:
            on = day(rep.workspace.local(at - timedelta(minutes=acts[0][1])).date())
            return Handoff.objects.get().card, on

    return came


def test_what_a_program_reports_is_named_however_much_of_something_else_came_since(came):
    views = [("page_view", minutes, {"data": {"title": f"Page {minutes}"}}) for minutes in range(60, 0, -1)]
    car = {"kind": "sat_in_our_car", "points": 40}
    card, on = came([("sat_in_our_car", 90, {"source": ("Flyer", "", "")}), *views], engagement=[car])
    assert card["why"].startswith(f"Sat in our car on {on}, from Flyer; opened “Page ")
    latest = [one["says"] for one in card["touched"]]
    assert latest == ["Received", *(f"Opened “Page {minutes}”" for minutes in range(1, 6))]


def test_what_counts_nothing_or_against_them_is_not_named(came):
    acts = [("meeting", 90, {}), ("note", 60, {}), ("call_made", 50, {}), ("said_no_thanks", 20, {})]
    card, on = came(acts, engagement=[{"kind": "said_no_thanks", "points": -3}])
    assert card["why"] == f"Met us on {on}; fit D, engagement 2"


def test_of_what_we_know_the_most_telling_is_named_first_and_each_once(came, rep, gate):
    with gate(rep) as at:
        for label, kind in (("Staff", "number"), ("Website", "text"), ("Town", "text")):
            define(label, kind, by=rep, at=at)
    ranges = [{"field": "fields.staff", "when": "range", "value": {"from": low}, "points": 10} for low in ("5", "20")]
    fit = [
        {"field": "fields.town", "when": "is", "value": "Bath", "points": 4},
        *ranges,
        {"field": "fields.website", "when": "blank", "points": 60},
    ]
    card, on = came([("meeting", 90, {})], fit=fit, fields={"staff": "25", "town": "Bath"})
    assert card["why"] == f"Met us on {on}; Website: not known; Staff: 25; fit A, engagement 2"


def test_a_page_is_the_same_page_whatever_stands_before_and_after_its_path(came):
    addresses = ("https://shop.example/prices?from=mail", "/prices/", "/prices#team", "http://shop.example/prices")
    views = [("page_view", 27 + place, {"data": {"page": address}}) for place, address in enumerate(addresses)]
    price = {"kind": "page_view", "page": "prices", "points": 30}
    card, on = came([*views, ("page_view", 10, {"data": {"page": "https://shop.example/"}})], engagement=[price])
    assert card["why"].startswith(f"Opened “/prices” on {on}, fourth time in seven days; opened “shop.example” on ")


def test_who_asks_again_is_said_to_and_what_a_program_passes_on_of_their_words_is_read(rep, gate, work):
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(external_id="7")], at=at)
        touch(got.lead, "contact_request", at=at, occurred_at=at - timedelta(days=2), data={"text": "Call me"})
        touch(got.lead, "note", at=at, data={"text": "Sounds keen"})
    work()
    with gate(rep) as at:
        touch(got.lead, "contact_request", at=at, source=("radio", "", ""), data={"text": f"Still {'waiting ' * 90}"})
    work()
    with gate(rep):
        card = Handoff.objects.get().card
        assert card["why"] == "Asked to be contacted, second time in seven days, from radio"
        words = [(one["says"], one["words"]) for one in card["touched"] if one["says"] != "Received"]
        asked = "Asked to be contacted"
        assert words == [(asked, f"Still {'waiting ' * 74}w…"), ("Note", ""), (asked, "Call me")]


def test_what_they_wrote_stands_in_the_mail_to_whoever_gets_them(rep, gate, work):
    with gate(rep) as at:
        about = {"form": "Contact us", "message": "Do you build <b>portals</b>?"}
        receive(rep.workspace, [Capture(kind="form", email="ann@bell.example", asks=True, data=about)], at=at)
    work()
    with gate(rep):
        letter = Message.objects.select_related("member__user").get(kind="handoff")
        text, page = text_of(letter, rep.workspace, hidden=False), html_of(letter, rep.workspace)
    assert 'THEIR WORDS\n"Do you build <b>portals</b>?"\n' in text
    assert "Their words</h2>" in page
    assert "“Do you build &lt;b&gt;portals&lt;/b&gt;?”" in page
