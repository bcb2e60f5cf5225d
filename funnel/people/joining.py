"""The link of an invitation: look at it, then join with a new log-in or with one's own."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib.auth import authenticate, login
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from funnel.mail.links import read_invitation
from funnel.people import actions as people
from funnel.people.door import closes_without_store
from funnel.workspaces import limits
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Invitation, Role, User, Workspace
from funnel.workspaces.roles import public

BACKEND = "funnel.workspaces.login.LoginBackend"
MAY = {
    Role.OWNER: "You can do and decide everything.",
    Role.MANAGER: "You can change leads, campaigns and forms, decide for others, and invite people.",
    Role.MARKETER: "You can change leads, campaigns and forms.",
    Role.REP: "You take the leads that are ready, and work yours.",
    Role.VIEWER: "You can read leads, campaigns, deals and quotes, and change nothing.",
}


class JoinForm(forms.Form):
    """A name and a password; somebody who has a log-in writes its password only."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput({"autocomplete": "name"}))
    password1 = forms.CharField(
        label="Password", strip=False, max_length=256, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, request: HttpRequest, email: str, known: User | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.email, self.known = request, email, known
        if known is not None:
            del self.fields["name"]
            self.fields["password1"].widget.attrs["autocomplete"] = "current-password"

    def clean_password1(self) -> str:
        """A new password must be good; a known one must be right, with the tries counted as at log-in."""
        word: str = self.cleaned_data["password1"]
        if self.known is None:
            validate_password(word, User(email=self.email, name=self.cleaned_data.get("name", "")))
        elif authenticate(self.request, email=self.email, password=word) != self.known:
            raise ValidationError("This is not the password of your log-in.")
        return word


@public
@closes_without_store
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation; only a POST changes anything."""
    found = read_invitation(token)
    workspace = Workspace.objects.filter(pk=found[0]).first() if found else None
    if found is None or workspace is None:
        return _ended(request)
    if request.method == "POST" and limits.hit(
        "join", get_adapter().get_client_ip(request), 30, 60, closed_without_store=True
    ):
        return render(request, "errors/429.html", status=429)
    # Passwords are checked before the write begins: argon2 takes its time, and SQLite has one write lock.
    with tenant(workspace) as at:
        invitation = (
            Invitation.objects.select_related("invited_by__user").filter(pk=found[1], expires_at__gt=at).first()
        )
    if invitation is None:
        return _ended(request)
    known = User.objects.filter(email=invitation.email, is_active=True).first()
    mine = request.user.is_authenticated and known is not None and request.user.pk == known.pk
    form = JoinForm(request.POST or None, request=request, email=invitation.email, known=known)
    if request.method == "POST" and (mine or form.is_valid()):
        return _join(request, workspace, invitation, known, {} if mine else form.cleaned_data)
    context = {
        "business": workspace.name,
        "inviter": invitation.invited_by.name,
        "role_label": invitation.get_role_display().lower(),
        "may": MAY[Role(invitation.role)],
        "until": invitation.expires_at,
        "email": invitation.email,
        "known": known,
        "mine": mine,
        "form": None if mine else form,
    }
    return render(request, "account/invite.html", context, status=422 if request.method == "POST" else 200)


def _join(
    request: HttpRequest, workspace: Workspace, invitation: Invitation, known: User | None, data: dict[str, Any]
) -> HttpResponse:
    with tenant(workspace, write=True) as at:
        # Looked up again under the lock: it may have been used or taken back while the password was typed.
        invitation = Invitation.objects.select_for_update().filter(pk=invitation.pk, expires_at__gt=at).first()
        if invitation is not None:
            user = known or User.objects.create_user(invitation.email, data["password1"], name=data["name"])
            people.join(invitation, user=user, workspace=workspace, at=at)
    if invitation is None:
        return _ended(request)
    if request.user.is_authenticated and request.user.pk == user.pk:
        request.session["workspace"] = str(workspace.pk)
        return redirect("home")
    login(request, user, backend=BACKEND)
    request.session["workspace"] = str(workspace.pk)
    return redirect("home")


def _ended(request: HttpRequest) -> HttpResponse:
    return render(request, "account/invite_ended.html", status=410)
