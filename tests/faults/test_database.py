"""A PostgreSQL that crashes, is away, ends its backends, is locked or ends a deadlock: faults 11, 12, 13, 16 and 17.

Part of `make faults`, on a server of its own; each ends with check_facts. FAULT_AWAY sets how many seconds the database
stays away or locked.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.faults.holding import Visitors, ask, ask_api, capture, facts, holds, nothing_waits, settle
from tests.servers import own_postgres
from tests.stack import running, start_business, until

pytestmark = [pytest.mark.faults, pytest.mark.postgres]
AWAY = float(os.environ.get("FAULT_AWAY", "60"))
LOCKED = AWAY / 2
BACK_WITHIN = 15.0
PATIENCE = 4.0  # what the web part waits for a lock, see funnel/wsgi.py


@pytest.fixture(scope="module")
def server():
    with own_postgres() as made:
        yield made


@pytest.fixture
def stack(tmp_path, broker, server):
    with running(tmp_path, redis=broker, server=server) as made:
        made.business = start_business(made)
        yield made


def begin(stack):
    stack.start("web", "worker", "beat")
    stack.wait_ready()


def still_run(stack):
    """Nobody had to start anything again."""
    assert all(one.poll() is None for one in stack.processes.values())


def test_a_database_that_crashes_under_load_costs_seconds_and_no_lead(crowded, server):
    begin(crowded)
    with Visitors(crowded) as visitors:
        for _ in range(3):
            time.sleep(4)
            before = len(visitors.thanked)
            assert before
            server.stop(at_once=True)
            server.start()
            began = time.monotonic()
            assert until(lambda before=before: len(visitors.thanked) > before + 8, BACK_WITHIN, 0.05)
            print(f"thanked again {time.monotonic() - began:.1f} s after the start")
    # What a crash interrupted waits for its lease and is then run one by one: a minute is what is promised of that.
    visitors.all_settled(60)
    still_run(crowded)


def test_without_a_database_everybody_is_told_when_to_come_again_and_the_worker_resumes(stack, server):
    begin(stack)
    capture(stack, 0)
    settle(stack, 1)
    server.stop()
    try:
        end = time.monotonic() + AWAY
        while time.monotonic() < end:
            status, headers, text = ask_api(stack)
            assert (status, headers["Content-Type"]) == (503, "application/problem+json"), text
            assert json.loads(text)["status"] == 503
            assert int(headers["Retry-After"]) > 0
            for method, path in (("POST", stack.business["form"]), ("GET", stack.business["form"])):
                kind = {"Content-Type": "application/x-www-form-urlencoded"}
                status, headers, text = ask(stack, method, path, "name=A&email=a%40b.example", **kind)
                assert (status, "<h1>" in text, int(headers["Retry-After"]) > 0) == (503, True, True)
            assert (stack.get("/healthz")[0], stack.get("/readyz")[0]) == (200, 503)
            time.sleep(1)
    finally:
        server.start()
    assert until(lambda: stack.get("/readyz")[0] == 200, BACK_WITHIN), stack.get("/readyz")[1]
    capture(stack, 1)
    settle(stack, 2)
    nothing_waits(stack)
    still_run(stack)
    holds(stack, 2)


def test_backends_that_are_killed_at_random_cost_no_lead(crowded, server):
    begin(crowded)
    name = urlsplit(crowded.env["DATABASE_URL"]).path[1:]
    killed = 0
    with (
        Visitors(crowded) as visitors,
        contextlib.closing(psycopg2.connect(server.keeper)) as keeper,
        keeper.cursor() as cursor,
    ):
        keeper.autocommit = True
        for _ in range(60):
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s ORDER BY random() LIMIT 1",
                [name],
            )
            killed += cursor.rowcount
            time.sleep(0.25)
    assert killed > 30
    visitors.all_settled(60)
    still_run(crowded)


def test_two_who_hold_what_the_other_wants_both_get_it_and_once(stack, server):
    """Fault 16: two requests at once, each with the other's lead; the database ends one, which is done again."""
    name = urlsplit(stack.env["DATABASE_URL"]).path[1:]
    with contextlib.closing(psycopg2.connect(server.keeper)) as keeper, keeper.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '100ms'")
        keeper.commit()
    stack.start("web", opposite=True)
    stack.start("worker", "beat")
    stack.wait_ready()
    for number in range(2):
        capture(stack, number)
    settle(stack, 2)
    leads = [lead for (lead,) in stack.look("SELECT id FROM funnel_lead")]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda lead: stack.api("POST", f"leads/{lead}/accept/", {}), leads))
    assert [status for status, _ in answers] == [200, 200], answers
    ended = f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'"
    assert until(lambda: stack.look(ended) == [(1,)], 10), stack.look(ended)
    taken = "SELECT lead_id FROM funnel_event WHERE kind = 'handoff_accepted'"
    assert sorted(lead for (lead,) in stack.look(taken)) == sorted(leads)
    assert stack.look("SELECT count(*) FROM funnel_handoff WHERE outcome = 'accepted'") == [(2,)]
    nothing_waits(stack)
    assert facts(stack)["effects"]["stuck"] == 0


def test_a_locked_table_is_said_soon_and_nobody_piles_up(crowded, server):
    """Fault 17: whoever needs the table is told to come again within seconds; whoever was thanked is a lead."""
    begin(crowded)
    capture(crowded, 0)
    settle(crowded, 1)
    name = urlsplit(crowded.env["DATABASE_URL"]).path[1:]
    told, most = [], 0

    def read():
        while time.monotonic() < end:
            began = time.monotonic()
            status, headers, _ = ask_api(crowded)
            told.append((status, headers["Retry-After"], time.monotonic() - began))

    with (
        contextlib.closing(psycopg2.connect(crowded.env["DATABASE_URL"])) as locker,
        contextlib.closing(psycopg2.connect(server.keeper)) as keeper,
        ThreadPoolExecutor(8) as pool,
    ):
        keeper.autocommit = True
        locker.cursor().execute("LOCK TABLE funnel_lead IN ACCESS EXCLUSIVE MODE")
        end = time.monotonic() + LOCKED
        readers = [pool.submit(read) for _ in range(8)]
        with Visitors(crowded, many=2) as visitors, keeper.cursor() as cursor:
            while time.monotonic() < end:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'", [name]
                )
                most = max(most, cursor.fetchone()[0])
                time.sleep(0.5)
        for one in readers:
            one.result()
        locker.rollback()
    assert {(status, bool(wait)) for status, wait, _ in told} == {(503, True)}
    assert max(took for *_, took in told) < PATIENCE + 2
    assert most <= 8 + 2 + 2, "the readers, the visitors and the worker's two, and nobody behind them"
    assert visitors.answers[503], (
        "PostgreSQL looks at the table for the event of a form too, whose lead is still to come"
    )
    assert until(lambda: ask_api(crowded)[0] == 200, 5)
    left = len(visitors.thanked) + 2
    capture(crowded, 1)
    settle(crowded, left)
    still_run(crowded)
    holds(crowded, left)
