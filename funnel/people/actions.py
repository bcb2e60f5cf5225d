"""Start a business, and decide who works in it."""

from __future__ import annotations

from datetime import datetime

from babel.numbers import get_territory_currencies
from django.db import transaction
from django.utils.text import slugify

from funnel.outbox.actions import record
from funnel.workspaces.gate import enter
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import Member, Role, User, Workspace, office_hours
from funnel.workspaces.slots import slot
from django_scopes import scope


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
    """Make a workspace with what a business starts with, and its owner's place in it.

    `country` is an ISO 3166 code and sets the currency; `time_zone` is an IANA name.
    """
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
        member = Member.objects.create(
            workspace=workspace, user=owner, role=Role.OWNER, takes_leads=True
        )
        for begin in slot("workspace_starts"):
            begin(workspace, at=at)
        record(workspace.pk, "workspace_started", at=at, actor=member)
    return member
