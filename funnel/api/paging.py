"""Page a list by keyset: the place where it goes on is signed, so nobody can ask for another's or a broken one."""

from __future__ import annotations

import re
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from rest_framework.request import Request

from funnel.api.shapes import Invalid

USUAL, MOST = 50, 200
PAGING = {
    "cursor": "Where the list goes on; take it from `next`.",
    "page_size": f"How many at once, up to {MOST}; {USUAL} unless said.",
}
DIGITS = re.compile(r"[0-9]{1,9}")
WRONG = "This cursor doesn’t belong to this list. Start without one."


def size_of(request: Request) -> int:
    """Read `page_size`, or raise Invalid."""
    given = request.query_params.get("page_size")
    if given is None:
        return USUAL
    if not DIGITS.fullmatch(given) or not 1 <= int(given) <= MOST:
        raise Invalid({"page_size": f"Send a number from 1 to {MOST}."})
    return int(given)


def page(request: Request, rows: QuerySet[Any], order: tuple[str, str]) -> tuple[list[Any], str | None]:
    """Give one page of rows and the full address of the next, or None.

    `order` names two columns that are never null, the second unique, both with "-" for descending or both without.
    """
    size, (first, second) = size_of(request), (name.lstrip("-") for name in order)
    down = order[0].startswith("-")
    if (cursor := request.query_params.get("cursor")) is not None:
        value, pk = _opened(request, rows, cursor, first, second)
        way = "lt" if down else "gt"
        rows = rows.filter(
            Q(**{f"{first}__{way}": value}) | Q(**{first: value, f"{second}__{way}": pk}),
            **{f"{first}__{way}e": value},
        )
    found = list(rows.order_by(*order)[: size + 1])
    if len(found) <= size:
        return found, None
    last = found[size - 1]
    place = [_text(getattr(last, first)), _text(getattr(last, second))]
    return found[:size], next_of(request, signing.dumps(place, salt=salt_of(request)))


def next_of(request: Request, cursor: str) -> str:
    """Give the full address where the list goes on from a cursor."""
    params = request._request.GET.copy()
    params["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{params.urlencode()}")


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def salt_of(request: Request) -> str:
    """Bind a cursor to the list, its filters and the business."""
    filters = sorted((name, value) for name, value in request.query_params.items() if name not in PAGING)
    return f"cursor:{request.path}:{request._request.workspace.pk}:{filters}"  # type: ignore[attr-defined]


def _opened(request: Request, rows: QuerySet[Any], cursor: str, first: str, second: str) -> tuple[Any, Any]:
    try:
        value, pk = signing.loads(cursor, salt=salt_of(request))
        meta = rows.model._meta
        return meta.get_field(first).to_python(value), meta.get_field(second).to_python(pk)
    except (signing.BadSignature, ValueError, TypeError, ValidationError):
        raise Invalid({"cursor": WRONG}) from None
