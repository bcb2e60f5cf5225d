"""How allauth behaves here: our words, our post, and axes' idea of who tries to log in."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

from funnel.mail import actions as mail
from funnel.workspaces.gate import everywhere, tenant
from funnel.workspaces.models import Member

SAID = {"account/messages/password_changed.txt": "Your new password is saved."}


def login_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """The e-mail that somebody tries, in one spelling, so that capitals give nobody more tries."""
    given = credentials or {}
    name = given.get("email") or given.get("username") or given.get("login") or request.POST.get("login", "")
    return str(name).strip().lower()


class AccountAdapter(DefaultAccountAdapter):
    """Our words on the door, and letters by our own post."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "E-mail and password do not fit together",
        "email_taken": "There is a log-in with this e-mail already. Log in with it instead.",
        "too_many_login_attempts": "Too many tries. Wait a few minutes, then try again.",
        "invalid_password_reset": "This link has been used, or is too old.",
    }

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Say only what a person doesn't see by themselves."""
        if said := SAID.get(message_template or ""):
            messages.add_message(request, level, said)

    def send_password_reset_mail(self, user: AbstractBaseUser, email: str, context: dict[str, Any]) -> None:
        """Queue the letter in one of the person's businesses; its link is made when it goes."""
        with everywhere():
            place = (
                Member.objects.filter(user=user.pk)
                .select_related("workspace", "user")
                .order_by("-active", "workspace__is_demo", "-workspace__mail_proved_at", "joined_at")
                .first()
            )
        if place is None:
            return
        with tenant(place.workspace_id, write=True) as at:
            mail.queue("password", to=place, event=None, at=at, context={"name": place.name})

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send nothing: allauth's other letters would tell a stranger whether an address has a log-in."""
