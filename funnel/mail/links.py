"""Links that a message carries; those that let somebody in are made at the moment they are needed, never stored."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from funnel.mail.models import Message
from funnel.workspaces.models import Invitation, User

INVITATION = "invitation"
# Messages whose link lets somebody in: the mailbox shows them without it.
SECRET = ("invitation", "password")


def invitation_token(invitation: Invitation) -> str:
    """A signed token that names the workspace and the invitation; it ends with the invitation."""
    return signing.dumps([str(invitation.workspace_id), str(invitation.pk)], salt=INVITATION)


def read_invitation(token: str) -> tuple[UUID, UUID] | None:
    """The workspace and the invitation of a token, or None for one that we didn't sign."""
    try:
        workspace_id, pk = signing.loads(token, salt=INVITATION)
        return UUID(workspace_id), UUID(pk)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def link_for(message: Message) -> str:
    """The full address that a message's one button opens; blank where it no longer leads anywhere."""
    if message.kind == "invitation":
        found = Invitation.objects.filter(pk=message.context["invitation"]).first()
        return f"{settings.PUBLIC_URL}/join/{invitation_token(found)}/" if found else ""
    if message.kind == "password":
        user = User.objects.filter(email=message.to_email, is_active=True).first()
        if user is None:
            return ""
        name = urlsafe_base64_encode(force_bytes(user.pk))
        return f"{settings.PUBLIC_URL}/password/{name}/{default_token_generator.make_token(user)}/"
    return settings.PUBLIC_URL + message.context.get("path", "/")
