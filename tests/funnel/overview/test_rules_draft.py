"""A draft says what it changes, nothing of it is lost unasked or unseen, and every version can be read."""

from __future__ import annotations

import html
import re

import pytest
from django.urls import reverse

from funnel.leads.fields import define
from funnel.scoring import changing
from funnel.scoring.models import RuleDraft, RuleVersion
from funnel.scoring.rules import default_rules, sentence, shipped_sets

pytestmark = pytest.mark.django_db
PHONE = {"field": "phone", "when": "filled", "points": "20", "group": "", "reason": "We call back."}


def text(answer):
    return html.unescape(answer.content.decode())


def drafted(gate, owner):
    with gate(owner):
        return RuleDraft.objects.get().rules


def move(page, key, to, part="fit"):
    return page.post(reverse("rule-move", args=[part, key]), {"to": to}, follow=True)


def seen(answer, action=""):
    """What a form on a page says it was filled from."""
    form = re.search(rf'<form method="post"[^>]*{re.escape(action)}[^>]*>.*?name="seen" value="(\w*)"', text(answer))
    return form[1]


@pytest.fixture
def second(owner, gate, browse, work):
    """A second version in force, with a half-life of thirty days."""
    with gate(owner) as at:
        changing.save_draft({**default_rules(), "half_life_days": 30}, by=owner, at=at)
        changing.publish(again=True, why="We sell slowly", by=owner, at=at)
    work()
    with gate(owner):
        return RuleVersion.objects.get(number=2)


def test_what_was_taken_away_is_shown_and_put_back_where_it_stood(owner, gate, browse):
    page = browse(owner)
    shown = text(move(page, "phone", "away"))
    assert "<s>Phone is known</s>" in shown
    assert "taken away" in shown
    assert "a draft with 1 change" in shown
    assert [rule["key"] for rule in drafted(gate, owner)["fit"]][1] == "company"
    shown = text(move(page, "phone", "back"))
    assert drafted(gate, owner) == default_rules()
    assert "taken away" not in shown
    assert "The draft says what is in force already." in shown
    move(page, "phone", "back")
    assert drafted(gate, owner) == default_rules(), "put back once"
    move(page, "phone", "away")
    assert "no longer in the draft" in text(move(page, "phone", "up"))
    assert move(page, "no-such", "up").status_code == 404


def test_what_was_changed_says_what_is_in_force(owner, browse):
    page = browse(owner)
    page.post(reverse("rule", args=["fit", "phone"]), PHONE)
    shown = text(page.get("/rules/"))
    reason = next(rule["reason"] for rule in default_rules()["fit"] if rule["key"] == "phone")
    assert f"In force: Phone is known: 20\N{NO-BREAK SPACE}points. {reason}" in shown
    page.post(reverse("rule", args=["fit", "phone"]), {**PHONE, "when": "blank", "points": "-3"})
    shown = text(page.get("/rules/"))
    assert "In force: Phone is known: 20" in shown
    assert "was 20" in shown
    assert "a draft with 1 change" in shown


def test_a_changed_rule_still_says_how_much_counts_in_a_day(owner, browse):
    page = browse(owner)
    visit = next(rule for rule in default_rules()["engagement"] if rule.get("cap"))
    sent = {
        "kind": visit["kind"],
        "points": str(visit["points"] + 1),
        "cap": str(visit["cap"]),
        "page": visit.get("page", ""),
    }
    before = text(page.get("/rules/")).count(f"{visit['cap']} a day</span>")
    assert page.post(reverse("rule", args=["engagement", visit["key"]]), sent).status_code == 302
    shown = text(page.get("/rules/"))
    assert f"was {visit['points']}" in shown
    assert shown.count(f"{visit['cap']} a day</span>") == before > 0


def test_a_rule_kept_as_it_was_is_no_change(owner, browse):
    page = browse(owner)
    reason = next(rule["reason"] for rule in default_rules()["fit"] if rule["key"] == "phone")
    page.post(reverse("rule", args=["fit", "phone"]), {**PHONE, "reason": reason})
    assert "a draft with 0 changes" in text(page.get("/rules/"))


