"""What a rep types into a quote, and an owner into the price list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from funnel.leads.identity import Refused, clean_email
from funnel.ledger.models import Rate
from funnel.ledger.typed import amount_in_field, in_field, read_typed, typed_amount
from funnel.templatetags.words import money, short_day
from funnel.workspaces.models import Workspace
from sales.negotiation.actions import MOST_LINES, LineDraft
from sales.negotiation.document import tax_name
from sales.negotiation.models import Product, QuoteLine, QuoteVersion
from sales.negotiation.pricelist import NO_RATE, usual_rate
from sales.negotiation.reckoning import (
    net_of,
    percent_text,
    quantity_text,
    read_percent,
    read_quantity,
)

PARTS = ("what", "more", "quantity", "price", "less", "tax", "product")
# What a part of a line is called where its mistake is said away from it.
CALLED = {"what": "what it is", "more": "more about it", "price": "unit price"}
# How often a rate stands in the list that is offered; more would be no help.
RATES = 8


@dataclass
class Row:
    """A line as it was typed, with what is wrong with it, and what it comes to where nothing is."""

    place: int
    typed: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    line: LineDraft | None = None
    net: str = ""
    tax_name: str = "tax"

    @property
    def number(self) -> int:
        return self.place + 1

    def wrong(self) -> list[tuple[str, str, str]]:
        """Each part that can't be read, what it is called, and what is wrong with it."""
        called = CALLED | {"tax": self.tax_name}
        return [(name, called.get(name, name), says) for name, says in self.errors.items()]

    @property
    def is_blank(self) -> bool:
        """A row that nobody wrote into."""
        return not (self.typed["what"] or self.typed["more"] or self.typed["price"])

    def read(self, currency: str, products: dict[str, Product], workspace: Workspace) -> None:
        """Read it, or say what is wrong."""
        country, self.tax_name = workspace.country, tax_name(workspace)
        given: dict[str, int] = {}
        for name, into, what, usual in (
            ("quantity", read_quantity, "the quantity", "1"),
            ("less", read_percent, "the percentage", "0"),
            ("tax", read_percent, "the percentage", ""),
        ):
            said = self.typed[name].rstrip("% ") or usual
            if not said:
                self.errors[name] = NO_RATE
                continue
            try:
                given[name] = read_typed(said, country, into, what, "2.5")
            except ValueError as wrong:
                self.errors[name] = str(wrong)
        try:
            if not self.typed["price"]:
                raise ValueError("Say what one costs.")
            given["price"] = typed_amount(self.typed["price"], currency, country, least=1, what="the price")
        except ValueError as wrong:
            self.errors["price"] = str(wrong)
        for name, longest in (("what", 200), ("more", 500)):
            if len(self.typed[name]) > longest:
                self.errors[name] = f"This is longer than {longest} characters."
        if not self.typed["what"]:
            self.errors["what"] = "Say what it is."
        if self.errors:
            return
        self.line = LineDraft(
            text=self.typed["what"], more=self.typed["more"], quantity=given["quantity"], unit_price=given["price"],
            discount=given["less"], tax_rate=given["tax"], product=products.get(self.typed["product"]),
        )  # fmt: skip
        self.net = money(net_of(self.line), currency, exact=True)


def kept_rows(lines: Iterable[QuoteLine], currency: str, country: str) -> list[Row]:
    """The rows of lines that are kept."""
    rows = []
    for place, one in enumerate(lines):
        typed = {
            "what": one.text,
            "more": one.more,
            "quantity": in_field(quantity_text(one.quantity), country),
            "price": amount_in_field(one.unit_price, currency, country),
            "less": percent_text(one.discount) if one.discount else "",
            "tax": percent_text(one.tax_rate),
            "product": str(one.product_id or ""),
        }
        rows.append(Row(place, typed, net=money(one.net, currency, exact=True)))
    return rows


