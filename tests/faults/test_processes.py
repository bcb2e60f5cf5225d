"""Processes that die or are slow: faults 1, 3 and 4, and a basis whose filling is killed.

Part of `make faults`; each ends with check_facts.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest
from django.conf import settings

from tests.faults.holding import Visitors, capture, counts, facts, holds, settle
from tests.stack import until

pytestmark = pytest.mark.faults
LEADS, SLICE = (1000, 20) if settings.SQLITE else (4000, 50)


def children(pid: int) -> list[int]:
    """The processes of a worker's pool."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(one) for one in found.split()]


@pytest.mark.postgres
def test_a_child_of_the_worker_that_is_killed_loses_and_doubles_nothing(crowded):
    """Fault 1; on SQLite the worker has no children."""
    crowded.start("web", "beat")
    crowded.start("worker", slow=0.2)
    crowded.wait_ready()
    worker = crowded.processes["worker"]
    with Visitors(crowded) as visitors:
        for _ in range(6):
            time.sleep(1.3)
            os.kill(random.choice(children(worker.pid)), signal.SIGKILL)
    visitors.all_settled(60)
    assert worker.poll() is None
    assert set(visitors.answers) <= {303, 503}


@pytest.mark.postgres
def test_a_task_that_outlives_lease_and_visibility_is_done_once(stack):
    """Fault 3: eight seconds of work, a lease of three, and a ring that comes again after five."""
    stack.start("web")
    for number in range(10):
        capture(stack, number)
    stack.start("worker", "worker2", slow=8, lease=3, visibility=5)
    stack.start("beat")
    settle(stack, 10)
    assert stack.look("SELECT max(attempts) FROM funnel_effect WHERE handler = 'receive'") == [(1,)]
    holds(stack, 10)


def test_what_kills_its_process_is_stuck_after_five_times_and_its_neighbours_go_on(stack):
    """Fault 4. Where the doorbell is a file, the whole worker dies, and is started again as the supervisor does."""
    stack.start("web", "beat")
    for number in range(20):
        capture(stack, number)
    hurt = {"poison": "visitor7@town0.example", "lease": 2}
    stack.start("worker", **hurt)
    deaths, number = 0, 20

    def stuck():
        nonlocal deaths
        if stack.processes["worker"].poll() is not None:
            deaths += 1
            stack.end("worker")
            stack.start("worker", **hurt)
        return stack.look("SELECT handler, attempts, error FROM funnel_effect WHERE state = 'stuck'")

    assert until(stuck, 90, 0.5) == [("receive", 5, "It ended the worker five times.")]
    assert deaths == (5 if settings.SQLITE else 0)
    for number in range(20, 25):
        capture(stack, number)
    settle(stack, 24)
    holds(stack, 24, stuck=1)
    stack.end("worker")
    stack.ask(
        "from uuid import UUID\nfrom funnel.outbox.actions import try_again\nfrom funnel.outbox.models import Effect\n"
        f"from funnel.workspaces.gate import tenant\nwith tenant(UUID('{stack.business['workspace']['id']}'), "
        "write=True) as at:\n    print(json.dumps(try_again(Effect.objects.get(state='stuck').pk, at=at)))"
    )
    stack.start("worker")
    settle(stack, 25)
    holds(stack, 25)


FILLED = """
from uuid import UUID
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.outbox.drain import drain
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Member, Workspace
for first in range(0, {leads}, 100):
    with tenant(UUID('{workspace}'), write=True) as at:
        workspace = Workspace.objects.get(pk=UUID('{workspace}'))
        captures = [Capture(name="Pat", email=f"pat{{n}}@firm{{n}}.example") for n in range(first, first + 100)]
        for got in receive(workspace, captures, at=at):
            touch(got.lead, "page_view", at=at, data={{"page": "/prices"}})
            touch(got.lead, "call", at=at)
    drain(("live", "bulk"))
print(json.dumps(True))
"""
PUBLISHED = """
from copy import deepcopy
from uuid import UUID
from funnel.scoring import changing
from funnel.scoring.rules import default_rules
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Member
rules = deepcopy(default_rules()) | {{"half_life_days": 7}}
rules["engagement"] = [{{"key": "loud", "kind": "call", "points": 3, "reason": ""}}]
for verb in (changing.save_draft, changing.publish):
    with tenant(UUID('{workspace}'), write=True) as at:
        owner = Member.objects.get(role="owner")
        if verb is changing.publish:
            verb(again=True, why="", by=owner, at=at)
        else:
            verb(rules, by=owner, at=at)
print(json.dumps(True))
"""


def test_judging_the_past_again_goes_on_where_it_was_when_its_worker_is_killed(stack):
    words = {"workspace": stack.business["workspace"]["id"], "leads": LEADS}
    stack.ask(FILLED.format(**words))
    stack.ask(PUBLISHED.format(**words))
    bases = (
        "SELECT CASE WHEN basis.in_force THEN 'now' ELSE 'next' END, version.number FROM funnel_basis basis"
        " JOIN funnel_ruleversion version ON version.id = basis.version_id WHERE basis.left_at IS NULL ORDER BY 1 DESC"
    )
    place = "SELECT done FROM funnel_basis WHERE NOT in_force AND left_at IS NULL"

    def done():
        return (stack.look(place) or [(LEADS,)])[0][0]

    stack.start("beat")
    stack.start("worker", slice=SLICE)
    for share in (0.2, 0.6):
        assert until(lambda share=share: done() >= LEADS * share, 60, 0.01)
        stack.end("worker")
        midway = done()
        assert LEADS * share <= midway < LEADS, "it was killed in the middle"
        assert midway % SLICE == 0
        assert stack.look(bases) == [("now", 1), ("next", None)], "the old one counts until the switch"
        stack.start("worker", slice=SLICE)
        assert until(lambda midway=midway: done() > midway, 40, 0.01)
    assert until(lambda: stack.look(bases) == [("now", 2)], 60), stack.look(bases)
    held = stack.look("SELECT done FROM funnel_basis WHERE in_force")[0][0]
    assert held == LEADS, "nobody was gone through twice"
    given = "SELECT count(*), count(DISTINCT event_id), sum(points) FROM funnel_scorepoint WHERE rule = 'loud'"
    assert stack.look(given) == [(LEADS, LEADS, 3 * LEADS)]
    forgotten = "SELECT count(*) FROM funnel_leadscore"
    assert until(lambda: stack.look(forgotten) == [(LEADS,)], 60), "the old basis is cleared away"
    holds_facts(stack)


def holds_facts(stack):
    """Nothing is left to do, and all facts agree."""
    assert until(lambda: not stack.look("SELECT 1 FROM funnel_effect WHERE state = 'due' AND lane = 'bulk'"), 60)
    assert facts(stack)["effects"]["stuck"] == 0
    assert counts(stack)["leads"] == LEADS
