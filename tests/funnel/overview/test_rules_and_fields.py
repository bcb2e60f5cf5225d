"""The rules as sentences, and the business's own fields, through the door."""

import html
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import FieldDefinition, Lead
from funnel.leads.receiving import receive
from funnel.scoring.rules import default_rules, sentence, shipped_sets
from funnel.workspaces.models import AuditEntry
from tests.funnel.overview.people import came


def test_every_rule_stands_there_with_points_cap_and_reason(viewer, browse):
    page = browse(viewer).get("/rules/").content.decode().replace("&#x27;", "'")
    rules = default_rules()
    for rule in [*rules["fit"], *rules["engagement"]]:
        assert sentence(rule) in page
        assert rule["reason"] in page
    assert "14\N{NO-BREAK SPACE}days" in page
    assert "24 to 48" in page
    assert "70 and more" in page
    assert "50 to 69" in page
    assert "Could not reach them" in page


def test_one_act_lies_over_a_line_of_a_shipped_set_or_well_under_it():
    """Points begin to fade at once, so a line at just what a form gives is one that no form reaches."""
    for key, rules in shipped_sets().items():
        given = {rule["points"] for rule in rules["engagement"]}
        assert not given.intersection(rules["engagement_cuts"]), key


def test_three_forms_of_one_day_by_a_known_caller_from_a_firm_are_ready(owner, gate, work):
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(name="Ann", phone="01632 960142", company="Bell")], at=at)
        for minutes in (30, 20, 10):
            touch(got.lead, "form", at=at, occurred_at=at - timedelta(minutes=minutes))
    work()
    with gate(owner):
        assert Lead.objects.get().stage == "ready"


def test_the_rules_say_what_else_decides(viewer, browse):
    page = browse(viewer).get("/rules/").content.decode()
    assert "there is nobody yet" in page
    yours = page[page.index("Beside the rules</h2>") :]
    for where in ("/marketing/forms/", "/handoffs/#go", "/fields/"):
        assert f'href="{where}"' in yours


def test_the_grid_counts_people_where_they_stand(owner, gate, browse, work):
    with gate(owner) as at:
        busy, *_ = came(owner, at, "Ann Bell", "Bob Cray", "Cleo Dunn")
        touch(busy, "visit", at=at)
        touch(busy, "page_view", at=at)
    work()
    answer = browse(owner).get("/rules/")
    cells = {(row["fit"], cell["band"]): cell["people"] for row in answer.context["grid"] for cell in row["cells"]}
    assert (cells["A", 1], cells["A", 2], sum(cells.values())) == (2, 1, 3)
    ready = {(row["fit"], cell["band"]) for row in answer.context["grid"] for cell in row["cells"] if cell["ready"]}
    assert ready == {("A", 3), ("A", 4), ("B", 3), ("B", 4), ("C", 4)}


def test_a_draft_of_other_bands_has_no_figures_before_it_is_looked_at(owner, gate, browse, work):
    with gate(owner) as at:
        came(owner, at, "Ann Bell", "Bob Cray")
    work()
    page = browse(owner)
    page.post(reverse("rules-grid"), {"A1": "1"})
    assert "by the draft: 2 of 2 are in ready cells." in text(page), "only the grid is another"
    lines = {"half_life_days": "14", "fit_a": "300", "fit_b": "290", "fit_c": "280"}
    page.post(reverse("rules-lines"), lines | {"cut_2": "8", "cut_3": "24", "cut_4": "48"})
    shown = text(page)
    assert "Press “See it” above to see how many people stand in each cell by the draft." in shown
    assert "are in ready cells" not in shown
    assert not re.search(r"is ready: \d", shown)
    page.post(reverse("rules-try"), {"again": ""})
    assert "is being counted" in text(page)
    work()
    shown = text(page)
    assert "by the draft: 0 of 2 are in ready cells." in shown
    assert "Fit D, engagement 1 is ready: 2 people" in shown


def text(page):
    return html.unescape(page.get("/rules/").content.decode())


@pytest.mark.parametrize(
    ("label", "kind", "choices", "name", "kept"),
    [
        ("Roof area, m²", "number", "", "roof_area_m", []),
        ("Wants it by", "date", "", "wants_it_by", []),
        ("Heat pump", "yes_no", "", "heat_pump", []),
        ("Nickname", "text", "ignored\n", "nickname", []),
        ("House", "choice", "Farm\n Town \n\nFarm\n", "house", ["Farm", "Town"]),
        ("Größe", "text", "", "größe", []),
    ],
)
def test_a_field_of_each_kind_is_added(marketer, gate, browse, label, kind, choices, name, kept):
    answer = browse(marketer).post("/fields/", {"label": label, "kind": kind, "choices": choices}, follow=True)
    assert f"“{label}” is a field now" in answer.content.decode()
    with gate(marketer):
        made = FieldDefinition.objects.get()
        assert (made.label, made.kind, made.choices) == (label, kind, kept)
        assert made.name.startswith(name)
        assert AuditEntry.objects.filter(action="field added", actor=marketer).exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"label": "", "kind": "text"}, "Write what it is called."),
        ({"label": "House", "kind": "nonsense"}, "Choose a kind."),
        ({"label": "House", "kind": "choice", "choices": "Farm"}, "at least two choices"),
        ({"label": "!!!", "kind": "text"}, "letters, digits"),
        ({"label": "x" * 121, "kind": "text"}, "120"),
        ({"label": "known", "kind": "text"}, "already"),
    ],
)
def test_a_field_that_can_t_be_is_explained(marketer, gate, browse, given, sentence):
    client = browse(marketer)
    client.post("/fields/", {"label": "Known", "kind": "text"})
    answer = client.post("/fields/", given)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    with gate(marketer):
        assert FieldDefinition.objects.count() == 1


def test_what_rules_count_and_nobody_has_done_is_said_once_somebody_has_done_something(viewer, rep, gate, browse):
    page = browse(viewer)
    assert "What nobody has done yet" not in page.get("/rules/").content.decode()
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(external_id="7")], at=at)
        touch(got.lead, "page_view", at=at, data={"page": "/prices"})
    shown = page.get("/rules/").content.decode()
    said = shown[shown.index("What nobody has done yet") :].split("</li>")[0]
    assert "“Opened a mail”" in said
    assert "“Asked to be contacted”" in said
    assert "Opened a page" not in said
    with gate(rep) as at:
        touch(got.lead, "form", at=at)
    shown = page.get("/rules/").content.decode()
    said = shown[shown.index("What nobody has done yet") :].split("</li>")[0]
    assert "Asked to be contacted" not in said, "by a form that hands over at once one asks too"


@pytest.mark.parametrize("role", ["rep", "viewer"])
def test_who_only_reads_adds_no_field(request, gate, browse, role):
    member = request.getfixturevalue(role)
    client = browse(member)
    assert "Add a field" not in client.get("/fields/").content.decode()
    assert client.post("/fields/", {"label": "House", "kind": "text"}).status_code == 403
    with gate(member):
        assert not FieldDefinition.objects.exists()
