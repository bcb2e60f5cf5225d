"""The business's people over the API."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.views import ApiView, list_of, spec
from funnel.workspaces.models import Member, Role

MEMBER_SCHEMA = {
    "type": "object",
    "properties": {
        "email": {"type": "string", "format": "email"},
        "name": {"type": "string"},
        "role": {"type": "string", "enum": Role.values},
        "active": {"type": "boolean"},
        "takes_leads": {"type": "boolean"},
        "weekly_leads": {"type": "integer", "description": "Their share of the leads that go by turn."},
    },
}


class MemberView(ApiView):
    """Members, present and past."""

    scope = "members"
    rights = {"list": "read"}

    @spec("Members", paged=True, answers=list_of(MEMBER_SCHEMA))
    def list(self, request: Request) -> Response:
        """Everybody of the business in the order of joining; others name them by e-mail."""
        rows = Member.objects.filter(workspace=self.workspace).select_related("user")
        return self.listed(rows, ("joined_at", "id"), lambda found: [write_member(one) for one in found])


def write_member(one: Member) -> dict[str, Any]:
    """Write one member."""
    return {
        "email": one.email,
        "name": one.name,
        "role": str(one.role),
        "active": one.active,
        "takes_leads": one.takes_leads,
        "weekly_leads": one.weekly_leads,
    }


def routes() -> list[Any]:
    """The addresses of people."""
    return [path("members/", MemberView.as_view({"get": "list"}), name="members")]
