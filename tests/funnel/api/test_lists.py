"""Lists: filters, pages that lose nothing, and as many queries for ten rows as for one."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive


@pytest.fixture
def many(owner, gate):
    """Nine leads, three of each received at the same moment."""
    with gate(owner) as at:
        captures = [
            Capture(email=f"n{n}@b.example", name=f"Number {n}", occurred_at=at - timedelta(hours=n // 3))
            for n in range(9)
        ]
        return [one.lead for one in receive(owner.workspace, captures, at=at)]


def walk(keyed, path):
    """Every row by following `next`."""
    seen = []
    while path:
        told = keyed.get(path.removeprefix("http://testserver")).json()
        seen += [row.get("id") or row["email"] for row in told["results"]]
        path = told["next"]
    return seen


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 9, 10])
def test_pages_hold_every_row_once_whatever_their_size(size, many, owner, api):
    keyed = api(owner)
    seen = walk(keyed, f"leads/?page_size={size}")
    assert len(seen) == 9
    assert set(seen) == {str(lead.pk) for lead in many}
    assert seen == walk(keyed, "leads/")
    changed = walk(keyed, f"leads/?updated_since=2026-01-01T00:00:00Z&page_size={size}")
    assert set(changed) == set(seen)


def test_next_is_a_full_address_that_keeps_the_filters(many, owner, api):
    told = api(owner).get("leads/?q=number&page_size=2").json()
    assert told["next"].startswith("http://testserver/api/v1/leads/?")
    assert "q=number" in told["next"]
    assert api(owner).get("leads/?page_size=200").json()["next"] is None


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=", "cursor=%00", "cursor=cD1hYmM", "cursor=eyJhIjoxfQ:1a2b3c:sig", "cursor=" + "A" * 5000],
)
def test_a_cursor_that_baton_did_not_make_is_400(query, many, owner, api):
    answer = api(owner).get(f"leads/?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["cursor"])


def test_a_cursor_serves_only_its_own_list_and_business(many, owner, outsider, api):
    told = api(owner).get("leads/?page_size=2").json()
    cursor = told["next"].split("cursor=")[1].split("&")[0]
    assert api(owner).get(f"leads/?cursor={cursor}").status_code == 200
    assert api(outsider).get(f"leads/?cursor={cursor}").status_code == 400
    assert api(owner).get(f"sources/?cursor={cursor}").status_code == 400
    assert api(owner).get(f"leads/?q=number&cursor={cursor}").status_code == 400


@pytest.mark.parametrize("size", ["-1", "0", "201", "1000000000", "abc", "", "1.5", "١", "%00"])
def test_a_page_size_that_is_none_is_400(size, owner, api):
    answer = api(owner).get(f"leads/?page_size={size}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["page_size"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("stage=won", "stage"),
        ("holder=nobody@x.example", "holder"),
        ("email=nonsense", "email"),
        ("updated_since=yesterday", "updated_since"),
        ("updated_since=2026-01-01T00:00:00", "updated_since"),
        ("q=a%00b", "q"),
        ("q=" + "x" * 201, "q"),
        ("q=%ff", "q"),
        ("stage=new&stage=lost", "stage"),
        ("external_system=shop", "external_system"),
        ("workspace=1", "workspace"),
        ("holder__user__password=x", "holder__user__password"),
        ("_connector=OR", "_connector"),
        ("order_by=-search", "order_by"),
        ("filter=x", "filter"),
    ],
)
def test_a_filter_that_is_none_is_400_naming_it(query, field, many, owner, api):
    answer = api(owner).get(f"leads/?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_filters_find_what_they_say(owner, rep, api, gate, catch):
    keyed = api(owner)
    ann = keyed.post(
        "leads/", {"email": "ann@bell.example", "name": "Ann Bell", "external_id": "42", "external_system": "shop"}
    ).json()["id"]
    bob = keyed.post("leads/", {"email": "bob@ray.example", "name": "Bob", "external_id": "142"}).json()["id"]
    with gate(owner):
        Lead.objects.get(pk=bob).move("working", at=Lead.objects.get(pk=bob).created_at, holder=rep)

    def found(query):
        return [row["id"] for row in keyed.get(f"leads/?{query}").json()["results"]]

    assert found("stage=working") == found(f"holder={quote(rep.email)}") == [bob]
    assert found("holder=none") == found("stage=new") == [ann]
    assert found("email=ANN%2Bx@bell.example") == found("external_id=42") == [ann]
    assert found("external_id=42&external_system=shop") == [ann]
    assert found("external_id=42&external_system=crm") == []
    assert found("q=bell%20ann") == [ann]
    assert sorted(found("updated_since=2026-01-01T00:00:00Z")) == sorted([ann, bob])
    assert found("updated_since=2026-01-01T00:00:00+00:00") == found("updated_since=2026-01-01T00:00:00Z")
    assert found("updated_since=2200-01-01T00:00:00Z") == []
    assert keyed.get(f"leads/?holder={quote(rep.email)}").json()["results"][0]["holder"] == rep.email


@pytest.mark.parametrize("path", ["leads/", "leads/{lead}/events/", "members/", "sources/", "campaigns/", "fields/"])
def test_ten_rows_cost_no_more_queries_than_one(path, owner, rep, api, gate, work):
    keyed = api(owner)

    def fill(numbers):
        for n in numbers:
            source = {"channel": "radio", "campaign": f"C{n}"}
            lead = keyed.post("leads/", {"email": f"n{n}@b{n}.example", "source": source}).json()["id"]
            keyed.post(f"leads/{lead}/touches/", {"kind": "contact_request", "source": source})
            keyed.post(f"leads/{first or lead}/touches/", {"kind": "visit", "source": source})
            keyed.post("fields/", {"name": f"field{n}"})
        work()
        return lead

    def cost():
        with CaptureQueriesContext(connection) as spent:
            answer = keyed.get(path.format(lead=first))
        assert answer.status_code == 200
        real = [one for one in spent if "SAVEPOINT" not in one["sql"]]
        return len(real), len(answer.json()["results"])

    first = None
    first = fill([0])
    one, few = cost()
    fill(range(1, 10))
    ten, more = cost()
    assert path == "members/" or more > few
    assert ten <= one
    assert ten <= 6


def test_members_are_told_with_their_role(owner, rep, api):
    told = api(owner).get("members/").json()["results"]
    each = {"active": True, "weekly_leads": 10}
    assert told == [
        {"email": owner.email, "name": "Olga Owner", "role": "owner", "takes_leads": False, **each},
        {"email": rep.email, "name": "Rita Rep", "role": "rep", "takes_leads": True, **each},
    ]
