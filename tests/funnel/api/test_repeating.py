"""A repeated POST does its work once: Idempotency-Key."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from funnel.api.models import KeptAnswer
from funnel.leads.models import Lead
from funnel.outbox.models import Event
from tests.racing import race

KEY = {"HTTP_IDEMPOTENCY_KEY": "order-4711"}


def test_the_same_key_gets_the_first_answer_again(owner, api, gate):
    keyed, body = api(owner), {"email": "a@b.example"}
    first, again = keyed.post("leads/", body, **KEY), keyed.post("leads/", body, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")
    assert first["ETag"] == again["ETag"]
    with gate(owner):
        assert Event.objects.filter(kind="received").count() == 1


def test_the_same_key_with_another_body_is_422(owner, api, gate):
    keyed = api(owner)
    keyed.post("leads/", {"email": "a@b.example"}, **KEY)
    answer = keyed.post("leads/", {"email": "b@b.example"}, **KEY)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    with gate(owner):
        assert Lead.objects.count() == 1


def test_a_key_counts_per_route_and_per_api_key(owner, outsider, api, gate):
    body, keyed = {"email": "a@b.example"}, api(owner)
    one = keyed.post("leads/", body, **KEY)
    assert keyed.post("leads/batch/", {"leads": [body]}, **KEY).status_code == 207
    assert api(owner).post("leads/", body, **KEY).status_code == 200
    other = api(outsider).post("leads/", body, **KEY)
    assert other.status_code == 201
    assert other.json()["id"] != one.json()["id"]


def test_a_refused_request_leaves_its_key_free(owner, api):
    keyed = api(owner)
    assert keyed.post("leads/", {"email": "nonsense"}, **KEY).status_code == 400
    assert keyed.post("leads/", {"email": "a@b.example"}, **KEY).status_code == 201


def test_after_a_day_the_key_is_free_again(owner, api, gate):
    keyed, body = api(owner), {"email": "a@b.example"}
    keyed.post("leads/", body, **KEY)
    with gate(owner) as at:
        KeptAnswer.objects.update(at=at - timedelta(hours=23))
    assert keyed.post("leads/", body, **KEY).status_code == 201
    with gate(owner) as at:
        KeptAnswer.objects.update(at=at - timedelta(hours=25))
    assert keyed.post("leads/", body, **KEY).status_code == 200


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "é"])
def test_a_key_that_is_none_is_400(key, owner, api):
    answer = api(owner).post("leads/", {"email": "a@b.example"}, HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["Idempotency-Key"])


def test_a_touch_sent_twice_is_one_touch(lead, owner, api, gate):
    keyed = api(owner)
    for _ in range(3):
        assert keyed.post(f"leads/{lead.pk}/touches/", {"kind": "visit"}, **KEY).status_code == 201
    with gate(owner):
        assert Event.objects.filter(kind="visit").count() == 1


def race_for(owner, api, extra):
    """Fifty clients with one API key send the same touch at the same instant."""
    keyed = api(owner)
    lead = keyed.post("leads/", {"email": "a@b.example"}).json()["id"]

    def send():
        client = Client(raise_request_exception=False, **keyed.client.defaults)
        return client.post(
            f"/api/v1/leads/{lead}/touches/", {"kind": "visit"}, content_type="application/json", **extra
        )

    return race([send] * 50)


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_with_one_key_have_one_effect(owner, api, gate):
    answers = race_for(owner, api, KEY)
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409, 503}
    assert statuses[0] == 201
    with gate(owner):
        assert Event.objects.filter(kind="visit").count() == 1
    fresh = [one for one in answers if one.status_code == 201 and "Idempotency-Replayed" not in one]
    assert len(fresh) == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_key_fifty_have_fifty_effects(owner, api, gate):
    answers = race_for(owner, api, {})
    done = [answer for answer in answers if answer.status_code == 201]
    assert len(done) > 1
    if not settings.SQLITE:
        assert len(done) == 50
    with gate(owner):
        assert Event.objects.filter(kind="visit").count() == len(done)


@pytest.mark.django_db(transaction=True)
def test_thirty_who_send_one_person_at_once_end_in_one_lead(owner, api, gate):
    keyed = api(owner)

    def send(n):
        body = {"email": f"Ann+{n}@bell.example", "name": f"Ann {n}", "external_id": "42"}
        client = Client(raise_request_exception=False, **keyed.client.defaults)
        return lambda: client.post("/api/v1/leads/", body, content_type="application/json")

    answers = race([send(n) for n in range(30)])
    assert sorted(answer.status_code for answer in answers) == [200] * 29 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    with gate(owner):
        assert Lead.objects.count() == 1
        assert Event.objects.filter(kind="received").count() == 30
