"""How the wings plug into the hall: lists of dotted names in settings.SLOTS."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


@cache
def slot(name: str) -> list[Any]:
    """What is plugged into a slot, in order: callables, or the queries that a page asks at once."""
    return [import_string(dotted) for dotted in settings.SLOTS.get(name, [])]
