"""Fault 5: a worker that is replaced by the next release's, again and again.

Part of `make faults`, in a file of its own because it takes minutes; it ends with check_facts.
"""

from __future__ import annotations

import signal
import time
from statistics import median

import pytest
from django.conf import settings

import supervisor
from funnel.outbox.tasks import TURN
from tests.faults.holding import Visitors
from tests.stack import until

pytestmark = pytest.mark.faults
# SQLite has no broker that could lose a message at each; there ten do.
DEPLOYS, BACKLOG = 10 if settings.SQLITE else 50, 1000


def test_a_worker_that_is_replaced_again_and_again_under_a_backlog_loses_and_doubles_nothing(crowded):
    """Asked to stop, it ends by itself with what it has begun, within the supervisor's patience."""
    ended: list[int] = []
    took: list[float] = []
    received = "SELECT count(*) FROM funnel_effect WHERE handler = 'receive' AND state = 'done'"
    crowded.start("web", "beat")
    with Visitors(crowded, many=8, pause=0) as visitors:
        assert until(lambda: len(visitors.thanked) > BACKLOG, 90, 0.1)
        visitors.pause = 2.0
        for deploy in range(DEPLOYS):
            before = crowded.look(received)
            crowded.start("worker")
            assert until(lambda before=before: crowded.look(received) > before, 60, 0.05)
            time.sleep(deploy % 8 / 8)
            worker = crowded.processes["worker"]
            worker.send_signal(signal.SIGTERM)
            began = time.monotonic()
            ended.append(worker.wait(supervisor.PATIENCE))
            took.append(time.monotonic() - began)
            crowded.end("worker")
    assert set(ended) == {0}
    assert median(took) < TURN / 2, sorted(took)
    crowded.start("worker")
    visitors.all_settled(90)
    assert set(visitors.answers) <= {303, 503}
    assert crowded.look("SELECT max(attempts) FROM funnel_effect WHERE handler = 'receive'") == [(1,)]
