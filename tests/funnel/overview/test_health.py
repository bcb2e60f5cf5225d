"""/healthz, /readyz, the quiet line, and the page of stuck work."""

import re
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import Error, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from funnel.celery import app
from funnel.outbox import health
from funnel.outbox.actions import record
from funnel.outbox.models import Effect, Heartbeat, State
from funnel.overview.health import lateness, worker_hint
from funnel.overview.status import WORK
from funnel.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forget():
    """What this process remembered of an earlier test's workspaces."""
    lateness.known.clear()


@pytest.fixture
def broker(monkeypatch):
    """A broker that answers; the real ones have tests of their own."""
    monkeypatch.setattr(health, "_broker", lambda: health.Part("broker", True, "Answers."))


def alive(**ages):
    for name, age in ({"worker": 1, "beat": 1} | ages).items():
        Heartbeat.objects.update_or_create(name=name, defaults={"seen_at": timezone.now() - timedelta(seconds=age)})


def test_healthz_says_that_the_process_is_up():
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readyz_is_ready_when_every_part_is(broker):
    alive(worker=3)
    answer = Client().get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["wrong"]) == (200, [])
    assert set(body["parts"]) == {"database", "migrations", "role", "broker", "worker", "beat", "handlers"}
    assert 2 <= body["parts"]["worker"]["age"] <= 30
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_a_heartbeat_that_is_old_or_missing_makes_it_unready(broker, name):
    alive(**{name: 61})
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert [one.split(":")[0] for one in answer.json()["wrong"]] == [name]
    Heartbeat.objects.filter(name=name).delete()
    assert "never seen" in str(Client().get("/readyz").json()["wrong"])


def test_a_database_that_is_away_is_said_with_503(broker, monkeypatch):
    class Away:
        def cursor(self):
            raise Error("gone")

        def close(self):
            pass

    monkeypatch.setattr(health, "connection", Away())
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "database" in answer.json()["wrong"][0]
    assert Client().get("/healthz").status_code == 200


def test_a_broker_that_hangs_costs_a_second(monkeypatch):
    def hang(*_, **__):
        time.sleep(5)

    monkeypatch.setattr(app, "connection_for_write", hang)
    alive()
    began = time.monotonic()
    answer = Client().get("/readyz")
    assert time.monotonic() - began < 3
    assert answer.status_code == 503
    assert "broker" in answer.json()["wrong"][0]


def test_a_missing_migration_makes_it_unready(broker, monkeypatch):
    alive()
    monkeypatch.setattr(
        "django.db.migrations.executor.MigrationExecutor.migration_plan", lambda *_: [(("funnel.9999"), False)]
    )
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "migrations" in answer.json()["wrong"][0]


def test_a_duty_that_nobody_knows_shows_after_an_hour(broker, owner, gate):
    alive()
    with gate(owner) as at:
        event = record(owner.workspace_id, "note", at=at)
        duty = Effect.objects.create(
            workspace=owner.workspace, event=event, handler="unheard_of", lane="live", due_at=at
        )
    assert Client().get("/readyz").status_code == 200
    with gate(owner) as at:
        Effect.objects.filter(pk=duty.pk).update(due_at=at - timedelta(minutes=61))
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "unheard_of" in str(answer.json()["wrong"])


@pytest.mark.postgres
def test_the_role_of_the_suite_is_an_ordinary_one(broker):
    alive()
    assert Client().get("/readyz").json()["parts"]["role"]["ok"]


def test_the_quiet_line_says_what_it_means_for_the_reader(owner, gate):
    with gate(owner):
        alive(worker=4)
        hint = worker_hint(owner.workspace_id, leads_others=True)
        assert hint == {"text": "Up to date, 4\N{NO-BREAK SPACE}seconds ago", "late": False}
        lateness.known.clear()
        alive(worker=185)
        assert "last seen 3" in worker_hint(owner.workspace_id, leads_others=True)["text"]
        assert "Your work is saved" in worker_hint(owner.workspace_id, leads_others=False)["text"]
        lateness.known.clear()
        Heartbeat.objects.all().delete()
        assert worker_hint(owner.workspace_id, leads_others=True)["late"]


def test_the_quiet_line_is_late_when_live_work_waits_long(owner, gate):
    with gate(owner) as at:
        alive()
        event = record(owner.workspace_id, "note", at=at)
        Effect.objects.create(
            workspace=owner.workspace, event=event, handler="score", lane="live", due_at=at - timedelta(seconds=130)
        )
        hint = worker_hint(owner.workspace_id, leads_others=True)
    assert hint["late"]
    assert "2\N{NO-BREAK SPACE}minutes late" in hint["text"]


