"""The worker and the beat: how they are rung. What they do stands in the database (funnel/outbox)."""

from __future__ import annotations

import gc
import os
import socket
import sys
import time
import warnings
from typing import Any
from urllib.parse import quote

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "funnel.settings")

from celery import Celery
from celery.app.amqp import AMQP
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import beat_init, setup_logging, task_prerun, worker_init, worker_ready
from django.conf import settings
from django.db import close_old_connections
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

TRANSPORT_ALIASES["doorbell"] = "funnel.outbox.doorbell:Transport"
TRANSPORT_ALIASES["redis"] = "funnel.outbox.patient:Transport"

# A message whose consumer vanished comes back after LEASE; it must be longer than any task may last.
TIME_LIMIT, LEASE = 300, 600
# A beat that couldn't go round its loop for this long is not living, whatever its process looks like.
STALLED = 60.0

SCHEDULE = {
    "drain": {"task": "funnel.outbox.tasks.drain", "schedule": 2.0},
    "drain_mail": {"task": "funnel.outbox.tasks.drain_mail", "schedule": 5.0},
    "learn": {"task": "funnel.outbox.tasks.learn", "schedule": 300.0},
}

# A connection whose other end has gone silent is given up by the system after about ten seconds; without this a
# worker behind a broken network stays deaf for minutes after it is mended.
SILENCE = {
    getattr(socket, name): value
    for name, value in (
        ("TCP_KEEPIDLE", 4),
        ("TCP_KEEPINTVL", 2),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 10_000),
    )
    if hasattr(socket, name)
}


class Impatient(Connection):
    """Tries again every three seconds at most; kombu's own thirty would use up the whole promise of recovery."""

    def _ensure_connection(self, *args: Any, **options: Any) -> Any:
        options = {"interval_start": 1, "interval_step": 1, "interval_max": 3, **options}
        return super()._ensure_connection(*args, **options)

    def _do_close_transport(self) -> None:
        """Let go of the transport without making it forget where it led.

        A channel of it may still have a message to give back: kombu's own closes a lost one twice, then looks for the
        host of nothing, and the worker ends by an error that it takes for beyond repair.
        """
        self._transport = None


class Amqp(AMQP):
    """Celery's messaging with our connection."""

    Connection = Impatient


def configuration() -> dict[str, Any]:
    """Give Celery's configuration for Redis or, without one, for the doorbell's file."""
    if settings.REDIS_URL:
        broker = {
            "broker_url": settings.REDIS_URL,
            "broker_transport_options": {
                "visibility_timeout": LEASE,
                "unacked_restore_interval": 1,
                "unacked_restore_throttle": 1,
                "socket_connect_timeout": 2,
                "socket_timeout": 5,
                "socket_keepalive": True,
                "socket_keepalive_options": SILENCE,
                "health_check_interval": 10,
                # A ring fails at once and is rung again by the beat; the worker's own loop asks for ever.
                "max_retries": 0,
            },
            "worker_prefetch_multiplier": 1,
        }
    else:
        broker = {
            "broker_url": "doorbell://localhost/" + quote(str(settings.DATA / "doorbell.sqlite3")),
            "broker_transport_options": {"visibility_timeout": LEASE, "max_retries": 0},
            "worker_prefetch_multiplier": 4,
        }
    return broker | {
        # Celery would close the database after each task; see _keep_the_database.
        "CELERY_DB_REUSE_MAX": sys.maxsize,
        "accept_content": ["json"],
        "beat_schedule": SCHEDULE,
        "beat_scheduler": "funnel.outbox.heartbeat:Beat",
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": 2,
        "task_acks_late": True,
        "task_default_queue": "baton",
        "task_ignore_result": True,
        "task_publish_retry": False,
        "task_reject_on_worker_lost": True,
        "task_soft_time_limit": TIME_LIMIT - 30,
        "task_time_limit": TIME_LIMIT,
        "timezone": "UTC",
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # While one process makes way for another, which takes seconds, nobody may be there for what is live.
        "worker_max_tasks_per_child": 50_000,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
        "worker_soft_shutdown_timeout": 30,
    }


# It would explain at each lost connection a default that is set above.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

app = Celery("baton", amqp=Amqp)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.add_defaults(configuration)
app.autodiscover_tasks()
# Celery's current app belongs to a thread; without this a task sent from another thread would go to no broker.
app.set_default()


@setup_logging.connect
def _keep_our_logging(**_signal: Any) -> None:
    """Leave the logging to settings.LOGGING: Celery would print a line per ring."""


@task_prerun.connect
def _keep_the_database(**_signal: Any) -> None:
    """Let a task go on with the connection of the one before, as a request does: but for a broken or an old one."""
    close_old_connections()


@worker_init.connect
def _keep_what_is_read(**_signal: Any) -> None:
    """Let the collector leave alone what stays for good: it looked at it ever again, for a sixth of a list's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@worker_ready.connect
def _show_worker(**_signal: Any) -> None:
    from funnel.outbox import heartbeat

    heartbeat.keep_beating("worker")


@beat_init.connect
def _show_beat(sender: Any, **_signal: Any) -> None:
    from funnel.outbox import heartbeat

    heartbeat.keep_beating("beat", lambda: time.monotonic() - sender.scheduler.ticked < STALLED)
