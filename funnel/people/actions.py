"""Start a business, and decide who works in it and as what."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from datetime import date, datetime, timedelta
from typing import Any

from babel.numbers import get_territory_currencies
from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import slugify
from django_scopes import scope

from funnel.handoff import passing
from funnel.handoff.clock import follow_hours
from funnel.handoff.models import Handoff
from funnel.mail import actions as mail
from funnel.outbox.actions import record
from funnel.workspaces.gate import enter
from funnel.workspaces.hours import idle_year
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import (
    SELLERS,
    AuditEntry,
    Invitation,
    Member,
    Role,
    User,
    Workspace,
    office_hours,
    promises,
)
from funnel.workspaces.refusals import Forbidden, Refusal
from funnel.workspaces.slots import slot

INVITED_FOR = timedelta(days=7)
# In weeks: half as long again, when a handoff is passed on, is still within what hours.after walks.
LONGEST_PROMISE = 300


class NoHours(Refusal):
    """A week without a working hour: a promise would never come due."""

    status = 422


class NotForYou(Forbidden):
    """Only somebody with a higher role may do that."""


class LastOwner(Refusal):
    """A business can't be without an owner."""


class HereAlready(Refusal):
    """Somebody with this address works here already."""


def audit(by: Member | None, action: str, target: str, *, at: datetime, workspace: Workspace, **data: Any) -> None:
    """Note who changed what, in the transaction that changes it."""
    AuditEntry.objects.create(workspace=workspace, at=at, actor=by, action=action, target=target[:120], data=data)


def _has_hours(
    hours: list[list[list[str]]],
    promises: dict[str, dict[str, float]],
    *,
    closed: Collection[str] = (),
    today: date | None = None,
) -> None:
    minutes = sum(max(_minute(closes) - _minute(opens), 0) for day in hours for opens, closes in day)
    if not minutes:
        raise NoHours("Give one working hour at least; the clock of a new lead runs only then.")
    longest = max(max(one["accept"], one["contact"] / 1.5) for one in promises.values())
    if longest * 60 / minutes > LONGEST_PROMISE:
        raise NoHours("With so few working hours a new lead would be taken after years. Give more, or promise less.")
    if closed and today is not None and idle_year(hours, closed, today):
        raise NoHours("With these hours all working days of a year would be holidays. Give hours on other days too.")


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")[:2]
    return int(hour) * 60 + int(minute)


@transaction.atomic
def start_business(
    name: str,
    *,
    owner: User,
    country: str,
    time_zone: str,
    at: datetime,
    hours: list[list[list[str]]] | None = None,
    is_demo: bool = False,
) -> Member:
    """Make a workspace with what a business starts with, and its owner's place in it; raise NoHours.

    `country` is an ISO 3166 code and sets the currency; `time_zone` is an IANA name.
    """
    _has_hours(hours or office_hours(), promises())
    currencies = get_territory_currencies(country) or ["EUR"]
    stem = slugify(name)[:50] or "business"
    slug = stem
    while Workspace.objects.filter(slug=slug).exists():
        slug = f"{stem}-{uuid7().hex[-4:]}"
    workspace = Workspace.objects.create(
        name=name,
        slug=slug,
        country=country,
        currency=currencies[-1],
        time_zone=time_zone,
        hours=hours or office_hours(),
        is_demo=is_demo,
    )
    with scope(workspace=workspace.pk):
        enter(workspace.pk)
        member = Member.objects.create(workspace=workspace, user=owner, role=Role.OWNER, takes_leads=True)
        for begin in slot("workspace_starts"):
            begin(workspace, at=at)
        record(workspace.pk, "workspace_started", at=at, actor=member)
        audit(member, "business started", workspace.name, at=at, workspace=workspace)
    return member


@transaction.atomic
def change_business(workspace: Workspace, *, by: Member, at: datetime, **values: Any) -> Workspace:
    """Change name, time_zone, hours or promises; raise NoHours.

    Who waits keeps the promise that they were given, in working hours as they are from now on.
    """
    if "hours" in values or "promises" in values:
        _has_hours(
            values.get("hours", workspace.hours),
            values.get("promises", workspace.promises),
            closed=workspace.closed,
            today=workspace.local(at).date(),
        )
    before = copy(workspace)
    was = {name: getattr(workspace, name) for name in values}
    changed = {name: value for name, value in values.items() if value != was[name]}
    if not changed:
        return workspace
    for name, value in changed.items():
        setattr(workspace, name, value)
    workspace.save(update_fields=[*changed])
    if changed.keys() & {"hours", "time_zone"}:
        follow_hours(before, workspace, at=at)
    audit(
        by,
        "business changed",
        workspace.name,
        at=at,
        workspace=workspace,
        was={key: was[key] for key in changed},
        now=changed,
    )
    return workspace


@transaction.atomic
def invite(email: str, *, role: str, by: Member, at: datetime) -> Invitation:
    """Invite somebody by e-mail, or renew their invitation; raise NotForYou or HereAlready."""
    email = email.strip().lower()
    if role == Role.OWNER and by.role != Role.OWNER:
        raise NotForYou("Only an owner can invite another owner.")
    if Member.objects.active().filter(user__email=email).exists():
        raise HereAlready(f"{email} works here already.")
    values = {"role": role, "invited_by": by, "created_at": at, "expires_at": at + INVITED_FOR}
    invitation, made = Invitation.objects.update_or_create(workspace=by.workspace, email=email, defaults=values)
    audit(by, "invited" if made else "invited again", email, at=at, workspace=by.workspace, role=role)
    context = {
        "invitation": str(invitation.pk),
        "inviter": by.name,
        "business": by.workspace.name,
        "role": Role(role).label.lower(),
        "until": invitation.expires_at.isoformat(),
    }
    mail.queue("invitation", address=email, event=None, at=at, context=context, workspace_id=by.workspace_id)
    return invitation


