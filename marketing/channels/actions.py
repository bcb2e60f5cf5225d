"""The channels a business starts with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction

from funnel.workspaces.models import Workspace
from marketing.channels.models import Channel

SHIPPED = Path(__file__).parent / "channels.json"


@cache
def shipped() -> list[tuple[str, str, bool]]:
    """The channels out of the box: key, name, and whether it is online."""
    return [(key, name, online) for key, name, online in json.loads(SHIPPED.read_text())]


@cache
def shipped_keys() -> frozenset[str]:
    """The keys of the channels out of the box."""
    return frozenset(key for key, _, _ in shipped())


def channel_key(name: str) -> str:
    """A name as sources say it, in the form of the shipped keys: "Paid search" is "paid_search"."""
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())[:80]


@transaction.atomic
def start(workspace: Workspace, **_: Any) -> None:
    """Give a new business the shipped channels."""
    Channel.objects.bulk_create(
        [
            Channel(workspace=workspace, key=key, name=name, online=online, position=place)
            for place, (key, name, online) in enumerate(shipped())
        ]
    )
