"""Qualified when what is required is met, what is missing said exactly, and what was said already offered."""

from __future__ import annotations

import pytest

from funnel.leads.actions import touch
from funnel.leads.fields import define
from funnel.leads.identity import Capture
from funnel.leads.models import FieldDefinition, Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from sales.deals.models import Deal
from sales.qualification.models import Answer, Question

KEYS = ("need", "budget", "authority", "timing")
ALL_MET = {"answers": {key: {"met": True, "note": f"Said of {key}"} for key in KEYS}}


def rows(gate, lead):
    with gate(lead.workspace):
        answers = {one.question.key: (one.met, one.note) for one in Answer.objects.select_related("question")}
        return Lead.objects.get(pk=lead.pk).stage, answers, Deal.objects.count(), Event.objects.count()


def test_all_that_is_required_is_met_and_the_lead_is_qualified_with_a_deal(rep, api, taken, gate):
    lead, keyed = taken(rep), api(rep)
    for _ in range(2):
        answer = keyed.post(f"leads/{lead.pk}/qualify/", ALL_MET)
        told = answer.json()
        assert (answer.status_code, told["stage"], told["qualified"], told["missing"]) == (200, "qualified", True, [])
    assert told["deal"] == keyed.get("deals/").json()["results"][0]["id"]
    assert told["questions"][1] | {"at": ""} == {
        "key": "budget", "label": "Budget", "required": True, "met": True, "note": "Said of budget", "origin": "",
        "ask": told["questions"][1]["ask"], "by": rep.email, "at": "", "offered": [],
    }  # fmt: skip
    with gate(rep):
        assert Event.objects.filter(kind="qualified").count() == 1
        assert Event.objects.get(kind="qualification_answered").data["answers"]["need"]["met"] == "met"


def test_what_is_missing_is_said_exactly_and_nothing_is_kept(rep, api, taken, gate):
    lead = taken(rep)
    before = rows(gate, lead)
    body = {"answers": {"need": {"met": True}, "budget": {"met": False, "note": "None this year"}}}
    answer = api(rep).post(f"leads/{lead.pk}/qualify/", body)
    told = answer.json()
    assert answer.status_code == 409
    assert told["detail"] == "Not qualified yet: budget is not met, authority is not known, timing is not known."
    assert [(one["key"], one["met"]) for one in told["missing"]] == [
        ("budget", "not_met"), ("authority", "unknown"), ("timing", "unknown"),
    ]  # fmt: skip
    assert rows(gate, lead) == before
    kept = api(rep).patch(f"leads/{lead.pk}/qualify/", body).json()
    assert (kept["stage"], kept["missing"]) == ("working", ["budget", "authority", "timing"])
    api(rep).patch(f"leads/{lead.pk}/qualify/", {"answers": {"budget": {"met": True}}})
    assert rows(gate, lead)[1] == {"need": ("met", ""), "budget": ("met", "None this year")}


def test_what_isn_t_required_is_not_asked_for(rep, api, taken, gate):
    lead = taken(rep)
    with gate(rep):
        Question.objects.exclude(key="need").update(required=False)
    told = api(rep).post(f"leads/{lead.pk}/qualify/", {"answers": {"need": {"met": True}}}).json()
    assert (told["stage"], told["qualified"]) == ("qualified", True)


