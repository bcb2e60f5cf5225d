"""What other currencies are worth in the business's own, day by day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from funnel.ledger.actions import SCALE, set_rate
from funnel.ledger.models import Rate
from funnel.ledger.money import read_currency
from funnel.ledger.typed import read_typed, shown
from funnel.overview.paging import beyond, cursor, read
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow

PAGE = 50


class RateForm(forms.Form):
    """What one unit is worth from a day on."""

    currency = forms.CharField(
        label="Currency, like EUR",
        max_length=3,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off"}),
    )
    rate = forms.CharField(
        label="Worth",
        max_length=30,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    from_day = forms.DateField(
        label="From this day on", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, own: str, country: str, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.country = country
        self.fields["from_day"].initial = today
        self.fields["rate"].label = f"Worth in {own}, like {shown('0.86', country)}"

    def clean_currency(self) -> str:
        """A code in capitals."""
        try:
            return read_currency(self.cleaned_data["currency"])
        except ValueError as wrong:
            raise forms.ValidationError(str(wrong)) from None

    def clean_rate(self) -> Decimal:
        """A number, in the country's own form or plain."""
        try:
            return read_typed(self.cleaned_data["rate"], self.country, Decimal, "what one is worth", "0.86")
        except ValueError as wrong:
            raise forms.ValidationError(str(wrong)) from None

    def clean_from_day(self) -> date:
        """A day that somebody can have booked something on."""
        day: date = self.cleaned_data["from_day"]
        if not 1900 <= day.year <= 2999:
            raise forms.ValidationError("This is too long ago or too far ahead.")
        return day


@require_http_methods(["GET", "HEAD", "POST"])
@allow("business")
def currencies(request: Any) -> HttpResponse:
    """The rates, the latest first, and a form for a further one; entered again for the same day, it is put right."""
    today = timezone.localdate(request.at)
    form = RateForm(
        request.POST or None, own=request.workspace.currency, country=request.workspace.country, today=today
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            with transaction.atomic():
                set_rate(given["currency"], given["rate"], from_day=given["from_day"], by=request.member, at=request.at)
        except Refusal as refusal:
            errors = getattr(refusal, "errors", {})
            for name, sentence in (errors or {"rate": refusal.sentence}).items():
                form.add_error(name if name in form.fields else "rate", sentence)
        else:
            messages.success(request, "Saved. What was booked on its days is worth what it says.")
            return redirect("currencies")
    rows = Rate.objects.order_by("-from_day", "-id")
    if seen := read("rates", request.GET.get("after", ""), 2):
        rows = rows.filter(beyond("from_day", "pk", seen, falling=True))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    context = {
        "form": form,
        "own": request.workspace.currency,
        "rates": [(one, format((Decimal(one.rate) / SCALE).normalize(), "f")) for one in shown],
        "next_url": f"?after={cursor('rates', shown[-1].from_day, shown[-1].pk)}" if len(found) > PAGE else "",
    }
    return render(request, "funnel/overview/currencies.html", context, status=422 if form.errors else 200)
