"""The business's own page: name, clock, working hours, the promise to a lead, and mail."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime, time
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from funnel.mail import actions as mail
from funnel.mail import servers
from funnel.mail.models import MailServer, Message
from funnel.outbox.health import parts, worth_showing
from funnel.people import actions as people
from funnel.people.forms import DAYS, LONG, TimeInput
from funnel.people.letterhead import LetterheadForm
from funnel.people.places import countries, zone_choices
from funnel.people.post import MailServerForm
from funnel.workspaces.faces import logo_path
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow

# What is wrong with a promise, whatever it is.
HOURS = dict.fromkeys(
    ("required", "invalid", "min_value", "max_value"), "Write working hours from 0.25, a quarter of one, to 200."
)
STARTED_WITH = ("DATA", "HOST", "PORT", "PUBLIC_URL", "TRUSTED_PROXIES")


def started_with(*, without: Collection[str] = ()) -> str:
    """What this installation was given at its start and needs again, or it would begin anew somewhere else."""
    usual = {"DATA": str(settings.BASE_DIR / "data"), "HOST": "127.0.0.1", "PORT": "8000", "TRUSTED_PROXIES": "0"}
    given = {name: os.environ[name] for name in STARTED_WITH if os.environ.get(name) and name not in without}
    return "".join(f"{name}={value} " for name, value in given.items() if usual.get(name) != value)


class BusinessForm(forms.Form):
    """Name, clock, promise, and a from and to per weekday; a day without both is free."""

    name = forms.CharField(label="Name of the business", max_length=120)
    timezone = forms.ChoiceField(label="Time zone")

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "name": workspace.name,
            "timezone": workspace.time_zone,
        }
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        zones = zone_choices(timezone.now())
        if not any(workspace.time_zone == zone for _, group in zones for zone, _ in group):
            zones = [("Now", [(workspace.time_zone, workspace.time_zone)]), *zones]
        self.fields["timezone"].choices = zones  # type: ignore[attr-defined]
        for fit, promise in workspace.promises.items():
            for name, says in (("accept", "taken"), ("contact", "spoken to")):
                self.fields[f"{name}-{fit}"] = forms.FloatField(
                    label=f"Fit {fit}, {says} within",
                    min_value=0.25,
                    max_value=200,
                    initial=f"{promise[name]:g}",
                    error_messages=HOURS,
                )
        for day, _ in DAYS:
            spans = workspace.hours[int(day)]
            for name, place in (("opens", 0), ("closes", -1)):
                # Several spans on a day can only come by another way; this page shows the first and the last edge.
                initial = time.fromisoformat(spans[0][0] if place == 0 else spans[-1][1]) if spans else None
                self.fields[f"{name}-{day}"] = forms.TimeField(
                    label=f"{LONG[int(day)]}, {'from' if place == 0 else 'to'}",
                    required=False,
                    initial=initial,
                    input_formats=["%H:%M", "%H:%M:%S"],
                    widget=TimeInput(format="%H:%M"),
                )

    def days(self) -> list[tuple[str, Any, Any]]:
        """The fields of each weekday, for the template."""
        return [(LONG[int(day)], self[f"opens-{day}"], self[f"closes-{day}"]) for day, _ in DAYS]

    def promises(self) -> list[tuple[str, tuple[Any, Any]]]:
        """The fields of each fit, for the template."""
        return [(fit, (self[f"accept-{fit}"], self[f"contact-{fit}"])) for fit in self.workspace.promises]

    def clean(self) -> dict[str, Any]:
        """A day has both edges in order, or none; nobody is spoken to before being taken."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for fit in self.workspace.promises:
            accept, contact = data.get(f"accept-{fit}"), data.get(f"contact-{fit}")
            if accept is not None and contact is not None and contact < accept:
                self.add_error(f"contact-{fit}", "This is sooner than they are taken.")
        for day, _ in DAYS:
            opens, closes = data.get(f"opens-{day}"), data.get(f"closes-{day}")
            if (opens is None) != (closes is None):
                self.add_error(f"{'opens' if opens is None else 'closes'}-{day}", "Give both, or none for a free day.")
            elif opens is not None and closes <= opens:
                self.add_error(f"closes-{day}", "This is before the beginning.")
        return data

    def values(self) -> dict[str, Any]:
        """What the verb takes."""
        data = self.cleaned_data
        week = []
        for day, _ in DAYS:
            opens, closes = data[f"opens-{day}"], data[f"closes-{day}"]
            week.append([[f"{opens:%H:%M}", f"{closes:%H:%M}"]] if opens is not None else [])
        return {
            "name": data["name"],
            "time_zone": data["timezone"],
            "promises": {
                fit: {"accept": data[f"accept-{fit}"], "contact": data[f"contact-{fit}"]}
                for fit in self.workspace.promises
            },
            "hours": week,
        }


