"""What we promise a lead that is handed over: to be taken, and to be spoken to, within working hours by their fit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, Subquery

from funnel.handoff.models import Handoff, HandoffQuerySet, Outcome
from funnel.leads import known
from funnel.leads.models import Lead
from funnel.leads.stages import SALES
from funnel.outbox.kinds import CONTACTS
from funnel.outbox.models import Effect, Event, State
from funnel.workspaces.asking import Asked
from funnel.workspaces.hours import after, between, minutes_left, spans
from funnel.workspaces.models import Member, Workspace

# What is longer ago than this is for reports.
LATELY = timedelta(days=92)
# At which moment of a handoff which of its duties is done.
DUTIES = {"remind_at": "remind", "due_at": "escalate", "reroute_at": "pass_on"}
MOMENTS = (*DUTIES, "contact_due_at")


class Clock:
    """The promises that begin at one moment; each fit is reckoned once for all leads of a batch."""

    def __init__(self, workspace: Workspace, at: datetime) -> None:
        self.workspace, self.at = workspace, at
        self.by_band: dict[str, dict[str, Any]] = {}

    def of(self, fit_band: str) -> dict[str, Any]:
        """The columns of a handoff that say until when; without a fit as with the lowest."""
        if fit_band not in self.by_band:
            promise = self.workspace.promise(fit_band)
            self.by_band[fit_band] = {
                "fit_band": fit_band,
                "promise_minutes": round(promise["accept"] * 60),
                "remind_at": after(self.workspace, self.at, promise["accept"] / 2),
                "due_at": after(self.workspace, self.at, promise["accept"]),
                "reroute_at": after(self.workspace, self.at, promise["accept"] * 1.5),
                "contact_due_at": after(self.workspace, self.at, promise["contact"]),
            }
        return self.by_band[fit_band]


def follow_hours(before: Workspace, now: Workspace, *, at: datetime) -> None:
    """Hours, holidays or the zone have changed: what a running clock had left in working time, it has left still.

    What has passed stays as it was. `before` is the business as it was until now.
    """
    waiting, owed = Handoff.objects.open(), not_spoken_to().filter(contact_due_at__gt=at)
    Lead.objects.locked({*waiting.values_list("lead", flat=True), *owed.values_list("lead", flat=True)})
    # Who waits for somebody else by now still waits by their first offer.
    offers = list(Handoff.objects.filter(Q(outcome=Outcome.OPEN) | Q(due_at__gt=at), lead__in=waiting.values("lead")))
    silent = list(owed)
    moved: dict[datetime, datetime] = {}
    for one in offers + silent:
        for name in MOMENTS:
            moment = getattr(one, name)
            if moment is None or moment <= at:
                continue
            if moment not in moved:
                moved[moment] = after(now, at, between(before, at, moment).total_seconds() / 3600)
            setattr(one, name, moved[moment])
    Handoff.objects.bulk_update(offers, MOMENTS, batch_size=200)
    Handoff.objects.bulk_update(silent, ["contact_due_at"], batch_size=200)
    due = {(DUTIES[name], str(one.pk)): getattr(one, name) for one in offers for name in DUTIES}
    effects = list(
        Effect.objects.filter(workspace=now, handler__in=DUTIES.values(), state=State.DUE, due_at__gt=at)
        .select_related("event")
        .only("handler", "due_at", "event__data")
    )
    for effect in effects:
        effect.due_at = due.get((effect.handler, effect.event.data["handoff"]), effect.due_at)
    Effect.objects.bulk_update(effects, ["due_at"], batch_size=200)


def goes_on_at(one: Handoff, to: Member, workspace: Workspace) -> datetime | None:
    """When a working day of the business begins, before an offer is due, on which `to` doesn't work; None if none does.

    Somebody who was given it on such a day keeps it: whoever gave it knew.
    """
    worked = False
    for begin, _ in takewhile(lambda span: span[0] < one.due_at, spans(workspace, one.opened_at)):
        if not to.works_on(workspace.local(begin).date()):
            return begin if worked else None
        worked = True
    return None


def contacts() -> Any:
    """What counts as speaking to the lead of an outer handoff: by one of us since the first offer, not taken back."""
    return Event.objects.in_force().filter(
        lead=OuterRef("lead"), kind__in=CONTACTS, actor__isnull=False, occurred_at__gte=OuterRef("began_at")
    )


def with_first_contact(handoffs: HandoffQuerySet) -> Any:
    """The handoffs with `spoken_at`, the moment of the first contact since."""
    return handoffs.annotate(spoken_at=Subquery(contacts().order_by("occurred_at").values("occurred_at")[:1]))


def not_spoken_to() -> Any:
    """The handoffs that were taken, whose lead is with sales, and to whom nobody has spoken since; by their promise."""
    taken = Handoff.objects.filter(outcome=Outcome.ACCEPTED, given_back_at=None, contact_due_at__isnull=False)
    return taken.filter(~Exists(contacts()), lead__stage__in=SALES, lead__holder__isnull=False).order_by(
        F("contact_due_at"), "id"
    )


def late_first_contacts(at: datetime) -> Any:
    """Those of the last three months to whom somebody was to have spoken by now."""
    return not_spoken_to().filter(contact_due_at__lt=at, opened_at__gte=at - LATELY)


@dataclass(slots=True)
class FirstContact:
    """By when the lead of a handoff is to be spoken to, and when it was; `left` and `promise` in working minutes."""

    due_at: datetime
    spoken_at: datetime | None
    left: float
    promise: float

    @property
    def late(self) -> bool:
        return self.left < 0

    @property
    def took(self) -> float:
        """The working minutes until they were spoken to, or until now."""
        return self.promise - self.left


SPOKEN = Asked(
    lambda lead: (
        with_first_contact(Handoff.objects.filter(lead__in=[lead], outcome=Outcome.ACCEPTED, given_back_at=None))
        .order_by("-opened_at")
        .values_list("pk", "spoken_at")[:1]
    ),
    UUID,
)


def first_contact(handoff: Handoff | None, *, lead: Lead, at: datetime, workspace: Workspace) -> FirstContact | None:
    """The first contact since the lead's latest handoff, where it was taken and not given back; None where none is
    promised.
    """
    if handoff is None or handoff.outcome != Outcome.ACCEPTED or handoff.given_back_at or not handoff.contact_due_at:
        return None
    found = dict(known.of(lead, SPOKEN)).get(handoff.pk)
    if found is None and lead.customer_since and lead.customer_since > handoff.began_at:
        # They bought meanwhile: nobody owes them a first call any more.
        return None
    due_at = handoff.contact_due_at
    return FirstContact(
        due_at,
        found,
        minutes_left(workspace, due_at, found or at),
        between(workspace, handoff.began_at, due_at).total_seconds() / 60,
    )