def test_another_order_is_a_change_that_is_said(owner, browse):
    shown = text(move(browse(owner), "phone", "up"))
    assert "The rules stand in another order." in shown
    assert "a draft with 1 change" in shown


def test_a_rule_moves_among_those_under_its_heading(owner, gate, browse):
    page = browse(owner)
    for value, group in (("aa", "Farms"), ("bb", ""), ("cc", "Farms"), ("dd", "Shops")):
        sent = {"field": "email", "when": "contains", "points": "12", "group": group, "value": value}
        page.post(reverse("rule-add"), sent)
    rules = drafted(gate, owner)
    first, _, last, alone = (rule["key"] for rule in rules["fit"][-4:])

    def offered(shown, key):
        form = shown[shown.index(f'action="{reverse("rule-move", args=["fit", key])}"') :]
        return re.findall(r'value="(up|down)"', form[: form.index("</form>")])

    shown = text(page.get("/rules/"))
    assert [offered(shown, key) for key in (first, last, alone)] == [["down"], ["up"], []]
    for key, to in ((first, "up"), (last, "down"), (alone, "up"), (alone, "down")):
        move(page, key, to)
        assert drafted(gate, owner) == rules, "nobody stands there under its heading"
    shown = text(move(page, last, "up"))
    assert shown.index("contains “cc”") < shown.index("contains “aa”")
    assert [offered(shown, key) for key in (first, last)] == [["up"], ["down"]]
    move(page, last, "down")
    assert drafted(gate, owner) == rules


def test_who_may_only_read_reads_what_is_in_force_beside_a_draft(owner, viewer, rep, browse):
    move(browse(owner), "phone", "away")
    for reader in (viewer, rep):
        shown = text(browse(reader).get("/rules/"))
        assert "Phone is known" in shown
        for word in ("<s>", "draft", "Put back", "Drop"):
            assert word not in shown


def test_dropping_a_draft_asks_first(owner, browse):
    page = browse(owner)
    shown = text(move(page, "phone", "away"))
    assert 'href="#drop"' in shown
    sheet = shown[shown.index('<dialog class="over" id="drop"') :]
    assert "1 change by Olga Owner is gone then." in sheet[: sheet.index("</dialog>")]
    assert shown.count(f'action="{reverse("rules-drop")}"') == 1


def test_a_set_asks_before_it_takes_the_place_of_a_draft(owner, marketer, gate, browse):
    page = browse(owner)
    free = page.get(reverse("rules-sets"))
    assert "<dialog" not in text(free).partition("<main")[2].partition("</main>")[0]
    move(browse(marketer), "phone", "away")
    answer = page.post(reverse("rules-sets"), {"key": "trades", "seen": seen(free)}, follow=True)
    assert "The draft was changed meanwhile." in text(answer)
    assert drafted(gate, owner)["name"] != "Trades"
    assert "The draft by Mara Marketer" in text(answer)
    assert 'href="#take-trades"' in text(answer)
    page.post(reverse("rules-sets"), {"key": "trades", "seen": seen(answer)})
    assert drafted(gate, owner)["name"] == "Trades"


def test_every_set_shows_its_rules_with_their_points_before_it_is_taken(marketer, browse):
    shown = text(browse(marketer).get(reverse("rules-sets")))
    for rules in shipped_sets().values():
        for rule in [*rules["fit"], *rules["engagement"]]:
            points = str(rule["points"]).replace("-", "−")
            assert re.search(rf"<b>{re.escape(sentence(rule))}</b></span>.{{0,80}}>{points}</span></summary>", shown)
            assert rule["reason"] in shown


