"""Answer a repeated POST with the first answer: kept for a day per key and route, in the same transaction."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import Any
from zlib import crc32

from django.conf import settings
from django.db import connection
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from funnel.api.models import KeptAnswer
from funnel.api.shapes import Invalid
from funnel.workspaces.models import ApiKey
from funnel.workspaces.refusals import Refusal

KEPT_FOR = timedelta(days=1)
WRITTEN = re.compile(r"[\x21-\x7e]{1,255}")
# One of so many answers kept takes the old ones of its business away.
SWEEP_EVERY = 64


class InFlight(Refusal):
    """The first request under this key has not ended yet."""


class OtherBody(Refusal):
    """The key was used for something else."""

    status = 422


class Replayed(Exception):
    """This POST was answered before; `kept` is the answer."""

    def __init__(self, kept: KeptAnswer) -> None:
        super().__init__("answered before")
        self.kept = kept


def begin(request: Request, raw: bytes) -> KeptAnswer | None:
    """Start a POST that has an Idempotency-Key; give the row to fill, None without a key.

    Raises Replayed when it was answered, InFlight while it is being answered, OtherBody for another body.
    """
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not WRITTEN.fullmatch(given):
        raise Invalid({"Idempotency-Key": "Send up to 255 printable ASCII characters without spaces."})
    key: ApiKey = request.auth  # type: ignore[assignment]
    at = request._request.at  # type: ignore[attr-defined]
    fresh = KeptAnswer(
        workspace_id=key.workspace_id,
        api_key=key,
        route=request.path,
        idempotency_key=given,
        body_digest=hashlib.sha256(raw).hexdigest(),
        at=at,
    )
    _claim(fresh)
    kept = KeptAnswer.objects.filter(api_key=key, route=fresh.route, idempotency_key=given).first()
    if kept is None:
        return fresh
    if kept.at < at - KEPT_FOR:
        kept.delete()
        return fresh
    if kept.body_digest != fresh.body_digest:
        raise OtherBody("This Idempotency-Key was used with another body. Take a new one.")
    raise Replayed(kept)


def _claim(answer: KeptAnswer) -> None:
    """Hold the key until the transaction ends; on SQLite the one write lock holds everything already."""
    if settings.SQLITE:
        return
    name = f"{answer.api_key_id} {answer.route} {answer.idempotency_key}".encode()
    number = int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise InFlight("The first request with this Idempotency-Key is still being worked on. Try again.")


def keep(answer: KeptAnswer, status: int, body: Any) -> None:
    """Keep a successful answer in the transaction that did the work."""
    answer.status, answer.body = status, json.loads(json.dumps(body, cls=JSONEncoder))
    answer.save(force_insert=True)
    if crc32(answer.idempotency_key.encode()) % SWEEP_EVERY == 0:
        KeptAnswer.objects.filter(at__lt=answer.at - KEPT_FOR).delete()
