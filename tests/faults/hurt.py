"""The application with a wound, started in its place by tests.stack: HURT says which, as JSON.

Its clock stands elsewhere, or is set later; a handler takes long, or ends its process; leases are short; two who take
a lead hold what the other wants.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

HURT: dict[str, Any] = json.loads(os.environ["HURT"])


def set_clock(hours: float) -> None:
    """Move the clock of this whole process and of its children; what only measures goes on."""
    time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)).start()


def set_later() -> None:
    """Move the clock while all is running, in every process at the same moment of the machine's monotonic one."""
    moment, hours = HURT["later"]
    pause = max(0.0, moment - time.monotonic())
    threading.Thread(target=lambda: (time.sleep(pause), set_clock(hours)), daemon=True).start()


if "hours" in HURT:
    set_clock(HURT["hours"])
if HURT["part"] == "web":
    from funnel.wsgi import application  # noqa: F401, gunicorn looks for it here

import django  # noqa: E402

from funnel.celery import app  # noqa: E402, Celery looks for it here

django.setup()
from django.db import connection  # noqa: E402

from funnel.handoff import actions as handoff  # noqa: E402
from funnel.leads.models import Lead  # noqa: E402
from funnel.outbox import drain  # noqa: E402
from funnel.scoring import filling  # noqa: E402
from marketing.capture.handlers import receive  # noqa: E402
from marketing.capture.models import Submission  # noqa: E402


def receive_hurt(effects: list[Any], at: datetime) -> Any:
    """Take submissions in as ever, but slowly, or die of those of one address."""
    done = receive(effects, at)
    sent = Submission.objects.filter(event__in=[one.event_id for one in effects])
    if any(one["email"] == HURT.get("poison") for one in sent.values_list("typed", flat=True)):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(HURT.get("slow", 0))
    return done


accept, met = handoff.accept, set()


def accept_opposite(lead: Lead, **words: Any) -> Lead:
    """Take a lead and want the others too; the first time only when somebody else holds one of those."""
    Lead.objects.locked([lead.pk])
    if lead.pk not in met:
        met.add(lead.pk)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(16)")
            many = 1
            while many < 2:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 16")
                (many,) = cursor.fetchone()
    list(Lead.objects.select_for_update(of=("self",)).exclude(pk=lead.pk))
    return accept(lead, **words)


if "opposite" in HURT:
    handoff.accept = accept_opposite
if "later" in HURT:
    set_later()
    os.register_at_fork(after_in_child=set_later)
if "lease" in HURT:
    drain.LEASE = timedelta(seconds=HURT["lease"])
if "visibility" in HURT:
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "visibility_timeout": HURT["visibility"]}
if "slow" in HURT or "poison" in HURT:
    drain.handlers()["receive"] = receive_hurt
if "slice" in HURT:
    filling.FIRST = filling.LEAST = filling.MOST = HURT["slice"]
