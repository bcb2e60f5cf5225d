"""Links that a message carries; those that let somebody in are made at the moment they are needed, never stored."""

from __future__ import annotations

from uuid import UUID

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.module_loading import import_string

from funnel.mail.models import Message
from funnel.workspaces.models import Invitation, User

INVITATION = "invitation"
# Messages whose link lets somebody in: the mailbox shows them without it.
SECRET = ("invitation", "password")


def invitation_token(invitation: Invitation) -> str:
    """A signed token that names the workspace and the invitation; it ends with the invitation."""
    return signing.Signer(salt=INVITATION).sign_object([invitation.workspace_id.hex, invitation.pk.hex])


def invitation_link(invitation: Invitation) -> str:
    """The address by which the invited person joins."""
    return settings.PUBLIC_URL + reverse("join", args=[invitation_token(invitation)])


def read_invitation(token: str) -> tuple[UUID, UUID] | None:
    """The workspace and the invitation of a token, or None for one that we didn't sign."""
    try:
        workspace_id, pk = signing.Signer(salt=INVITATION).unsign_object(token)
        return UUID(workspace_id), UUID(pk)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def password_link(user: User) -> str:
    """An address by which the person chooses a new password: good once, and for three days."""
    place = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return settings.PUBLIC_URL + reverse("account_reset_password_from_key", kwargs=place)


def link_for(message: Message) -> str:
    """The full address that a message's one button opens; blank where it no longer leads anywhere."""
    if message.kind == "invitation":
        found = Invitation.objects.filter(pk=message.context["invitation"]).first()
        return invitation_link(found) if found else ""
    if message.kind == "password":
        user = User.objects.filter(email=message.to_email, is_active=True).first()
        if user is None:
            return ""
        return password_link(user)
    if dotted := settings.MAIL_LINKS.get(message.kind):
        path = import_string(dotted)(message)
        return settings.PUBLIC_URL + path if path else ""
    return settings.PUBLIC_URL + message.context.get("path", "/")


def is_secret(message: Message) -> bool:
    """Whether the link lets somebody in who has it."""
    return message.kind in SECRET or message.kind in settings.MAIL_LINKS
