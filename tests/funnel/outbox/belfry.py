"""A plain Celery app on a doorbell file of its own, run by the doorbell's tests as a real worker."""

import os
import time
from pathlib import Path
from urllib.parse import quote

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

TRANSPORT_ALIASES["doorbell"] = "funnel.outbox.doorbell:Transport"
FOLDER = Path(os.environ["BELFRY"])


def address(path: Path) -> str:
    """The file's URL."""
    return "doorbell://localhost/" + quote(str(path))


app = Celery("belfry", broker=address(FOLDER / "doorbell.sqlite3"), set_as_current=False)
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 2.0, "max_retries": 0},
    task_acks_late=True,
    task_ignore_result=True,
    task_reject_on_worker_lost=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=4,
)


@app.task(name="belfry.mark")
def mark(number: int, sent: float = 0.0, lasts: float = 0.0) -> None:
    """Write down that this message was heard, and how long it took to be."""
    late = time.time() - sent
    time.sleep(lasts)
    with (FOLDER / "heard").open("a") as heard:
        heard.write(f"{number} {late:.3f}\n")
