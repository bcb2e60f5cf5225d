"""What goes wrong gets an answer: never a trace, never half a change."""

import time
from itertools import count
from types import SimpleNamespace

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import HttpResponse, HttpResponseNotAllowed, UnreadablePostError
from django.test import RequestFactory

from funnel.api import errors
from funnel.leads import receiving
from funnel.leads.models import Lead
from funnel.workspaces import gate as gate_module
from funnel.workspaces.limits import StoreAway
from funnel.workspaces.refusals import Forbidden, Refusal

TROUBLES = [
    (OperationalError("database is locked"), 503),
    (InterfaceError("connection already closed"), 503),
    (StoreAway("away"), 503),
    (IntegrityError("UNIQUE constraint failed"), 409),
    (DataError("value too long"), 400),
    (UnreadablePostError("cut off"), 400),
    (RequestDataTooBig("too big"), 413),
    (Refusal("Somebody was faster."), 409),
    (Forbidden("Not yours."), 403),
    (errors.TooMany(7), 429),
]


@pytest.mark.parametrize(("error", "status"), TROUBLES, ids=[type(one).__name__ for one, _ in TROUBLES])
def test_the_api_answers_trouble_as_a_problem_and_keeps_nothing(error, status, owner, api, gate, monkeypatch):
    real = receiving.receive

    def breaks(*args, **kwargs):
        real(*args, **kwargs)
        raise error

    monkeypatch.setattr(receiving, "receive", breaks)
    answer = api(owner).post("leads/", {"email": "a@b.example"})
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    assert ("Retry-After" in answer) == (status in (429, 503))
    assert "UNIQUE" not in answer.content.decode()
    with gate(owner):
        assert not Lead.objects.exists()


@pytest.mark.parametrize(("error", "status"), TROUBLES, ids=[type(one).__name__ for one, _ in TROUBLES])
def test_a_page_answers_trouble_with_a_page(error, status):
    request = RequestFactory().get("/somewhere/")
    answer = errors.TroubleMiddleware(lambda _: HttpResponse()).process_exception(request, error)
    assert answer is not None
    assert answer.status_code == status
    text = answer.content.decode()
    assert "<h1>" in text
    if isinstance(error, Refusal):
        assert error.sentence in text


@pytest.mark.parametrize("path", ["/api/v1/leads/", "/"])
def test_a_database_that_can_t_be_had_at_the_gate_is_503(path, owner, api, browse, monkeypatch):
    def locked(*args, **kwargs):
        raise OperationalError("database is locked")

    client = api(owner).client if path.startswith("/api/") else browse(owner)
    client.raise_request_exception = False
    monkeypatch.setattr(gate_module, "tenant", locked)
    answer = client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


def test_a_machine_that_sleeps_between_two_looks_at_the_clock_writes_when_it_wakes(
    owner, api, monkeypatch, settings, tmp_path
):
    # Another process of the suite may be in the queue for a moment, and this clock has no moment to wait.
    settings.DATA = tmp_path
    clock = SimpleNamespace(monotonic=count(step=1000).__next__, sleep=time.sleep)
    monkeypatch.setattr(gate_module, "time", clock)
    assert api(owner).post("leads/", {"email": "a@b.example"}).status_code == 201


def test_what_nobody_foresaw_is_500_without_a_trace(owner, api, monkeypatch):
    def breaks(*args, **kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(receiving, "receive", breaks)
    keyed = api(owner)
    keyed.client.raise_request_exception = False
    answer = keyed.post("leads/", {"email": "a@b.example"})
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "secret" not in answer.content.decode()


def test_a_page_that_the_role_may_not_open_is_a_line_of_the_log_and_an_error_of_ours_keeps_its_trace(
    owner, viewer, browse, monkeypatch, caplog
):
    answer = browse(viewer).get("/holidays/")
    assert (answer.status_code, "Your role doesn’t include this page." in answer.content.decode()) == (403, True)
    assert [(one.getMessage(), one.exc_info) for one in caplog.records] == [("Forbidden: /holidays/", None)]
    caplog.clear()

    def breaks(*args, **kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("funnel.people.away_views.HolidayForm", breaks)
    client = browse(owner)
    client.raise_request_exception = False
    assert client.get("/holidays/").status_code == 500
    assert [one.exc_info[0] for one in caplog.records if one.exc_info] == [RuntimeError]


def test_a_forged_host_is_400_and_one_line_of_the_log(client, settings, caplog):
    settings.ALLOWED_HOSTS = ["crm.example.com"]
    for path in ("/", "/api/v1/leads/"):
        assert client.get(path, HTTP_HOST="evil.example").status_code == 400
        told = [one for one in caplog.records if "evil.example" in one.getMessage()]
        assert [one.exc_info for one in told] == [None]
        caplog.clear()


def test_a_page_that_doesn_t_know_the_method_says_so():
    middleware = errors.TroubleMiddleware(lambda _: HttpResponseNotAllowed(["POST"]))
    answer = middleware(RequestFactory().get("/somewhere/"))
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "<h1>" in answer.content.decode()


def test_an_address_without_anything_is_404_for_people_and_programs(client):
    for path, kind in (("/nothing/here/", "text/html"), ("/api/v1/nothing/", "application/problem+json")):
        answer = client.get(path)
        assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (404, kind)
