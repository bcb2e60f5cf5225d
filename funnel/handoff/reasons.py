"""The reasons for giving a lead back: the business's own rows, which its owner and managers change."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify

from funnel.handoff.models import GiveBackReason, Handoff, Way
from funnel.handoff.wayback import TOUCHES
from funnel.leads.identity import Refused
from funnel.outbox.models import Event
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import AuditEntry, Member, Workspace
from funnel.workspaces.refusals import Refusal

SHIPPED = Path(__file__).parent / "reasons.json"
OFFERED = Asked(lambda: GiveBackReason.objects.offered())
# A rep reads them all while the lead waits.
MOST = 20
LONGEST_COOL, HIGHEST = 730, 1000


@transaction.atomic
def start(workspace: Workspace, **_: Any) -> None:
    """Give a new business the shipped reasons for giving back."""
    rows = enumerate(json.loads(SHIPPED.read_text()))
    GiveBackReason.objects.bulk_create(
        [GiveBackReason(workspace=workspace, position=place, **row) for place, row in rows]
    )


class LastReason(Refusal):
    """Without any reason nothing could be given back."""


def _judged(reason: GiveBackReason) -> None:
    """Tidy what a reason says, and raise Refused where it contradicts itself."""
    errors = {}
    reason.name = " ".join(reason.name.split())
    others = GiveBackReason.objects.offered().exclude(pk=reason.pk)
    if not reason.name:
        errors["name"] = "Write the reason."
    elif any(one.name.casefold() == reason.name.casefold() for one in others):
        errors["name"] = "There is a reason of this name already."
    if reason.disqualifies:
        reason.way, reason.cool_days, reason.nurtures = Way.JUDGED, 0, False
    if reason.way == Way.DATE:
        # The day that was promised ends it, whatever stands here.
        reason.cool_days = 0
    if not 0 <= reason.cool_days <= LONGEST_COOL:
        errors["cool_days"] = "Choose 0 to 730 days."
    if reason.way == Way.ENGAGEMENT:
        if reason.above is None or not 1 <= reason.above <= HIGHEST:
            errors["above"] = "Say from which engagement on, 1 to 1,000."
    else:
        reason.above = None
    if reason.way == Way.TOUCH:
        if reason.touch not in TOUCHES:
            errors["touch"] = "Choose what they do."
    else:
        reason.touch = ""
    if errors:
        raise Refused(errors)


@transaction.atomic
def add(reason: GiveBackReason, *, workspace: Workspace, by: Member, at: datetime) -> GiveBackReason:
    """Add a reason after the others; raise Refused for one that can't be."""
    _judged(reason)
    if GiveBackReason.objects.offered().count() >= MOST:
        raise Refused({"name": f"There are {MOST} reasons already. Retire one first: nobody reads more."})
    reason.workspace = workspace
    reason.key = _key(reason.name, set(GiveBackReason.objects.values_list("key", flat=True)))
    reason.position = 1 + (GiveBackReason.objects.aggregate(last=Max("position"))["last"] or 0)
    reason.save()
    _tell(reason, "reason added", by=by, at=at)
    return reason


def _key(name: str, taken: Collection[str]) -> str:
    """A name for programs that no other reason has or had."""
    stem = slugify(name)[:34] or "reason"
    return next(key for number in range(1, 10_000) if (key := stem if number == 1 else f"{stem}-{number}") not in taken)


@transaction.atomic
def change(reason: GiveBackReason, *, by: Member, at: datetime) -> GiveBackReason:
    """Keep a changed reason; what was promised by it before stays as it was promised. Raises Refused."""
    _judged(reason)
    reason.save(update_fields=["name", "cool_days", "way", "above", "touch", "nurtures", "disqualifies"])
    _tell(reason, "reason changed", by=by, at=at)
    return reason


@transaction.atomic
def move(reason: GiveBackReason, *, up: bool) -> None:
    """Let a reason change places with the one before or after it."""
    rows = list(GiveBackReason.objects.offered().select_for_update())
    place = rows.index(reason)
    other = place - 1 if up else place + 1
    if 0 <= other < len(rows):
        rows[place], rows[other] = rows[other], rows[place]
        for position, one in enumerate(rows):
            one.position = position
        GiveBackReason.objects.bulk_update(rows, ["position"])


@transaction.atomic
def retire(reason: GiveBackReason, *, by: Member, at: datetime) -> bool:
    """Offer a reason no more: one that was used stays for what it explains, another is deleted; whether it stays.

    Raises LastReason.
    """
    if list(GiveBackReason.objects.offered().select_for_update()) == [reason]:
        raise LastReason("This is the only reason. Add another before you retire it.")
    told = Event.objects.filter(kind="handoff_given_back", data__key=reason.key)
    used = told.exists() or Handoff.objects.filter(reason=reason).exists()
    _tell(reason, "reason retired" if used else "reason deleted", by=by, at=at)
    if used:
        GiveBackReason.objects.filter(pk=reason.pk).update(retired_at=at)
    else:
        reason.delete()
    return used


@transaction.atomic
def offer_again(reason: GiveBackReason, *, by: Member, at: datetime) -> None:
    """Offer a retired reason again; raise Refused where another has its name meanwhile."""
    _judged(reason)
    GiveBackReason.objects.filter(pk=reason.pk).update(retired_at=None)
    _tell(reason, "reason offered again", by=by, at=at)


def _tell(reason: GiveBackReason, action: str, *, by: Member, at: datetime) -> None:
    said = {
        name: getattr(reason, name)
        for name in ("name", "cool_days", "way", "above", "touch", "nurtures", "disqualifies")
    }
    AuditEntry.objects.create(
        workspace_id=reason.workspace_id, at=at, actor=by, action=action, target=reason.name, data=said
    )
