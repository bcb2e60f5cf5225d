"""Rules are changed on their page: a draft, what it would change, published, gone back to; bad input is told."""

from __future__ import annotations

import html
import re

import pytest
from django.urls import reverse

from funnel.leads.fields import define
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.scoring import changing
from funnel.scoring.models import RuleDraft, RuleVersion

pytestmark = pytest.mark.django_db
FIT = {"field": "email", "when": "contains", "value": "farm", "points": "12", "group": "", "reason": "Farms buy"}
EVENT = {
    "kind": "page_view",
    "page": "/prices",
    "points": "10",
    "cap": "20",
    "channel": "",
    "campaign": "",
    "named": "",
}


def text(answer):
    return html.unescape(answer.content.decode())


def draft(gate, owner):
    with gate(owner):
        return RuleDraft.objects.get().rules


def test_a_rule_is_added_changed_moved_and_taken_away(marketer, gate, browse):
    page = browse(marketer)
    assert page.post(reverse("rule-add"), FIT).status_code == 302
    rules = draft(gate, marketer)["fit"]
    key = rules[-1]["key"]
    assert {name: rules[-1][name] for name in ("field", "when", "value", "points", "reason")} == {
        "field": "email", "when": "contains", "value": "farm", "points": 12, "reason": "Farms buy"
    }  # fmt: skip
    shown = text(page.get("/rules/"))
    assert "E-mail contains “farm”" in shown
    assert "a draft with 1 change by Mara Marketer" in shown
    address = reverse("rule", args=["fit", key])
    assert 'value="12"' in text(page.get(address))
    page.post(address, FIT | {"points": "-5"})
    assert draft(gate, marketer)["fit"][-1]["points"] == -5
    moved = page.post(reverse("rule-move", args=["fit", key]), {"to": "up"})
    assert moved.url == f"/rules/#fit-{key}", "a browser opens what holds it, to be moved on"
    assert f'class="rule-edit" id="fit-{key}"' in text(page.get("/rules/"))
    assert draft(gate, marketer)["fit"][-2]["key"] == key
    page.post(reverse("rule-move", args=["fit", key]), {"to": "away"})
    assert key not in {rule["key"] for rule in draft(gate, marketer)["fit"]}


@pytest.mark.parametrize(
    ("kind", "low", "high", "read"),
    [
        ("date", "2026-12-01", "2026-12-31", "is 1 Dec 2026 to 31 Dec 2026"),
        ("date", "2026-12-01", "", "is 1 Dec 2026 or later"),
        ("date", "", "2026-12-31", "is up to 31 Dec 2026"),
        ("number", "10", "50", "is 10 to 50"),
        ("number", "10", "", "is 10 or more"),
    ],
)
def test_a_rule_between_two_values_reads_as_a_sentence(marketer, gate, browse, kind, low, high, read):
    with gate(marketer) as at:
        define("Trial", kind, by=marketer, at=at)
    page = browse(marketer)
    page.post(reverse("rule-add"), {"field": "fields.trial", "when": "range", "low": low, "high": high, "points": "5"})
    assert f"Trial {read}" in re.sub("<[^>]+>", "", text(page.get("/rules/")))


def test_rules_over_events_and_over_fields_of_ones_own(marketer, gate, browse):
    with gate(marketer) as at:
        define("Staff", "number", by=marketer, at=at)
        define("Branch", "choice", choices=["Farm", "Shop"], by=marketer, at=at)
    page = browse(marketer)
    add = reverse("rule-add")
    staff = {**FIT, "field": "fields.staff", "when": "range", "value": "", "low": "10", "high": "49,5"}
    assert page.post(add, staff).status_code == 302
    assert (
        page.post(add, {**FIT, "field": "fields.branch", "when": "one_of", "value": "farm\n\nShop"}).status_code == 302
    )
    assert page.post(f"{add}?of=engagement", EVENT).status_code == 302
    sent = {**EVENT, "kind": "program", "named": "sat_in_our_car", "page": "", "cap": ""}
    assert page.post(f"{add}?of=engagement", sent).status_code == 302
    shown = text(page.get("/rules/"))
    for says in (
        "Staff is 10 to 49.5", "Branch is one of Farm, Shop", "Opened a page with “/prices”", "Sat in our car",
    ):  # fmt: skip
        assert says in shown


