"""Who is behind a log-in, with their places at work: one question for every page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.auth_backends import AuthenticationBackend

from funnel.workspaces.asking import Asked
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import Member, User

PLACES = Asked(
    lambda user: (
        Member.objects.active()
        .filter(user__in=[user])
        .select_related("workspace", "user")
        .order_by("workspace__is_demo", "joined_at")
    ),
    UUID,
    outside=True,
)


class LoginBackend(AuthenticationBackend):
    """The log-in of django-allauth, whose person comes with `places`: their active memberships, demo last."""

    def get_user(self, user_id: Any) -> User | None:
        """Give the person of a session, or None where they may not log in."""
        with everywhere():
            places: list[Member] = PLACES.rows([user_id])
        user: User | None = places[0].user if places else super().get_user(user_id)
        if user is None or not self.user_can_authenticate(user):
            return None
        user.places = places
        return user
