"""What breaks under load costs time, never a lead: faults 2, 6 to 9 and 19, each ending with check_facts.

FAULT_SECONDS sets how long a broker stays away; two minutes by hand, less in the suite.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest
from django.conf import settings

from tests.servers import redis as redis_server
from tests.stack import ROOT, running, start_business, until

AWAY = float(os.environ.get("FAULT_SECONDS", "8"))
BACK_WITHIN = 30.0


@pytest.fixture
def broker():
    """A Redis of this test's own, to be broken; none where the doorbell is a file."""
    if settings.SQLITE:
        yield None
    else:
        with redis_server() as url:
            yield url


@pytest.fixture
def stack(tmp_path, broker):
    with running(tmp_path, redis=broker or "") as made:
        made.business = start_business(made)
        yield made


def capture(stack, number):
    """Send the contact form once; it must be thanked for within a second."""
    fields = {"name": f"Visitor {number}", "email": f"visitor{number}@town{number % 7}.example", "phone": ""}
    status, where, took = stack.post_form(stack.business["form"], fields)
    assert status == 303, where
    assert took < 1.0, f"capture {number} took {took:.2f} s"


COUNTS = """
from uuid import UUID
from django.db.models import Count
from funnel.workspaces.gate import tenant
from funnel.leads.models import Lead
from funnel.outbox.models import Effect, Event
from funnel.handoff.models import Handoff
from funnel.scoring.models import LeadScore, ScorePoint
with tenant(UUID('{workspace}')):
    print(json.dumps(dict(
        leads=Lead.objects.count(), ready=Lead.objects.filter(stage="ready").count(),
        scores=LeadScore.objects.count(), points=ScorePoint.objects.count(),
        handoffs=Handoff.objects.count(), forms=Event.objects.filter(kind="form").count(),
        opened=Event.objects.filter(kind="handoff_opened").count(),
        notified=Effect.objects.filter(handler="notify", state="done").count())))
"""


def counts(stack):
    return stack.ask(COUNTS.format(workspace=stack.business["workspace"]["id"]))


def settle(stack, number):
    """Every one of the captured is scored and handed over exactly once, within the promised time."""
    every = ("leads", "ready", "scores", "points", "handoffs", "forms", "opened", "notified")
    expected = dict.fromkeys(every, number)
    began = time.monotonic()
    assert until(lambda: counts(stack) == expected, BACK_WITHIN + 5, 0.5), (counts(stack), expected)
    assert time.monotonic() - began < BACK_WITHIN + 5
    time.sleep(1)
    assert counts(stack) == expected, "nothing happens a second time"
    facts = subprocess.run(
        [os.sys.executable, "manage.py", "check_facts"], cwd=ROOT, env=stack.env, capture_output=True, text=True
    )
    assert facts.returncode == 0, facts.stdout
    assert json.loads(facts.stdout)["effects"]["stuck"] == 0


def test_a_worker_killed_mid_batch_loses_and_doubles_nothing(stack):
    stack.start("web")
    for number in range(60):
        capture(stack, number)
    stack.start("worker", "beat")
    until(lambda: counts(stack)["leads"] > 0, 20, 0.1)
    stack.end("worker")
    for number in range(60, 80):
        capture(stack, number)
    stack.start("worker")
    settle(stack, 80)


def test_a_flushed_broker_costs_only_a_moment(stack, broker):
    stack.start("web")
    for number in range(20):
        capture(stack, number)
    if broker:
        import redis

        redis.Redis.from_url(broker).flushall()
    else:
        for file in stack.folder.glob("doorbell.sqlite3*"):
            file.unlink()
    stack.start("worker", "beat")
    settle(stack, 20)


@pytest.mark.postgres
def test_with_redis_down_capture_goes_on_and_the_worker_catches_up(stack, broker):
    import redis

    stack.start("web", "worker", "beat")
    stack.wait_ready()
    capture(stack, 0)
    until(lambda: counts(stack)["ready"] == 1, 20)
    port = int(broker.split(":")[2].split("/")[0])
    with contextlib.suppress(redis.RedisError):
        redis.Redis.from_url(broker).shutdown(nosave=True)
    end, number = time.monotonic() + AWAY, 1
    while time.monotonic() < end:
        capture(stack, number)
        number += 1
        time.sleep(0.3)
    with redis_server(port):
        settle(stack, number)


@pytest.mark.postgres
def test_with_redis_hanging_capture_stays_quick(stack, broker):
    import redis

    pid = redis.Redis.from_url(broker).info()["process_id"]
    stack.start("web", "worker", "beat")
    stack.wait_ready()
    capture(stack, 0)
    os.kill(pid, signal.SIGSTOP)
    try:
        end, number = time.monotonic() + AWAY, 1
        while time.monotonic() < end:
            capture(stack, number)
            number += 1
            time.sleep(0.3)
    finally:
        os.kill(pid, signal.SIGCONT)
    settle(stack, number)


def test_two_beats_and_three_workers_change_nothing(stack):
    stack.start("web", "worker", "worker2", "worker3", "beat", "beat2")
    stack.wait_ready()
    for number in range(30):
        capture(stack, number)
    settle(stack, 30)
