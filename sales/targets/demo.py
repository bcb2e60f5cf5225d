"""What is to be won in the demo business."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funnel.workspaces.models import Workspace
from sales.targets.actions import set_target


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    return {"target": set_target}
