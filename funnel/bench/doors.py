"""The doors under load: the public form and the API, against a bare view with one INSERT in the same run."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import quote_plus, urlencode

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from funnel.bench.figures import Report, middle
from funnel.bench.load import CLIENTS, OWN, send
from funnel.bench.stage import Stage

ROUNDS = 3
LIMIT = "INSERTs a second of a bare Django view"
TRIES = 200


def capture(report: Report, stage: Stage, seconds: float) -> None:
    """The public form: POSTs a second, and the statements of one."""
    with stage.running("web", "bare"):
        words = form(stage.stamp())
        bare, ours = _in_turn(
            stage, seconds, words, lambda tag: send(stage.port, stage.form_path, words, seconds=seconds, tag=tag)
        )
    met = _figure(report, "public form POSTs", bare, ours, aim=("ratio", ">=", 0.30))
    post = _form_poster(stage, words)
    report.figure(
        "statements of one form POST besides BEGIN and COMMIT", statements(post), "statements", aim=("value", "<=", 6)
    )
    if not met:
        report.profile(f"{TRIES} form POSTs in one process", lambda: [post() for _ in range(TRIES)])


def api(report: Report, stage: Stage, seconds: float) -> None:
    """POST leads/ one by one, and a thousand at a time."""
    one = json.dumps(lead())
    how: dict[str, Any] = {"kind": "application/json", "headers": {"Authorization": f"Bearer {stage.key}"}}
    # On SQLite a thousand leads hold the one write lock, so batches side by side would only be told to come again.
    at_once = 1 if settings.SQLITE else CLIENTS
    with stage.running("web", "bare"):
        bare, single = _in_turn(
            stage, seconds, one,
            lambda tag: send(stage.port, "/api/v1/leads/", one, seconds=seconds, tag=tag, **how),
        )  # fmt: skip
        _, batch = _in_turn(
            stage, seconds, "",
            lambda tag: send(
                stage.port, "/api/v1/leads/batch/", one, seconds=seconds, tag=tag, each=1000, clients=at_once, **how
            ),
        )  # fmt: skip
    for sent in batch:
        sent["per_second"] *= 1000
    aims = (None, None) if settings.SQLITE else (("value", ">=", 300.0), ("value", ">=", 2000.0))
    post = _api_poster(stage)
    if not _figure(report, "POST leads/", bare, single, aim=aims[0]):
        report.profile(f"{TRIES} POST leads/ in one process", lambda: [post(lead()) for _ in range(TRIES)])
    what = f"leads by POST leads/batch/ of 1,000, {at_once} at once"
    if not _figure(report, what, bare, batch, unit="leads/s", aim=aims[1]):
        thousand = {"leads": [lead() for _ in range(1000)]}
        report.profile("one batch of 1,000 in one process", lambda: post(thousand, "batch/"))


def form(shown: str = "") -> str:
    """What a visitor's browser posts, with a place for words of one's own."""
    words = {
        "name": "Pat Person", "email": f"{OWN}@visitor.example", "phone": "+44 20 7946 0958", "company": "Visitor Ltd",
        "message": "Could you call me about the roof of our workshop? " * 2, "shown": shown, "website": "",
    }  # fmt: skip
    return urlencode(words).replace(quote_plus(OWN), OWN)


def lead() -> dict[str, Any]:
    """What an integration sends of one person."""
    return {
        "email": f"{OWN}@customer.example", "name": "Pat Person", "company": "Customer Ltd",
        "external_system": "shop", "external_id": OWN,
        "source": {"channel": "Paid search", "campaign": "Spring roofs"},
    }  # fmt: skip


def statements(post: Callable[[], Any]) -> int:
    """How many statements one call makes besides BEGIN and COMMIT, when it isn't the first."""
    post()
    with CaptureQueriesContext(connection) as seen:
        post()
    made = [row["sql"] for row in seen.captured_queries if not row["sql"].startswith(("BEGIN", "COMMIT"))]
    # A kept connection is tried once per request, which Django doesn't log.
    return len(made) + bool(settings.DATABASES["default"]["CONN_HEALTH_CHECKS"])


def _in_turn(
    stage: Stage, seconds: float, words: str, ours: Callable[[str], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Bare and ours by turns, so that both meet the same moods of the machine; without words ours alone."""
    told: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for turn in range(-1, ROUNDS):
        # The first turn only warms up.
        if words:
            sent = send(stage.bare_port, "/insert/", words, seconds=min(seconds, 1) if turn < 0 else seconds, tag="b")
            if turn >= 0:
                told[0].append(sent)
        sent = ours(secrets.token_hex(4))
        if turn >= 0:
            told[1].append(sent)
    return told


def _figure(
    report: Report,
    what: str,
    bare: list[dict[str, Any]],
    ours: list[dict[str, Any]],
    *,
    unit: str = "1/s",
    aim: tuple[str, str, float] | None,
) -> bool:
    refused: dict[str, int] = {}
    for sent in ours:
        for status, times in sent["refused"].items():
            refused[status] = refused.get(status, 0) + times
    return report.figure(
        what,
        middle([sent["per_second"] for sent in ours]),
        unit,
        ms=[ms for sent in ours for ms in sent["ms"]],
        limit=middle([sent["per_second"] for sent in bare]),
        limit_what=LIMIT,
        aim=aim,
        refused=refused,
    )


def _form_poster(stage: Stage, words: str) -> Callable[[], None]:
    client, number = Client(SERVER_NAME="127.0.0.1"), count()

    def post() -> None:
        body = words.replace(OWN, f"again{next(number)}")
        answer = client.post(stage.form_path, body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 303, answer.content

    return post


def _api_poster(stage: Stage) -> Callable[..., None]:
    client, number = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {stage.key}"}), count()

    def post(body: dict[str, Any], more: str = "") -> None:
        text = json.dumps(body)
        pieces = text.split(OWN)
        # Each lead has its two places of its own.
        text = "".join(f"{piece}own{next(number) // 2}" for piece in pieces[:-1]) + pieces[-1]
        answer = client.post(f"/api/v1/leads/{more}", text, content_type="application/json")
        assert answer.status_code < 300, answer.content

    return post
