"""Play a whole year in a database of its own, which is taken away afterwards; print what was found, as JSON.

python -m tests.proof --leads 20000
"""

import argparse
import json
import os
import sys
import time
from contextlib import ExitStack
from unittest.mock import patch

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "funnel.settings")
django.setup()

from django.test.utils import override_settings, setup_databases, setup_test_environment, teardown_databases  # noqa: E402

from tests.proof.recount import look  # noqa: E402
from tests.proof.year import Year  # noqa: E402

TRIED = {
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "STORAGES": {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
}


def main() -> None:
    """Play a whole year and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--leads", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    setup_test_environment()
    kept = setup_databases(0, interactive=False)
    started, wrong = (time.monotonic(), time.process_time()), []
    year = Year(asked.leads, seed=asked.seed)

    def looked(now: Year) -> None:
        found = look(now)
        wrong.extend(found)
        took = round(time.monotonic() - started[0])
        said = {"day": f"{now.clock.now:%Y-%m-%d}", "seconds": took, "differences": len(found), "first": found[:20]}
        print(json.dumps(said), flush=True)

    try:
        with ExitStack() as stack:
            stack.enter_context(override_settings(**TRIED))
            stack.enter_context(patch("funnel.outbox.drain.AIR", 0))
            year.play(looked)
    finally:
        teardown_databases(kept, 0)
    took = {
        "seconds": round(time.monotonic() - started[0]),
        "of the processor": round(time.process_time() - started[1]),
    }
    print(json.dumps({"people": len(year.came), **year.did, **took, "differences": len(wrong)}, indent=1))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