def test_a_version_is_a_page_that_everybody_may_read(second, owner, viewer, gate, browse):
    with gate(owner):
        first = RuleVersion.objects.get(number=1)
    page = browse(viewer)
    listed = text(page.get("/rules/"))
    for one, words in (
        (first, ("14\N{NO-BREAK SPACE}days", "From then on", "No, version 2 is", "Phone is known", "24 to 48")),
        (second, ("30\N{NO-BREAK SPACE}days", "The past again", "Yes", "by <bdi>Olga Owner", "We sell slowly")),
    ):
        address = reverse("rules-version", args=[one.pk])
        assert f'href="{address}"' in listed
        shown = text(page.get(address))
        for word in words:
            assert word in shown
        assert "Go back" not in shown
        assert shown.count('class="cell is-ready"') == 5


def test_the_version_before_is_gone_back_to_by_one_press_and_so_is_that_undone(
    second, owner, viewer, gate, browse, work
):
    with gate(owner):
        first = RuleVersion.objects.get(number=1)
    page = browse(owner)
    for number, rules in ((1, first), (2, second)):
        listed = page.get("/rules/")
        assert text(listed).count(">Go back</button>") == 1
        back = re.search(r'action="(/rules/back/\d+/)"', text(listed))[1]
        page.post(back, {"seen": seen(listed, back)})
        work()
        with gate(owner):
            version = changing.in_force().version
        assert (version.rules, version.why) == (rules.rules, f"Back to version {number}")
    assert "Go back" not in text(browse(viewer).get("/rules/"))


def test_where_a_draft_would_be_lost_going_back_asks(second, owner, gate, browse):
    with gate(owner):
        first = RuleVersion.objects.get(number=1)
    page, back = browse(owner), reverse("rules-back", args=[first.pk])
    older = page.get("/rules/")
    shown = text(move(page, "phone", "away"))
    assert back not in shown
    assert f'href="{reverse("rules-version", args=[first.pk])}#back"' in shown
    assert "The draft was changed meanwhile." in text(page.post(back, {"seen": seen(older, back)}, follow=True))
    assert drafted(gate, owner)


def test_going_back_is_asked_on_the_versions_page(second, owner, gate, browse, work):
    with gate(owner):
        first = RuleVersion.objects.get(number=1)
    page = browse(owner)
    assert "Go back" not in text(page.get(reverse("rules-version", args=[second.pk]))), "it is in force"
    before = page.get(reverse("rules-version", args=[first.pk]))
    assert 'href="#back"' in text(before)
    assert "The draft is gone then." not in text(before)
    move(page, "phone", "away")
    back = reverse("rules-back", args=[first.pk])
    assert "The draft was changed meanwhile." in text(page.post(back, {"seen": seen(before, back)}, follow=True))
    assert drafted(gate, owner)
    asked = page.get(reverse("rules-version", args=[first.pk]))
    assert "The draft is gone then." in text(asked)
    page.post(back, {"seen": seen(asked, back)})
    work()
    with gate(owner):
        assert changing.in_force().version.number == 3


def test_a_version_that_is_only_tried_out_is_no_page_and_no_way_back(owner, gate, browse):
    with gate(owner) as at:
        changing.save_draft({**default_rules(), "half_life_days": 30}, by=owner, at=at)
        tried = changing.try_out(again=False, by=owner, at=at).version_id
    page = browse(owner)
    assert page.get(reverse("rules-version", args=[tried])).status_code == 404
    assert page.post(reverse("rules-back", args=[tried])).status_code == 404


@pytest.mark.parametrize("act", ["rules-drop", "rules-publish"])
def test_a_draft_that_somebody_changed_meanwhile_is_not_dropped_or_published_unseen(owner, marketer, gate, browse, act):
    page = browse(owner)
    shown = move(page, "phone", "away")
    move(browse(marketer), "email", "away")
    answer = page.post(reverse(act), {"again": "", "seen": seen(shown, reverse(act))}, follow=True)
    assert "The draft was changed meanwhile." in text(answer)
    assert {"phone", "email"}.isdisjoint(rule["key"] for rule in drafted(gate, owner)["fit"])
    with gate(owner):
        assert changing.coming() is None
    page.post(reverse(act), {"again": "", "seen": seen(answer, reverse(act))})
    with gate(owner):
        assert not RuleDraft.objects.exists()