@require_http_methods(["GET", "HEAD", "POST"])
@allow("business")
def business(request: HttpRequest) -> HttpResponse:
    """Show and change what is known about the business."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    if request.method != "POST":
        return _page(request)
    form = BusinessForm(request.POST, workspace=workspace)
    if not form.is_valid():
        return _page(request, status=422, form=form)
    try:
        people.change_business(workspace, by=request.member, at=request.at, **form.values())  # type: ignore[attr-defined]
    except Refusal as refusal:
        form.add_error(None, refusal.sentence)
        return _page(request, status=refusal.status, form=form)
    return _saved(request, "Saved. Clocks that run keep the working time they have left.", "")


@require_POST
@allow("business")
def letterhead(request: HttpRequest) -> HttpResponse:
    """Save what stands on quotes and public pages."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    form = LetterheadForm(request.POST, request.FILES, workspace=workspace)
    if not form.is_valid():
        return _page(request, status=422, letterhead=form)
    try:
        values = form.values()
    except OSError:
        form.add_error("logo", "The logo could not be kept, because the server’s disk takes nothing more.")
        return _page(request, status=507, letterhead=form)
    people.change_business(workspace, by=request.member, at=request.at, **values)  # type: ignore[attr-defined]
    return _saved(request, "Saved. Quotes that were sent keep what stood on them.", "#letterhead")


@require_POST
@allow("business")
def mail_server(request: HttpRequest) -> HttpResponse:
    """Save the business's own mail server and try it, or go back to the installation's."""
    workspace, member, at = request.workspace, request.member, request.at  # type: ignore[attr-defined]
    if workspace.is_demo:
        messages.warning(request, "The demo business never mails, so nothing was saved.")
        return redirect(reverse("business") + "#mail")
    if request.POST.get("do") == "remove":
        servers.remove_server(workspace, by=member, at=at)
        return _saved(request, "Removed. Baton has forgotten its password.", "#mail")
    known = MailServer.objects.filter(workspace=workspace).first()
    form = MailServerForm(request.POST, workspace=workspace, known=known)
    if not form.is_valid():
        return _page(request, status=422, mail_form=form)
    servers.set_server(workspace, form.cleaned_data, by=member, at=at)
    _test_mail(member, at)
    return _saved(request, "Saved, and a test mail is on its way to you.", "#mail")


@require_POST
@allow("business")
def mail_test(request: HttpRequest) -> HttpResponse:
    """Send a test mail to oneself; what became of it stands on the page."""
    _test_mail(request.member, request.at)  # type: ignore[attr-defined]
    return redirect(reverse("business") + "#mail")


def _test_mail(member: Member, at: datetime) -> None:
    mail.queue("test", to=member, event=None, at=at, context={"path": reverse("business")})


def _saved(request: HttpRequest, sentence: str, place: str) -> HttpResponse:
    messages.success(request, sentence)
    return redirect(reverse("business") + place)


def _page(request: HttpRequest, *, status: int = 200, **also: Any) -> HttpResponse:
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    own = MailServer.objects.filter(workspace=workspace).first()
    context = {
        "form": also.get("form") or BusinessForm(workspace=workspace),
        "letterhead": also.get("letterhead") or LetterheadForm(workspace=workspace),
        "mail_form": also.get("mail_form") or MailServerForm(workspace=workspace, known=own),
        "logo_url": logo_path(workspace),
        "country": dict(countries()).get(workspace.country, workspace.country),
        "mail_works": mail.is_sent(workspace),
        "mail_set": servers.has_server(workspace),
        "own": own,
        "started_with": started_with(),
        "started_here": started_with(without=("HOST", "PUBLIC_URL", "TRUSTED_PROXIES")),
        "public_url": settings.PUBLIC_URL,
        "only_here": settings.ONLY_HERE,
        "mail_from": own.sender if own else settings.DEFAULT_FROM_EMAIL,
        "mail_host": own.host if own else getattr(settings, "EMAIL_HOST", ""),
        "last_test": Message.objects.filter(kind="test").order_by("-created_at").first(),
        "parts": worth_showing(parts()),
    }
    return render(request, "funnel/people/business.html", context, status=status)
