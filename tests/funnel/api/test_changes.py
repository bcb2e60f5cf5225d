"""One lead over the API: change it, record touches, take it, give it back, take an entry back."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.outbox.models import Event


def told_of(gate, member, pk):
    """The lead's row as the database has it."""
    with gate(member):
        return Lead.objects.filter(pk=pk).values().get()


def test_a_change_overwrites_what_is_sent_and_the_version_grows(lead, owner, api, gate):
    answer = api(owner).patch(f"leads/{lead.pk}/", {"name": "Ann Ray", "company": "", "email": None})
    told = answer.json()
    assert (answer.status_code, answer["ETag"], told["version"]) == (200, '"2"', 2)
    assert (told["name"], told["company"], told["email"]) == ("Ann Ray", "Bell", "ann@bell.example")
    with gate(owner):
        assert Event.objects.get(kind="edited").actor == owner
    assert api(owner).patch(f"leads/{lead.pk}/", {"name": "Ann Ray"}).json()["version"] == 2


def test_a_stale_change_is_412_and_changes_nothing(lead, owner, api, gate):
    keyed = api(owner)
    tag = keyed.get(f"leads/{lead.pk}/")["ETag"]
    assert keyed.patch(f"leads/{lead.pk}/", {"name": "One"}, HTTP_IF_MATCH=tag).status_code == 200
    before = told_of(gate, owner, lead.pk)
    for stale in (tag, '"99"', "nonsense", 'W/"1"'):
        answer = keyed.patch(f"leads/{lead.pk}/", {"name": "Two"}, HTTP_IF_MATCH=stale)
        assert (answer.status_code, answer.json()["version"]) == (412, 2)
    assert told_of(gate, owner, lead.pk) == before
    for fresh in ('"2"', "*", '"1", "2"'):
        assert keyed.patch(f"leads/{lead.pk}/", {"name": "One"}, HTTP_IF_MATCH=fresh).status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"stage": "customer"}, "stage", "accept/"),
        ({"holder": None}, "holder", "accept/"),
        ({"version": 7}, "version", "itself"),
        ({"workspace_id": "x"}, "workspace_id", "no field"),
        ({"source": {"channel": "radio"}}, "source", "touch"),
        ({"email": "nonsense"}, "email", "e-mail"),
        ({"phone": 7}, "phone", "text"),
        ({"fields": {"size": 1}}, "fields.size", "no field"),
    ],
)
def test_what_can_t_be_changed_is_400_naming_it(body, field, says, lead, owner, api, gate):
    before = told_of(gate, owner, lead.pk)
    answer = api(owner).patch(f"leads/{lead.pk}/", {"name": "Changed", **body})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert says in answer.json()["errors"][field]
    assert told_of(gate, owner, lead.pk) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "BOB@ray.example", "name": "X"}, "email"),
        ({"external_id": "7", "external_system": "shop"}, "external_id"),
    ],
)
def test_another_lead_s_key_is_409_with_the_field_and_that_lead(body, field, lead, owner, api, gate, catch):
    other = catch(owner, email="bob@ray.example", external_id="7", external_system="shop")
    before = told_of(gate, owner, lead.pk)
    answer = api(owner).patch(f"leads/{lead.pk}/", body)
    told = answer.json()
    assert (answer.status_code, told["field"], told["lead"]) == (409, field, str(other.pk))
    assert told_of(gate, owner, lead.pk) == before


def test_a_rep_changes_only_what_they_hold_or_are_offered(lead, rep, other_rep, api, gate, catch):
    with gate(rep) as at:
        Lead.objects.get(pk=lead.pk).move("working", at=at, holder=other_rep)
    for path, body in (("", {"name": "X"}), ("touches/", {"kind": "visit"}), ("disqualify/", {})):
        send = api(rep).post if path else api(rep).patch
        assert send(f"leads/{lead.pk}/{path}", body).status_code == 403
        assert api(rep).get(f"leads/{lead.pk}/").status_code == 200
        mine = catch(rep, email="mine@b.example", name="Mine")
        with gate(rep) as at:
            Lead.objects.get(pk=mine.pk).move("working", at=at, holder=rep)
        assert send(f"leads/{mine.pk}/{path}", body).status_code < 300


