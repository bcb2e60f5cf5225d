"""Time off and holidays, as people enter them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from funnel.people import away
from funnel.people.forms import LONG
from funnel.templatetags.words import day, plural
from funnel.workspaces.models import SELLERS, Member, TimeOff, Workspace
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow
from funnel.workspaces.slots import slot


class DaysForm(forms.Form):
    """A first and a last day; without a last one it is one day."""

    first = forms.DateField(label="First day", widget=forms.DateInput({"type": "date"}))
    last = forms.DateField(label="Last day", required=False, widget=forms.DateInput({"type": "date"}))

    def days(self) -> dict[str, Any]:
        """What the verbs take."""
        return {"first": self.cleaned_data["first"], "last": self.cleaned_data["last"] or self.cleaned_data["first"]}

    def refused(self, refusal: Refusal) -> None:
        """Put a refusal to the day that it is about."""
        self.add_error(refusal.extra.get("field", "first"), refusal.sentence)


def booked_on(
    spans: Sequence[tuple[Member | None, date, date]], workspace: Workspace, at: datetime
) -> list[list[dict[str, Any]]]:
    """What is booked in each span of days, a member's or everybody's: SLOTS["booked_on"].

    Each answers {"who", "when", "with", "url"} of what it has, span by span.
    """
    found = [plugged(spans, workspace=workspace, at=at) for plugged in slot("booked_on")]
    return [[one for each in found for one in each[place]] for place in range(len(spans))]


def booked_off(member: Member, at: datetime) -> list[dict[str, Any]]:
    """What is booked with a member on weekdays on which they don't work, as far ahead as anybody books."""
    today = member.workspace.local(at).date()
    days = [today + timedelta(days=ahead) for ahead in range(away.FAR.days)]
    spans = [(member, one, one) for one in days if not member.works_on(one)]
    return [one for each in booked_on(spans, member.workspace, at) for one in each]


def still_booked(member: Member | None, first: date, last: date, *, workspace: Workspace, at: datetime) -> str:
    """What is to be said once days are taken on which something is booked; it stands on the page by name."""
    (booked,) = booked_on([(member, first, last)], workspace, at)
    return _stays(booked)


def _stays(booked: Sequence[dict[str, Any]]) -> str:
    if not booked:
        return ""
    stays, them = ("is booked then, and stays", "it") if len(booked) == 1 else ("are booked then, and stay", "them")
    return f" {plural(len(booked), 'demo')} {stays} until somebody moves or cancels {them}."


class TimeOffForm(DaysForm):
    """Who is away; one's own page asks only for the days."""

    member: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label="Who", queryset=Member.objects.none(), empty_label=None
    )
    field_order = ("member", "first", "last")

    def __init__(self, *args: Any, whose: Member | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "off-%s")
        super().__init__(*args, **kwargs)
        self.whose, self.booked = whose, ""
        if whose is not None:
            del self.fields["member"]
        else:
            members = Member.objects.active().select_related("user", "workspace").order_by("joined_at")
            self.fields["member"].queryset = members  # type: ignore[attr-defined]

    def save(self, *, by: Member, at: datetime) -> bool:
        """Enter the time off; False with a sentence at its field where it can't be.

        What is booked on these days says `booked`.
        """
        if not self.is_valid():
            return False
        try:
            with transaction.atomic():
                made = away.take_off(self.whose or self.cleaned_data["member"], by=by, at=at, **self.days())
        except Refusal as refusal:
            self.refused(refusal)
            return False
        self.booked = still_booked(made.member, made.first, made.last, workspace=by.workspace, at=at)
        return True


def to_come(workspace: Workspace, at: datetime, member: Member | None = None) -> list[TimeOff]:
    """Who is or will be away, the next one first, with what is `booked` then; of one member if one is named."""
    today = workspace.local(at).date()
    found = TimeOff.objects.filter(last__gte=today, member__active=True).select_related("member__user")
    found = found.order_by("first", "id")
    rows = list(found.filter(member=member) if member else found)
    spans = [(one.member, one.first, one.last) for one in rows]
    for one, booked in zip(rows, booked_on(spans, workspace, at), strict=True):
        one.booked = booked
    return rows


