"""The channels a business starts with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.db import transaction

from funnel.workspaces.models import Workspace
from marketing.channels.models import Channel

SHIPPED = Path(__file__).parent / "channels.json"


@transaction.atomic
def start(workspace: Workspace, **_: Any) -> None:
    """Give a new business the shipped channels."""
    Channel.objects.bulk_create(
        [
            Channel(workspace=workspace, key=key, name=name, online=online, position=place)
            for place, (key, name, online) in enumerate(json.loads(SHIPPED.read_text()))
        ]
    )