def test_a_reason_too_long_to_publish_with_stands_there_beside_its_limit(owner, gate, browse):
    page = browse(owner)
    move(page, "phone", "away")
    answer = page.post(reverse("rules-publish"), {"again": "yes", "why": "Nobody calls. " * 20})
    assert answer.status_code == 422
    assert "Write at most 200 characters; this has 279." in text(answer)
    assert ("Nobody calls. " * 20).strip() in text(answer)
    assert 'value="yes" id="from-past" checked' in text(answer)
    with gate(owner):
        assert RuleDraft.objects.exists()


def test_an_older_form_does_not_overwrite_what_a_rule_says_by_now(owner, marketer, gate, browse):
    address, page = reverse("rule", args=["fit", "phone"]), browse(owner)
    older = seen(page.get(address))
    browse(marketer).post(address, {**PHONE, "points": "30"})
    answer = page.post(address, {**PHONE, "points": "5", "seen": older})
    assert answer.status_code == 422
    assert "Somebody changed this rule meanwhile" in text(answer)
    assert "Phone is known: 30" in text(answer)
    assert drafted(gate, owner)["fit"][1]["points"] == 30
    assert page.post(address, {**PHONE, "points": "5", "seen": seen(answer)}).status_code == 302
    assert drafted(gate, owner)["fit"][1]["points"] == 5
    move(browse(marketer), "phone", "away")
    assert "no longer in the draft" in text(page.post(address, PHONE, follow=True))


def test_older_lines_do_not_overwrite_those_of_somebody_else(owner, marketer, gate, browse):
    address, page = reverse("rules-lines"), browse(owner)
    given = {"half_life_days": "30", "fit_a": "80", "fit_b": "60", "fit_c": "40", "cut_2": "5", "cut_3": "20"}
    older = seen(page.get(address))
    browse(marketer).post(address, {**given, "cut_4": "60"})
    assert page.post(address, {**given, "cut_4": "70", "seen": older}).status_code == 422
    assert drafted(gate, owner)["engagement_cuts"] == [5, 20, 60]


def test_of_an_older_grid_only_the_cells_that_were_pressed_change(owner, marketer, gate, browse):
    before = {"shown": "A3 A4 B3 B4 C4 "}
    ready = dict.fromkeys(before["shown"].split(), "1")
    browse(marketer).post(reverse("rules-grid"), {**before, **ready, "D4": "1"})
    browse(owner).post(reverse("rules-grid"), {**before, **{name: "1" for name in ready if name != "C4"}, "Z9": "1"})
    assert drafted(gate, owner)["ready"] == {"A": [3, 4], "B": [3, 4], "C": [], "D": [4]}


@pytest.mark.parametrize("low", ["1,000", "1e-3", "1_000", "٣", "0x10", "NaN", "--1"])
def test_a_number_that_could_be_two_is_asked_for_again(owner, gate, browse, low):
    with gate(owner) as at:
        define("Staff", "number", by=owner, at=at)
    sent = {"field": "fields.staff", "when": "range", "low": low, "high": "", "points": "5"}
    answer = browse(owner).post(reverse("rule-add"), sent)
    assert "Write a number, like 25 or 3.5." in text(answer)
    with gate(owner):
        assert not RuleDraft.objects.exists()


def test_pages_that_differ_by_case_are_two_rules(owner, gate, browse):
    page = browse(owner)
    for address in ("/Prices", "/prices"):
        sent = {"kind": "page_view", "page": address, "points": "5"}
        assert page.post(f"{reverse('rule-add')}?of=engagement", sent).status_code == 302
    again = page.post(f"{reverse('rule-add')}?of=engagement", sent)
    assert "“Opened a page with “/prices”” (5\N{NO-BREAK SPACE}points) asks the same" in text(again)