@require_POST
@allow("read")
def remove_time_off(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take time off back, one's own or as an owner or manager."""
    by: Member = request.member  # type: ignore[attr-defined]
    found: TimeOff = get_object_or_404(TimeOff.objects.select_related("member__user"), pk=pk)
    away.come_back(found, by=by, at=request.at)  # type: ignore[attr-defined]
    whose = "You are" if found.member_id == by.pk else f"{found.member.name} is"
    messages.success(request, f"{whose} here on these days.")
    back = "people" if request.POST.get("from") == "people" and by.leads_others else "me"
    return redirect(reverse(back) + "#off")


class WorkingDaysForm(forms.Form):
    """On which of the business's days somebody works."""

    days = forms.TypedMultipleChoiceField(
        label="Working days", coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, whose: Member, **kwargs: Any) -> None:
        open_on = [(str(day), LONG[day]) for day, hours in enumerate(whose.workspace.hours) if hours]
        kwargs["initial"] = {"days": [day for day, _ in open_on if day not in whose.days_off]}
        super().__init__(*args, **kwargs)
        self.whose, self.booked = whose, ""
        self.fields["days"].choices = open_on  # type: ignore[attr-defined]

    def save(self, *, by: Member, at: datetime) -> bool:
        """Keep the days; False with a sentence at them where they can't be.

        What is booked on the others says `booked`.
        """
        if not self.is_valid():
            return False
        try:
            with transaction.atomic():
                away.work_on(self.whose, self.cleaned_data["days"], by=by, at=at)
        except Refusal as refusal:
            self.add_error("days", refusal.sentence)
            return False
        self.booked = _stays(booked_off(self.whose, at))
        return True


@require_http_methods(["GET", "HEAD", "POST"])
@allow("people")
def working_days(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say on which days a member works."""
    sellers = Member.objects.active().filter(role__in=SELLERS).select_related("user", "workspace")
    one: Member = get_object_or_404(sellers, pk=pk)
    form = WorkingDaysForm(request.POST if request.method == "POST" else None, whose=one)
    if form.is_bound and form.save(by=request.member, at=request.at):  # type: ignore[attr-defined]
        messages.success(request, f"Saved. {one.name} is given no leads on other days.{form.booked}")
        return redirect("working-days", one.pk) if form.booked else redirect("people")
    context = {"one": one, "form": form, "booked": booked_off(one, request.at)}  # type: ignore[attr-defined]
    return render(request, "funnel/people/days.html", context, status=422 if form.errors else 200)


class HolidayForm(DaysForm):
    """Which days, and what for."""

    name = forms.CharField(label="What for", max_length=80, required=False)
    field_order = ("first", "last", "name")


def _closed_already(workspace: Workspace, was: dict[str, str], first: date, last: date) -> str:
    """What a day is called that was closed already, and whether it was called otherwise before."""
    name, one = workspace.closed[first.isoformat()], first == last
    said = f"{day(first)} was closed already" if one else "These days were closed already"
    if workspace.closed != was:
        return f"{said}; {'it is' if one else 'they are'} called “{name}” now."
    return f"{said}{f', as “{name}”' if one and name else ''}."


def _closed(workspace: Workspace, days: list[date]) -> str:
    """On how many days nobody works now on which somebody would have."""
    if many := sum(bool(workspace.hours[one.weekday()]) for one in days):
        return f"Closed on {plural(many, 'day')} more. Clocks that run stand still on those days too."
    return f"Noted. Nobody works here on {day(days[0]) if len(days) == 1 else 'these days'} anyway."


@require_http_methods(["GET", "HEAD", "POST"])
@allow("people")
def holidays(request: HttpRequest) -> HttpResponse:
    """List the days on which the business is closed, and add some."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    form = HolidayForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            was = workspace.closed
            try:
                with transaction.atomic():
                    made = away.close(
                        workspace, name=form.cleaned_data["name"], by=request.member, at=at, **form.days()  # type: ignore[attr-defined]
                    )  # fmt: skip
            except Refusal as refusal:
                form.refused(refusal)
                status = refusal.status
            else:
                said = _closed(workspace, made) if made else _closed_already(workspace, was, **form.days())
                messages.success(request, said + still_booked(None, **form.days(), workspace=workspace, at=at))
                return redirect("holidays")
    today = timezone.localtime(at).date()
    days = [(one, name) for on, name in workspace.closed.items() if (one := date.fromisoformat(on)) >= today]
    booked = booked_on([(None, one, one) for one, _ in days], workspace, at)
    context = {"form": form, "days": [(*one, stands) for one, stands in zip(days, booked, strict=True)]}
    return render(request, "funnel/people/holidays.html", context, status=status)


@require_POST
@allow("people")
def reopen(request: HttpRequest, day: str) -> HttpResponse:
    """Open on a day that was to be closed."""
    if not away.reopen(request.workspace, day, by=request.member, at=request.at):  # type: ignore[attr-defined]
        raise Http404
    messages.success(request, "Open on that day again.")
    return redirect("holidays")
