"""Play a whole year, or many orders of steps, in a database of its own, which is taken away afterwards; print JSON.

python -m tests.proof --leads 20000
python -m tests.proof --orders 500
"""

import argparse
import json
import logging
import os
import sys
import time
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "funnel.settings")
django.setup()

from django.db import connection  # noqa: E402
from django.test.utils import override_settings, setup_databases, setup_test_environment, teardown_databases  # noqa: E402

from funnel.outbox.models import Event  # noqa: E402
from funnel.outbox.statistics import learn  # noqa: E402
from tests.proof.recount import PARTS, Recount  # noqa: E402
from tests.proof.steps import play  # noqa: E402
from tests.proof.year import Year  # noqa: E402
from tests.proof.year_clock import LOOKS  # noqa: E402

TRIED = {
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "STORAGES": {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
}
PROVED = "check_facts finds nothing, and every number on the home pages equals a recount in plain SQL"


def a_year(leads: int, number: int) -> list[str]:
    """Play a year of so many leads and print how it goes; give every difference that was found."""
    year, wrong = Year(leads, seed=number), []
    began = time.monotonic()

    def told(**says: Any) -> None:
        at = {"day": f"{year.clock.now:%Y-%m-%d}", "seconds": round(time.monotonic() - began)}
        print(json.dumps({**at, "people": len(year.came), **says}), flush=True)

    def looked(now: Year) -> None:
        if now.clock.now not in LOOKS:
            told(**now.did)
            # As the timer lets it every five minutes; a connection uses it once it is opened anew.
            learn()
            connection.close()
            return
        recount = Recount(now)
        for part in PARTS:
            before = len(recount.found)
            found = getattr(recount, part)()[before:]
            told(recount="check_facts" if part == "facts" else part, differences=len(found), first=found[:20])
        wrong.extend(recount.found)

    year.play(looked)
    with year.gate():
        print(json.dumps({**year.did, "people": len(year.came), "events": Event.objects.count()}, indent=1))
    print(f"{len(wrong)} differences" if wrong else PROVED)
    return wrong


def main() -> None:
    """Play what is asked for, and end with 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--leads", type=int, default=20_000, help="a year of so many")
    what.add_argument("--orders", type=int, default=0, help="so many orders of steps instead, beside the model")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    setup_test_environment()
    kept = setup_databases(0, interactive=False)
    started, wrong = (time.monotonic(), time.process_time()), []
    try:
        with ExitStack() as stack:
            stack.enter_context(override_settings(**TRIED))
            stack.enter_context(patch("funnel.outbox.drain.AIR", 0))
            if asked.orders:
                # Its handlers fail on purpose.
                logging.disable(logging.CRITICAL)
                print(json.dumps(play(asked.orders, number=asked.seed), indent=1))
            else:
                wrong = a_year(asked.leads, asked.seed)
    finally:
        teardown_databases(kept, 0)
    took = {"seconds": time.monotonic() - started[0], "of the processor": time.process_time() - started[1]}
    print(json.dumps({name: round(many) for name, many in took.items()}))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