@pytest.mark.parametrize(
    ("of", "change", "says"),
    [
        ("fit", {"points": "many"}, "Write a whole number."),
        ("fit", {"points": "99999999999999999999"}, "Give at most 300 points"),
        ("fit", {"points": "0"}, "A rule without points changes nothing."),
        ("fit", {"value": ""}, "Write what to compare with"),
        ("fit", {"value": "farm\ndairy"}, "Write one thing here, on one line."),
        ("fit", {"when": "is", "value": "a@b.example\r\nc@b.example"}, "For several, one per line, choose"),
        ("fit", {"field": "workspace_id"}, "Choose one from the list."),
        ("fit", {"field": "name", "when": "business"}, "Only an e-mail address is at a domain."),
        ("fit", {"when": "range", "low": "1"}, "Only a number or a date"),
        ("fit", {"field": ""}, "Choose what we know of them."),
        ("fit", {"field": "name", "when": "filled"}, "asks the same"),
        ("engagement", {"page": "*" * 9}, "Use up to 120 characters, and * up to 5 times."),
        ("engagement", {"cap": "5"}, "points of a single time"),
        ("engagement", {"cap": "-5"}, "Write a number from 1"),
        ("engagement", {"cap": "0"}, "Write a number from 1"),
        ("engagement", {"kind": "", "named": "sat_in_our_car"}, "Choose what they do."),
        ("engagement", {"kind": "program", "named": ""}, "Write what the program calls it."),
        ("engagement", {"kind": "program", "named": "moved"}, "Baton calls something of its own so"),
        ("engagement", {"page": "x\x00y"}, "This holds a sign that can’t be kept"),
    ],
)
def test_a_rule_that_cannot_be_is_told_and_nothing_is_kept(owner, gate, browse, of, change, says):
    answer = browse(owner).post(f"{reverse('rule-add')}?of={of}", (FIT if of == "fit" else EVENT) | change)
    assert answer.status_code == 422
    assert says in text(answer)
    with gate(owner):
        assert not RuleDraft.objects.exists()


@pytest.mark.parametrize(
    ("kind", "asked", "refused"),
    [
        ("choice", "filled blank is one_of contains", {"range", "business"}),
        ("yes_no", "filled blank is one_of", {"contains"}),
        ("number", "filled blank is one_of range", {"contains", "free_mail"}),
        ("date", "filled blank is one_of range", {"contains", "disposable"}),
        ("text", "filled blank is one_of contains", {"range"}),
    ],
)
def test_a_field_offers_what_it_can_be_asked_and_the_rest_is_refused_at_the_comparison(
    marketer, gate, browse, kind, asked, refused
):
    with gate(marketer) as at:
        define("Bill", kind, by=marketer, at=at, choices=["Under £400", "More"] if kind == "choice" else [])
    page, add = browse(marketer), reverse("rule-add")
    choices = {"choice": "Under £400\nMore", "yes_no": "Yes\nNo"}.get(kind, "")
    assert f'<option value="fields.bill" data-asked="{asked}" data-choices="{choices}">' in text(page.get(add))
    for when in refused:
        answer = page.post(add, {**FIT, "field": "fields.bill", "when": when})
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["when"])
    for typed, wanted in (("number", "a number, like 25"), ("date", "a date like"), ("choice", "Under £400, More.")):
        answer = page.post(add, {**FIT, "field": "fields.bill", "when": "one_of", "value": "12e3"})
        assert (wanted in text(answer)) == (typed == kind)
    answer = page.post(add, {"points": "5"})  # nothing is chosen, so narrow.js offers nothing either
    assert list(answer.context["form"].errors) == ["field"]


