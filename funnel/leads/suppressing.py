"""Addresses that must not get marketing's mail any more."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction

from funnel.leads import known
from funnel.leads.identity import Refused, clean_email
from funnel.leads.models import Consent, Lead, Suppression
from funnel.workspaces.asking import Asked

SUPPRESSED = Asked(lambda digest: Suppression.objects.filter(digest__in=[digest]).order_by("pk"), str)


def digest_of(workspace_id: UUID, email: str) -> str:
    """An address as a suppression keeps it: all its variants share one, and it tells nobody the address."""
    try:
        key = clean_email(email)[1]
    except Refused:
        key = email.strip().casefold()
    return hashlib.sha256(f"{workspace_id.hex}:{key}".encode()).hexdigest()


def suppression_of(workspace_id: UUID, *emails: str) -> Suppression | None:
    """The suppression of one of these addresses, if there is one."""
    return next(iter(SUPPRESSED.rows([digest_of(workspace_id, email) for email in emails if email])), None)


def no_mail(lead: Lead) -> Suppression | None:
    """The suppression of the lead's address; a page asks once."""
    return next(iter(known.of(lead, SUPPRESSED, keep=True)), None)


def _of_lead(lead: Lead) -> list[str]:
    return [digest_of(lead.workspace_id, lead.email)] if lead.email else []


known.BY[SUPPRESSED] = _of_lead


@transaction.atomic
def suppress(workspace_id: UUID, digests: Collection[str], why: Suppression.Why, *, at: datetime) -> None:
    """Never mail these addresses again; one that is suppressed already keeps its day and its reason."""
    rows = [Suppression(workspace_id=workspace_id, digest=one, why=why, at=at) for one in sorted(set(digests))]
    Suppression.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def lift(digests: Collection[str], *, since: datetime | None = None) -> bool:
    """Take back that somebody unsubscribed, or only what was kept from mail at `since`; a bounce stays.

    Whether one was there.
    """
    found = Suppression.objects.filter(digest__in=digests, why=Suppression.Why.UNSUBSCRIBED)
    return bool((found if since is None else found.filter(at=since)).delete()[0])


def agreed_to_mail(lead: Lead) -> bool:
    """Whether the lead has agreed to be mailed."""
    return Consent.objects.filter(lead=lead, channel="email").exists()
