"""Fault 29: a list whose worker is killed goes on where it was; two of the same at once bring nobody in twice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings

from tests.person import Person
from tests.servers import redis as redis_server
from tests.stack import ROOT, Stack, running, start_business, until

# So many that a worker is killed long before it is through, however quick the machine.
ROWS = 1000 if settings.SQLITE else 4000


@pytest.fixture
def stack(tmp_path):
    def made(redis: str):
        with running(tmp_path, redis=redis) as stack:
            stack.business = start_business(stack)
            yield stack

    if settings.SQLITE:
        yield from made("")
    else:
        with redis_server() as url:
            yield from made(url)


def list_of(rows: int) -> bytes:
    """So many people, each with an e-mail and a phone of their own, some of them customers."""
    lines = ["Name,E-mail,Phone,Status"]
    for number in range(rows):
        status = "Customer" if number % 7 == 0 else "Enquiry"
        lines.append(f"Pat Person {number},pat{number}@firm{number // 3}.example,+4420{70_000_000 + number},{status}")
    return "\n".join(lines).encode()


def upload(person: Person, content: bytes) -> str:
    """Upload a list, say what its columns mean, and wait until it can be brought in; give its address."""
    place = person.post("/leads/import/", {}, ("list.csv", content))
    page = until(lambda: (text := person.get(place)) and 'id="columns"' in text and text, 40)
    assert page, person.get(place)
    said = {"to-0": "name", "to-1": "email", "to-2": "phone", "to-3": "stage", "shown-3": "stage"}
    said |= {"v-3-0": "nurturing", "v-3-1": "customer", "about": "2024-03-01"}
    person.post(f"{place}columns/", said, page=place)
    assert until(lambda: re.search(r"Bring in [\d,]+ rows", person.get(place)), 90), person.get(place)
    return place


def begin(person: Person, place: str) -> None:
    """Have it brought in."""
    person.post(f"{place}begin/", {}, page=place)


def done(person: Person, place: str) -> int:
    """How many rows are in so far."""
    text = person.get(place)
    found = re.search(r"([\d,]+) of [\d,]+ rows", text)
    return int(found[1].replace(",", "")) if found else ROWS if "Brought in" in text else 0


FACTS = """
from uuid import UUID
from funnel.workspaces.gate import tenant
from funnel.leads.models import Lead, LeadKey
from funnel.outbox.models import Effect, Event
from funnel.scoring.models import LeadScore
from funnel.transfer.models import Import
with tenant(UUID('{workspace}')) as at:
    # What waits is counted first: what ends between two counts would seem to be missing.
    print(json.dumps(dict(
        waits=Effect.objects.filter(state="due", due_at__lte=at).count(),
        leads=Lead.objects.count(), keys=LeadKey.objects.count(),
        customers=Lead.objects.filter(stage="customer").count(),
        received=Event.objects.filter(kind="received").count(), scores=LeadScore.objects.in_force().count(),
        moved=Event.objects.filter(kind="moved", data__to="customer").count(),
        lists=[[one.state, one.done, one.counts] for one in Import.objects.order_by("made_at")])))
"""


def facts(stack: Stack) -> dict[str, Any]:
    return dict(stack.ask(FACTS.format(workspace=stack.business["workspace"]["id"])))  # type: ignore[attr-defined]


def settle(stack: Stack) -> dict[str, Any]:
    """Wait until nothing is left to do; everybody of the list is in, once, and all facts hold."""
    told = until(lambda: (found := facts(stack)) and not found["waits"] and found, 90, 0.5)
    assert told, facts(stack)
    customers = len(range(0, ROWS, 7))
    assert {name: told[name] for name in ("leads", "keys", "customers", "received", "scores", "moved")} == {
        "leads": ROWS, "keys": 2 * ROWS, "customers": customers, "received": ROWS, "scores": ROWS, "moved": customers,
    }  # fmt: skip
    checked = subprocess.run(
        [sys.executable, "manage.py", "check_facts"], cwd=ROOT, env=stack.env, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout
    assert json.loads(checked.stdout)["effects"]["stuck"] == 0
    return told


def test_a_list_whose_worker_is_killed_midway_goes_on_where_it_was(stack):
    stack.start("web", "worker", "beat")
    stack.wait_ready()
    owner = Person(stack, "owner@harbour.example")
    place = upload(owner, list_of(ROWS))
    begin(owner, place)
    assert until(lambda: done(owner, place) >= ROWS * 0.37, 60, 0.02)
    stack.end("worker")
    midway = done(owner, place)
    found = facts(stack)
    assert found["leads"] == found["received"] == midway == found["lists"][0][1] < ROWS
    stack.start("worker")
    told = settle(stack)
    assert told["lists"] == [["done", ROWS, {"rows": ROWS, "new": ROWS, "changed": 0, "same": 0, "refused": 0}]]
    assert f"{ROWS:,} new people" in owner.get(place)


def test_the_same_list_twice_at_once_brings_nobody_in_twice(stack):
    # SQLite has one worker by design; a second would only wait for the first.
    stack.start("web", "worker", "beat", *([] if settings.SQLITE else ["worker2"]))
    stack.wait_ready()
    owner = Person(stack, "owner@harbour.example")
    for place in [upload(owner, list_of(ROWS)) for _ in range(2)]:
        begin(owner, place)
    told = settle(stack)
    assert [state for state, _, _ in told["lists"]] == ["done", "done"]
    assert sum(counts["new"] for _, _, counts in told["lists"]) == ROWS
    assert sum(counts["same"] for _, _, counts in told["lists"]) == ROWS
