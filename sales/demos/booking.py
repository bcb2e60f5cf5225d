"""The page by which people outside book a meeting with a member, and whom a visitor's meeting is with."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from funnel.handoff.models import Handoff
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.workspaces.models import SELLERS, AuditEntry, Member, PublicDoor, Workspace
from funnel.workspaces.refusals import Refusal
from sales.demos import actions as demos
from sales.demos.models import BookingPage, Demo
from sales.demos.slots import is_away, is_free

# More meetings to come than this are no visitor's doing.
MOST = 3
EDITABLE = ("title", "intro", "minutes", "place", "before", "gap_minutes", "notice_hours", "is_open")


class SoManyAlready(Refusal):
    """Somebody who has several meetings to come books one more."""


class NotKnown(Refusal):
    """What a visitor typed can't be taken: a sentence per field."""

    status = 422

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


@transaction.atomic
def page_of(member: Member, *, at: datetime) -> BookingPage:
    """The member's page; a new one begins open, with half an hour."""
    found: BookingPage | None = BookingPage.objects.filter(member=member).first()
    if found is not None:
        return found
    demos.hold(member)
    token = secrets.token_urlsafe(16)
    made: BookingPage
    made, new = BookingPage.objects.get_or_create(
        workspace_id=member.workspace_id, member=member, defaults={"token": token, "created_at": at}
    )
    if new:
        PublicDoor.objects.create(workspace_id=member.workspace_id, digest=PublicDoor.digest_of(token))
    return made


@transaction.atomic
def change_page(page: BookingPage, changes: dict[str, Any], *, by: Member, at: datetime) -> BookingPage:
    """Change what the page says and offers; what is booked stays."""
    was = {name: getattr(page, name) for name in EDITABLE if name in changes and getattr(page, name) != changes[name]}
    if not was:
        return page
    for name in was:
        setattr(page, name, changes[name])
    page.save(update_fields=list(was))
    AuditEntry.objects.create(
        workspace_id=page.workspace_id, at=at, actor=by, action="booking page changed", target=page.title,
        data={"page": str(page.pk), "was": was},
    )  # fmt: skip
    return page


@transaction.atomic
def book(
    page: BookingPage,
    starts_at: datetime,
    *,
    workspace: Workspace,
    at: datetime,
    typed: dict[str, str] | None = None,
    lead: Lead | None = None,
    zone: str = "",
    words: str = "",
    pk: UUID | None = None,
) -> Demo:
    """Book what a visitor chose, by the one door for leads where we don't know them by their link.

    The rule of whom it is with: who has the lead, whether in conversation or as a customer, else whom the lead waits
    for, as long as that one is free at this time; else whose page it is. So nobody's lead changes hands because of the
    page that somebody found: the lead keeps its holder, and only a lead that nobody has goes to the rep of the meeting.
    The rep of a visitor who comes by a link of their own was chosen before, and `page` is that rep's. The visit is a
    touch, but no wish to be called: who has a meeting waits for nobody.

    Raises NotKnown, Taken or SoManyAlready.
    """
    if not is_free(page, starts_at, workspace=workspace, at=at):
        raise demos.Taken("This time is not free any more.")
    if lead is None:
        lead = _received(page, typed or {}, words, workspace=workspace, at=at)
    if Demo.objects.upcoming(at).filter(lead=lead).count() >= MOST:
        raise SoManyAlready("You have several meetings with us already. Please move one of them, or call us.")
    ends_at = starts_at + timedelta(minutes=page.minutes)
    return demos.book(
        lead,
        holder=_whose(lead, page, starts_at, ends_at, workspace),
        starts_at=starts_at,
        ends_at=ends_at,
        by=None,
        at=at,
        title=page.title,
        place=page.place,
        zone=zone,
        words=words,
        before=page.before,
        pk=pk,
    )


def _received(page: BookingPage, typed: dict[str, str], words: str, *, workspace: Workspace, at: datetime) -> Lead:
    """The lead that a visitor's name and e-mail say, as any public door takes it: blanks are filled, nothing else."""
    capture = Capture(
        kind="form",
        name=typed.get("name", ""),
        email=typed.get("email", ""),
        phone=typed.get("phone", ""),
        channel="direct",
        data={"form": page.title, "booking_page": str(page.pk), **({"message": words} if words else {})},
    )
    (got,) = receive(workspace, [capture], at=at)
    if got.lead is None:
        raise NotKnown(got.refused)
    return got.lead


def _whose(lead: Lead, page: BookingPage, starts_at: datetime, ends_at: datetime, workspace: Workspace) -> Member:
    lead = Lead.objects.select_related("holder__user", "holder__workspace").get(pk=lead.pk)
    theirs = lead.holder
    if theirs is None:
        waiting = Handoff.objects.open().filter(lead=lead).select_related("offered_to__user").first()
        theirs = waiting.offered_to if waiting is not None else None
    if theirs is None or theirs.pk == page.member_id or not theirs.active or theirs.role not in SELLERS:
        return page.member
    busy = Demo.objects.clashing(theirs, starts_at, ends_at).exists() or is_away(theirs, starts_at, workspace)
    return page.member if busy else theirs


def prepare_for(demo: Demo) -> str:
    """What the lead of a demo is to prepare: what was kept with it, else what the rep's page says of such meetings."""
    if demo.before is not None:
        return demo.before
    page = BookingPage.objects.filter(member=demo.holder, title=demo.title).first()
    return page.before if page is not None else ""


def page_for(demo: Demo, *, at: datetime) -> BookingPage | None:
    """Whose free times somebody with this demo's link chooses from: who has the lead now, else who had the demo.

    The page is as the demo was: as long, and at the same place; it is not to be saved.
    """
    for member in (demo.lead.holder, demo.holder):
        if member is not None and member.active and member.role in SELLERS:
            page = BookingPage.objects.filter(member=member).first() or BookingPage(created_at=at)
            page.before = prepare_for(demo)
            page.member, page.workspace_id, page.title, page.place = member, demo.workspace_id, demo.title, demo.place
            page.minutes = int(demo.length.total_seconds() // 60)
            return page
    return None
