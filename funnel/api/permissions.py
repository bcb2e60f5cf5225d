"""What a key may do: its scopes and its member's present role, both."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from funnel.workspaces.roles import may


class ScopeAndRole(BasePermission):
    """Ask the view for its `scope` and, per action or method, for the right in `rights` (see roles.MAY)."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raise PermissionDenied with the sentence that says which of the two is missing."""
        key: Any = request.auth
        if key is None:
            return False
        scope = getattr(view, "scope", None)
        if scope and not key.allows(scope):
            raise PermissionDenied(f"This key doesn’t have the scope “{scope}”.")
        right = view.right() if hasattr(view, "right") else "business"
        if right is not None and not may(key.member, right):
            raise PermissionDenied("The role of this key’s member doesn’t allow this.")
        return True