@transaction.atomic
def withdraw(invitation: Invitation, *, by: Member, at: datetime) -> None:
    """Take an invitation back; its link leads nowhere from now on."""
    audit(by, "invitation taken back", invitation.email, at=at, workspace=by.workspace)
    invitation.delete()


@transaction.atomic
def join(invitation: Invitation, *, user: User, workspace: Workspace, at: datetime) -> Member:
    """Give the invited person their place; the invitation ends. The first rep relieves the owner of new leads.

    What waited for the owner goes on too, and the owner's home says it (`relieved`).
    """
    sells = invitation.role == Role.REP
    member, _ = Member.objects.update_or_create(
        workspace=workspace,
        user=user,
        defaults={"role": invitation.role, "active": True, "takes_leads": sells},
    )
    if sells:
        takers = Member.objects.taking_leads().exclude(pk=member.pk)
        if not takers.exclude(role=Role.OWNER).exists():
            for owner in takers.select_related("user", "workspace"):
                take_leads(owner, on=False, by=member, at=at)
    audit(member, "joined", user.email, at=at, workspace=workspace, role=invitation.role)
    invitation.delete()
    return member


@transaction.atomic
def bring_in(email: str, *, name: str, role: str, active: bool, workspace: Workspace, at: datetime) -> Member:
    """Give somebody a place without an invitation, or find the one they have; raise HereAlready for another place.

    Who is inactive can't log in, is offered nothing, and may hold what was theirs elsewhere.
    """
    email = email.strip().lower()
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, name=name)
    found = Member.objects.filter(user=user).select_related("user").first()
    if found is not None:
        if (found.role, found.active) != (role, active):
            how = "" if found.active else ", inactive"
            raise HereAlready(f"{email} works here already, as {found.get_role_display().lower()}{how}.")
        return found
    takes_leads = active and role == Role.REP
    member = Member.objects.create(workspace=workspace, user=user, role=role, active=active, takes_leads=takes_leads)
    audit(None, "brought in", email, at=at, workspace=workspace, role=role, active=active)
    return member


def may_decide(member: Member, by: Member) -> None:
    """Raise NotForYou unless `by` decides about this member."""
    if not by.leads_others or (member.role == Role.OWNER and by.role != Role.OWNER):
        raise NotForYou("Only an owner can decide about an owner.")


def not_last_owner(member: Member) -> None:
    """Raise LastOwner for the only owner; locks the owners, so that two can't leave at once."""
    owners = Member.objects.active().filter(role=Role.OWNER).select_for_update().values_list("pk", flat=True)
    if member.role == Role.OWNER and set(owners) <= {member.pk}:
        raise LastOwner("This is the last owner. Make somebody else an owner first.")


@transaction.atomic
def change_role(member: Member, *, role: str, by: Member, at: datetime) -> None:
    """Change what a member may do; raise NotForYou or LastOwner. Who sells no more is offered no more."""
    if role == member.role:
        return
    may_decide(member, by)
    if role == Role.OWNER and by.role != Role.OWNER:
        raise NotForYou("Only an owner can make somebody an owner.")
    not_last_owner(member)
    was, member.role = member.role, role
    member.save(update_fields=["role"])
    audit(by, "role changed", member.email, at=at, workspace=member.workspace, was=was, now=role)
    if role == Role.REP and was not in SELLERS:
        take_leads(member, on=True, by=by, at=at)
    elif role not in SELLERS and member.takes_leads:
        take_leads(member, on=False, by=by, at=at)


@transaction.atomic
def take_leads(member: Member, *, on: bool, by: Member, at: datetime) -> None:
    """Offer new leads to this member, or none any more: what waits for them then goes on at once."""
    if on == member.takes_leads:
        return
    if on and member.role not in SELLERS:
        raise NotForYou(f"A {Role(member.role).label.lower()} takes no leads. Change the role first.")
    member.takes_leads = on
    member.save(update_fields=["takes_leads"])
    audit(by, "takes leads" if on else "takes no leads", member.email, at=at, workspace=member.workspace)
    if not on:
        pass_offers_on(member, by=by, at=at)


@transaction.atomic
def set_weekly_leads(member: Member, number: int, *, by: Member, at: datetime) -> None:
    """Say how many leads a member can take a week, their share of what goes by turn; 0 for none by turn."""
    was, member.weekly_leads = member.weekly_leads, number
    member.save(update_fields=["weekly_leads"])
    audit(by, "leads a week", member.email, at=at, workspace=member.workspace, was=was, now=number)


def relieved(owner: Member, *, since: datetime) -> QuerySet[AuditEntry]:
    """Find the latest entry since then of a rep whose joining ended this owner's turns."""
    entries = AuditEntry.objects.filter(at__gte=since, action="takes no leads", target=owner.email[:120])
    latest = entries.filter(actor__role=Role.REP).order_by("-at").values("pk")[:1]
    return AuditEntry.objects.filter(pk__in=latest)


def pass_offers_on(member: Member, *, by: Member, at: datetime) -> int:
    """Offer what waits for this member to somebody else; give how many went on."""
    waiting = list(Handoff.objects.open().filter(offered_to=member).with_lead().order_by("lead_id"))
    return len(passing.reroute(waiting, at=at, workspace=member.workspace, by=by))