def test_one_of_a_single_value_asks_the_same_as_to_be_it(owner, gate, browse):
    page, sent = browse(owner), {"field": "company_name", "points": "10"}
    assert page.post(reverse("rule-add"), sent | {"when": "is", "value": "Bell"}).status_code == 302
    again = page.post(reverse("rule-add"), sent | {"when": "one_of", "value": "bell", "points": "-10"})
    assert "“Company is Bell” (10\N{NO-BREAK SPACE}points) asks the same" in text(again)
    for value, status in (("Bell\nCray", 302), ("Cray\nBell", 422), ("Cray", 302)):
        sent |= {"when": "one_of", "value": value}
        assert page.post(reverse("rule-add"), sent).status_code == status
    assert len(drafted(gate, owner)["fit"]) == len(default_rules()["fit"]) + 3


def test_of_two_rules_that_ask_the_same_the_other_is_named_by_what_it_says_and_briefly(owner, gate, browse):
    with gate(owner) as at:
        define("Town", "text", by=owner, at=at)
    towns = "\n".join(f"Upper Slaughter {number}" for number in range(40))
    sent = {"field": "fields.town", "when": "one_of", "value": towns, "points": "5"}
    page = browse(owner)
    assert page.post(reverse("rule-add"), sent).status_code == 302
    again = text(page.post(reverse("rule-add"), sent | {"points": "7"}))
    assert "“Town is one of Upper Slaughter 0, " in again
    assert "…” (5\N{NO-BREAK SPACE}points) asks the same, so both would count. Take one away." in again
    assert "Slaughter 20" not in again.replace(towns, "")


def test_a_version_shows_and_counts_what_it_changed_of_the_one_before(owner, viewer, gate, browse, work):
    page = browse(owner)
    page.post(reverse("rule", args=["fit", "phone"]), {**PHONE, "points": "25"})
    page.post(reverse("rule-add"), {"field": "email", "when": "contains", "value": "farm", "points": "12"})
    move(page, "company", "away")
    page.post(reverse("rules-grid"), {})
    page.post(reverse("rules-publish"), {"again": "", "why": ""})
    work()
    says = "1 new, 1 changed, 1 taken away; the grid"
    reader = browse(viewer)
    listed = text(reader.get("/rules/"))
    assert f'<td class="pull">{says}</td>' in listed
    assert '<td class="pull">Everyday business</td>' in listed, "the first has none before it"
    with gate(owner):
        first, second = RuleVersion.objects.order_by("number")
    shown = text(reader.get(reverse("rules-version", args=[second.pk])))
    for words in (
        f'<p class="sub">{says}</p>', "was 20", "Version 1: Phone is known: 20", "<s>Company is known</s>",
        ">new</span>", "A dashed cell said otherwise in version 1.",
    ):  # fmt: skip
        assert words in shown
    assert shown.count("is-new") == 5
    shown = text(reader.get(reverse("rules-version", args=[first.pk])))
    assert "note-tag" not in shown
    assert "is-new" not in shown
    page.post(reverse("rules-sets"), {"key": "trades"})
    page.post(reverse("rules-publish"), {"again": "", "why": ""})
    work()
    assert re.search(
        r'<td class="pull">Trades: .*\d new, .*; the bands of fit, .*the grid</td>', text(page.get("/rules/"))
    )


def test_a_version_of_the_same_rules_in_another_order_says_so(owner, gate, browse, work):
    page = browse(owner)
    move(page, "phone", "up")
    assert "A dashed cell" not in text(page.get("/rules/")), "none is"
    page.post(reverse("rules-publish"), {"again": "", "why": ""})
    work()
    assert '<td class="pull">The order</td>' in text(page.get("/rules/"))
    with gate(owner):
        second = RuleVersion.objects.latest("number")
    assert "A dashed cell" not in text(page.get(reverse("rules-version", args=[second.pk])))
