"""The targets of a year: a row for each month, a column for each who sells and one for all together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms

from funnel.ledger.money import decimal
from funnel.ledger.typed import in_field, typed_amount
from funnel.workspaces.models import Member, Workspace
from sales.targets.models import Target


class TargetsForm(forms.Form):
    """Every cell is a field; an empty one means that nothing is said."""

    def __init__(
        self, *args: Any, workspace: Workspace, months: list[date], people: list[Member], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.currency, self.country, self.months = workspace.currency, workspace.country, months
        self.columns: list[Member | None] = [*people, None]
        said = {
            (month, member): amount
            for month, member, amount in Target.objects.filter(month__in=months).values_list(
                "month", "member", "amount"
            )
        }
        for month in months:
            for member in self.columns:
                whose = member.name if member else "together"
                amount = said.get((month, member.pk if member else None))
                self.fields[_name(month, member)] = forms.CharField(
                    label=f"{month:%B %Y}, {whose}",
                    required=False,
                    max_length=20,
                    initial=_plain(amount, self.currency, self.country),
                    widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
                )

    def rows(self) -> Iterator[tuple[date, list[forms.BoundField]]]:
        """The cells of each month, for the template."""
        for month in self.months:
            yield month, [self[_name(month, member)] for member in self.columns]

    def clean(self) -> dict[str, Any]:
        """Amounts in minor units; None for an empty cell."""
        given = super().clean() or self.cleaned_data
        for name in list(given):
            if not given[name].strip():
                given[name] = None
                continue
            try:
                given[name] = typed_amount(given[name], self.currency, self.country, least=1)
            except ValueError as wrong:
                self.add_error(name, str(wrong))
        return given

    def changes(self) -> Iterator[tuple[date, Member | None, int | None]]:
        """Every cell as it is to be."""
        for month in self.months:
            for member in self.columns:
                yield month, member, self.cleaned_data[_name(month, member)]


def _name(month: date, member: Member | None) -> str:
    return f"t-{month:%Y-%m}-{member.pk.hex if member else 'all'}"


def _plain(amount: int | None, currency: str, country: str) -> str:
    """An amount as one types it: "66,000", with digits after the point only where they say something."""
    if amount is None:
        return ""
    exact = decimal(amount, currency)
    return in_field(f"{exact:,.0f}" if exact == exact.to_integral() else f"{exact:,f}", country)
