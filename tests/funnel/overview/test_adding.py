"""Add a lead by hand through the door: whose it is, and the warning about somebody known."""

import pytest

from funnel.handoff import actions as handoff
from funnel.handoff.models import Handoff
from funnel.leads.fields import define
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.outbox.models import Event
from tests.funnel.overview.people import came

ADD = "/leads/add/"


@pytest.fixture
def known(owner, gate):
    with gate(owner) as at:
        (lead,) = came(owner, at, "Ann Bell")
    return lead


def all_leads(gate, member):
    with gate(member):
        return list(Lead.objects.select_related("holder", "source").order_by("created_at"))


def test_a_rep_s_own_starts_in_conversation_with_the_rep(rep, gate, browse, work):
    given = {
        "name": "Joe Park",
        "phone": "01632 960555",
        "channel": "referral",
        "note": "Met at the gate",
        "keep": "on",
    }
    answer = browse(rep).post(ADD, given)
    (lead,) = all_leads(gate, rep)
    assert answer.status_code == 302
    assert answer["Location"] == f"/leads/{lead.pk}/"
    work()
    with gate(rep):
        lead.refresh_from_db()
        assert (lead.stage, lead.holder, lead.phone) == (Stage.WORKING, rep, "+441632960555")
        assert str(lead.source) == "referral"
        assert Event.objects.get(lead=lead, kind="note").data["note"] == "Met at the gate"
        assert not Handoff.objects.exists()


def test_keeping_it_is_proposed_to_a_rep_only(rep, owner, marketer, browse):
    assert 'name="keep" class="form-check-input" id="id_keep" checked' in browse(rep).get(ADD).content.decode() or (
        "checked" in browse(rep).get(ADD).content.decode()
    )
    assert "checked" not in browse(owner).get(ADD).content.decode()
    assert "Keep it as mine" not in browse(marketer).get(ADD).content.decode()


def test_one_that_isn_t_kept_goes_through_scoring(marketer, rep, gate, browse, work):
    browse(marketer).post(ADD, {"name": "Joe Park", "company": "Park Ltd", "keep": "on"})
    work()
    (lead,) = all_leads(gate, rep)
    assert (lead.stage, lead.holder) == (Stage.NURTURING, None)


def test_a_viewer_adds_nobody(viewer, gate, browse):
    assert browse(viewer).get(ADD).status_code == 403
    assert browse(viewer).post(ADD, {"name": "Joe", "company": "Park"}).status_code == 403
    assert all_leads(gate, viewer) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Give an e-mail address"),
        ({"name": "Joe"}, "Give an e-mail address"),
        ({"email": "joe@"}, "This is not an e-mail address"),
        ({"phone": "12"}, "too few digits"),
        ({"email": "joe@park.example", "channel": "nonsense"}, "to put right"),
        ({"name": "x" * 201, "phone": "01632 960555"}, "200"),
        ({"name": "Joe\x00", "phone": "01632 960555"}, "to put right"),
    ],
)
def test_what_can_t_be_kept_is_said_at_its_field(rep, gate, browse, given, sentence):
    answer = browse(rep).post(ADD, given)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert all_leads(gate, rep) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"email": "Ann+spring@bell0.example"}, "The same e-mail address"),
        ({"phone": "+44 1632 960000"}, "The same phone number"),
        ({"name": "ann bell", "company": "BELL LTD", "email": "new@else.example"}, "The same name and company"),
    ],
)
def test_somebody_known_is_shown_before_anything_is_saved(known, rep, gate, browse, given, why):
    answer = browse(rep).post(ADD, given)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "We may know this person already" in page
    assert why in page
    assert "Ann Bell" in page
    assert all_leads(gate, rep) == [known]


def test_it_is_somebody_else_makes_a_second_lead(known, owner, gate, browse):
    given = {"name": "Ann Bell", "company": "Bell Ltd", "email": "other@ann.example"}
    assert "It is somebody else" in browse(owner).post(ADD, given).content.decode()
    browse(owner).post(ADD, given | {"other": "yes"})
    assert len(all_leads(gate, owner)) == 2


def test_a_shared_number_with_an_address_of_their_own_may_be_somebody_else(known, owner, gate, browse):
    browse(owner).post(
        ADD, {"name": "Bert Bell", "phone": "01632 960000", "email": "bert@bell0.example", "other": "yes"}
    )
    assert len(all_leads(gate, owner)) == 2


def test_the_same_address_can_t_be_somebody_else(known, owner, gate, browse):
    given = {"name": "Zoe", "email": "ann@bell0.example"}
    page = browse(owner).post(ADD, given).content.decode()
    assert "It is somebody else" not in page
    assert browse(owner).post(ADD, given | {"other": "yes"}).status_code == 409
    (lead,) = all_leads(gate, owner)
    assert lead.name == "Ann Bell"


def test_add_to_that_one_writes_what_is_new(known, owner, gate, browse):
    given = {"email": "ann@bell0.example", "phone": "01632 960777", "note": "Called in"}
    answer = browse(owner).post(ADD, given | {"same": str(known.pk)})
    assert answer["Location"] == f"/leads/{known.pk}/"
    (lead,) = all_leads(gate, owner)
    assert (lead.name, lead.phone) == ("Ann Bell", "+441632960777")
    with gate(owner):
        assert Event.objects.filter(lead=lead, kind="note").exists()


def test_add_to_that_one_by_name_and_company(known, owner, gate, browse):
    given = {"name": "Ann Bell", "company": "Bell Ltd", "phone": "01632 960888"}
    browse(owner).post(ADD, given | {"same": str(known.pk)})
    (lead,) = all_leads(gate, owner)
    assert lead.phone == "+441632960888"


def test_a_rep_does_not_write_into_a_colleague_s_lead(known, rep, other_rep, owner, gate, browse):
    with gate(owner) as at:
        handoff.keep(known, by=other_rep, at=at)
    given = {"email": "ann@bell0.example", "name": "Changed"}
    page = browse(rep).post(ADD, given).content.decode()
    assert "Otto Rep" in page
    assert "Add to that one" not in page
    answer = browse(rep).post(ADD, given | {"same": str(known.pk)})
    assert answer.status_code == 409
    assert "with somebody else" in answer.content.decode()
    (lead,) = all_leads(gate, owner)
    assert lead.name == "Ann Bell"


def test_another_business_s_people_are_not_known_here(known, outsider, gate, browse):
    assert browse(outsider).post(ADD, {"email": "ann@bell0.example"}).status_code == 302
    assert len(all_leads(gate, outsider)) == 1


def test_fields_of_the_business_s_own_are_asked_and_kept(owner, gate, browse):
    with gate(owner) as at:
        define("Roof area", "number", by=owner, at=at)
        define("Heat pump", "yes_no", by=owner, at=at)
        define("House", "choice", choices=["Farm", "Town"], by=owner, at=at)
    given = {"email": "joe@park.example", "own-roof_area": "lots", "own-heat_pump": "Yes", "own-house": "Farm"}
    answer = browse(owner).post(ADD, given)
    assert answer.status_code == 422
    assert "Write a number" in answer.content.decode()
    browse(owner).post(ADD, given | {"own-roof_area": "25.50"})
    (lead,) = all_leads(gate, owner)
    assert lead.fields == {"roof_area": "25.5", "heat_pump": True, "house": "Farm"}
