"""The web process."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "funnel.settings")
# A page gives up on the write lock after a second and says so; the worker waits.
os.environ.setdefault("SQLITE_TIMEOUT", "1")
# On PostgreSQL, where somebody locks a table, visitors would otherwise wait until no thread is left to answer anybody.
os.environ.setdefault("LOCK_TIMEOUT", "4")
os.environ.setdefault("STATEMENT_TIMEOUT", "30")
# A page's long statements are planned once for each connection. The worker's go with how many are asked and how full
# the tables are by now, so they are planned each time: a plan from when they were empty cost it four of ten leads.
os.environ.setdefault("KEEP_PLANS", "1")
# Each thread has a connection: with the worker’s 64 MiB for each they would hold a gigabyte together, and be no faster.
os.environ.setdefault("SQLITE_CACHE", "1")
os.environ.setdefault("SQLITE_STATEMENTS", "40")

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

application = get_wsgi_application()
# Read every address and the bell's Celery now: a visitor's first request shouldn't wait for the imports behind it.
get_resolver().url_patterns  # noqa: B018
import funnel.celery  # noqa: E402, F401

# What is read by now stays for good. Left to the collector, each process would touch, and so keep, a copy of its own.
gc.collect()
gc.freeze()
