"""Addresses for people outside: unguessable, made when they are needed, and never kept.

A token is an HMAC of what it opens, bound to its purpose, under the installation's key. The database keeps only its
digest (PublicDoor), so neither a copy of the database nor its backups let anybody in.
"""

from __future__ import annotations

from base64 import b32encode
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest
from django.utils.crypto import salted_hmac

from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import PublicDoor

# 160 bits in lower-case letters and digits, which survive being read out, retyped and wrapped by a mail program.
BYTES = 20


def token_for(purpose: str, pk: UUID) -> str:
    """The token that opens one thing for one purpose; the same every time."""
    secret = salted_hmac(f"door:{purpose}", pk.hex, algorithm="sha256").digest()
    return b32encode(secret[:BYTES]).decode().lower()


def open_door(workspace_id: UUID, token: str) -> str:
    """Let a token lead to the workspace; give its digest."""
    digest = PublicDoor.digest_of(token)
    PublicDoor.objects.get_or_create(digest=digest, defaults={"workspace_id": workspace_id})
    return digest


@lru_cache(maxsize=4096)
def behind(token: str) -> UUID:
    """The workspace behind a token; raise Http404. A door never leads elsewhere later."""
    with everywhere():
        rows = PublicDoor.objects.filter(digest=PublicDoor.digest_of(token)).values_list("workspace_id", flat=True)
        found: UUID | None = next(iter(rows[:1]), None)
    if found is None:
        raise Http404
    return found


def address_of(request: HttpRequest) -> str:
    """The visitor's address: the one that the outermost of our own proxies saw, never what the visitor says."""
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        said = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if len(said) >= proxies:
            return said[-proxies]
    return request.META.get("REMOTE_ADDR", "")
