"""Who asks: the member behind an API key, found by the gate before any view runs."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request


class KeyAuthentication(BaseAuthentication):
    """Take over the member whom `MemberMiddleware` found by the key."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Give the person and the key, or None for a key that is missing, unknown, revoked or expired."""
        key = getattr(request._request, "api_key", None)
        if key is None:
            return None
        return key.member.user, key

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes the answer without a key 401."""
        return 'Bearer realm="Baton"'
