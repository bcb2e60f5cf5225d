"""To whom a lead goes, and why to nobody else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from funnel.handoff import turns
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Company, Lead
from funnel.templatetags.words import day
from funnel.workspaces.hours import spans
from funnel.workspaces.models import Member, TimeOff, Workspace

Route = tuple[Member | None, dict[str, Any]]


class Rotation:
    """The members who take leads and are not away, locked, in the order of their turn; one serves a batch."""

    def __init__(self, at: datetime, workspace: Workspace) -> None:
        self.at = at
        # Locked by id first: two workers that hand over at once may neither deadlock nor give one turn twice.
        locked = {
            one.pk: one
            for one in Member.objects.taking_leads()
            .order_by("pk")
            .select_related("user")
            .select_for_update(of=("self",))
        }
        today = workspace.local(at).date()
        # A lead that comes on a Sunday is worked on Monday, so whoever begins days off then is left out too.
        begins = workspace.local(next(spans(workspace, at))[0]).date()
        away = TimeOff.objects.last_days(today, begins)
        self.away = [(one, away[one.pk]) for one in locked.values() if one.pk in away]
        here = [one for one in locked.values() if one.pk not in away]
        turns.begin_week(here, today)
        # Between equals who waits longest comes first; ids made in the same millisecond have no order.
        self.here = sorted(
            here, key=lambda one: (one.last_turn_at is not None, one.last_turn_at, one.joined_at, one.pk)
        )
        self.moved: dict[UUID, Member] = {}

    def route(self, lead: Lead, *, known: Member | None, known_why: str, tried: Collection[UUID]) -> Route:
        """Give the member for a lead, or None for the pool, with the sentence and the rows that explain it.

        `known` is somebody who goes before the rotation: who held the lead, the account or the company. Such a lead
        is not counted as their turn.
        """
        free = [one for one in self.here if one.pk not in tried]
        if known is not None and known in free:
            says = known_why.format(name=known.name)
            return known, {"by": "known", "says": says, "rows": self._rows(known, says, tried)}
        by_turn = turns.in_order([one for one in free if one.weekly_leads])
        if not by_turn:
            return None, {"by": "pool", "says": self._why_nobody(free), "rows": self._rows(None, "", tried)}
        chosen = by_turn[0]
        says = f"It is {chosen.name}’s turn: {turns.had(chosen)}."
        rows = self._rows(chosen, says, tried, by_turn)
        turns.give(chosen, by_turn)
        self.here.remove(chosen)
        self.here.append(chosen)
        chosen.last_turn_at = self.at
        self.moved[chosen.pk] = chosen
        return chosen, {"by": "rotation", "says": says, "rows": rows}

    def _why_nobody(self, free: Sequence[Member]) -> str:
        if free:
            return "Nobody takes leads by turn at the moment."
        if self.here:
            return "Everybody who takes leads has had this one already."
        return "Everybody who takes leads is away." if self.away else "Nobody takes leads at the moment."

    def _rows(
        self, chosen: Member | None, says: str, tried: Collection[UUID], by_turn: Sequence[Member] = ()
    ) -> list[dict[str, Any]]:
        """Why this one, and of everybody else why not, in the order of their turns."""
        place = {one.pk: number for number, one in enumerate(by_turn, 1)}
        rows = []
        for one in sorted(self.here, key=lambda one: place.get(one.pk, len(place) + 1)):
            if one == chosen:
                why = says
            elif one.pk in tried:
                why = "Had this lead before."
            elif one.pk in place:
                why = f"Comes later, number {place[one.pk]} in turn: {turns.had(one)}."
            elif not one.weekly_leads:
                why = "Takes none by turn."
            else:
                why = "Would have been asked by turn, if nobody came before."
            rows.append({"member": str(one.pk), "name": one.name, "says": why, "chosen": one == chosen})
        for one, last in self.away:
            why = f"Is away, up to and including {day(last)}."
            rows.append({"member": str(one.pk), "name": one.name, "says": why, "chosen": False})
        return rows

    def save(self) -> None:
        """Keep whose turn it was, in the order in which the turns were given, and what it left owing to each."""
        if not self.moved:
            return
        for place, one in enumerate(sorted(self.moved.values(), key=self.here.index)):
            one.last_turn_at = self.at.replace(microsecond=min(999_999, self.at.microsecond + place))
        Member.objects.bulk_update(self.here, ["last_turn_at", "owed", "week", "week_turns"])


def known_members(leads: Sequence[Lead]) -> dict[UUID, tuple[Member, str]]:
    """Who goes before the rotation for each lead: the account's rep, the rep of the earlier handoff, the company's."""
    found: dict[UUID, tuple[UUID, str]] = {}
    companies = {lead.company_id for lead in leads if lead.company_id}
    held = dict(
        Company.objects.filter(pk__in=companies, holder__isnull=False).values_list("pk", "holder") if companies else ()
    )
    for lead in leads:
        if lead.company_id in held:
            found[lead.pk] = (held[lead.company_id], "{name} holds this company.")
    earlier = (
        Handoff.objects.filter(lead__in=[lead.pk for lead in leads], closed_by__isnull=False)
        .filter(outcome__in=[Outcome.ACCEPTED, Outcome.GIVEN_BACK])
        .order_by("opened_at")
    )
    for lead_id, member_id in earlier.values_list("lead_id", "closed_by"):
        found[lead_id] = (member_id, "{name} spoke with this person before.")
    for lead in leads:
        if lead.holder_id is not None:
            found[lead.pk] = (lead.holder_id, "{name} looks after this customer.")
    if not found:
        return {}
    members = Member.objects.select_related("user").in_bulk({member_id for member_id, _ in found.values()})
    return {lead_id: (members[member_id], says) for lead_id, (member_id, says) in found.items()}
