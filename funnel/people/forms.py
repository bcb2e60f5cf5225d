"""What people fill in about their business and themselves. Shape only; the verbs judge."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.account.forms import SignupForm
from django import forms
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from funnel.people import actions as people
from funnel.people.places import countries, country_of, zone_choices, zones_of
from funnel.workspaces.gate import database_now
from funnel.workspaces.models import User

DAYS = tuple(zip("0123456", ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
LONG = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class TimeInput(forms.TimeInput):
    """The browser's own way to pick a time."""

    input_type = "time"


def time_field(label: str, initial: str) -> forms.TimeField:
    return forms.TimeField(
        label=label, initial=initial, input_formats=["%H:%M", "%H:%M:%S"], widget=TimeInput(format="%H:%M")
    )


class BusinessFields(forms.Form):
    """A new business: its name, where it is, when it works."""

    business = forms.CharField(
        label="Name of the business", max_length=120, widget=forms.TextInput({"autocomplete": "organization"})
    )
    country = forms.ChoiceField(label="Country", widget=forms.Select({"autocomplete": "country"}))
    timezone = forms.ChoiceField(label="Time zone", required=False)
    days = forms.MultipleChoiceField(
        label="Working days",
        choices=DAYS,
        initial=["0", "1", "2", "3", "4"],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose one working day at least; the clock of a new lead runs only then."},
    )
    opens = time_field("From", "09:00")
    closes = time_field("To", "17:00")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"].choices = [("", "Choose"), *countries()]  # type: ignore[attr-defined]
        self.fields["timezone"].choices = [  # type: ignore[attr-defined]
            ("", "The country’s own"), *zone_choices(timezone.now())
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Find the country's zone where none was chosen, and refuse hours that end before they begin."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        country, zone = data.get("country"), data.get("timezone")
        if country and not zone and "timezone" not in self.errors:
            own = zones_of(country)
            if len(own) == 1:
                data["timezone"] = own[0]
            else:
                self.add_error("timezone", "This country has more than one; choose yours.")
        opens, closes = data.get("opens"), data.get("closes")
        if opens and closes and closes <= opens:
            self.add_error("closes", "This is before the beginning.")
        return data

    def hours(self) -> list[list[list[str]]]:
        """The week as it is kept: per weekday a list of [from, to]."""
        opens, closes = self.cleaned_data["opens"], self.cleaned_data["closes"]
        span = [f"{opens:%H:%M}", f"{closes:%H:%M}"]
        return [[list(span)] if day in self.cleaned_data["days"] else [] for day, _ in DAYS]

    def begin(self, owner: User, at: datetime) -> Any:
        """Start the business; give the owner's place in it."""
        data = self.cleaned_data
        return people.start_business(
            data["business"],
            owner=owner,
            country=data["country"],
            time_zone=data["timezone"],
            hours=self.hours(),
            at=at,
        )


class StartForm(BusinessFields, SignupForm):
    """Sign up: a business and its owner, together or not at all."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput({"autocomplete": "name"}))
    field_order = ["business", "country", "timezone", "days", "opens", "closes", "name", "email", "password1"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """Give the new person a name and their business."""
        user.name = self.cleaned_data["name"]
        user.save(update_fields=["name"])
        self.begin(user, database_now())

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """Save all of it in one transaction; a second sign-up with one address at once finds it taken."""
        try:
            with transaction.atomic():
                return super().try_save(request)
        except IntegrityError:
            self.add_error("email", "There is a log-in with this e-mail already. Log in with it instead.")
            return None, render(request, "account/signup.html", {"form": self}, status=409)


def start_initial(request: HttpRequest) -> dict[str, Any]:
    """What the browser lets us guess."""
    return {"country": country_of(request)}
