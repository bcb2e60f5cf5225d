"""One's own name, time off, password and log-ins."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from funnel.people import keys
from funnel.people.actions import audit
from funnel.people.away_views import TimeOffForm, WorkingDaysForm, booked_off, to_come
from funnel.people.door import closes_without_store
from funnel.workspaces import limits
from funnel.workspaces.models import SELLERS, Member
from funnel.workspaces.roles import allow


class NameForm(forms.Form):
    """How others see one."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput({"autocomplete": "name"}))


@closes_without_store
@require_http_methods(["GET", "HEAD", "POST"])
@allow("read")
def me(request: HttpRequest) -> HttpResponse:
    """Change one's name or password, and enter when one works and is away."""
    member: Member = request.member  # type: ignore[attr-defined]
    user = member.user
    which = request.POST.get("which", "")
    name = NameForm(request.POST if which == "name" else None, initial={"name": user.name})
    password = PasswordChangeForm(user, request.POST if which == "password" else None)
    password.fields["old_password"].widget.attrs.pop("autofocus", None)
    if which == "name" and name.is_valid():
        user.name = name.cleaned_data["name"]
        user.save(update_fields=["name"])
        messages.success(request, "Saved.")
        return redirect("me")
    if which == "password":
        if limits.hit("password", str(user.pk), 10, 300, closed_without_store=True):
            return render(request, "errors/429.html", status=429)
        if password.is_valid():
            password.save()
            update_session_auth_hash(request, user)
            audit(member, "password changed", user.email, at=request.at, workspace=member.workspace)  # type: ignore[attr-defined]
            messages.success(request, "Your new password is saved. Other devices are logged out.")
            return redirect("me")
    off = TimeOffForm(request.POST if which == "off" else None, whose=member)
    if which == "off" and off.save(by=member, at=request.at):  # type: ignore[attr-defined]
        messages.success(request, f"Entered. Nobody gives you leads on these days.{off.booked}")
        return redirect(reverse("me") + "#off")
    days = WorkingDaysForm(request.POST if which == "days" else None, whose=member)
    if which == "days" and member.role in SELLERS and days.save(by=member, at=request.at):  # type: ignore[attr-defined]
        messages.success(request, f"Saved. Nobody gives you leads on other days.{days.booked}")
        return redirect(reverse("me") + "#days")
    wrong = name.errors or password.errors or off.errors or days.errors
    context = {
        "name": name,
        "password": password,
        "off": off,
        "days": days,
        "sells": member.role in SELLERS,
        "booked": booked_off(member, request.at) if member.role in SELLERS else [],  # type: ignore[attr-defined]
        "time_off": to_come(member.workspace, request.at, member),  # type: ignore[attr-defined]
    }
    return render(request, "funnel/people/me.html", context, status=422 if wrong else 200)


@require_POST
@allow("read")
def log_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End all of one's log-ins, this one too."""
    keys.log_out(request.member, by=request.member, at=request.at)  # type: ignore[attr-defined]
    logout(request)
    return redirect("account_login")
