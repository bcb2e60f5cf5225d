"""Deals over the API: opened once, listed, changed, moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.leads.models import Lead
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import Member
from sales.deals.models import Deal

ROOF = {"title": "A roof", "amount": "1200.50", "currency": "GBP", "occurred_at": "2025-03-01T09:30:00+01:00"}


@pytest.fixture
def lead(catch, owner):
    return catch(owner, external_id="A-1", external_system="maven")


def count(gate, member):
    with gate(member):
        return Deal.objects.count()


def test_a_deal_is_kept_as_it_was_sent_and_its_lead_goes_to_sales(lead, owner, rep, api):
    keyed = api(owner)
    answer = keyed.post("deals/", {"lead": str(lead.pk), "holder": rep.email, **ROOF})
    told = answer.json()
    assert (answer.status_code, answer["ETag"]) == (201, '"1"')
    assert {name: told[name] for name in ("title", "amount", "currency")} == {
        name: ROOF[name] for name in ("title", "amount", "currency")
    }
    assert (told["occurred_at"], told["stage"], told["closed_at"]) == ("2025-03-01T08:30:00Z", "qualified", None)
    assert (told["lead"], told["holder"]) == (str(lead.pk), rep.email)
    assert keyed.get(f"deals/{told['id']}/").json() == told
    assert keyed.get("deals/").json() == {"results": [told], "next": None}
    of_lead = keyed.get(f"leads/{lead.pk}/").json()
    assert (of_lead["stage"], of_lead["holder"]) == ("qualified", rep.email)


def test_a_deal_known_by_its_external_id_answers_200_and_changes_nothing(lead, owner, api, gate):
    keyed = api(owner)
    body = {"lead": {"external_id": "A-1", "external_system": "maven"}, "external_id": 7, "external_system": "maven"}
    first = keyed.post("deals/", body | ROOF)
    again = keyed.post("deals/", body | {"amount": "1", "title": "Else"})
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    elsewhere = keyed.post("deals/", {"lead": str(lead.pk), "external_id": "7"})
    assert elsewhere.status_code == 201
    assert count(gate, owner) == 2


def test_who_has_left_may_still_have_deals_and_a_win_dated_before_the_lead_came_counts(owner, rep, api, gate):
    with everywhere():
        Member.objects.filter(pk=rep.pk).update(active=False)
    keyed = api(owner)
    assert keyed.post("leads/", {"external_id": "Cancity", "external_system": "maven"}).status_code == 201
    lead = {"external_id": "Cancity", "external_system": "maven"}
    made = keyed.post("deals/", {"lead": lead, "holder": rep.email, "occurred_at": "2016-10-20T12:00:00Z"}).json()
    won = keyed.post(f"deals/{made['id']}/win/", {"amount": "1054", "occurred_at": "2017-03-01T12:00:00Z"}).json()
    assert (won["stage"], won["amount"], won["holder"]) == ("won", "1054.00", rep.email)
    assert won["closed_at"] == "2017-03-01T12:00:00Z"
    told = keyed.get(f"leads/{made['lead']}/").json()
    assert (told["stage"], told["customer_since"], told["holder"]) == ("customer", won["closed_at"], rep.email)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"lead": None}, 400, "lead"),
        ({"lead": "x"}, 400, "lead"),
        ({"lead": {"external_system": "maven"}}, 400, "lead.external_id"),
        ({"lead": {"external_id": "A-2", "external_system": "maven"}}, 404, "lead"),
        ({"lead": "0197f9a0-0000-7000-8000-000000000000"}, 404, "lead"),
        ({"amount": "-1"}, 400, "amount"),
        ({"amount": "1.005"}, 400, "amount"),
        ({"amount": 12.5}, 400, "amount"),
        ({"amount": "1e1000000"}, 400, "amount"),
        ({"amount": "sNaN"}, 400, "amount"),
        ({"amount": "Infinity"}, 400, "amount"),
        ({"amount": "1000000000000"}, 400, "amount"),
        ({"amount": "1.50", "currency": "JPY"}, 400, "amount"),
        ({"currency": "XYZ"}, 400, "currency"),
        ({"holder": "nobody@x.example"}, 400, "holder"),
        ({"title": "x" * 201}, 400, "title"),
        ({"occurred_at": "2200-01-01T00:00:00Z"}, 400, "occurred_at"),
        ({"occurred_at": "2025-02-30T00:00:00Z"}, 400, "occurred_at"),
        ({"external_system": "maven"}, 400, "external_system"),
        ({"stage": "won"}, 400, "stage"),
        ({"total": "5"}, 400, "total"),
        ({"workspace_id": "5"}, 400, "workspace_id"),
    ],
)
def test_what_can_t_be_is_refused_naming_the_field_and_nothing_is_stored(body, status, field, lead, owner, api, gate):
    answer = api(owner).post("deals/", {"lead": str(lead.pk), **ROOF, **body})
    assert (answer.status_code, list(answer.json()["errors"])) == (status, [field])
    assert count(gate, owner) == 0
    with gate(owner):
        assert Lead.objects.get(pk=lead.pk).stage == "new"


def test_another_business_s_lead_and_deal_are_not_there(lead, owner, outsider, api, gate, deal_with):
    theirs = deal_with(outsider, "Otto Foreign")
    keyed = api(owner)
    assert keyed.post("deals/", {"lead": str(theirs.lead_id)}).status_code == 404
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "x"}),
        ("POST", "move/", {"stage": "demo"}),
        ("POST", "win/", {}),
        ("POST", "lose/", {"reason": "price"}),
    ):
        assert keyed.send(method, f"deals/{theirs.pk}/{path}", body).status_code == 404
    assert keyed.get(f"deals/?lead={theirs.lead_id}").json()["results"] == []


def test_a_rep_changes_only_their_own_deals_and_a_marketer_none(owner, rep, other_rep, marketer, api, deal_with):
    deal = deal_with(rep)
    sent = (("PATCH", "", {"title": "x"}), ("POST", "move/", {"stage": "demo"}), ("POST", "win/", {"amount": "1"}))
    for who in (other_rep, marketer):
        assert api(who).get(f"deals/{deal.pk}/").status_code == 200
        for method, path, body in sent:
            assert api(who).send(method, f"deals/{deal.pk}/{path}", body).status_code == 403
    assert api(other_rep).post("deals/", {"lead": str(deal.lead_id)}).status_code == 403
    assert api(rep).post("deals/", {"lead": str(deal.lead_id), "holder": other_rep.email}).status_code == 403
    assert api(rep, "leads").get("deals/").status_code == 403
    for method, path, body in sent:
        assert api(rep).send(method, f"deals/{deal.pk}/{path}", body).status_code == 200


def test_a_change_keeps_the_figure_in_a_new_currency_and_a_stale_one_is_412(owner, rep, other_rep, api, deal_with):
    deal = deal_with(rep, amount=120_000)
    keyed = api(owner)
    answer = keyed.patch(f"deals/{deal.pk}/", {"title": "Two roofs", "currency": "KWD", "holder": other_rep.email})
    told = answer.json()
    assert (told["title"], told["amount"], told["currency"]) == ("Two roofs", "1200.000", "KWD")
    assert (told["holder"], answer["ETag"]) == (other_rep.email, '"2"')
    assert keyed.patch(f"deals/{deal.pk}/", {"title": "x"}, HTTP_IF_MATCH='"1"').status_code == 412
    assert keyed.post(f"deals/{deal.pk}/win/", {}, HTTP_IF_MATCH='"1"').status_code == 412
    for body, field in (
        ({"title": " "}, "title"),
        ({"holder": None}, "holder"),
        ({"amount": "1.0005"}, "amount"),
        ({"stage": "demo"}, "stage"),
        ({"lead": "x"}, "lead"),
    ):
        wrong = keyed.patch(f"deals/{deal.pk}/", body)
        assert (wrong.status_code, list(wrong.json()["errors"])) == (400, [field])
    assert keyed.get(f"deals/{deal.pk}/").json()["title"] == "Two roofs"
    assert keyed.patch(f"deals/{deal.pk}/", {"amount": None}).json()["amount"] is None


def test_a_deal_moves_forward_and_back_and_its_lead_with_it(owner, rep, api, deal_with):
    deal = deal_with(rep)
    keyed = api(rep)
    for stage in ("negotiation", "demo"):
        told = keyed.post(f"deals/{deal.pk}/move/", {"stage": stage, "occurred_at": "2026-01-01T00:00:00Z"}).json()
        assert (told["stage"], told["stage_since"]) == (stage, "2026-01-01T00:00:00Z")
        assert keyed.get(f"leads/{deal.lead_id}/").json()["stage"] == stage
    for stage in ("won", "lost", "x", None):
        assert keyed.post(f"deals/{deal.pk}/move/", {"stage": stage}).status_code == 400
    keyed.post(f"deals/{deal.pk}/lose/", {"reason": "price"})
    assert keyed.post(f"deals/{deal.pk}/move/", {"stage": "demo"}).status_code == 409
    assert keyed.patch(f"deals/{deal.pk}/", {"title": "x"}).status_code == 409


def test_filters_find_what_they_say(owner, rep, other_rep, api, deal_with):
    ann = deal_with(rep, "Ann Bell", external=("crm", "7"))
    bob = deal_with(other_rep, "Bob Ray", external=("shop", "7"))
    keyed = api(owner)
    keyed.post(f"deals/{bob.pk}/move/", {"stage": "demo"})

    def found(query):
        answer = keyed.get(f"deals/?{query}")
        assert answer.status_code == 200, answer.json()
        return [row["id"] for row in answer.json()["results"]]

    ann, bob, soon = str(ann.pk), str(bob.pk), datetime.now(UTC) + timedelta(hours=1)
    assert found("") == [bob, ann]
    assert found("stage=demo") == found(f"holder={quote(other_rep.email)}") == [bob]
    assert found("external_id=7&external_system=crm") == [ann]
    assert found("external_id=7") == [bob, ann]
    assert found("updated_since=2026-01-01T00:00:00Z") == [ann, bob]
    assert found(f"updated_since={quote(soon.isoformat())}") == []
    for query, field in (
        ("stage=open", "stage"),
        ("lead=x", "lead"),
        ("holder=x", "holder"),
        ("external_system=x", "external_system"),
        ("updated_since=x", "updated_since"),
        ("title=x", "title"),
    ):
        answer = keyed.get(f"deals/?{query}")
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_pages_hold_every_deal_once_and_ten_cost_no_more_queries_than_one(owner, api, deal_with):
    keyed = api(owner)

    def cost():
        with CaptureQueriesContext(connection) as spent:
            rows = keyed.get("deals/").json()["results"]
        return len([one for one in spent if "SAVEPOINT" not in one["sql"]]), len(rows)

    deal_with(owner, "Person 0")
    one, _ = cost()
    for n in range(1, 10):
        deal_with(owner, f"Person {n}")
    ten, rows = cost()
    assert (ten <= one, rows) == (True, 10)
    seen, address = [], "deals/?page_size=3"
    while address:
        told = keyed.get(address.removeprefix("http://testserver")).json()
        seen += [row["id"] for row in told["results"]]
        address = told["next"]
    assert len(seen) == len(set(seen)) == 10