def typed_rows(posted: QueryDict, *, without: int | None = None) -> list[Row]:
    """The rows as they were sent, in order; `without` leaves one out."""
    rows: list[Row] = []
    for place in range(MOST_LINES + 1):
        if f"what-{place}" not in posted:
            break
        if place != without:
            typed = {name: " ".join(posted.get(f"{name}-{place}", "").split()) for name in PARTS}
            rows.append(Row(len(rows), typed))
    return rows


def _usual_tax() -> str:
    """The usual rate as a field holds it; blank while nobody has said one."""
    found = usual_rate()
    return "" if found is None else percent_text(found)


def new_row(place: int, currency: str, country: str, product: Product | None = None, *, tax: str = "") -> Row:
    """A row to write into, or one of a product; without a rate it has the usual one."""
    typed = dict.fromkeys(PARTS, "") | {"quantity": "1", "tax": tax if product or tax else _usual_tax()}
    if product is not None:
        price = next((one.amount for one in product.prices.all() if one.currency == currency), None)
        typed |= {
            "what": product.name,
            "more": product.description,
            "price": amount_in_field(price, currency, country),
            "tax": percent_text(product.tax_rate),
            "product": str(product.pk),
        }
    return Row(place, typed)


def products_of(rows: Sequence[Row], *also: str) -> dict[str, Product]:
    """The products that rows name, by id; a name that is none stands for no product."""
    ids = set()
    for said in (*(row.typed["product"] for row in rows), *also):
        try:
            ids.add(UUID(said))
        except ValueError:
            continue
    return {str(one.pk): one for one in Product.objects.prefetch_related("prices").filter(pk__in=ids)}


def usual_rates() -> list[str]:
    """Rates that this business has used, for the list beside the field."""
    found = {*Product.objects.values_list("tax_rate", flat=True).distinct()[:RATES]}
    found |= {*QuoteLine.objects.order_by().values_list("tax_rate", flat=True).distinct()[:RATES]}
    return [percent_text(one) for one in sorted(found)]


class QuoteForm(forms.Form):
    """What stands around the lines."""

    title = forms.CharField(label="What it is for", max_length=200)
    words = forms.CharField(
        label="Your words", max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    terms = forms.CharField(
        label="What is agreed on",
        max_length=8000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 7}),
        help_text="A line each.",
    )
    valid_until = forms.DateField(
        label="Valid until",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": "Choose the last day.", "invalid": "Write a date like 2026-11-17."},
    )
    currency = forms.ChoiceField(label="Currency", required=False)

    def __init__(self, *args: Any, version: QuoteVersion, workspace: Workspace, **also: Any) -> None:
        names = ("title", "words", "terms", "valid_until")
        initial = {name: getattr(version, name) for name in names} | {"currency": version.quote.currency}
        super().__init__(*args, **{"auto_id": "quote-%s", "initial": initial, **also})
        first = str(version.quote.deal.lead).split()[:1]
        self.fields["words"].label = f"Your words to {first[0]}" if first else "Your words"
        ends = "End of the day" if self.is_bound else f"{short_day(version.valid_until)}, end of the day"
        self.fields[
            "valid_until"
        ].help_text = f"{ends}, {workspace.time_zone.rpartition('/')[2].replace('_', ' ')} time"
        codes = {workspace.currency, version.quote.currency, version.quote.deal.currency}
        codes |= {*Rate.objects.values_list("currency", flat=True).distinct()}
        if len(codes) == 1 or version.quote.number:
            del self.fields["currency"]
        else:
            self.fields["currency"].choices = [(code, code) for code in sorted(codes)]  # type: ignore[attr-defined]

    @classmethod
    def saved(cls, version: QuoteVersion, **wrong: str) -> QuoteForm:
        """The form of a draft as it is saved, with what is wrong by now."""
        workspace = version.quote.deal.lead.workspace
        form = cls(cls(version=version, workspace=workspace).initial, version=version, workspace=workspace)
        for name, says in wrong.items():
            form.add_error(name, says)
        return form

    @property
    def chosen(self) -> str:
        """The currency that was chosen, as far as it is one that is offered."""
        known = [code for code, _ in self.fields["currency"].choices] if "currency" in self.fields else []  # type: ignore[attr-defined]
        said = self.data.get("currency", "") if self.is_bound else ""
        return said if said in known else str(self.initial["currency"])

    def values(self) -> dict[str, Any]:
        """What the verb takes."""
        given = self.cleaned_data
        return {
            "title": " ".join(given["title"].split()),
            "words": "\n".join(given["words"].splitlines()).strip(),
            "terms": "\n".join(given["terms"].splitlines()).strip(),
            "valid_until": given["valid_until"],
            "currency": self.chosen,
        }


