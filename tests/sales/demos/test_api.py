"""Demos over the API: booked once, listed, moved, held, missed, cancelled."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.mail.models import Message
from funnel.outbox.models import Event
from sales.demos.models import Demo
from tests.sales.demos.conftest import HALF, slot

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead(catch, owner):
    return catch(owner, external_id="A-1", external_system="maven")


@pytest.fixture
def body(lead, rep, gate):
    with gate(rep) as at:
        starts = slot(rep, at).astimezone(UTC)
    return {
        "lead": str(lead.pk),
        "holder": rep.email,
        "starts_at": starts.isoformat(),
        "ends_at": (starts + HALF).isoformat(),
        "place": "https://meet.example/roof",
    }


def test_a_demo_is_kept_as_it_was_sent_and_its_lead_goes_to_demo(lead, owner, rep, api, body):
    keyed = api(owner)
    answer = keyed.post("demos/", body)
    told = answer.json()
    assert (answer.status_code, answer["ETag"]) == (201, '"1"')
    assert (told["lead"], told["holder"], told["place"], told["state"]) == (
        str(lead.pk), rep.email, "https://meet.example/roof", "booked"
    )  # fmt: skip
    assert told["starts_at"] == body["starts_at"].replace("+00:00", "Z")
    assert keyed.get(f"demos/{told['id']}/").json() == told
    assert keyed.get("demos/").json() == {"results": [told], "next": None}
    of_lead = keyed.get(f"leads/{lead.pk}/").json()
    assert (of_lead["stage"], of_lead["holder"]) == ("demo", rep.email)
    assert keyed.get(f"deals/{told['deal']}/").json()["stage"] == "demo"


def test_an_overlap_is_409_with_a_sentence_and_leaves_nothing(owner, rep, api, body, catch, gate):
    keyed = api(owner)
    keyed.post("demos/", body)
    other = catch(owner, "Ben Bell")
    late = keyed.post("demos/", body | {"lead": str(other.pk)})
    assert late.status_code == 409
    assert late.json()["detail"].startswith("Rita Rep has another demo at that time: ")
    assert late.json()["field"] == "starts_at"
    with gate(owner):
        assert Demo.objects.count() == 1
    assert keyed.get(f"leads/{other.pk}/").json()["stage"] == "new"
    after = keyed.post("demos/", body | {"lead": str(other.pk), "starts_at": body["ends_at"], "ends_at": _later(body)})
    assert after.status_code == 201, "one may begin as another ends"
    assert keyed.patch(f"demos/{after.json()['id']}/", {"starts_at": body["starts_at"]}).status_code == 409


def _later(body):
    from datetime import datetime

    return (datetime.fromisoformat(body["ends_at"]) + HALF).isoformat()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lead": None}, "lead"), ({"starts_at": None}, "starts_at"), ({"starts_at": "2026-03-29T02:30"}, "starts_at"),
        ({"starts_at": "2026-10-25T02:30:00"}, "starts_at"), ({"starts_at": "0000-01-01T00:00:00Z"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:59-12:00"}, "starts_at"), ({"starts_at": "2027-02-30T10:00:00Z"}, "starts_at"),
        ({"starts_at": "2027-02-20T10:00:60Z"}, "starts_at"), ({"ends_at": "2026-01-01T10:00:00Z"}, "ends_at"),
        ({"zone": "Mars/Olympus"}, "zone"), ({"holder": "nobody@x.example"}, "holder"), ({"state": "held"}, "state"),
        ({"place": "x" * 301}, "place"), ({"length": 30}, "length"), ({"place": "a\u0000b"}, None),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_and_nothing_is_kept(owner, api, body, gate, wrong, field):
    answer = api(owner).post("demos/", body | wrong)
    assert answer.status_code == 400
    assert field is None or field in answer.json()["errors"]
    with gate(owner):
        assert not Demo.objects.exists()


def test_an_end_that_is_the_beginning_is_400(owner, api, body):
    answer = api(owner).post("demos/", body | {"ends_at": body["starts_at"]})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["ends_at"])


def test_what_has_been_is_told_with_its_dates_and_writes_to_nobody(owner, rep, api, body, gate, work):
    keyed = api(owner)
    times = {"starts_at": "2025-03-03T10:00:00+01:00", "ends_at": "2025-03-03T11:00:00+01:00"}
    made = keyed.post("demos/", body | times).json()
    held = keyed.post(f"demos/{made['id']}/held/", {"note": "Wants a battery"})
    assert (held.status_code, held.json()["state"], held.json()["note"]) == (200, "held", "Wants a battery")
    again = keyed.post(f"demos/{made['id']}/held/", {"note": "Wants a battery"})
    assert (again.status_code, again.json()["version"]) == (200, held.json()["version"])
    work()
    with gate(owner):
        told = Event.objects.filter(kind__in=["demo_booked", "demo_held", "deal_opened"])
        assert {f"{one.occurred_at:%Y-%m-%d %H:%M}" for one in told} == {"2025-03-03 09:00"}
        assert not Message.objects.filter(kind__startswith="demo").exists()


def test_a_demo_is_moved_cancelled_and_missed_by_its_verbs(owner, rep, other_rep, api, body):
    keyed = api(owner)
    made = keyed.post("demos/", body).json()
    one = f"demos/{made['id']}/"
    assert keyed.post(f"{one}held/").status_code == 409, "it has not begun"
    moved = keyed.patch(one, {"starts_at": body["ends_at"], "holder": other_rep.email}, headers={"If-Match": '"1"'})
    assert moved.json()["ends_at"] == _later(body).replace("+00:00", "Z"), "it stays as long as it was"
    assert (moved.json()["holder"], moved.json()["sequence"]) == (other_rep.email, 1)
    assert keyed.patch(one, {"place": "Here"}, headers={"If-Match": '"1"'}).status_code == 412
    off = keyed.post(f"{one}cancel/", {"reason": "They asked"})
    assert (off.json()["state"], off.json()["reason"], off.json()["sequence"]) == ("cancelled", "They asked", 2)
    assert keyed.post(f"{one}cancel/").status_code == 200
    assert keyed.post(f"{one}no-show/").status_code == 409
    assert keyed.patch(one, {"place": "There"}).status_code == 409
    past = keyed.post("demos/", body | {"starts_at": "2025-03-03T10:00:00Z", "ends_at": "2025-03-03T11:00:00Z"}).json()
    assert keyed.post(f"demos/{past['id']}/no-show/").json()["state"] == "missed"
    assert [one["state"] for one in keyed.get("demos/?state=missed").json()["results"]] == ["missed"]
    assert keyed.get(f"demos/?lead={made['lead']}&holder={rep.email}").json()["results"][0]["id"] == past["id"]
    assert keyed.get("demos/?from=2026-01-01T00:00:00Z").json()["results"][0]["id"] == made["id"]
    assert keyed.get("demos/?state=maybe&from=soon&lead=x").json()["errors"].keys() == {"state", "from", "lead"}


def test_a_rep_books_for_themselves_and_a_marketer_reads(rep, other_rep, marketer, api, body):
    mine = api(rep).post("demos/", {name: body[name] for name in ("lead", "starts_at", "ends_at")})
    assert (mine.status_code, mine.json()["holder"]) == (201, rep.email)
    refused = api(other_rep).patch(f"demos/{mine.json()['id']}/", {"place": "Here"})
    assert (refused.status_code, refused.json()["detail"]) == (403, "This demo is with Rita Rep.")
    assert api(other_rep).post("demos/", body).status_code == 403
    assert api(marketer).get("demos/").status_code == 200
    assert api(marketer).post("demos/", body).status_code == 403


def test_the_list_costs_the_same_for_one_and_for_ten(owner, rep, demo_of, api):
    keyed = api(owner)
    demo_of(rep, "Lead 0", hour=9)
    keyed.get("demos/")
    with CaptureQueriesContext(connection) as few:
        keyed.get("demos/")
    for n in range(10):
        demo_of(rep, f"Lead {n + 1}", hour=10 + n % 5, days=10 + 7 * (n // 5))
    with CaptureQueriesContext(connection) as many:
        page = keyed.get("demos/?page_size=4").json()
    assert len(many) <= len(few)
    shown = [one["id"] for one in page["results"]]
    while page["next"]:
        page = keyed.get(page["next"].partition("/api/v1/")[2]).json()
        shown += [one["id"] for one in page["results"]]
    assert len(shown) == len(set(shown)) == 11


def test_half_an_hour_stays_half_an_hour_on_the_day_the_clocks_change(owner, api, body):
    """Europe/London: on 28 March 2027 it is 02:00 right after 00:59:59; the offset says which moment is meant."""
    times = {"starts_at": "2027-03-28T00:45:00+00:00", "ends_at": "2027-03-28T02:15:00+01:00"}
    made = api(owner).post("demos/", body | times).json()
    assert (made["starts_at"], made["ends_at"]) == ("2027-03-28T00:45:00Z", "2027-03-28T01:15:00Z")
    moved = api(owner).patch(f"demos/{made['id']}/", {"starts_at": "2027-10-31T01:45:00+01:00"}).json()
    assert (moved["starts_at"], moved["ends_at"]) == ("2027-10-31T00:45:00Z", "2027-10-31T01:15:00Z")
    assert timedelta(minutes=30) == HALF
