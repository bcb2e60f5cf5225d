"""The gate for people who stand outside: not logged in, or logged in to another business."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django_scopes import scope

from funnel.workspaces.gate import enter, tenant


@contextmanager
def doorway(request: HttpRequest, workspace_id: UUID) -> Iterator[datetime]:
    """Open a workspace's rows for writing, whatever gate the request has open already; give `at`."""
    here = getattr(request, "workspace", None)
    if here is None:
        with tenant(workspace_id, write=True) as at:
            yield at
        return
    # A member's own gate is open: its transaction is the durable one, and afterwards its wall stands again.
    with transaction.atomic(), scope(workspace=workspace_id):
        yield enter(workspace_id)
    enter(here.pk)