class SendForm(forms.Form):
    """Who gets the link, and when the rep looks after it."""

    to = forms.CharField(label="To", max_length=254, required=False, widget=forms.EmailInput)
    remind = forms.ChoiceField(label="Then remind me", required=False)

    def __init__(self, *args: Any, version: QuoteVersion, at: datetime, **also: Any) -> None:
        lead = version.quote.deal.lead
        super().__init__(*args, **{"auto_id": "send-%s", "initial": {"to": lead.email}, **also})
        today: date = lead.workspace.local(at).date()
        days = {"soon": today + timedelta(days=3), "end": version.valid_until - timedelta(days=2)}
        self.days = {name: day for name, day in days.items() if today < day <= version.valid_until}
        words = {"soon": "In three days", "end": "Two days before it ends"}
        self.initial.setdefault("remind", next(iter(self.days), ""))
        self.fields["remind"].choices = [  # type: ignore[attr-defined]
            *((name, f"{words[name]}, {short_day(day)}") for name, day in self.days.items()), ("", "Not at all")
        ]  # fmt: skip

    def clean_to(self) -> str:
        try:
            return clean_email(self.cleaned_data["to"])[0]
        except Refused as refused:
            raise forms.ValidationError(refused.errors["email"]) from None


class ProductForm(forms.Form):
    """A product of the price list, with a price per currency."""

    name = forms.CharField(label="Name", max_length=200)
    description = forms.CharField(
        label="Description", max_length=500, required=False, help_text="Stands under its name on a quote."
    )
    tax_rate = forms.CharField(
        max_length=10,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": NO_RATE},
    )

    def __init__(self, *args: Any, workspace: Workspace, product: Product | None = None, **also: Any) -> None:
        initial: dict[str, Any] = {}
        prices: dict[str, int] = {}
        if product is not None:
            prices = {one.currency: one.amount for one in product.prices.all()}
            initial = {
                "name": product.name, "description": product.description, "tax_rate": percent_text(product.tax_rate),
            }  # fmt: skip
        super().__init__(*args, **{"auto_id": "product-%s", "initial": initial, **also})
        self.country = workspace.country
        self.fields["tax_rate"].label = f"{tax_name(workspace)}, %"
        self.currencies = sorted({workspace.currency, *prices, *Rate.objects.values_list("currency", flat=True)})
        for code in self.currencies:
            self.fields[f"price-{code}"] = forms.CharField(
                label=f"Price in {code}, net",
                max_length=20,
                required=False,
                initial=amount_in_field(prices.get(code), code, self.country),
                widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )

    def price_fields(self) -> list[Any]:
        """The fields of the prices, for the template."""
        return [self[f"price-{code}"] for code in self.currencies]

    def clean(self) -> dict[str, Any]:
        """Turn prices into minor units and the rate into its scale."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        prices = {}
        for code in self.currencies:
            if said := given.pop(f"price-{code}", ""):
                try:
                    prices[code] = typed_amount(said, code, self.country, least=1, what="the price")
                except ValueError as wrong:
                    self.add_error(f"price-{code}", str(wrong))
        given["prices"] = prices
        if "tax_rate" in given:
            try:
                given["tax_rate"] = read_typed(
                    given["tax_rate"].rstrip("% "), self.country, read_percent, "the percentage", "2.5"
                )
            except ValueError as wrong:
                self.add_error("tax_rate", str(wrong))
        for name in ("name", "description"):
            given[name] = " ".join(given.get(name, "").split())
        return given
