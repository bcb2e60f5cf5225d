"""The business's own page: name, clock, working hours, the promise to a lead, and mail."""

from __future__ import annotations

import os
from datetime import time
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
from funnel.mail.models import Message
from funnel.outbox.health import parts
from funnel.people import actions as people
from funnel.people.forms import DAYS, TimeInput
from funnel.people.places import countries, zone_choices
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow

LONG = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


STARTED_WITH = ("DATA", "HOST", "PORT", "PUBLIC_URL", "TRUSTED_PROXIES")


def started_with() -> str:
    """What this installation was given at its start and needs again, or it would begin anew somewhere else."""
    usual = {"DATA": str(settings.BASE_DIR / "data"), "HOST": "127.0.0.1", "PORT": "8000", "TRUSTED_PROXIES": "0"}
    given = {name: os.environ[name] for name in STARTED_WITH if os.environ.get(name)}
    return "".join(f"{name}={value} " for name, value in given.items() if usual.get(name) != value)


class BusinessForm(forms.Form):
    """Name, clock, promise, and a from and to per weekday; a day without both is free."""

    name = forms.CharField(label="Name of the business", max_length=120)
    timezone = forms.ChoiceField(label="Time zone")
    promise_hours = forms.IntegerField(
        label="A new lead is taken within",
        min_value=1,
        max_value=200,
        help_text="In working hours. At half time we remind; at the end we tell whoever decides.",
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "name": workspace.name,
            "timezone": workspace.time_zone,
            "promise_hours": workspace.promise_hours,
        }
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        zones = zone_choices(timezone.now())
        if not any(workspace.time_zone == zone for _, group in zones for zone, _ in group):
            zones = [("Now", [(workspace.time_zone, workspace.time_zone)]), *zones]
        self.fields["timezone"].choices = zones  # type: ignore[attr-defined]
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

    def clean(self) -> dict[str, Any]:
        """A day has both edges in order, or none."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
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
            "promise_hours": data["promise_hours"],
            "hours": week,
        }


@require_http_methods(["GET", "HEAD", "POST"])
@allow("business")
def business(request: HttpRequest) -> HttpResponse:
    """Show and change what is known about the business."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    form = BusinessForm(request.POST or None, workspace=workspace)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                people.change_business(workspace, by=request.member, at=request.at, **form.values())  # type: ignore[attr-defined]
            except Refusal as refusal:
                form.add_error(None, refusal.sentence)
                status = refusal.status
            else:
                messages.success(request, "Saved. Clocks that run already keep their end.")
                return redirect("business")
    last_test = Message.objects.filter(kind="test").order_by("-created_at").first()
    context = {
        "form": form,
        "country": dict(countries()).get(workspace.country, workspace.country),
        "mail_works": mail.is_sent(workspace),
        "mail_set": bool(settings.EMAIL_URL),
        "started_with": started_with(),
        "mail_from": settings.DEFAULT_FROM_EMAIL,
        "mail_host": getattr(settings, "EMAIL_HOST", ""),
        "last_test": last_test,
        "parts": parts(),
    }
    return render(request, "funnel/people/business.html", context, status=status)


@require_POST
@allow("business")
def mail_test(request: HttpRequest) -> HttpResponse:
    """Send a test mail to oneself; what became of it stands on the page."""
    member: Member = request.member  # type: ignore[attr-defined]
    mail.queue("test", to=member, event=None, at=request.at, context={"path": reverse("business")})  # type: ignore[attr-defined]
    return redirect(reverse("business") + "#mail")
