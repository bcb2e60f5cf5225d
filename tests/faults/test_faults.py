"""What breaks under load costs time, never a lead: faults 2, 6 to 10, 19 and 30, each ending with check_facts.

FAULT_SECONDS sets how long a broker stays away; two minutes by hand, less in the suite.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
import redis

from tests.faults.holding import BACK_WITHIN, capture, counts, facts, flush, holds, nothing_waits, settle
from tests.person import Person
from tests.servers import redis as redis_server
from tests.stack import running, start_business, until
from tests.wire import wire

AWAY = float(os.environ.get("FAULT_SECONDS", "8"))


def capture_for(stack, seconds, number):
    """Capture all the while, and give the number of the next."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        capture(stack, number)
        number += 1
        time.sleep(0.3)
    return number


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
    holds(stack, 80)


def test_a_flushed_broker_costs_only_a_moment(stack):
    stack.start("web")
    for number in range(20):
        capture(stack, number)
    flush(stack)
    stack.start("worker", "beat")
    settle(stack, 20)
    holds(stack, 20)


@pytest.mark.postgres
def test_with_redis_down_and_three_times_begun_anew_capture_goes_on_and_the_worker_catches_up(stack, broker):
    """Faults 6 and 8: away for a while, then restarted twice more; each time it has forgotten everything."""
    stack.start("web", "worker", "beat")
    stack.wait_ready()
    capture(stack, 0)
    settle(stack, 1)
    number, port = 1, urlsplit(broker).port
    with contextlib.ExitStack() as stops:
        for away in (AWAY, 1, 1):
            stops.close()
            with contextlib.suppress(redis.RedisError):
                redis.Redis(port=port).shutdown(nosave=True)
            number = capture_for(stack, away, number)
            stops.enter_context(redis_server(port))
            capture(stack, number)
            number += 1
            settle(stack, number)
        holds(stack, number)


@pytest.mark.postgres
def test_with_redis_hanging_or_behind_a_wall_capture_stays_quick(tmp_path, broker):
    """Fault 9: a firewall that drops everything; then a Redis that is stopped in the middle of things."""
    with wire(urlsplit(broker).port) as line, running(tmp_path, redis=f"redis://127.0.0.1:{line.port}/0") as stack:
        stack.business = start_business(stack)
        stack.start("web", "worker", "beat")
        stack.wait_ready()
        capture(stack, 0)
        settle(stack, 1)
        line.cut()
        try:
            number = capture_for(stack, AWAY, 1)
        finally:
            line.mend()
        settle(stack, number)
        pid = redis.Redis.from_url(broker).info()["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            number = capture_for(stack, AWAY, number)
        finally:
            os.kill(pid, signal.SIGCONT)
        settle(stack, number)
        holds(stack, number)


@pytest.mark.postgres
def test_with_redis_full_capture_goes_on_and_nobody_guesses_passwords(stack, broker):
    """Fault 10: Redis takes nothing more. Its other half, a Redis that stands still, is in the test above."""
    stack.start("web", "worker", "beat")
    stack.wait_ready()
    server = redis.Redis.from_url(broker)
    server.config_set("maxmemory", "1")
    number = capture_for(stack, AWAY / 2, 0)
    with pytest.raises(HTTPError) as closed:
        Person(stack, "owner@harbour.example")
    assert closed.value.code == 503
    server.config_set("maxmemory", "0")
    settle(stack, number)
    assert "Harbour Bikes" in Person(stack, "owner@harbour.example").get("/")
    holds(stack, number)


def test_a_web_part_that_is_asked_to_stop_at_full_load_keeps_what_it_thanked_for(stack):
    """Fault 30: TERM while eight visitors send forms without a pause; whoever was thanked is a lead."""
    stack.start("web", "worker", "beat")
    thanked, sent = set(), itertools.count()

    def visit():
        while not over.is_set():
            number = next(sent)
            with contextlib.suppress(OSError, http.client.HTTPException):
                fields = {"name": f"Visitor {number}", "email": f"visitor{number}@town.example", "phone": ""}
                if stack.post_form(stack.business["form"], fields)[0] == 303:
                    thanked.add(f"visitor{number}@town.example")

    over = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        visits = [pool.submit(visit) for _ in range(8)]
        assert until(lambda: len(thanked) > 40, 30, 0.05)
        stack.processes["web"].send_signal(signal.SIGTERM)
        assert stack.processes["web"].wait(30) == 0
        over.set()
        for one in visits:
            one.result()
    stack.end("web")
    kept = lambda: {email for (email,) in stack.look("SELECT email FROM funnel_lead")}  # noqa: E731
    assert until(lambda: thanked <= kept(), BACK_WITHIN), thanked - kept()
    assert counts(stack)["leads"] <= next(sent)
    nothing_waits(stack)
    facts(stack)


def test_two_beats_and_three_workers_change_nothing(stack):
    stack.start("web", "worker", "worker2", "worker3", "beat", "beat2")
    stack.wait_ready()
    for number in range(30):
        capture(stack, number)
    settle(stack, 30)
    holds(stack, 30)
