"""What the handoffs of the last 30 days would have done under these rules; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from funnel.handoff.models import Handoff
from funnel.handoff.routing import Rotation, Rules, fit_bands
from funnel.workspaces.models import Member, TimeOff, Workspace

MONTH = timedelta(days=30)
# A busier business is tried on its latest.
MOST = 5000


@dataclass(slots=True)
class Tried:
    """One handoff of the month: to whom it went, to whom it would have gone, and the sentence that decides."""

    handoff: Handoff
    went: Member | None
    would: Member | None
    says: str

    @property
    def other(self) -> bool:
        """Whether it would have gone to somebody else."""
        return (self.went and self.went.pk) != (self.would and self.would.pk)


@dataclass(slots=True)
class Share:
    """What one member, or the pool, had and would have had."""

    member: Member | None
    went: int = 0
    would: int = 0

    @property
    def more(self) -> int:
        return self.would - self.went

    @property
    def key(self) -> str:
        return str(self.member.pk) if self.member else "pool"

    @property
    def name(self) -> str:
        return self.member.name if self.member else "The pool"


@dataclass(slots=True)
class Trial:
    """The month tried again, one by one, and by member."""

    rows: list[Tried] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)

    @property
    def others(self) -> int:
        """How many would have gone to somebody else."""
        return sum(row.other for row in self.rows)


def try_again(rules: Rules, *, workspace: Workspace, at: datetime) -> Trial:
    """Route the handoffs of the last 30 days again, in order, by these rules and who takes leads now.

    Who was away then is away again. Whom a lead knew stays: that is no matter of rules. Nobody begins ahead or
    behind. What was passed on counts once, where it was offered first. Conditions ask what is known of the lead today.
    """
    found = Handoff.objects.filter(opened_at__gt=at - MONTH, opened_at__lte=at, follows=None)
    handoffs = list(
        found.select_related("lead__source", "offered_to__user").defer("card").order_by("-opened_at", "-id")[:MOST]
    )[::-1]
    members = list(Member.objects.taking_leads().select_related("user"))
    # Between equals whoever had the first turns of the month has them again, or every lead would change places.
    first = [one.offered_to_id for one in handoffs if one.route.get("by") == "rotation"]
    served = {pk: place for place, pk in reversed(list(enumerate(first)))}
    for one in members:
        one.owed, one.week = 0.0, None
        one.last_turn_at = at - 2 * MONTH + timedelta(seconds=served.get(one.pk, len(first)))
    off = TimeOff.objects.filter(last__gte=workspace.local(at - MONTH).date())
    rotation = Rotation(members, list(off), rules, workspace)
    bands = fit_bands([one.lead for one in handoffs])
    trial = Trial()
    for one in handoffs:
        if one.route.get("by") == "known":
            trial.rows.append(Tried(one, one.offered_to, one.offered_to, one.route["says"]))
            continue
        rotation.come_to(one.opened_at)
        would, route = rotation.route(one.lead, fit_band=bands.get(one.lead_id, ""))
        trial.rows.append(Tried(one, one.offered_to, would, route["says"]))
    trial.shares = _shares(trial.rows, members)
    return trial


def _shares(rows: Sequence[Tried], members: Sequence[Member]) -> list[Share]:
    shares: dict[UUID | None, Share] = {one.pk: Share(one) for one in members}
    for row in rows:
        for who, what in ((row.went, "went"), (row.would, "would")):
            share = shares.setdefault(who.pk if who else None, Share(who))
            setattr(share, what, getattr(share, what) + 1)
    return sorted(shares.values(), key=lambda one: (one.member is None, -one.would, one.name))
