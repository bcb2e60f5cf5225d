"""Revenue and costs over the API: book, list, take back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import Shape, Text, stamp
from funnel.api.views import ApiView, list_of, spec
from funnel.leads.identity import SOURCE_LENGTHS
from funnel.leads.models import Lead, Source
from funnel.leads.named import LeadName, lead_named
from funnel.leads.sources import sources_for
from funnel.ledger import actions
from funnel.ledger.bodies import BOOKED, external_of, money_of
from funnel.ledger.models import Cost, Revenue
from funnel.ledger.money import text
from funnel.workspaces.models import Role
from funnel.workspaces.refusals import Forbidden, Refusal

MADE = "Baton keeps this itself; it can’t be set."
FIXED = dict.fromkeys(("id", "base_amount", "base_currency", "recorded_at", "by", "corrects", "corrected"), MADE)
REVENUE = Shape(
    {"lead": LeadName(), **BOOKED},
    required=["lead", "amount"],
    fixed={**FIXED, "deal": "Win the deal instead; that books its revenue.", "holder": MADE, "source": MADE},
)
COST = Shape(
    {
        "channel": Text(SOURCE_LENGTHS["channel"], "Its name or key, without case; a new one appears for marketing."),
        "campaign": Text(SOURCE_LENGTHS["campaign"], "The campaign it was spent on; none unless said."),
        **BOOKED,
    },
    required=["channel", "amount"],
    fixed=FIXED,
)
NOTHING = Shape({})
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}
_ROW = {
    "id": {"type": "string", "format": "uuid"},
    **dict.fromkeys(("amount", "currency", "base_amount", "base_currency", "what"), _TEXT),
    "occurred_at": _MOMENT,
    "recorded_at": _MOMENT,
    "by": {"type": "string", "format": "email", "nullable": True},
    "corrects": {
        "type": "string",
        "format": "uuid",
        "nullable": True,
        "description": "The row that this one takes back.",
    },
    "corrected": {"type": "boolean", "description": "Whether a later row takes this one back."},
    **dict.fromkeys(("external_system", "external_id"), _TEXT),
}
REVENUE_SCHEMA = {
    "type": "object",
    "properties": {
        **_ROW,
        "lead": {"type": "string", "format": "uuid"},
        "deal": {"type": "string", "format": "uuid", "nullable": True},
        "holder": {"type": "string", "format": "email", "nullable": True},
    },
}
COST_SCHEMA = {"type": "object", "properties": {**_ROW, "channel": _TEXT, "campaign": _TEXT}}


class Known(Refusal):
    """An external id of a row that the member may not read."""


class LedgerView(ApiView):
    """What revenue and costs have in common."""

    scope = "ledger"

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def write(self, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def page(self) -> Response:
        return self.listed(self.rows(), ("-occurred_at", "-id"), lambda found: [self.write(one) for one in found])

    def once(self, external: tuple[str, str], book: Callable[[], Any]) -> Response:
        """Book unless the external id is known: 201, or 200 with the row that is there."""
        if (known := self._known(external)) is not None:
            return Response(self.write(known))
        try:
            with transaction.atomic():
                made = book()
        except IntegrityError:
            # The same came in a second request, which was faster.
            if (known := self._known(external)) is None:
                raise Known("A row with this external id is there, and it is a colleague’s.") from None
            return Response(self.write(known))
        return Response(self.write(self.rows().get(pk=made.pk)), 201)

    def take_back(self, pk: UUID) -> Response:
        row = get_object_or_404(self.rows(), pk=pk)
        made = actions.take_back(row, by=self.member, at=self.at)
        return Response(self.write(self.rows().get(pk=made.pk)), 201)

    def moment(self) -> datetime | None:
        """When it was; a day counts from its begin."""
        when: date | datetime | None = self.values.get("occurred_at")
        if when is None or isinstance(when, datetime):
            return when
        return datetime.combine(when, time.min, self.workspace.zone)

    def what(self) -> str:
        return " ".join(self.values.get("what", "").split())

    def _known(self, external: tuple[str, str]) -> Any:
        if not external[1]:
            return None
        return self.rows().filter(external_system=external[0], external_id=external[1]).first()

    def _common(self, row: Any) -> dict[str, Any]:
        return {
            "id": str(row.pk),
            "amount": text(row.amount, row.currency),
            "currency": row.currency,
            "base_amount": text(row.base_amount, self.workspace.currency),
            "base_currency": self.workspace.currency,
            "what": row.what,
            "occurred_at": stamp(row.occurred_at),
            "recorded_at": stamp(row.recorded_at),
            "by": row.by.email if row.by else None,
            "corrects": str(row.corrects_id) if row.corrects_id else None,
            "corrected": hasattr(row, "corrected_by"),
            "external_system": row.external_system,
            "external_id": row.external_id,
        }


class RevenueView(LedgerView):
    """Money that leads brought."""

    rights = {"list": "read", "create": "deals.change", "correct": "deals.change"}

    def rows(self) -> QuerySet[Revenue]:
        """Those that the member may read: of a rep what they earned."""
        return Revenue.objects.readable_by(self.member).select_related("holder__user", "by__user", "corrected_by")

    def write(self, row: Revenue) -> dict[str, Any]:
        return {
            **self._common(row),
            "lead": str(row.lead_id),
            "deal": str(row.deal_id) if row.deal_id else None,
            "holder": row.holder.email if row.holder else None,
        }

    @spec("Revenue", paged=True, answers=list_of(REVENUE_SCHEMA))
    def list(self, request: Request) -> Response:
        """Latest first, corrections among it: the amounts add up to what came in. A rep reads what they earned."""
        return self.page()

    @spec("Book revenue", body=REVENUE, answers={201: REVENUE_SCHEMA, 200: REVENUE_SCHEMA})
    def create(self, request: Request) -> Response:
        """Book money that a lead brought beside its deals; a won deal books its own."""
        external = external_of(self.values)
        amount, currency = money_of(self.values, self.workspace, least=1)
        lead = lead_named(self.values["lead"], among=Lead.objects.visible_to(self.member))
        is_rep = self.member.role == Role.REP
        if is_rep and not Lead.objects.changeable_by(self.member).filter(pk=lead.pk).exists():
            raise Forbidden("This lead is a colleague’s. A sales rep books what their own leads brought.")
        return self.once(
            external,
            lambda: actions.book_revenue(
                lead, amount, currency, by=self.member, at=self.at, occurred_at=self.moment(),
                holder=self.member if is_rep else lead.holder, what=self.what(), external=external,
            ),
        )  # fmt: skip

    @spec("Take revenue back", body=NOTHING, may_be_empty=True, answers={201: REVENUE_SCHEMA})
    def correct(self, request: Request, pk: UUID) -> Response:
        """Book its opposite of the same day, once; what a deal booked goes back with its win."""
        return self.take_back(pk)


class CostView(LedgerView):
    """Money spent on channels and campaigns."""

    rights = {"list": "read", "create": "costs.change", "correct": "costs.change"}

    def rows(self) -> QuerySet[Cost]:
        return Cost.objects.select_related("source", "by__user", "corrected_by")

    def write(self, row: Cost) -> dict[str, Any]:
        return {**self._common(row), "channel": row.source.channel, "campaign": row.source.campaign}

    @spec("Costs", paged=True, answers=list_of(COST_SCHEMA))
    def list(self, request: Request) -> Response:
        """Latest first, corrections among them: the amounts add up to what was spent."""
        return self.page()

    @spec("Book a cost", body=COST, answers={201: COST_SCHEMA, 200: COST_SCHEMA})
    def create(self, request: Request) -> Response:
        """Book money spent on a channel and campaign."""
        external = external_of(self.values)
        amount, currency = money_of(self.values, self.workspace, least=1)
        names = tuple(" ".join(self.values.get(name, "").split()) for name in ("channel", "campaign"))
        return self.once(
            external,
            lambda: actions.book_cost(
                self._source(*names), amount, currency, workspace=self.workspace, by=self.member, at=self.at,
                occurred_at=self.moment(), what=self.what(), external=external,
            ),
        )  # fmt: skip

    @spec("Take a cost back", body=NOTHING, may_be_empty=True, answers={201: COST_SCHEMA})
    def correct(self, request: Request, pk: UUID) -> Response:
        """Book its opposite of the same day, once."""
        return self.take_back(pk)

    def _source(self, channel: str, campaign: str) -> Source:
        return sources_for(self.workspace, [(channel, campaign, "")], at=self.at)[Source.key_of(channel, campaign, "")]


def routes() -> Iterable[Any]:
    """The addresses of the ledger."""
    return [
        path("revenue/", RevenueView.as_view({"get": "list", "post": "create"}), name="revenue"),
        path("revenue/<uuid:pk>/correct/", RevenueView.as_view({"post": "correct"}), name="revenue-correct"),
        path("costs/", CostView.as_view({"get": "list", "post": "create"}), name="costs"),
        path("costs/<uuid:pk>/correct/", CostView.as_view({"post": "correct"}), name="cost-correct"),
    ]
