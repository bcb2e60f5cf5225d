"""What people do to a lead on its page: set aside, bring back, take back, take, note, edit, pass on."""

from datetime import timedelta

import pytest

from funnel.handoff import actions as handoff
from funnel.handoff.models import Handoff
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import FieldDefinition, Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from tests.funnel.overview.people import at_page, read

WHY = {"reason": "You know the street"}


@pytest.fixture
def aside(lead, rep, gate):
    """Set aside by the rep, who had taken it."""
    with gate(rep) as at:
        handoff.accept(lead, by=rep, at=at)
        handoff.disqualify(lead, by=rep, at=at)
    return lead


def test_who_was_set_aside_comes_back_to_marketing_and_waits_for_a_go(aside, marketer, browse, gate, work):
    client = browse(marketer)
    assert "#bring-back" in read(client, aside)
    answer = client.post(f"{at_page(aside)}bring-back/", {"to": ""}, follow=True).content.decode()
    assert "Ann Bell is back, with marketing." in answer
    assert "<bdi>Mara</bdi> brought the lead back to marketing" in answer
    assert "#bring-back" not in answer
    work()
    with gate(marketer) as at:
        assert Lead.objects.get().stage == "nurturing"
        for _ in range(3):
            touch(Lead.objects.get(), "form", at=at, occurred_at=at - timedelta(days=2))
    work()
    with gate(marketer) as at:
        handoff.disqualify(Lead.objects.get(), by=marketer, at=at)
        handoff.bring_back(Lead.objects.get(), by=marketer, at=at)
    work()
    with gate(marketer):
        back = Lead.objects.get()
        assert back.waits_since, "over the line, they are judged again, and nobody's desk fills up by itself"
        assert not Handoff.objects.open().exists()


def test_who_set_a_lead_aside_can_have_it_back_at_once(aside, rep, browse, gate):
    answer = browse(rep).post(f"{at_page(aside)}bring-back/", {"to": rep.pk}, follow=True).content.decode()
    assert "Ann Bell is back, with you." in answer
    with gate(rep):
        assert (Lead.objects.get().stage, Lead.objects.get().holder) == ("working", rep)
    answer = browse(rep).post(f"{at_page(aside)}bring-back/", {"to": rep.pk})
    assert answer.status_code == 409


def test_another_rep_a_viewer_and_a_stranger_bring_nobody_back(aside, rep, other_rep, marketer, viewer, browse, gate):
    address = f"{at_page(aside)}bring-back/"
    assert "#bring-back" not in read(browse(other_rep), aside)
    assert browse(other_rep).post(address, {"to": ""}).status_code == 403
    assert browse(viewer).post(address, {"to": ""}).status_code == 403
    assert browse(marketer).post(address, {"to": rep.pk}).status_code == 422, "marketing chooses no rep"
    with gate(rep):
        assert Lead.objects.get().stage == "disqualified"


def test_an_entry_taken_back_stays_and_its_correction_is_a_row(lead, rep, marketer, browse, gate, work):
    with gate(rep):
        form = Event.objects.get(kind="form")
    client = browse(marketer)
    assert 'id="void" aria-labelledby="void-title" open' in read(client, lead, f"?void={form.pk}")
    answer = client.post(f"{at_page(lead)}events/{form.pk}/void/", {"reason": ""})
    assert (answer.status_code, "Taken back by" in answer.content.decode()) == (422, False)
    assert client.post(f"{at_page(lead)}events/{form.pk}/void/", {"reason": "A test of ours"}).status_code == 302
    work()
    page = read(client, lead)
    assert "Taken back by <bdi>Mara Marketer</bdi>" in page
    assert "A test of ours" in page
    assert "Corrected: Sent “Contact us”" in page
    assert '<span class="figure">0</span>' in page
    again = client.post(f"{at_page(lead)}events/{form.pk}/void/", {"reason": "Once more"})
    assert (again.status_code, "taken back already" in again.content.decode()) == (409, True)


def test_a_rep_cannot_take_an_entry_back(lead, rep, browse, gate):
    with gate(rep):
        form = Event.objects.get(kind="form")
    assert browse(rep).post(f"{at_page(lead)}events/{form.pk}/void/", {"reason": "x"}).status_code == 403


def test_the_lead_is_taken_and_given_back_here_too(lead, rep, browse, gate):
    client = browse(rep)
    page = client.post(at_page(lead) + "take/", follow=True).content.decode()
    assert "Taken. Ann Bell is with you." in page
    assert "Log the call" in page
    assert client.post(at_page(lead) + "give-back/", {"reason": "nonsense"}).status_code == 422
    page = client.post(at_page(lead) + "give-back/", {"reason": "not-a-fit"}, follow=True).content.decode()
    assert "Ann Bell is given back." in page
    assert "Not a fit" in page
    second = client.post(at_page(lead) + "give-back/", {"reason": "not-a-fit"})
    assert (second.status_code, "nothing to give back" in second.content.decode()) == (409, True)


def test_a_note_stands_on_the_timeline_for_whoever_may_change_the_lead(lead, rep, other_rep, browse, gate):
    browse(rep).post(at_page(lead) + "note/", {"note": "<b>Ask for the key</b>"})
    assert "“<bdi>&lt;b&gt;Ask for the key&lt;/b&gt;</bdi>”" in read(browse(rep), lead, "?show=notes")
    assert browse(other_rep).post(at_page(lead) + "note/", {"note": "Mine"}).status_code == 403
    assert browse(rep).post(at_page(lead) + "note/", {"note": " "}).status_code == 422
    with gate(rep):
        assert Event.objects.filter(kind="note").count() == 1


