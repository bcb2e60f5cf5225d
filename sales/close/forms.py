"""What a person answers when a deal is won or lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone

from funnel.handoff.forms import FAR
from funnel.ledger.typed import amount_in_field, typed_amount
from funnel.workspaces.hours import opening
from funnel.workspaces.models import Workspace
from funnel.workspaces.slots import slot
from sales.deals.forms import amount_field
from sales.deals.models import Deal, LostReason


def worth_of(deal: Deal) -> dict[str, Any]:
    """What the deal would be won for, and where that is from: an accepted quote (SLOTS["won_for"]), else its amount."""
    found = next((told for asks in slot("won_for") if (told := asks(deal))), None)
    return found or {"amount": deal.amount, "currency": deal.currency, "says": ""}


class WonForm(forms.Form):
    """For how much, on which day, and what decided it."""

    amount = amount_field("Amount, net", error_messages={"required": "Say for how much it was won."})
    on = forms.DateField(
        label="On",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": "Say on which day.", "invalid": "Write a date like 2026-11-17."},
    )
    reason = forms.CharField(
        label="What decided it", required=False, max_length=200, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, deal: Deal, at: datetime, **also: Any) -> None:
        self.worth = worth_of(deal)
        today = timezone.localtime(at).date()
        self.country = deal.lead.workspace.country
        worth = amount_in_field(self.worth["amount"], self.worth["currency"], self.country)
        initial = {"amount": worth, "on": today}
        super().__init__(*args, **{"auto_id": "won-%s", "initial": initial, **also})
        self.deal, self.at, self.today = deal, at, today
        self.fields["amount"].help_text = self.worth["says"] or f"In {self.worth['currency']}"
        self.fields["on"].widget.attrs["max"] = today.isoformat()
        self.fields["reason"].help_text = "Marketing reads this."

    def clean(self) -> dict[str, Any]:
        """Turn the amount into minor units and the day into its moment: now for today, noon of a day before."""
        given = super().clean() or self.cleaned_data
        if "amount" in given:
            try:
                given["amount"] = typed_amount(given["amount"], self.worth["currency"], self.country, least=1)
            except ValueError as wrong:
                self.add_error("amount", str(wrong))
        day: date | None = given.get("on")
        if day is not None and day > self.today:
            self.add_error("on", "This day is still to come.")
        elif day is not None and day.year < 1900:
            self.add_error("on", "This is too long ago.")
        elif day is not None:
            noon = datetime.combine(day, time(12), self.deal.lead.workspace.zone).astimezone(UTC)
            given["occurred_at"] = self.at if day == self.today else noon
        given["reason"] = " ".join(given.get("reason", "").split())
        return given


class LostForm(forms.Form):
    """Why, to whom, on which day to call again, and the rest in one's own words."""

    reason = forms.ChoiceField(label="Why", widget=forms.RadioSelect, error_messages={"required": "Choose why."})
    until = forms.DateField(
        label="Call again on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Write a date like 2026-11-17."},
    )
    competitor = forms.CharField(label="To whom, if you know", required=False, max_length=120)
    note = forms.CharField(
        label="In your words", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, workspace: Workspace, at: datetime, **also: Any) -> None:
        super().__init__(*args, **{"auto_id": "lost-%s", **also})
        self.workspace, self.at = workspace, at
        self.reasons = list(LostReason.objects.all())
        self.fields["reason"].choices = [(one.key, one.name) for one in self.reasons]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Turn the key into its reason and the day into the moment at which its work begins; a day must be to come."""
        given = super().clean() or self.cleaned_data
        reason = next((one for one in self.reasons if one.key == given.get("reason")), None)
        given["competitor"] = " ".join(given.get("competitor", "").split())
        day: date | None = given.pop("until", None)
        if reason is None:
            return given
        given |= {"reason": reason, "until": None}
        if "until" in self.errors:
            return given
        today = timezone.localtime(self.at).date()
        if day is None:
            if reason.asks_date:
                self.add_error("until", "Say on which day to call again.")
        elif day <= today:
            self.add_error("until", "Choose a day after today.")
        elif (day - today).days > FAR:
            self.add_error("until", "Choose a day within the next five years.")
        else:
            given["until"] = opening(self.workspace, day)
        return given
