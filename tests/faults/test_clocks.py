"""Fault 20: clocks that are wrong, apart from each other, or set while all runs; what is due the database decides.

Part of `make faults`; each ends with check_facts.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

import pytest

from tests.faults.holding import ask, ask_api, capture, flush, holds, settle
from tests.person import Person

pytestmark = pytest.mark.faults
DAYS = 24.0 * 40


def hours_until_the_clocks_change() -> float:
    """How far ahead the next change in Berlin is, less half a minute."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    zone, moment = ZoneInfo("Europe/Berlin"), now
    while moment.astimezone(zone).utcoffset() == (moment + timedelta(hours=1)).astimezone(zone).utcoffset():
        moment += timedelta(hours=1)
    return (moment + timedelta(hours=1) - timedelta(seconds=30) - datetime.now(UTC)).total_seconds() / 3600


@pytest.mark.postgres
@pytest.mark.parametrize(("web", "worker"), [(-2, DAYS), (DAYS, -2), ("change", "change")])
def test_what_clocks_of_the_parts_say_changes_nothing(stack, web, worker):
    """Web and worker are hours apart, or live through a change of the clocks; the database's clock is right."""
    change = hours_until_the_clocks_change()
    # The business is older than the test.
    before = stack.look("SELECT max(id) FROM funnel_event")[0][0]
    stack.env["TZ"] = "Europe/Berlin"
    stack.start("web", hours=change if web == "change" else web)
    stack.start("worker", hours=change if worker == "change" else worker)
    stack.start("beat", hours=-2)
    stack.wait_ready()
    for number in range(5):
        capture(stack, number)
    settle(stack, 5)
    opened = stack.look(
        "SELECT min(opened_at) > now() - interval '2 minutes', max(opened_at) <= now() FROM funnel_handoff"
    )
    assert opened == [(True, True)]
    came = stack.look(
        "SELECT min(occurred_at) > now() - interval '2 minutes', max(occurred_at) <= now() FROM funnel_event"
        f" WHERE id > {before}"
    )
    assert came == [(True, True)]
    waits = "SELECT count(*) FROM funnel_effect WHERE handler = 'remind' AND state = 'due' AND due_at > now()"
    assert stack.look(waits) == [(5,)], "nobody is reminded early"
    # What lets somebody in is as long-lived as ever: a form that was opened before, a key, a log-in.
    token = ask(stack, "GET", stack.business["form"])[2].split('name="shown" value="')[1].split('"')[0]
    time.sleep(2.5)
    late = {"name": "Slow", "email": "slow@town.example", "shown": token}
    assert stack.post_form(stack.business["form"], late)[0] == 303
    assert stack.look("SELECT count(*) FROM marketing_submission WHERE quarantined") == [(0,)]
    assert ask_api(stack)[0] == 200
    assert "Harbour Bikes" in Person(stack, "owner@harbour.example").get("/")
    stack.stop()
    stack.start("web", "worker", "beat")
    capture(stack, 6)
    settle(stack, 7)
    holds(stack, 7)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_machine_whose_clock_is_set_while_all_runs_goes_on(stack, hours):
    """All parts live through it, and the timer goes on ringing: on SQLite their clock is the database's."""
    jump = time.monotonic() + 25
    stack.start("web", "worker", "beat", later=[jump, hours])
    stack.wait_ready()
    for number in range(5):
        capture(stack, number)
    settle(stack, 5)

    assert time.monotonic() < jump
    time.sleep(jump + 1 - time.monotonic())
    said = parsedate_to_datetime(ask(stack, "GET", "/healthz")[1]["Date"])
    assert abs(said - datetime.now(UTC)) > timedelta(hours=1), "the clock was set"
    for number in range(5, 8):
        capture(stack, number)
    settle(stack, 8)
    stack.end("worker")
    for number in range(8, 11):
        capture(stack, number)
    flush(stack)
    stack.start("worker", hours=hours)
    settle(stack, 11)
    holds(stack, 11)