def test_lines_and_cells_go_into_the_draft_and_no_ready_cell_is_warned_of(owner, gate, browse):
    page = browse(owner)
    given = {
        "half_life_days": "30",
        "fit_a": "80",
        "fit_b": "60",
        "fit_c": "40",
        "cut_2": "5",
        "cut_3": "20",
        "cut_4": "60",
    }
    assert page.post(reverse("rules-lines"), given | {"fit_b": "90"}).status_code == 422
    assert page.post(reverse("rules-lines"), given | {"half_life_days": "0"}).status_code == 422
    assert page.post(reverse("rules-lines"), given).status_code == 302
    shown = text(page.get("/rules/"))
    assert "Points lose half their value every 30\N{NO-BREAK SPACE}days. 1 is under 5, 2 is 5 to 20" in shown
    assert "In force: Points lose half their value every 14\N{NO-BREAK SPACE}days. 1 is under 8" in shown
    page.post(reverse("rules-grid"), {"A4": "1", "C4": "1"})
    assert draft(gate, owner)["ready"] == {"A": [4], "B": [], "C": [4], "D": []}
    page.post(reverse("rules-grid"), {})
    assert "No cell is ready" in text(page.get("/rules/"))


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ("A3 A4 B4", ""),
        ("A2 A3", "A4 is not ready, though less is"),
        ("B3 B4 A4", "A3 is not ready, though less is"),
        ("C2", "A2, A3, A4, B2, B3, B4, C3, C4 are not ready, though less is"),
        (" ".join(f"{fit}{band}" for fit in "ABCD" for band in range(1, 5)), ""),
    ],
)
def test_a_grid_by_which_more_makes_less_ready_is_warned_of(owner, browse, cells, says):
    page = browse(owner)
    page.post(reverse("rules-grid"), dict.fromkeys(cells.split(), "1"))
    shown = text(page.get("/rules/"))
    assert ("though less is" in shown, says in shown) == (bool(says), True)


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        ({"cut_2": "30"}, "cut_3", "Engagement 3 begins above Engagement 2, so at more than 30."),
        ({"cut_3": "80"}, "cut_4", "Engagement 4 begins above Engagement 3, so at more than 80."),
        ({"cut_2": "0"}, "cut_2", "Engagement 2 begins above 0."),
        ({"fit_a": "50"}, "fit_a", "Fit A begins above Fit B, so at more than 60."),
        ({"fit_b": "40"}, "fit_b", "Fit B begins above Fit C, so at more than 40."),
        ({"cut_4": "30001"}, "cut_4", "A line lies within 30,000 points."),
    ],
)
def test_a_line_that_is_too_low_is_told_at_its_field_with_the_one_below_it(owner, gate, browse, change, name, says):
    lines = {"half_life_days": "30", "fit_a": "80", "fit_b": "60", "fit_c": "40"}
    given = lines | {"cut_2": "5", "cut_3": "20", "cut_4": "60"}
    answer = browse(owner).post(reverse("rules-lines"), given | change)
    assert answer.status_code == 422
    assert dict(answer.context["form"].errors) == {name: [says]}
    with gate(owner):
        assert not RuleDraft.objects.exists()


