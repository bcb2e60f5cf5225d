"""What every part of the owner's home may ask, read once."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from funnel.workspaces.models import Member
from funnel.workspaces.tally import Counts


@dataclass(frozen=True)
class Known:
    """Everybody who works here or did, and what SLOTS["home_counts"] asked to be counted."""

    people: dict[UUID, Member]
    counts: Counts
