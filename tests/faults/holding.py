"""What must hold after every fault: whoever was thanked is a lead, scored and handed over once, and all facts agree."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import redis

from tests.stack import ROOT, Stack, until

BACK_WITHIN = 30.0


def capture(stack: Stack, number: int) -> None:
    """Send the contact form once; it must be thanked for within a second."""
    fields = {"name": f"Visitor {number}", "email": f"visitor{number}@town{number % 7}.example", "phone": ""}
    status, where, took = stack.post_form(stack.business["form"], fields)
    assert status == 303, where
    assert took < 1.0, f"capture {number} took {took:.2f} s"


EVERY = {
    "leads": "funnel_lead", "ready": "funnel_lead WHERE stage = 'ready'", "scores": "funnel_leadscore",
    "points": "funnel_scorepoint", "handoffs": "funnel_handoff", "forms": "funnel_event WHERE kind = 'form'",
    "opened": "funnel_event WHERE kind = 'handoff_opened'",
    "notified": "funnel_effect WHERE handler = 'notify' AND state = 'done'",
}  # fmt: skip


def counts(stack: Stack) -> dict[str, int]:
    figures = ", ".join(f"(SELECT count(*) FROM {rows})" for rows in EVERY.values())
    return dict(zip(EVERY, stack.look(f"SELECT {figures}")[0], strict=True))


def settle(stack: Stack, number: int, within: float = BACK_WITHIN) -> None:
    """Every one of the captured is scored and handed over exactly once, within the promised time."""
    expected = dict.fromkeys(EVERY, number)
    assert until(lambda: counts(stack) == expected, within), (counts(stack), expected)


def holds(stack: Stack, number: int, stuck: int = 0) -> None:
    """A moment later nothing has happened a second time, and all the facts agree."""
    time.sleep(1)
    assert counts(stack) == dict.fromkeys(EVERY, number), "nothing happens a second time"
    assert facts(stack)["effects"]["stuck"] == stuck


def facts(stack: Stack) -> dict[str, Any]:
    """What check_facts finds, which is no difference."""
    told = subprocess.run(
        [sys.executable, "manage.py", "check_facts"], cwd=ROOT, env=stack.env, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return dict(json.loads(told.stdout))


def nothing_waits(stack: Stack) -> None:
    """Within a minute nothing is due any more, mail too, whose lease is the longest."""
    due = "SELECT handler FROM funnel_effect WHERE state = 'due' AND due_at <= CURRENT_TIMESTAMP"
    assert until(lambda: not stack.look(due), 75, 0.5), stack.look(due)


def flush(stack: Stack) -> None:
    """Make the broker forget everything."""
    if stack.redis:
        redis.Redis.from_url(stack.redis).flushall()
    else:
        for file in stack.folder.glob("doorbell.sqlite3*"):
            file.unlink()


def ask(stack: Stack, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, Any, str]:
    """Ask the web part for something; give status, headers and text."""
    wire = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    try:
        wire.request(method, path, body, headers)
        answer = wire.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        wire.close()


def ask_api(stack: Stack, path: str = "leads/?page_size=1") -> tuple[int, Any, str]:
    """Ask the API by the business's key."""
    return ask(stack, "GET", f"/api/v1/{path}", Authorization=f"Bearer {stack.key}")


class Visitors:
    """People who send the form without a pause while the block lasts. Whoever isn't thanked is told to come again."""

    def __init__(self, stack: Stack, many: int = 4, pause: float = 0.1) -> None:
        self.stack, self.many, self.pause = stack, many, pause
        self.thanked: set[str] = set()
        self.answers: Counter[int] = Counter()
        self.sent, self.over = itertools.count(), threading.Event()

    def __enter__(self) -> Visitors:
        self.pool = ThreadPoolExecutor(self.many)
        self.all = [self.pool.submit(self._visit) for _ in range(self.many)]
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.pool.shutdown()
        for one in self.all:
            one.result()

    def _visit(self) -> None:
        while not self.over.is_set():
            email = f"visitor{next(self.sent)}@town.example"
            body = urlencode({"name": "A visitor", "email": email, "phone": ""})
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            status, headers, text = ask(self.stack, "POST", self.stack.business["form"], body, **kind)
            self.answers[status] += 1
            if status == 303:
                self.thanked.add(email)
            else:
                assert status == 503, text
                assert int(headers["Retry-After"]) > 0
            time.sleep(self.pause)

    def all_settled(self, seconds: float = BACK_WITHIN) -> None:
        """Everybody who was thanked is a lead, nobody twice, and each is scored and handed over once."""
        stack = self.stack

        def settled() -> bool:
            found = counts(stack)
            kept = {email for (email,) in stack.look("SELECT email FROM funnel_lead")}
            return self.thanked <= kept and set(found.values()) == {len(kept)}

        assert until(settled, seconds, 0.5), (len(self.thanked), counts(stack), self.answers)
        nothing_waits(stack)
        holds(stack, counts(stack)["leads"])