def test_a_manager_overrules_with_a_reason_and_a_rep_does_not(rep, manager, api, taken, gate):
    lead = taken(rep)
    before = rows(gate, lead)
    assert api(rep).post(f"leads/{lead.pk}/qualify/", {"overrule": "I like them"}).status_code == 403
    assert rows(gate, lead) == before
    assert api(manager).post(f"leads/{lead.pk}/qualify/", {"overrule": " "}).status_code == 409
    told = api(manager).post(f"leads/{lead.pk}/qualify/", {"overrule": "An old customer"}).json()
    assert (told["stage"], told["qualified"]) == ("qualified", False)
    with gate(rep):
        event = Event.objects.get(kind="qualified")
        assert (event.data["overruled"], event.data["missing"][0]) == ("An old customer", "need is not known")
        assert Deal.objects.get().holder_id == rep.pk


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"answers": {"weather": {"met": True}}}, "answers.weather"),
        ({"answers": {"need": True}}, "answers.need"),
        ({"answers": {"need": {"met": "yes"}}}, "answers.need.met"),
        ({"answers": {"need": {"met": True, "note": "x" * 1001}}}, "answers.need.note"),
        ({"answers": {"need": {"points": 1}}}, "answers.need.points"),
        ({"answers": []}, "answers"),
        ({"stage": "qualified"}, "stage"),
    ],
)
def test_what_can_t_be_answered_is_400_naming_it(body, field, rep, api, taken, gate):
    lead = taken(rep)
    before = rows(gate, lead)
    answer = api(rep).post(f"leads/{lead.pk}/qualify/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert rows(gate, lead) == before


def test_a_colleague_s_lead_is_not_qualified_by_a_rep(rep, other_rep, api, browse, taken, gate):
    lead = taken(other_rep)
    before = rows(gate, lead)
    assert api(rep).post(f"leads/{lead.pk}/qualify/", ALL_MET).status_code == 403
    assert api(rep).patch(f"leads/{lead.pk}/qualify/", ALL_MET).status_code == 403
    assert browse(rep).post(f"/sales/leads/{lead.pk}/qualify/", {"met-need": "met"}).status_code == 403
    assert "What they said" not in browse(rep).get(f"/leads/{lead.pk}/").content.decode()
    assert rows(gate, lead) == before


def test_what_forms_calls_and_fields_said_is_offered_with_its_origin(rep, owner, api, browse, taken, gate):
    with gate(owner) as at:
        define("Electricity bill a month", FieldDefinition.Kind.TEXT, by=owner, at=at, name="bill")
        define("Ready on", FieldDefinition.Kind.DATE, by=owner, at=at, name="ready_on")
    lead = taken(rep, email="ann@bell.example")
    with gate(rep) as at:
        form = Capture(
            kind="form", email="ann@bell.example", fields={"bill": "£190", "ready_on": "2027-03-01"},
            data={"form": "Roof check", "message": "Cold rooms run all day. My brother decides with me."},
        )  # fmt: skip
        receive(rep.workspace, [form], at=at)
        touch(
            lead, "call_made", at=at, by=rep, data={"note": "Has £9,000 aside. Nice people. Wants it before lambing."}
        )
    told = {one["key"]: one for one in api(rep).get(f"leads/{lead.pk}/qualify/").json()["questions"]}
    words = {
        key: [(each["words"], each["origin"].split(",")[0]) for each in one["offered"]] for key, one in told.items()
    }
    assert words["need"] == [
        ("Wants it before lambing.", "Call by Rita"),
        ("Cold rooms run all day. My brother decides with me.", "Form “Roof check”"),
    ]
    assert words["budget"] == [
        ("Electricity bill a month: £190", "What we know of them"),
        ("Has £9,000 aside.", "Call by Rita"),
    ]
    assert words["authority"] == [("My brother decides with me.", "Form “Roof check”")]
    assert words["timing"] == [
        ("Ready on: 2027-03-01", "What we know of them"),
        ("Wants it before lambing.", "Call by Rita"),
    ]
    assert all(one["met"] is None for one in told.values())

    client = browse(rep)
    for page in (f"/leads/{lead.pk}/", f"/sales/?lead={lead.pk}"):
        text = client.get(page).content.decode()
        assert "Who decides with you" in text
        assert 'value="My brother decides with me."' in text
        assert "From: <bdi>Form “Roof check”" in text


def test_a_rep_answers_on_the_page_and_what_was_only_offered_is_not_kept(rep, manager, browse, catch, gate):
    lead = catch(rep)
    with gate(rep) as at:
        lead.move("working", at=at, holder=rep)
        touch(lead, "call_made", at=at, by=rep, data={"note": "My brother decides with me."})
    client, path = browse(rep), f"/sales/leads/{lead.pk}/qualify/"
    offered = {"note-authority": "My brother decides with me.", "met-authority": "unknown"}
    back = {"next": f"/leads/{lead.pk}/#qualification"}
    body = {"met-need": "met", "note-need": "Lower bills", "qualify": "1"} | offered | back
    answer = client.post(path, body)
    # Not at the questions, which may be far below what the page says of the refusal.
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/leads/{lead.pk}/#main")
    page = client.get(f"/leads/{lead.pk}/").content.decode()
    assert "Not qualified yet: budget is not known, authority is not known, timing is not known." in page
    assert rows(gate, lead)[:2] == ("working", {"need": ("met", "Lower bills")})
    rest = {f"met-{key}": "met" for key in KEYS} | {"note-authority": "My brother decides with me."}
    client.post(path, rest)
    with gate(rep):
        assert Answer.objects.get(question__key="authority").origin.startswith("Call by Rita")
    assert "Everything that is required is met." in client.get(f"/leads/{lead.pk}/").content.decode()
    client.post(path, rest | {"qualify": "1"})
    assert rows(gate, lead)[0] == "qualified"
    assert "Rita</bdi> said qualified" in client.get(f"/leads/{lead.pk}/").content.decode()


def test_a_note_too_long_is_said_with_its_limit_and_everything_that_was_typed_stands_there(rep, browse, taken, gate):
    lead = taken(rep)
    before = rows(gate, lead)
    body = {"met-need": "met", "note-need": "Lower bills", "note-budget": "long " * 201, "qualify": "1"}
    answer = browse(rep).post(
        f"/sales/leads/{lead.pk}/qualify/", body | {"next": f"/sales/?lead={lead.pk}#qualification"}
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Write at most 1000 characters; this has 1004." in page
    assert 'value="Lower bills"' in page
    assert ("long " * 201).strip() in page
    assert '<option value="met" selected>' in page
    assert f'name="next" value="/sales/?lead={lead.pk}#qualification"' in page
    assert rows(gate, lead) == before