def test_a_draft_is_looked_at_published_and_gone_back_from(owner, marketer, gate, browse, work):
    with gate(owner) as at:
        receive(owner.workspace, [Capture(kind="form", name="Ann", phone="01632 960142", company="Bell")], at=at)
    work()
    page = browse(marketer)
    page.post(reverse("rules-grid"), {f"{fit}{band}": "1" for fit in "ABCD" for band in range(1, 5)})
    assert "What would it change?" in text(page.get("/rules/"))
    page.post(reverse("rules-try"), {"again": ""})
    assert "Looking at what the draft would change" in text(page.get("/rules/"))
    work()
    assert page.get("/rules/?watch=1").headers["HX-Refresh"] == "true"
    assert "This would make <em>1 more lead ready</em>: 1 instead of 0." in (shown := text(page.get("/rules/")))
    assert "The one person with marketing and in handoff was judged" in shown
    assert "by the draft: 1 of 1 is in a ready cell." in shown
    listed = text(page.get(reverse("rules-changed")))
    assert "Ann" in listed
    assert "now ready: only the cell is changed" in listed
    assert "Nobody, as things stand now." in text(page.get(f"{reverse('rules-changed')}?is=fewer"))
    page.post(reverse("rules-publish"), {"again": "", "why": "Everybody counts"})
    shown = text(page.get("/rules/"))
    assert "version 2, in force since" in shown
    assert "Version 2 is in force." in shown, "it was tried out, so nothing is on its way"
    assert "way into force" not in shown
    work()
    shown = text(page.get("/rules/"))
    assert "Everybody counts" in shown
    with gate(owner):
        first = RuleVersion.objects.get(number=1)
    page.post(reverse("rules-back", args=[first.pk]))
    assert "is in force." not in (shown := text(page.get("/rules/")))
    assert "A new version is on its way into force: 0 of 1 person" in shown
    work()
    assert "way into force" not in text(page.get("/rules/"))
    with gate(owner):
        assert changing.in_force().version.rules == first.rules
    assert "Back to version 1" in text(page.get("/rules/"))


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (14, "Points given for what they did stay as they are; fit is counted anew for everybody."),
        (3, "all of them fade faster, counted from the day of each: scores fall at once. Fit is counted anew"),
        (30, "all of them fade slower, counted from the day of each: scores rise at once. Fit is counted anew"),
    ],
)
def test_a_draft_by_which_points_fade_otherwise_says_that_scores_change_at_once(owner, gate, browse, work, days, says):
    page = browse(owner)
    page.post(reverse("rules-grid"), {})
    with gate(owner) as at:
        changing.save_draft({**RuleDraft.objects.get().rules, "half_life_days": days}, by=owner, at=at)
    assert says in text(page.get("/rules/"))
    page.post(reverse("rules-try"), {"again": ""})
    work()
    ends = {14: "", 3: ", fading faster", 30: ", fading slower"}[days]
    assert f"with the points they have{ends}." in text(page.get("/rules/"))


def test_a_ready_made_set_becomes_the_draft_and_is_dropped(owner, gate, browse):
    page = browse(owner)
    assert "Trades" in text(page.get(reverse("rules-sets")))
    assert page.post(reverse("rules-sets"), {"key": "nothing"}).status_code == 422
    page.post(reverse("rules-sets"), {"key": "trades"})
    assert draft(gate, owner)["name"] == "Trades"
    page.post(reverse("rules-drop"))
    with gate(owner):
        assert not RuleDraft.objects.exists()


def test_who_only_reads_sees_no_way_to_change(rep, browse):
    shown = text(browse(rep).get("/rules/"))
    for word in ("Add a rule", "Publish", "Move up", 'type="checkbox" name="A1"'):
        assert word not in shown


def test_why_a_version_is_made_stays_in_the_form_where_somebody_changed_the_draft_meanwhile(
    owner, marketer, gate, browse
):
    page = browse(owner)
    page.post(reverse("rule-add"), FIT)
    seen = page.get("/rules/").context["seen"]
    browse(marketer).post(reverse("rule-add"), FIT | {"value": "barn"})
    sent = {"again": "yes", "why": "Farms & barns buy", "seen": seen}
    answer = page.post(reverse("rules-publish"), sent)
    assert answer.status_code == 422
    shown = text(answer)
    assert "The draft was changed meanwhile. Look at it, then say again." in shown
    assert 'name="why" value="Farms & barns buy"' in shown
    assert 'value="yes" id="from-past" checked' in shown
    page.post(reverse("rules-publish"), sent | {"seen": answer.context["seen"]})
    with gate(owner):
        assert changing.coming().version.why == "Farms & barns buy"


def test_who_publishes_what_somebody_dropped_meanwhile_is_told(owner, marketer, browse):
    page = browse(owner)
    page.post(reverse("rule-add"), FIT)
    seen = page.get("/rules/").context["seen"]
    browse(marketer).post(reverse("rules-drop"))
    answer = page.post(reverse("rules-publish"), {"again": "", "why": "Farms buy", "seen": seen})
    assert (answer.status_code, "The draft was changed meanwhile." in text(answer)) == (422, True)