@pytest.fixture
def stuck(gate):
    def made(member, handler="score", error="django.db.utils.OperationalError"):
        with gate(member) as at:
            event = record(member.workspace_id, "note", at=at)
            return Effect.objects.create(
                workspace=member.workspace, event=event, handler=handler, lane="live",
                state=State.STUCK, attempts=5, due_at=at, error=error,
            )  # fmt: skip

    return made


def test_stuck_work_is_listed_with_why_and_tried_again_by_a_button(broker, owner, manager, browse, gate, stuck):
    one, other = stuck(owner), stuck(owner)
    client = browse(manager)
    page = client.get(reverse("stuck")).content.decode()
    assert "The database was busy or away each time." in page
    assert client.post(reverse("stuck-again", args=[one.pk])).status_code == 302
    with gate(owner):
        one.refresh_from_db()
        other.refresh_from_db()
        assert (one.state, one.attempts, other.state) == (State.DUE, 0, State.STUCK)
    assert client.post(reverse("stuck-all")).status_code == 302
    with gate(owner):
        other.refresh_from_db()
    assert other.state == State.DUE


def test_stuck_work_of_others_is_not_found(broker, owner, outsider, rep, browse, gate, stuck):
    one = stuck(owner)
    assert browse(outsider).post(reverse("stuck-again", args=[one.pk])).status_code == 404
    browse(outsider).post(reverse("stuck-all"))
    assert browse(rep).get(reverse("stuck")).status_code == 403
    assert browse(rep).post(reverse("stuck-again", args=[one.pk])).status_code == 403
    with gate(owner):
        one.refresh_from_db()
    assert one.state == State.STUCK


def test_ten_stuck_duties_cost_as_many_queries_as_one(broker, owner, browse, stuck):
    client = browse(owner)
    stuck(owner)
    client.get(reverse("stuck"))
    with CaptureQueriesContext(connection) as few:
        client.get(reverse("stuck"))
    for _ in range(9):
        stuck(owner)
    with CaptureQueriesContext(connection) as many:
        client.get(reverse("stuck"))
    assert len(many) <= len(few)


def test_the_page_says_of_the_parts_only_what_a_person_needs(owner, browse, monkeypatch, settings):
    monkeypatch.setattr(health, "_broker", lambda: health.Part("broker", True, "Answers."))
    alive(worker=0, beat=3)
    page = browse(owner).get(reverse("stuck")).content.decode()
    shown = re.findall(
        r'<tr><th scope="row">([^<]+)</th><td><span class="state">Works</span></td><td>([^<]+)</td>', page
    )
    assert [name for name, _ in shown] == ["Database", "Signal to the worker", "Worker", "Timer"]
    assert ("Worker", "Seen just now.") in shown
    assert "readyz" not in page
    monkeypatch.setattr(health, "_role", lambda: health.Part("role", False, "It is a superuser."))
    page = browse(owner).get(reverse("stuck")).content.decode()
    assert "Database user: It is a superuser." in page
    assert '<tr><th scope="row">Database user</th><td><span class="state is-down">Trouble</span>' in page


def test_the_page_says_how_mail_is_and_leads_to_its_settings(broker, owner, manager, browse, settings):
    alive()

    def told(member):
        page = browse(member).get(reverse("stuck")).content.decode()
        return re.search(r'id="say">([^<]+)<', page)[1], page.split('id="mail-t"')[1].split("</section>")[0]

    link = f'href="{reverse("business")}#mail">'
    say, mail = told(owner)
    assert say == "Baton works, and nothing is stuck. Mail is not set up."
    assert f"{link}Set up mail</a>" in mail
    assert "The owner can set up mail." in told(manager)[1]
    settings.EMAIL_URL = "smtp://127.0.0.1"
    say, mail = told(owner)
    assert say == "Baton works, and nothing is stuck. Mail is not tried yet."
    assert f"{link}Send a test mail</a>" in mail
    Workspace.objects.filter(pk=owner.workspace_id).update(mail_proved_at=timezone.now())
    say, mail = told(owner)
    assert say == "All works, and nothing is stuck."
    assert f"{link}Mail settings</a>" in mail
    Workspace.objects.filter(pk=owner.workspace_id).update(is_demo=True, mail_proved_at=None)
    assert told(owner)[0] == "All works, and nothing is stuck."


@pytest.mark.once
def test_every_kind_of_work_has_words_on_the_page_of_status():
    for routes in settings.EVENT_ROUTES.values():
        assert set(routes) <= set(WORK)
