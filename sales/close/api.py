"""Win and lose deals over the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import DayOrMoment, Invalid, Moment, Shape, Text
from funnel.api.views import list_of, spec
from funnel.handoff.promises import promised_moment
from funnel.ledger.money import read_currency
from sales.close import actions
from sales.deals.api import AMOUNT, DEAL_SCHEMA, DealView, read_minor
from sales.deals.models import Deal, DealStage, LostReason

WIN = Shape(
    {
        "amount": AMOUNT,
        "currency": Text(3, "The deal’s own unless said; another one only where the deal has no amount yet."),
        "occurred_at": Moment("When it was won; now unless said. It counts in every report."),
        "reason": Text(200, "Why they chose us."),
    }
)
LOSE = Shape(
    {
        "reason": Text(80, "The key or the name of one of deals/reasons/."),
        "occurred_at": Moment("When it was lost; now unless said. It counts in every report."),
        "competitor": Text(120),
        "note": Text(2000),
        "until": DayOrMoment("A day or moment on which to call again: the lead is handed over then."),
    },
    required=["reason"],
)


class CloseView(DealView):
    """How deals end."""

    rights = {"win": "deals.change", "lose": "deals.change", "reasons": "read"}

    @spec("Win a deal", body=WIN, may_be_empty=True, answers={200: DEAL_SCHEMA})
    def win(self, request: Request, pk: UUID) -> Response:
        """Win it for `amount`, by default what it is worth: the lead is a customer, and its revenue is booked once.

        Won again for the same amount 200, for another 409; a lost deal is won all the same.
        """
        deal = self.deal(pk)
        amount, currency = self._won_for(deal)
        actions.win(
            deal,
            by=self.member,
            at=self.at,
            amount=amount,
            currency=currency,
            occurred_at=self.values.get("occurred_at"),
            reason=" ".join(self.values.get("reason", "").split()),
        )
        return self.told(deal)

    @spec("Lose a deal", body=LOSE, answers={200: DEAL_SCHEMA})
    def lose(self, request: Request, pk: UUID) -> Response:
        """Lose it with a reason; 409 after it was won, 200 without a change where it is lost already."""
        deal = self.deal(pk)
        actions.lose(
            deal,
            reason=_reason(self.values["reason"]),
            by=self.member,
            at=self.at,
            occurred_at=self.values.get("occurred_at"),
            competitor=" ".join(self.values.get("competitor", "").split()),
            note=self.values.get("note", "").strip(),
            until=promised_moment(self.values.get("until"), workspace=self.workspace, at=self.at),
        )
        return self.told(deal)

    @spec("Reasons to lose", answers=list_of({"type": "object"}))
    def reasons(self, request: Request) -> Response:
        """What lose/ takes as its reason."""
        rows = [
            {
                "key": one.key,
                "name": one.name,
                "cool_days": one.cool_days,
                "asks_date": one.asks_date,
                "asks_competitor": one.asks_competitor,
            }
            for one in LostReason.objects.all()
        ]
        return Response({"results": rows, "next": None})

    def _won_for(self, deal: Deal) -> tuple[int | None, str]:
        """The amount in minor units and its currency; raise Invalid for one that the deal can't be won for."""
        currency = deal.currency
        if self.values.get("currency"):
            try:
                currency = read_currency(self.values["currency"])
            except ValueError as wrong:
                raise Invalid({"currency": str(wrong)}) from None
        if currency != deal.currency and deal.amount is not None and deal.stage != DealStage.WON:
            raise Invalid({"currency": f"This deal is in {deal.currency}; change the deal’s currency first."})
        return read_minor(self.values.get("amount", ""), currency, least=1), currency


def _reason(said: str) -> LostReason:
    reasons = list(LostReason.objects.all())
    for one in reasons:
        if said.strip().casefold() in (one.key.casefold(), one.name.casefold()):
            return one
    raise Invalid({"reason": f"Send one of: {', '.join(one.key for one in reasons)}."})


def routes() -> list[Any]:
    """The addresses of how deals end."""
    one = "deals/<uuid:pk>/"
    return [
        path("deals/reasons/", CloseView.as_view({"get": "reasons"}), name="deal-reasons"),
        path(f"{one}win/", CloseView.as_view({"post": "win"}), name="deal-win"),
        path(f"{one}lose/", CloseView.as_view({"post": "lose"}), name="deal-lose"),
    ]
