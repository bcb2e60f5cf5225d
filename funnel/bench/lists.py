"""The lists and pages that people open all day, in a business of 100,000 leads, and the report over all of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import unescape
from typing import Any
from urllib.parse import quote_plus

from django.conf import settings
from django.db import connection
from django.test import Client

from funnel.bench import bare
from funnel.bench.doors import statements
from funnel.bench.figures import Report, middle, percentile
from funnel.bench.filling import People, fill
from funnel.bench.load import fetch
from funnel.bench.stage import BACKEND, CantMeasure, Stage, cookie
from funnel.leads.models import Lead
from funnel.leads.stages import Stage as At
from funnel.overview.paging import cursor
from funnel.overview.report_api import BY
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import User

ROWS, EVENTS, REPORT_EVENTS = 100_000, 3, 10
ASKED, DEEPEST = 100, 60
TRIES = 50
LIMIT = "times a second a bare Django view reads 50 rows by key"
MEMORY, SLOWEST, MOST, REPORT_SLOWEST = 250.0, 100.0, 15, 300.0


@dataclass(frozen=True)
class Page:
    """What is opened, by whom, and how often it should be answered a second by two workers for eight clients."""

    what: str
    paths: Sequence[str]
    who: User | None
    aim: float | None
    # What htmx asks for: a part of the page.
    part: bool = False


def lists(report: Report, stage: Stage, leads: int, seconds: float) -> None:
    """Every list and page under load, and by a single visitor for the time that the server itself takes."""
    people = fill(stage, leads=leads, deals=leads // 5, events=EVENTS)
    _fill_bare()
    with stage.running("web", "bare"):
        limit = fetch(stage.bare_port, ["/read/"], seconds=seconds, headers={})["per_second"]
        missed = [page for page in _pages(stage, people) if not _opened(report, stage, page, limit, seconds)]
        _deepest(report, stage, people, seconds)
        report.figure("memory of the web part", stage.together("web"), "MiB", aim=("value", "<=", MEMORY))
    _profile(report, stage, missed, TRIES)


def funnel(report: Report, stage: Stage, leads: int, seconds: float) -> None:
    """The funnel report without a roll-up, beside one plain look at every lead."""
    fill(stage, leads=leads, deals=leads // 5, events=REPORT_EVENTS)
    limit, missed = _looked(stage), []
    with stage.running("web"):
        for by in BY:
            page = Page(f"the report by {by}", [f"/api/v1/reports/funnel/?by={by}"], None, None)
            ms = fetch(stage.port, page.paths, seconds=seconds, headers=_key(stage), clients=1)["ms"]
            if not report.figure(
                f"{page.what} over {leads:,} leads and about {leads * REPORT_EVENTS:,} events, p95",
                percentile(ms, 0.95), "ms", ms=ms, limit=limit,
                limit_what="ms to look at the dates of every lead by a single statement",
                aim=("value", "<=", REPORT_SLOWEST),
            ):  # fmt: skip
                missed.append(page)
    _profile(report, stage, missed, 10)


def _pages(stage: Stage, people: People) -> list[Page]:
    owner, rep = people.owner.user, people.rep.user
    with tenant(stage.workspace):
        asked = list(Lead.objects.order_by("email").values_list("email", "name", "phone")[:: max(1, ROWS // ASKED)])
        held = Lead.objects.filter(holder=people.rep, stage=At.NEGOTIATION)
        mine = [str(pk) for pk in held.values_list("pk", flat=True)[:ASKED]]
    words = [quote_plus(row[number % 3]) for number, row in enumerate(asked)]
    going_on = re.search(r'hx-get="(\?of=[^"]+)"', _client(owner).get("/sales/board/").content.decode())
    column = [f"/sales/board/{unescape(going_on[1])}"] if going_on else []
    return [
        Page("list of leads, page", ["/leads/"], owner, 100),
        Page("list of leads by engagement, page", ["/leads/?order=engagement"], owner, 100),
        Page("list of leads, API", ["/api/v1/leads/"], None, 100),
        Page("search, page", [f"/leads/?q={one}" for one in words], owner, 115),
        Page("search, API", [f"/api/v1/leads/?q={one}" for one in words], None, 115),
        Page("one lead, page", [f"/leads/{one}/" for one in mine], rep, 100),
        Page("one lead, API", [f"/api/v1/leads/{one}/" for one in mine], None, 300),
        Page("board, page", ["/sales/board/"], owner, None),
        *([Page("board, one column", column, owner, 100, part=True)] if column else []),
        Page("deals, API", ["/api/v1/deals/"], None, 100),
        Page("desk, page", ["/sales/"], rep, None),
        Page("owner’s home, page", ["/"], owner, None),
    ]


def _profile(report: Report, stage: Stage, missed: Sequence[Page], times: int) -> None:
    for page in missed:
        visit = _visitor(stage, page)
        visit()
        report.profile(f"{times} × {page.what} in one process", partial(_again, visit, times))


def _again(visit: Callable[[], None], times: int) -> None:
    for _ in range(times):
        visit()


def _opened(report: Report, stage: Stage, page: Page, limit: float, seconds: float) -> bool:
    headers = _headers(stage, page)
    fetch(stage.port, page.paths, seconds=0.5, headers=headers)
    alone = fetch(stage.port, page.paths, seconds=seconds, headers=headers, clients=1)
    many = fetch(stage.port, page.paths, seconds=seconds, headers=headers)
    met = [
        report.figure(
            page.what, many["per_second"], "1/s", ms=many["ms"], limit=limit, limit_what=LIMIT,
            aim=("value", ">=", page.aim) if page.aim else None, refused=many["refused"],
        ),
        report.figure(
            f"{page.what}: p95 of the server’s time", percentile(alone["ms"], 0.95), "ms", ms=alone["ms"],
            aim=("value", "<=", SLOWEST), refused=alone["refused"],
        ),
        report.figure(
            f"{page.what}: statements besides BEGIN and COMMIT", statements(_visitor(stage, page)), "statements",
            aim=("value", "<=", MOST),
        ),
    ]  # fmt: skip
    return all(met)


def _deepest(report: Report, stage: Stage, people: People, seconds: float) -> None:
    """The last page of the list beside the first, by a single visitor."""
    with tenant(stage.workspace):
        last = Lead.objects.order_by("received_at", "id")[DEEPEST]
    deep = f"/leads/?after={cursor('leads.newest', last.received_at.isoformat(), last.pk)}"
    headers = {"Cookie": cookie(people.owner.user)}
    took = [
        middle(fetch(stage.port, [path], seconds=seconds, headers=headers, clients=1)["ms"])
        for path in ("/leads/", deep)
    ]
    report.figure(
        "the last page of leads, median", took[1], "ms", limit=took[0], limit_what="the first page’s median, ms",
        aim=("ratio", "<=", 1.2),
    )  # fmt: skip


def _client(user: User) -> Client:
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user, backend=BACKEND)
    return client


def _key(stage: Stage) -> dict[str, str]:
    return {"Authorization": f"Bearer {stage.key}"}


def _headers(stage: Stage, page: Page) -> dict[str, str]:
    headers = {"Cookie": cookie(page.who)} if page.who else _key(stage)
    return headers | ({"HX-Request": "true"} if page.part else {})


def _visitor(stage: Stage, page: Page) -> Any:
    """Open the page in this process, the next address each time."""
    client = _client(page.who) if page.who else Client(SERVER_NAME="127.0.0.1", headers=_key(stage))
    addresses = iter(list(page.paths) * 1000)

    def visit() -> None:
        answer = client.get(next(addresses), headers={"HX-Request": "true"} if page.part else {})
        if answer.status_code != 200:
            raise CantMeasure(f"{page.what} is answered {answer.status_code}.")

    return visit


def _fill_bare() -> None:
    with connection.cursor() as cursor:
        insert = f"INSERT INTO {bare.TABLE} (body) VALUES (%s)"  # noqa: S608
        cursor.executemany(insert, [["what is known of one lead " * 8]] * 5000)


def _looked(stage: Stage) -> float:
    """Milliseconds in which the database looks at every lead's dates once; the middle of five."""
    took = []
    dates = ", ".join(
        f"count({name}), max({name})" for name in ("received_at", "ready_at", "demo_at", "customer_since")
    )
    workspace = stage.workspace.pk.hex if settings.SQLITE else stage.workspace.pk
    for _ in range(5):
        with tenant(stage.workspace), connection.cursor() as cursor:
            began = time.perf_counter()
            cursor.execute(f"SELECT {dates} FROM funnel_lead WHERE workspace_id = %s", [workspace])  # noqa: S608
            cursor.fetchall()
            took.append((time.perf_counter() - began) * 1000)
    return middle(took)
