"""The nurture mails of the demo business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from funnel.workspaces.models import Member, Workspace
from marketing.nurture import actions as nurture
from marketing.nurture.models import Step


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    return {"nurture": nurture_mails}


def nurture_mails(mails: Sequence[tuple[int, str, str]], *, by: Member, at: datetime) -> None:
    """Write the mails and switch them on; `by` signs."""
    sequence = nurture.sequence_of(by.workspace, at=at)
    for days, subject, text in mails:
        nurture.keep_step(Step(workspace=by.workspace, sequence=sequence, days=days, subject=subject, text=text))
    nurture.set_up(sequence, is_on=True, sender=by)
