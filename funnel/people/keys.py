"""Keys for other programs, and the log-ins of people: make, end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from funnel.mail.links import password_link
from funnel.people.actions import NotForYou, audit, may_decide
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import SCOPES, ApiKey, Member, Role
from funnel.workspaces.refusals import Refusal


class UnknownScope(Refusal):
    """A scope that doesn't exist."""

    status = 422


@transaction.atomic
def make_key(
    name: str,
    *,
    member: Member,
    scopes: Sequence[str],
    by: Member | None,
    at: datetime,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key that acts as the member; give it with its secret, which can't be had again."""
    if not scopes or any(one not in (*SCOPES, "all") for one in scopes):
        raise UnknownScope(f"Scopes are all, or some of {', '.join(SCOPES)}.")
    if by is not None and member.pk != by.pk and by.role != Role.OWNER:
        raise NotForYou("Only an owner can make a key that acts as somebody else.")
    secret = ApiKey.make_secret()
    key = ApiKey.objects.create(
        workspace=member.workspace,
        member=member,
        name=name,
        prefix=secret[:8],
        digest=ApiKey.digest_of(secret),
        scopes=list(scopes),
        created_at=at,
        expires_at=expires_at,
    )
    audit(by, "key made", name, at=at, workspace=member.workspace, acts_as=member.email, scopes=list(scopes))
    return key, secret


@transaction.atomic
def revoke_key(key: ApiKey, *, by: Member, at: datetime) -> None:
    """End a key at once."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at):
        audit(by, "key revoked", key.name, at=at, workspace=by.workspace)


@transaction.atomic
def make_password_link(member: Member, *, by: Member, at: datetime) -> str:
    """A link by which the member chooses a new password, for an owner to pass on; raise NotForYou.

    Whoever has the link becomes that person everywhere, so it is refused for people of other businesses too.
    """
    if by.role != Role.OWNER:
        raise NotForYou("Only an owner can make such a link.")
    with everywhere():
        elsewhere = Member.objects.filter(user=member.user_id).exclude(workspace=by.workspace_id).exists()
    if elsewhere:
        raise NotForYou(f"{member.name} works in another business too, so only they can choose a new password.")
    audit(by, "password link made", member.email, at=at, workspace=by.workspace)
    return password_link(member.user)


@transaction.atomic
def log_out(member: Member, *, by: Member, at: datetime) -> None:
    """End every log-in of the member's person, on all devices."""
    if by.pk != member.pk:
        may_decide(member, by)
    member.user.log_out_everywhere()
    audit(by, "logged out everywhere", member.email, at=at, workspace=by.workspace)
