"""Keyset paging of a list on a page: the address carries where the last row stood, signed."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.core.exceptions import BadRequest
from django.db.models import Q

PAGE = 50


def cursor(kind: str, *values: Any) -> str:
    """Where a page ended, as one word of an address; `kind` keeps the cursors of two lists apart."""
    return signing.dumps([str(value) if not isinstance(value, float) else value for value in values], salt=kind)


def read(kind: str, word: str, parts: int) -> list[Any] | None:
    """What a cursor says; None without one. Raises BadRequest for a word that isn't ours."""
    if not word:
        return None
    try:
        values = signing.loads(word, salt=kind)
    except signing.BadSignature:
        raise BadRequest("This address has been changed on its way. Open the list again.") from None
    if not isinstance(values, list) or len(values) != parts:
        raise BadRequest("This address has been changed on its way. Open the list again.")
    return values


def beyond(field: str, key: str, values: list[Any], *, falling: bool, key_falling: bool | None = None) -> Q:
    """The rows after (field, key) in an order; the first condition lets an index begin at the right place."""
    way = "lt" if falling else "gt"
    key_way = "lt" if (falling if key_falling is None else key_falling) else "gt"
    return Q(**{f"{field}__{way}e": values[0]}) & (
        Q(**{f"{field}__{way}": values[0]}) | Q(**{field: values[0], f"{key}__{key_way}": values[1]})
    )
