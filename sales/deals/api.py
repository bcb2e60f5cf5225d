"""Deals over the API: open, list, change and move. Winning and losing stand in sales.close.api."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import Invalid, Moment, OneOf, Shape, Text, asked_moment, stamp
from funnel.api.views import ApiView, list_of, spec
from funnel.leads.identity import LENGTHS
from funnel.leads.models import Lead
from funnel.leads.named import LeadName, lead_named, member_named, of_lead
from funnel.ledger.money import read_amount, read_currency, text
from funnel.workspaces.models import Member
from sales.deals import actions
from sales.deals.models import OPEN, Deal, DealStage

AMOUNT = Text(20, "A decimal with at most the currency’s digits, like 1200.50; null while nobody knows.", numbers=True)
CURRENCY = Text(3, "ISO 4217, like EUR; the business’s own unless said.")
DEAL = {
    "title": Text(200, "What it is about; unless said what the lead wants, else their name."),
    "amount": AMOUNT,
    "currency": CURRENCY,
    "holder": Text(254, "Whose deal it is, by e-mail: an owner’s or manager’s key may name anybody who sells or sold."),
}
VERBS = "This can’t be set. Use move/, win/ or lose/."
MADE = "Baton keeps this itself; it can’t be set."
FIXED = {
    **dict.fromkeys(("stage", "reason", "competitor", "note"), VERBS),
    **dict.fromkeys(("id", "stage_since", "closed_at", "created_at", "updated_at", "version"), MADE),
}
NEW = Shape(
    {
        "lead": LeadName(),
        **DEAL,
        "occurred_at": Moment("When it was opened; now unless said."),
        "external_system": Text(LENGTHS["external_system"]),
        "external_id": Text(LENGTHS["external_id"], "A known one answers 200 and changes nothing.", numbers=True),
    },
    required=["lead"],
    fixed=FIXED,
)
CHANGES = Shape(
    DEAL,
    fixed={**FIXED, **dict.fromkeys(("lead", "occurred_at", "external_system", "external_id"), "This stays as it is.")},
)
MOVE = Shape(
    {"stage": OneOf([str(one) for one in OPEN]), "occurred_at": Moment("When it moved; now unless said.")},
    required=["stage"],
)
FILTERS = {
    "stage": f"One of {', '.join(DealStage.values)}.",
    "holder": "A member’s e-mail.",
    "lead": "A lead’s id.",
    "external_id": "The id in the system of yours.",
    "external_system": "Which system `external_id` is of; any unless said.",
    "updated_since": "A moment; the list then begins with what changed first.",
}
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}
DEAL_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "lead": {"type": "string", "format": "uuid"},
        "title": _TEXT,
        "stage": {"type": "string", "enum": DealStage.values},
        "stage_since": _MOMENT,
        "amount": {"type": "string", "nullable": True},
        "currency": _TEXT,
        "holder": {"type": "string", "format": "email"},
        "occurred_at": {**_MOMENT, "description": "When it was opened."},
        "closed_at": {**_MOMENT, "nullable": True},
        **dict.fromkeys(("reason", "competitor", "note", "external_system", "external_id"), _TEXT),
        "created_at": _MOMENT,
        "updated_at": _MOMENT,
        "version": {"type": "integer"},
    },
}


class DealView(ApiView):
    """Possible sales to leads."""

    scope = "deals"
    rights = {
        "list": "read",
        "retrieve": "read",
        "create": "deals.change",
        "partial_update": "deals.change",
        "move": "deals.change",
    }

    def deals(self) -> QuerySet[Deal]:
        return Deal.objects.select_related("holder__user")

    def deal(self, pk: UUID) -> Deal:
        """The deal in the version that the client read, or 404 or 412."""
        found: Deal = get_object_or_404(self.deals(), pk=pk)
        self.match(found.version)
        return found

    def told(self, deal: Deal, status: int = 200) -> Response:
        """Answer with the deal as it is now."""
        return Response(write_deal(self.deals().get(pk=deal.pk)), status)

    @spec("Deals", query=FILTERS, paged=True, answers=list_of(DEAL_SCHEMA))
    def list(self, request: Request) -> Response:
        """Latest made first; with `updated_since`, earliest changed first."""
        params = request.query_params
        rows, errors = self.narrowed(self.deals(), NARROW)
        if "external_system" in params and "external_id" not in params:
            errors["external_system"] = "Send external_id with it."
        if errors:
            raise Invalid(errors)
        order = ("updated_at", "id") if "updated_since" in params else ("-made_at", "-id")
        return self.listed(rows, order, write_deals)

    @spec("Open a deal", body=NEW, answers={201: DEAL_SCHEMA, 200: DEAL_SCHEMA})
    def create(self, request: Request) -> Response:
        """201 for a new deal; 200 for one that is known by its external id, which stays as it is."""
        external = _external(self.values)
        currency = _currency(self.values) or self.workspace.currency
        amount = read_minor(self.values.get("amount", ""), currency)
        holder = member_named(self.values["holder"], "holder") if self.values.get("holder") else None
        if (known := self._known(external)) is not None:
            return self.told(known)
        lead = lead_named(self.values["lead"], among=Lead.objects.visible_to(self.member))
        try:
            with transaction.atomic():
                deal = actions.open_deal(
                    lead,
                    by=self.member,
                    at=self.at,
                    title=" ".join(self.values.get("title", "").split()),
                    amount=amount,
                    currency=currency,
                    holder=holder,
                    occurred_at=self.values.get("occurred_at"),
                    external=external,
                )
        except IntegrityError:
            # The same deal came in a second request, which was faster.
            if (known := self._known(external)) is None:
                raise
            return self.told(known)
        return self.told(deal, 201)

    @spec("One deal", answers={200: DEAL_SCHEMA})
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Answer the deal with an ETag for `If-Match`."""
        return self.told(get_object_or_404(self.deals(), pk=pk))

    @spec("Change a deal", body=CHANGES, answers={200: DEAL_SCHEMA})
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change what is sent, while the deal is open; 409 after it ended."""
        found: Deal = get_object_or_404(self.deals(), pk=pk)
        deal = actions.locked(found, self.member)
        self.match(deal.version)
        return self.told(actions.edit(deal, self._changes(deal), by=self.member, at=self.at))

    @spec("Move a deal", body=MOVE, answers={200: DEAL_SCHEMA})
    def move(self, request: Request, pk: UUID) -> Response:
        """Move an open deal to another open stage, forward or back; its lead follows."""
        to = DealStage(self.values["stage"])
        deal = self.deal(pk)
        return self.told(actions.move(deal, to, by=self.member, at=self.at, occurred_at=self.values.get("occurred_at")))

    def _known(self, external: tuple[str, str]) -> Deal | None:
        if not external[1]:
            return None
        return self.deals().filter(external_system=external[0], external_id=external[1]).first()

    def _changes(self, deal: Deal) -> dict[str, Any]:
        """What is to be changed, as the row keeps it; raise Invalid."""
        changes: dict[str, Any] = {}
        errors: dict[str, str] = {}
        if "title" in self.values:
            changes["title"] = " ".join(self.values["title"].split())
            if not changes["title"]:
                errors["title"] = "A deal needs a title."
        if "holder" in self.values:
            changes["holder"] = member_named(self.values["holder"], "holder")
        try:
            changes |= worth(deal, self.values)
        except Invalid as wrong:
            errors |= wrong.errors
        if errors:
            raise Invalid(errors)
        return changes


def worth(deal: Deal, given: dict[str, Any]) -> dict[str, Any]:
    """What a deal is worth after a change of amount or currency: the figures stay, not the minor units.

    Raises Invalid for an amount that the currency can't hold.
    """
    currency = _currency(given) or deal.currency
    if "amount" not in given and currency == deal.currency:
        return {}
    said = given["amount"] if "amount" in given else text(deal.amount, deal.currency) or ""
    return {"amount": read_minor(said, currency), "currency": currency}


def read_minor(said: str, currency: str, *, least: int = 0) -> int | None:
    """The amount of a body in minor units, None for a blank; raise Invalid."""
    if not said.strip():
        return None
    try:
        return read_amount(said.strip(), currency, least=least)
    except ValueError as wrong:
        raise Invalid({"amount": str(wrong)}) from None


def _currency(given: dict[str, Any]) -> str:
    if not given.get("currency"):
        return ""
    try:
        return read_currency(given["currency"])
    except ValueError as wrong:
        raise Invalid({"currency": str(wrong)}) from None


def _external(given: dict[str, Any]) -> tuple[str, str]:
    system, name = (" ".join(given.get(part, "").split()) for part in ("external_system", "external_id"))
    if system and not name:
        raise Invalid({"external_system": "Send external_id with it."})
    return system, name


def write_deals(rows: Iterable[Deal]) -> list[dict[str, Any]]:
    """Write deals whose holders are at hand."""
    return [write_deal(one) for one in rows]


def write_deal(one: Deal) -> dict[str, Any]:
    """Write one deal."""
    return {
        "id": str(one.pk),
        "lead": str(one.lead_id),
        "title": one.title,
        "stage": str(one.stage),
        "stage_since": stamp(one.stage_since),
        "amount": text(one.amount, one.currency),
        "currency": one.currency,
        "holder": one.holder.email,
        "occurred_at": stamp(one.opened_at),
        "closed_at": stamp(one.closed_at),
        "reason": one.reason,
        "competitor": one.competitor,
        "note": one.note,
        "external_system": one.external_system,
        "external_id": one.external_id,
        "created_at": stamp(one.made_at),
        "updated_at": stamp(one.updated_at),
        "version": one.version,
    }


def _by_stage(rows: QuerySet[Deal], value: str) -> QuerySet[Deal]:
    if value not in DealStage.values:
        raise ValueError(f"Send one of: {', '.join(DealStage.values)}.")
    return rows.filter(stage=value)


def _by_holder(rows: QuerySet[Deal], value: str) -> QuerySet[Deal]:
    member: Member = member_named(value, "holder")
    return rows.filter(holder=member)


NARROW: dict[str, Callable[[QuerySet[Deal], str], QuerySet[Deal]]] = {
    "stage": _by_stage,
    "holder": _by_holder,
    "lead": of_lead,
    "external_id": lambda rows, value: rows.filter(external_id=value),
    "external_system": lambda rows, value: rows.filter(external_system=value),
    "updated_since": lambda rows, value: rows.filter(updated_at__gte=asked_moment(value)),
}


def routes() -> list[Any]:
    """The addresses of deals."""
    one = "deals/<uuid:pk>/"
    return [
        path("deals/", DealView.as_view({"get": "list", "post": "create"}), name="deals"),
        path(one, DealView.as_view({"get": "retrieve", "patch": "partial_update"}), name="deal"),
        path(f"{one}move/", DealView.as_view({"post": "move"}), name="deal-move"),
    ]
