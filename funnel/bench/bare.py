"""What the machine can do: a bare Django with a view that does one INSERT, and one that reads 50 rows by their key.

Served beside Baton by the same means.
"""

from __future__ import annotations

import json
import os

import environ
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

TABLE = "bench_row"


def insert(request: HttpRequest) -> HttpResponse:
    """Keep what was sent in one row."""
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (body) VALUES (%s)", [request.body.decode()])  # noqa: S608
    return HttpResponse("kept", headers={"Content-Length": "4"})


def read(request: HttpRequest) -> HttpResponse:
    """Answer with the 50 latest rows."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, body FROM {TABLE} ORDER BY id DESC LIMIT 50")  # noqa: S608
        text = json.dumps(cursor.fetchall())
    return HttpResponse(text, "application/json", headers={"Content-Length": str(len(text))})


urlpatterns = [path("insert/", insert), path("read/", read)]


def make_table(*, sqlite: bool) -> None:
    """Make the view's table, in the database of the process that asks."""
    key = "integer PRIMARY KEY AUTOINCREMENT" if sqlite else "bigserial PRIMARY KEY"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TABLE} (id {key}, body text NOT NULL)")


def _configure() -> None:
    env = environ.Env()
    database = env.db_url_config(env.str("BENCH_DATABASE"))
    if database["ENGINE"].endswith("sqlite3"):
        # The same file is written in the same way, or the two could not be compared.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    database["CONN_MAX_AGE"] = 600
    settings.configure(
        DATABASES={"default": database}, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY=TABLE
    )


if "BENCH_DATABASE" in os.environ and not settings.configured:
    _configure()
    application = get_wsgi_application()
