"""The form by which a campaign is planned."""

from __future__ import annotations

from typing import Any

from django import forms

from funnel.ledger.typed import amount_in_field, typed_amount
from funnel.workspaces.models import Workspace
from marketing.campaigns.models import Campaign
from marketing.channels.models import Channel


class CampaignForm(forms.Form):
    """A campaign's name, goal, offer, dates, budget and channels; `changes` gives them as columns."""

    name = forms.CharField(label="Name", max_length=120)
    goal = forms.CharField(label="Goal", max_length=300, required=False, help_text="Like “40 leads ready for sales”.")
    offer = forms.CharField(
        label="Offer in one sentence",
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What is promised. Sales sees these words on every lead that came by it.",
    )
    starts_on = forms.DateField(label="First day", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    ends_on = forms.DateField(label="Last day", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    budget = forms.CharField(
        label="Budget",
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    channels: Any = forms.ModelMultipleChoiceField(
        label="Channels", queryset=None, required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, workspace: Workspace, campaign: Campaign | None = None, **kwargs: Any) -> None:
        self.workspace = workspace
        if campaign is not None:
            kwargs["initial"] = {
                **{name: getattr(campaign, name) for name in ("name", "goal", "offer", "starts_on", "ends_on")},
                "budget": amount_in_field(campaign.budget, workspace.currency, workspace.country),
                "channels": list(campaign.channels.values_list("pk", flat=True)),
            }
        super().__init__(*args, **kwargs)
        self.fields["channels"].queryset = Channel.objects.exclude(key="unknown")  # type: ignore[attr-defined]
        self.fields["budget"].label = f"Budget, {workspace.currency}"
        for name in ("starts_on", "ends_on"):
            self.fields[name].widget.format = "%Y-%m-%d"

    def clean_name(self) -> str:
        """A name without what no page can show."""
        name = " ".join(self.cleaned_data["name"].split())
        if not Campaign.key_of(name):
            raise forms.ValidationError("A campaign needs a name with letters or digits.")
        return name

    def clean_budget(self) -> int | None:
        """The budget in minor units."""
        said: str = self.cleaned_data["budget"]
        if not said:
            return None
        try:
            return typed_amount(said, self.workspace.currency, self.workspace.country, what="the budget")
        except ValueError as wrong:
            raise forms.ValidationError(str(wrong)) from None

    def clean(self) -> dict[str, Any]:
        """A campaign can't end before it begins."""
        given = super().clean() or self.cleaned_data
        first, last = given.get("starts_on"), given.get("ends_on")
        if first and last and last < first:
            self.add_error("ends_on", "A campaign can’t end before it begins.")
        return given

    @property
    def changes(self) -> dict[str, Any]:
        """What the campaign's columns become."""
        return {name: value for name, value in self.cleaned_data.items() if name != "channels"}
