"""The form by which a cost is entered."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone

from funnel.ledger.models import Rate
from funnel.ledger.typed import typed_amount
from funnel.workspaces.models import Workspace
from marketing.campaigns.models import Campaign
from marketing.channels.models import Channel


class CampaignChoice(forms.ModelChoiceField):
    """A campaign of the list; an id that is none is no choice, like one that isn't there."""

    def to_python(self, value: Any) -> Campaign | None:
        """Read the id."""
        try:
            return super().to_python(value)
        except forms.ValidationError:
            raise forms.ValidationError(self.error_messages["invalid_choice"]) from None


class CostForm(forms.Form):
    """How much, on which day, for which channel and campaign, and what for."""

    amount = forms.CharField(label="Amount", max_length=20, widget=forms.TextInput(attrs={"inputmode": "decimal"}))
    currency = forms.ChoiceField(label="Currency")
    day = forms.DateField(
        label="Day",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="It counts in the period of this day.",
    )
    channel: Any = forms.ModelChoiceField(label="Channel", queryset=None, empty_label="Choose")
    campaign: Any = CampaignChoice(label="Campaign", queryset=None, required=False, empty_label="No campaign")
    what = forms.CharField(label="What for", max_length=200, required=False, help_text="Like “30 spots at 07:40”.")

    def __init__(self, *args: Any, workspace: Workspace, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace, self.today = workspace, timezone.localtime(at, workspace.zone).date()
        others = Rate.objects.order_by("currency").values_list("currency", flat=True).distinct()
        codes = [workspace.currency, *(code for code in others if code != workspace.currency)]
        self.fields["currency"].choices = [(code, code) for code in codes]  # type: ignore[attr-defined]
        self.fields["currency"].initial = workspace.currency
        if len(codes) == 1:
            self.fields["currency"].widget = forms.HiddenInput()
            self.fields["amount"].label = f"Amount, {workspace.currency}"
        self.fields["day"].initial = self.today
        self.fields["channel"].queryset = Channel.objects.exclude(key="unknown")  # type: ignore[attr-defined]
        self.fields["campaign"].queryset = Campaign.objects.order_by("-created_at")  # type: ignore[attr-defined]

    def clean_day(self) -> date:
        """A day that has begun."""
        day: date = self.cleaned_data["day"]
        if day > self.today:
            raise forms.ValidationError("This day is still to come; enter what was spent.")
        if day.year < 1900:
            raise forms.ValidationError("This is too long ago.")
        return day

    def clean_what(self) -> str:
        return " ".join(self.cleaned_data["what"].split())

    def clean(self) -> dict[str, Any]:
        """The amount in minor units of its currency."""
        given = super().clean() or self.cleaned_data
        if "amount" in given and "currency" in given:
            try:
                given["amount"] = typed_amount(given["amount"], given["currency"], self.workspace.country, least=1)
            except ValueError as wrong:
                self.add_error("amount", str(wrong))
        return given

    @property
    def occurred_at(self) -> datetime:
        """The begin of the day on the business's clock."""
        return datetime.combine(self.cleaned_data["day"], time.min, self.workspace.zone)
