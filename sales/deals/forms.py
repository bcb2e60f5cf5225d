"""What a person types about a deal."""

from __future__ import annotations

from typing import Any

from django import forms

from funnel.ledger.models import Rate
from funnel.ledger.typed import amount_in_field, typed_amount
from funnel.workspaces.models import SELLERS, Member, Workspace
from sales.deals.models import Deal


def amount_field(label: str, **options: Any) -> forms.CharField:
    """A field for an amount; the form reads it when it knows the currency."""
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.CharField(label=label, max_length=20, widget=widget, **options)


class DealForm(forms.Form):
    """What the deal is about, what it is worth, and with whom it is."""

    title = forms.CharField(
        label="What it is about", max_length=200, error_messages={"required": "Say what it is about."}
    )
    amount = amount_field("Worth, net", required=False)
    currency = forms.ChoiceField(label="Currency", required=False)
    holder = forms.ChoiceField(label="With", required=False)

    def __init__(
        self, *args: Any, workspace: Workspace, by: Member, holder: Member | None, deal: Deal | None = None, **also: Any
    ) -> None:
        kwargs = {"auto_id": "deal-%s", "initial": _initial(deal, workspace, holder or by), **also}
        super().__init__(*args, **kwargs)
        self.workspace, self.by = workspace, by
        self.fields["amount"].help_text = "Leave it empty while nobody knows."
        codes = {workspace.currency, *Rate.objects.values_list("currency", flat=True).distinct()}
        if deal is not None:
            codes.add(deal.currency)
        if len(codes) == 1:
            del self.fields["currency"]
        else:
            self.fields["currency"].choices = [(code, code) for code in sorted(codes)]  # type: ignore[attr-defined]
        self.people = self._people(holder)
        if by.leads_others and len(self.people) > 1:
            self.fields["holder"].choices = [(pk, one.name) for pk, one in self.people.items()]  # type: ignore[attr-defined]
        else:
            del self.fields["holder"]

    def _people(self, holder: Member | None) -> dict[str, Member]:
        """Those who sell, and who has it now, even if they have left."""
        active = Member.objects.active().filter(role__in=SELLERS).select_related("user").order_by("joined_at")
        people = {str(one.pk): one for one in active}
        return people if holder is None else people | {str(holder.pk): holder}

    def clean(self) -> dict[str, Any]:
        """Turn the amount into minor units and the chosen person into the member."""
        given = super().clean() or self.cleaned_data
        given["title"] = " ".join(given.get("title", "").split())
        given["currency"] = given.get("currency") or self.initial["currency"]
        said = given.get("amount", "")
        given["amount"] = None
        if said and "amount" not in self.errors:
            try:
                given["amount"] = typed_amount(said, given["currency"], self.workspace.country)
            except ValueError as wrong:
                self.add_error("amount", str(wrong))
        if "holder" in given:
            given["holder"] = self.people.get(given["holder"])
        return given


def _initial(deal: Deal | None, workspace: Workspace, holder: Member) -> dict[str, Any]:
    if deal is None:
        return {"currency": workspace.currency, "holder": str(holder.pk)}
    return {
        "title": deal.title,
        "amount": amount_in_field(deal.amount, deal.currency, workspace.country),
        "currency": deal.currency,
        "holder": str(deal.holder_id),
    }
