"""POST leads/ and leads/batch/: what comes in, and what is refused without a trace."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.handoff.models import Handoff
from funnel.leads.models import Consent, Lead, Source
from funnel.outbox.models import Event
from marketing.campaigns.models import Campaign, Placement

FULL = {
    "email": "Ann@Bell.example",
    "phone": "020 7946 0018",
    "name": "Ann Bell",
    "company": "Bell & Sons",
    "external_id": "42",
    "external_system": "shop",
    "source": {"channel": "Paid search", "campaign": "Spring", "placement": "top"},
    "occurred_at": "2026-03-01T09:30:00+01:00",
    "consent": {"email": True, "text": "Yes, write to me."},
    "fields": {},
    "handover": True,
}


@pytest.mark.postgres
def test_a_new_lead_and_all_that_is_written_with_it_are_one_statement(owner, api):
    sender, words = api(owner), {"name": "Ann Bell", "external_system": "shop", "source": FULL["source"]}
    sender.post("leads/", words | {"email": "ann@bell.example", "external_id": "1"})
    with CaptureQueriesContext(connection) as seen:
        answer = sender.post("leads/", words | {"email": "bea@bell.example", "external_id": "2"})
    assert answer.status_code == 201
    written = [row["sql"] for row in seen.captured_queries if "INSERT INTO" in row["sql"]]
    assert len(written) == 1
    tables = ("funnel_lead", "funnel_leadkey", "funnel_event", "funnel_effect")
    assert all(f'INSERT INTO "{table}"' in written[0] for table in tables)


def test_a_new_lead_is_201_with_everything_that_is_known(owner, api, gate):
    answer = api(owner).post("leads/", FULL)
    told = answer.json()
    assert (answer.status_code, answer["ETag"]) == (201, '"1"')
    assert set(told) == {
        "id", "stage", "email", "phone", "name", "company", "external_id", "external_system", "source", "fit",
        "engagement", "band", "holder", "handoff", "fields", "received_at", "created_at", "updated_at", "cool_until",
        "way_back", "waits_since", "customer_since", "version",
    }  # fmt: skip
    assert told["stage"] == "new"
    assert told["phone"] == "+442079460018"
    assert told["source"] == {"channel": "Paid search", "campaign": "Spring", "placement": "top"}
    assert told["received_at"] == "2026-03-01T08:30:00Z"
    assert [told[name] for name in ("fit", "engagement", "band", "holder", "handoff")] == [None] * 5
    with gate(owner):
        assert Consent.objects.get().text == "Yes, write to me."
        event = Event.objects.get(kind="received")
        assert (str(event.lead_id), event.actor) == (told["id"], owner)


def test_the_same_person_again_is_200_and_overwritten_but_never_with_a_blank(owner, api, gate):
    first = api(owner).post("leads/", FULL).json()
    again = api(owner).post("leads/", {"email": "ann+news@bell.example", "name": "Ann Bell-Ray", "company": ""})
    told = again.json()
    assert (again.status_code, told["id"], told["version"]) == (200, first["id"], 2)
    assert (told["name"], told["company"], told["phone"]) == ("Ann Bell-Ray", "Bell & Sons", "+442079460018")
    assert told["source"] == first["source"]


def test_the_same_sent_again_with_its_date_is_told_once(owner, api, gate, work):
    keyed, sent = api(owner), {name: value for name, value in FULL.items() if name != "consent"}
    first = keyed.post("leads/", sent).json()
    work()
    before = keyed.get(f"leads/{first['id']}/").json(), keyed.get("events/").json()
    assert keyed.post("leads/", sent).status_code == 200
    assert keyed.post("leads/batch/", {"leads": [sent]}).json()["results"] == [{"status": 200, "id": first["id"]}]
    work()
    assert (keyed.get(f"leads/{first['id']}/").json(), keyed.get("events/").json()) == before
    for other in ({"occurred_at": "2026-03-02T09:30:00+01:00"}, {"source": {"channel": "Radio"}}, {"name": "Ann Ray"}):
        assert keyed.post("leads/", sent | other).status_code == 200
    with gate(owner):
        assert Event.objects.filter(kind="received").count() == 4


def test_a_rep_s_key_fills_blanks_and_does_not_overwrite(lead, rep, api):
    told = api(rep).post("leads/", {"email": lead.email, "name": "Somebody Else", "external_id": "7"}).json()
    assert (told["name"], told["external_id"]) == ("Ann Bell", "7")


def test_the_worker_scores_the_fit_and_being_received_gives_no_points(owner, api, work):
    pk = api(owner).post("leads/", FULL).json()["id"]
    work()
    told = api(owner).get(f"leads/{pk}/").json()
    assert (isinstance(told["fit"], int), told["engagement"]) == (True, 0)
    assert told["band"][0] in "ABCD"
    assert told["band"][1] == "1"
    assert (told["handoff"], told["stage"]) == (None, "nurturing")


def test_a_source_is_matched_without_case_and_a_new_one_appears_for_marketing(owner, api, gate, work):
    for names in (("Radio", "Spring"), ("RADIO", "spring"), ("radio", "SPRING")):
        source = dict(zip(("channel", "campaign"), names, strict=True))
        told = api(owner).post("leads/", {"email": "a@b.example", "source": source}).json()
        assert told["source"] == {"channel": "Radio", "campaign": "Spring", "placement": ""}
    work()
    with gate(owner):
        assert Source.objects.count() == 1
        assert Campaign.objects.get().is_new
        assert Placement.objects.get().channel.key == "radio"


def test_without_a_source_it_is_unknown(owner, api):
    assert api(owner).post("leads/", {"email": "a@b.example"}).json()["source"]["channel"] == "unknown"


@pytest.mark.parametrize("consent", [{"email": False}, {"email": False, "text": "Write to me"}, {}, None])
def test_no_consent_writes_none(consent, owner, api, gate):
    assert api(owner).post("leads/", {"email": "a@b.example", "consent": consent}).status_code == 201
    with gate(owner):
        assert not Consent.objects.exists()


def test_own_fields_are_kept_by_their_kind(owner, api):
    keyed = api(owner)
    for body in (
        {"name": "staff", "kind": "number"},
        {"name": "since", "kind": "date"},
        {"name": "solar", "kind": "yes_no"},
        {"name": "plan", "kind": "choice", "choices": ["Small", "Big"]},
        {"name": "motto"},
    ):
        assert keyed.post("fields/", body).status_code == 201
    fields = {"staff": 25, "since": "2024-02-29", "solar": True, "plan": "small", "motto": "Ever on"}
    told = keyed.post("leads/", {"email": "a@b.example", "fields": fields}).json()
    assert told["fields"] == {**fields, "staff": "25", "plan": "Small"}
    assert [one["name"] for one in keyed.get("fields/").json()["results"]] == list(fields)
    answer = keyed.post("fields/", {"name": "STAFF"})
    assert (answer.status_code, answer.json()["field"]) == (409, "name")
    for body, field in (
        ({"name": "a b"}, "name"),
        ({"name": "x", "kind": "money"}, "kind"),
        ({"name": "x", "choices": ["A", "B"]}, "choices"),
        ({"name": "x", "kind": "choice"}, "choices"),
    ):
        answer = keyed.post("fields/", body)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def bad(**body):
    return {"email": "a@b.example", **body}


REFUSED = {
    "no way to know them": ({"name": "Ann"}, "email"),
    "an unknown name": (bad(tenant_id="x"), "tenant_id"),
    "a stage": (bad(stage="customer"), "stage"),
    "a holder": (bad(holder="olga@first.example"), "holder"),
    "a score": (bad(fit=99), "fit"),
    "an unknown field": (bad(fields={"size": 1}), "fields.size"),
    "fields as a list": (bad(fields=[1]), "fields"),
    "a number as a name": (bad(name=5), "name"),
    "an object as an e-mail": ({"email": {"a": 1}}, "email"),
    "a long name": (bad(name="x" * 201), "name"),
    "a header in the e-mail": ({"email": "a@x.com\nBcc: b@x.com"}, "email"),
    "a@localhost": ({"email": "a@localhost"}, "email"),
    "an address literal": ({"email": "a@[127.0.0.1]"}, "email"),
    "a long local part": ({"email": "a" * 65 + "@x.com"}, "email"),
    "a zero-width space": ({"email": "a\u200bb@x.com"}, "email"),
    "letters as a phone": (bad(phone="call me"), "phone"),
    "a phone of three digits": (bad(phone="123"), "phone"),
    "a moment without offset": (bad(occurred_at="2026-03-01T09:30:00"), "occurred_at"),
    "a day as a moment": (bad(occurred_at="2026-03-01"), "occurred_at"),
    "second 60": (bad(occurred_at="2026-03-01T09:30:60Z"), "occurred_at"),
    "30 February": (bad(occurred_at="2026-02-30T09:30:00Z"), "occurred_at"),
    "year 1 in the east": (bad(occurred_at="0001-01-01T00:00:00+14:00"), "occurred_at"),
    "year 9999 in the west": (bad(occurred_at="9999-12-31T23:59:59-12:00"), "occurred_at"),
    "a number as a moment": (bad(occurred_at=1700000000), "occurred_at"),
    "a day ahead": (
        bad(occurred_at=(datetime.now(UTC) + timedelta(days=1)).isoformat()),
        "occurred_at",
    ),
    "consent without its text": (bad(consent={"email": True}), "consent.text"),
    "consent by word": (bad(consent={"email": "yes", "text": "T"}), "consent.email"),
    "consent to something else": (bad(consent={"sms": True}), "consent.sms"),
    "an unknown name in the source": (bad(source={"medium": "x"}), "source.medium"),
    "a source as a text": (bad(source="radio"), "source"),
    "a long campaign": (bad(source={"campaign": "x" * 121}), "source.campaign"),
    "handover by word": (bad(handover="no"), "handover"),
}


@pytest.mark.parametrize(("body", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_what_can_t_be_taken_is_400_naming_the_field_and_nothing_is_stored(body, field, owner, api, gate):
    answer = api(owner).post("leads/", body)
    told = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert list(told["errors"]) == [field]
    assert (told["status"], told["title"]) == (400, "Bad Request")
    with gate(owner):
        assert not Lead.objects.exists()
        assert not Source.objects.exists()
        assert not Event.objects.exclude(kind__in=["workspace_started", "week_planned"]).exists()


RAW = {
    "NUL": (b'{"email": "a@b.example", "name": "a\\u0000"}', {}, 400),
    "half a surrogate": (b'{"email": "a@b.example", "fields": {"a": "\\ud800"}}', {}, 400),
    "too deep": (b'{"fields": ' + b"[" * 2000 + b"]" * 2000 + b"}", {}, 400),
    "far too deep": (b'{"fields": ' + b'{"a":' * 100_000, {}, 400),
    "a name twice": (b'{"email": "a@b.example", "email": "b@b.example"}', {}, 400),
    "a list": (b'[{"email": "a@b.example"}]', {}, 400),
    "nothing": (b"", {}, 400),
    "plain text": (b"hello", {"content_type": "text/plain"}, 415),
    "XML": (b"<a/>", {"content_type": "application/xml"}, 415),
    "a form": (b"email=a%40b.example", {"content_type": "application/x-www-form-urlencoded"}, 415),
    "a multipart form": (b"--x\r\n", {"content_type": "multipart/form-data; boundary=x"}, 415),
    "no type": (b'{"email": "a@b.example"}', {"content_type": ""}, 415),
    "an unknown charset": (b"{}", {"content_type": "application/json; charset=klingon"}, 415),
    "latin-1": (b"{}", {"content_type": "application/json; charset=latin-1"}, 415),
    "UTF-16": ('{"email": "a@b.example"}'.encode("utf-16"), {}, 400),
    "11 MB": (b'{"name": "' + b"x" * 11_000_000 + b'"}', {}, 413),
}


@pytest.mark.parametrize(("body", "extra", "status"), RAW.values(), ids=RAW.keys())
def test_a_body_that_is_none_is_a_problem_and_never_a_500(body, extra, status, owner, api, gate):
    for path in ("leads/", "leads/batch/"):
        answer = api(owner).post(path, body, **extra)
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    with gate(owner):
        assert not Lead.objects.exists()


def test_utf_8_may_be_said(owner, api):
    answer = api(owner).post("leads/", b'{"email": "a@b.example"}', content_type="application/json; charset=UTF-8")
    assert answer.status_code == 201


def test_a_phone_of_ten_thousand_digits_is_refused(owner, api):
    assert list(api(owner).post("leads/", bad(phone="0" * 10_000)).json()["errors"]) == ["phone"]


def test_strange_letters_are_kept(owner, api):
    for name in ("\u202egnp.exe", "👩‍👩‍👧‍👦" * 20, "Z" + "\u0301" * 150, "{{7*7}}", "=cmd|' /C calc'!A0"):
        told = api(owner).post("leads/", {"email": "a@b.example", "name": name}).json()
        assert told["name"] == name


def test_variants_of_an_address_are_one_person_and_a_lookalike_is_another(owner, api):
    keyed = api(owner)
    first = keyed.post("leads/", {"email": "j.doe@gmail.com"}).json()
    for same in ("JDOE@gmail.com", "j.d.o.e+x@googlemail.com"):
        assert keyed.post("leads/", {"email": same}).json()["id"] == first["id"]
    other = keyed.post("leads/", {"email": "j.doe@gmаil.com"})
    assert other.status_code == 201
    assert other.json()["email"].endswith("@xn--gmil-63d.com")


def test_handover_false_keeps_a_capture_from_opening_a_handoff(owner, rep, api, gate, work):
    keyed = api(owner)
    body = {"email": "a@b.example", "phone": "020 7946 0018", "name": "Ann", "company": "Bell"}
    pk = keyed.post("leads/", body).json()["id"]
    for _ in range(3):
        keyed.post(f"leads/{pk}/touches/", {"kind": "form", "occurred_at": "2026-01-01T10:00:00Z"})
    work()
    with gate(owner):
        Lead.objects.filter(pk=pk).update(stage="nurturing", waits_since="2026-01-01T10:00:00Z")
    keyed.post("leads/", {**body, "handover": False})
    work()
    told = keyed.get(f"leads/{pk}/").json()
    assert (told["handoff"], told["waits_since"]) == (None, "2026-01-01T10:00:00Z")
    keyed.post("leads/", body)
    work()
    told = keyed.get(f"leads/{pk}/").json()
    assert (told["stage"], told["handoff"]["offered_to"], told["handoff"]["outcome"]) == ("ready", rep.email, None)


def test_a_batch_answers_each_in_order_and_takes_the_good_ones(owner, api, gate, work):
    sent = [
        {"email": "one@b.example"},
        {"email": "nonsense"},
        "a text",
        {"email": "one@b.example", "name": "Again"},
        {"email": "two@b.example", "stage": "won"},
        {"email": "three@b.example", "handover": True},
    ]
    answer = api(owner).post("leads/batch/", {"leads": sent})
    results = answer.json()["results"]
    assert answer.status_code == 207
    assert [one["status"] for one in results] == [201, 400, 400, 200, 400, 201]
    assert results[0]["id"] == results[3]["id"]
    assert list(results[1]["problem"]["errors"]) == ["email"]
    assert list(results[4]["problem"]["errors"]) == ["stage"]
    work()
    with gate(owner):
        assert sorted(Lead.objects.values_list("email", flat=True)) == ["one@b.example", "three@b.example"]
        assert not Handoff.objects.exists()
    assert isinstance(api(owner).get(f"leads/{results[0]['id']}/").json()["fit"], int)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"leads": [{}] * 1001}, 413),
        ({"leads": {}}, 400),
        ({}, 400),
        ({"leads": [], "x": 1}, 400),
        ({"leads": []}, 207),
    ],
)
def test_a_batch_is_a_list_of_up_to_a_thousand(body, status, owner, api):
    assert api(owner).post("leads/batch/", body).status_code == status


def test_a_thousand_at_once_take_few_queries(owner, api, gate, django_assert_max_num_queries):
    keyed = api(owner)
    keyed.get("stages/")
    leads = [{"email": f"p{n}@b{n % 50}.example", "name": f"P {n}", "external_id": n} for n in range(1000)]
    with django_assert_max_num_queries(60):
        answer = keyed.post("leads/batch/", {"leads": leads})
    assert {one["status"] for one in answer.json()["results"]} == {201}
    with gate(owner):
        assert Lead.objects.count() == 1000