def test_touches_of_known_and_unknown_kinds_are_kept_and_score_by_the_rules(lead, owner, api, work):
    keyed = api(owner)
    past = (datetime.now(UTC) - timedelta(days=14)).isoformat()
    kinds = (
        "form", "page_view", "email_open", "email_click", "call", "call_made", "meeting", "note", "visit",
        "promo_event", "solar.quote-seen",
    )  # fmt: skip
    for kind in kinds:
        body = {"kind": kind, "occurred_at": past, "source": {"channel": "Radio"}, "data": {"page": "/prices"}}
        answer = keyed.post(f"leads/{lead.pk}/touches/", body)
        told = answer.json()
        assert (answer.status_code, told["kind"], told["actor"]) == (201, kind, owner.email)
        assert told["source"] == {"channel": "Radio", "campaign": "", "placement": ""}
        assert told["data"] == {"page": "/prices"}
    work()
    told = keyed.get(f"leads/{lead.pk}/").json()
    assert told["engagement"] > 0
    assert told["handoff"] is None
    assert told["source"]["channel"] == "Radio"
    assert told["received_at"][:10] == past[:10]


def test_asking_for_contact_is_handed_over(lead, owner, rep, api, work):
    keyed = api(owner)
    keyed.post(f"leads/{lead.pk}/touches/", {"kind": "contact_request"})
    work()
    told = keyed.get(f"leads/{lead.pk}/").json()
    assert (told["stage"], told["handoff"]["offered_to"]) == ("ready", rep.email)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": "moved"}, "kind"),
        ({"kind": "handoff_accepted"}, "kind"),
        ({"kind": "a b"}, "kind"),
        ({"kind": "x" * 41}, "kind"),
        ({"kind": 5}, "kind"),
        ({"kind": "visit", "occurred_at": "2200-01-01T00:00:00Z"}, "occurred_at"),
        ({"kind": "visit", "occurred_at": "2026-01-01"}, "occurred_at"),
        ({"kind": "visit", "points": 100}, "points"),
        ({"kind": "visit", "data": []}, "data"),
        ({"kind": "visit", "data": {"asks": True}}, "data.asks"),
        ({"kind": "visit", "source": {"channel": "x" * 81}}, "source.channel"),
    ],
)
def test_a_touch_that_can_t_be_is_400_and_leaves_nothing(body, field, lead, owner, api, gate):
    with gate(owner):
        before = Event.objects.count()
    answer = api(owner).post(f"leads/{lead.pk}/touches/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    with gate(owner):
        assert Event.objects.count() == before


def test_a_rep_takes_what_is_offered_and_may_say_it_twice(offered, rep, api):
    keyed = api(rep)
    for _ in range(2):
        answer = keyed.post(f"leads/{offered.pk}/accept/", "")
        told = answer.json()
        assert (answer.status_code, told["stage"], told["holder"]) == (200, "working", rep.email)
        assert told["handoff"]["outcome"] == "accepted"


def test_who_comes_late_gets_409_and_hears_who_holds_it(offered, rep, other_rep, manager, api, gate):
    assert api(other_rep).post(f"leads/{offered.pk}/accept/", {}).status_code == 403
    api(rep).post(f"leads/{offered.pk}/accept/", {})
    before = told_of(gate, rep, offered.pk)
    for late in (other_rep, manager):
        answer = api(late).post(f"leads/{offered.pk}/accept/", {})
        assert (answer.status_code, rep.name in answer.json()["detail"]) == (409, True)
    assert told_of(gate, rep, offered.pk) == before


def test_what_was_not_handed_over_can_t_be_taken(lead, rep, owner, api):
    for who in (rep, owner):
        answer = api(who).post(f"leads/{lead.pk}/accept/", {})
        assert (answer.status_code, "not been handed over" in answer.json()["detail"]) == (409, True)


def test_owner_and_manager_may_name_who_takes_it_and_a_rep_may_not(offered, rep, other_rep, manager, viewer, api):
    path = f"leads/{offered.pk}/accept/"
    assert api(rep).post(path, {"member": other_rep.email}).status_code == 403
    assert api(manager).post(path, {"member": viewer.email}).status_code == 403
    answer = api(manager).post(path, {"member": "nobody@x.example"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["member"])
    told = api(manager).post(path, {"member": other_rep.email.upper()}).json()
    assert (told["holder"], told["stage"]) == (other_rep.email, "working")
    assert api(manager).post(path, {"member": other_rep.email}).status_code == 200


@pytest.mark.parametrize("reason", ["no-answer", "NO-ANSWER", "could not reach THEM"])
def test_giving_back_names_a_reason_and_cools_the_lead(reason, offered, rep, api):
    answer = api(rep).post(f"leads/{offered.pk}/return/", {"reason": reason, "note": "Three times"})
    told = answer.json()
    assert (answer.status_code, told["stage"], told["holder"]) == (200, "nurturing", None)
    assert told["handoff"]["outcome"] == "given_back"
    assert told["cool_until"] > datetime.now(UTC).isoformat()


def test_a_taken_lead_can_be_given_back_and_the_outcome_stays_accepted(offered, rep, api):
    keyed = api(rep)
    keyed.post(f"leads/{offered.pk}/accept/", {})
    told = keyed.post(f"leads/{offered.pk}/return/", {"reason": "not-a-fit"}).json()
    assert (told["stage"], told["handoff"]["outcome"]) == ("disqualified", "accepted")
    assert keyed.post(f"leads/{offered.pk}/return/", {"reason": "not-a-fit"}).status_code == 409


def test_a_promised_day_begins_with_its_first_working_hour(offered, rep, api, work):
    keyed, workspace = api(rep), rep.workspace
    day = datetime.now(workspace.zone).date() + timedelta(days=10)
    while day.weekday() > 4:
        day += timedelta(days=1)
    told = keyed.post(f"leads/{offered.pk}/return/", {"reason": "not-now", "until": day.isoformat()}).json()
    begins = datetime.fromisoformat(told["cool_until"]).astimezone(workspace.zone)
    assert (begins.date(), begins.hour) == (day, 9)
    work(begins + timedelta(seconds=1))
    assert keyed.get(f"leads/{offered.pk}/").json()["stage"] == "ready"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "because"}, "reason"),
        ({}, "reason"),
        ({"reason": "not-now", "until": "2020-01-01"}, "until"),
        ({"reason": "not-now", "until": "2030-01-01T10:00:00"}, "until"),
        ({"reason": "not-now", "until": "soon"}, "until"),
        ({"reason": "not-now"}, "until"),
        ({"reason": "not-a-fit", "until": "2028-01-01"}, "until"),
        ({"reason": "no-answer", "member": "x"}, "member"),
        ({"reason": "no-answer", "note": 7}, "note"),
    ],
)
def test_a_return_that_can_t_be_is_400_and_the_offer_stays(body, field, offered, rep, api, gate):
    answer = api(rep).post(f"leads/{offered.pk}/return/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    with gate(rep):
        assert Handoff.objects.get().is_open


def test_not_a_lead_is_set_aside_and_its_offer_ends(offered, rep, api):
    told = api(rep).post(f"leads/{offered.pk}/disqualify/", {"reason": "spam"}).json()
    assert (told["stage"], told["handoff"]["outcome"]) == ("disqualified", "overtaken")


def test_an_entry_taken_back_is_summed_again_and_stays_readable(lead, owner, api, work):
    keyed = api(owner)
    touch = keyed.post(f"leads/{lead.pk}/touches/", {"kind": "form"}).json()
    work()
    assert keyed.get(f"leads/{lead.pk}/").json()["engagement"] > 0
    made = keyed.post(f"events/{touch['id']}/void/", {"reason": "a test"})
    assert (made.status_code, made.json()["voids"]) == (201, touch["id"])
    work()
    assert keyed.get(f"leads/{lead.pk}/").json()["engagement"] == 0
    events = {one["id"]: one for one in keyed.get(f"leads/{lead.pk}/events/").json()["results"]}
    assert events[touch["id"]]["voided_by"] == made.json()["id"]
    again = keyed.post(f"events/{touch['id']}/void/", {"reason": "a test"})
    own = next(one["id"] for one in events.values() if one["kind"] == "moved")
    assert again.status_code == keyed.post(f"events/{own}/void/", {"reason": "x"}).status_code == 409
    assert keyed.post(f"events/{touch['id']}/void/", {}).status_code == 400


def test_a_lead_that_never_was_is_404_in_every_case(owner, api):
    answer = api(owner).get(f"leads/{uuid.uuid4()}/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "data", [{"promise": ["A free check"]}, {"promise": {"a": 1}}, {"differs": "x"}, {"asks": True}]
)
def test_what_pages_and_cards_read_of_a_touch_is_not_taken_in_another_shape(lead, owner, api, gate, data):
    answer = api(owner).post(f"leads/{lead.pk}/touches/", {"kind": "page_view", "data": data})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [f"data.{next(iter(data))}"])
    with gate(owner):
        assert not Event.objects.filter(kind="page_view").exists()


@pytest.mark.parametrize("until", ["9999-12-31", "9999-12-31T23:30:00Z"])
def test_a_promise_too_far_away_is_400(offered, rep, api, gate, until):
    answer = api(rep).post(f"leads/{offered.pk}/return/", {"reason": "not-now", "until": until})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["until"])
    with gate(rep):
        assert Handoff.objects.get().is_open