def test_a_long_note_stands_on_the_timeline_to_its_last_word(lead, rep, browse):
    browse(rep).post(at_page(lead) + "note/", {"note": f"{'word ' * 790}and the end."})
    assert "word and the end.</bdi>”" in browse(rep).get(at_page(lead)).content.decode()


def test_a_lead_is_edited_and_the_timeline_says_what_was(lead, rep, browse, gate):
    with gate(rep):
        FieldDefinition.objects.create(workspace=rep.workspace, name="roof", label="Roof", kind="number")
        key = f"own-{FieldDefinition.objects.get().pk}"
    client = browse(rep)
    assert "Roof" in client.get(at_page(lead) + "edit/").content.decode()
    wrong = client.post(at_page(lead) + "edit/", {"name": "Ann", "phone": "12", key: "big"})
    page = wrong.content.decode()
    assert wrong.status_code == 422
    assert "This number has too few digits." in page
    assert "Write a number, like 25 or 3.5." in page
    with gate(rep):
        assert Lead.objects.get().name == "Ann Bell"
    sent = {"name": "Anne Bell", "email": "", "phone": "01632 960999", "company": "Bell Ltd", key: "42"}
    client.post(at_page(lead) + "edit/", sent)
    page = read(client, lead)
    assert "Anne Bell" in page
    assert "01632 960999" in page
    assert "<dt><bdi>Roof</bdi></dt><dd><bdi>42</bdi>" in page
    assert "Name was “<bdi>Ann Bell</bdi>”" in page
    with gate(rep):
        assert Lead.objects.get().email == "ann@bell.example"


def test_a_number_is_edited_as_it_is_read_and_one_left_alone_is_no_change(owner, browse, gate):
    for number, shown in (("01632 960277", "01632 960277"), ("+49 30 123456", "+49 30 123456")):
        with gate(owner) as at:
            (got,) = receive(owner.workspace, [Capture(name="Cy Cole", phone=number)], at=at, by=owner)
            kept = got.lead.phone
        client, address = browse(owner), at_page(got.lead) + "edit/"
        sent = {"name": "Cy Cole", "email": "", "phone": shown, "company": ""}
        assert f'value="{shown}"' in client.get(address).content.decode()
        assert client.post(address, sent).status_code == 302
        with gate(owner):
            assert not Event.objects.filter(kind="edited", lead=got.lead).exists()
        client.post(address, sent | {"name": "Cyril Cole"})
        with gate(owner):
            assert Event.objects.get(kind="edited", lead=got.lead).data["was"] == {"name": "Cy Cole"}
            assert Lead.objects.get(pk=got.lead.pk).phone == kept


def test_the_key_of_another_lead_is_refused_with_a_link_to_it(lead, rep, browse, gate):
    with gate(rep) as at:
        (other,) = receive(rep.workspace, [Capture(name="Ben", email="ben@cole.example")], at=at)
    answer = browse(rep).post(at_page(lead) + "edit/", {"name": "Ann Bell", "email": "ben@cole.example"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Another lead has this e-mail address already." in page
    assert at_page(other.lead) in page
    with gate(rep):
        assert Lead.objects.get(pk=lead.pk).email == "ann@bell.example"


def test_a_leader_passes_the_waiting_handoff_and_the_taken_lead_on(lead, rep, other_rep, owner, browse, gate):
    client = browse(owner)
    assert client.post(at_page(lead) + "pass/", WHY | {"to": other_rep.pk}).status_code == 302
    with gate(rep):
        assert Handoff.objects.open().get().offered_to == other_rep
    assert browse(rep).get(at_page(lead) + "pass/").status_code == 403
    browse(other_rep).post(at_page(lead) + "take/")
    assert browse(other_rep).post(at_page(lead) + "pass/", WHY | {"to": rep.pk}).status_code == 302
    assert "passed the lead from" in read(client, lead)
    with gate(rep):
        assert Lead.objects.get().holder == rep
    assert client.post(at_page(lead) + "pass/", WHY | {"to": "nobody"}).status_code == 422


@pytest.mark.parametrize("taken", [False, True])
def test_a_lead_is_not_passed_on_without_a_reason(taken, lead, rep, other_rep, owner, browse, gate):
    if taken:
        browse(rep).post(at_page(lead) + "take/")
    answer = browse(owner).post(at_page(lead) + "pass/", {"to": other_rep.pk, "reason": " "})
    assert (answer.status_code, "Write why; whoever is next reads it." in answer.content.decode()) == (422, True)
    with gate(rep):
        assert not Handoff.objects.filter(offered_to=other_rep).exists()
        assert Lead.objects.get().holder == (rep if taken else None)


def test_a_lead_is_set_aside_with_a_reason(lead, rep, marketer, browse, gate):
    assert browse(marketer).post(at_page(lead) + "not-a-fit/", {}).status_code == 422
    browse(marketer).post(at_page(lead) + "not-a-fit/", {"reason": "A competitor"})
    page = read(browse(rep), lead)
    assert "Not a fit" in page
    assert "A competitor" in page
    with gate(rep):
        assert not Handoff.objects.open().exists()
