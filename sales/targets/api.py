"""Targets over the API."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import Invalid, Shape, Text
from funnel.api.views import ApiView, list_of, spec
from funnel.leads.named import member_named
from funnel.ledger.bodies import money_of
from funnel.ledger.money import text
from funnel.workspaces.models import Member
from sales.targets import actions
from sales.targets.models import Target

TARGET = Shape(
    {
        "month": Text(7, "Like 2026-11."),
        "member": Text(254, "Whose target, by e-mail; null for all together."),
        "amount": Text(20, "A decimal in the business’s currency; null takes the target away.", numbers=True),
    },
    required=["month"],
    fixed={"currency": "Targets are in the business’s own currency."},
)
_TEXT = {"type": "string"}
TARGET_SCHEMA = {
    "type": "object",
    "properties": {
        "month": _TEXT,
        "member": {"type": "string", "format": "email", "nullable": True},
        "amount": {"type": "string", "nullable": True},
        "currency": _TEXT,
    },
}
MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class TargetView(ApiView):
    """What is to be won in a month."""

    scope = "ledger"
    rights = {"list": "read", "put": "targets.change"}

    @spec("Targets", paged=True, answers=list_of(TARGET_SCHEMA))
    def list(self, request: Request) -> Response:
        """Latest month first; a sales rep reads their own."""
        rows = Target.objects.readable_by(self.member).select_related("member__user")
        return self.listed(
            rows, ("-month", "-id"), lambda found: [self._told(one.month, one.member, one.amount) for one in found]
        )

    @spec("Set a target", body=TARGET, answers={200: TARGET_SCHEMA, 201: TARGET_SCHEMA})
    def put(self, request: Request) -> Response:
        """Set the target of a month and a member, or of all together: 201 for the first, 200 for another."""
        found = MONTH.fullmatch(self.values["month"])
        if found is None or not actions.EARLIEST <= int(found[1]) <= actions.LATEST:
            raise Invalid({"month": "Write a month like 2026-11."})
        if "amount" not in self.values:
            raise Invalid({"amount": "This is needed."})
        month = date(int(found[1]), int(found[2]), 1)
        member = member_named(self.values["member"], "member") if self.values.get("member") else None
        amount = money_of(self.values, self.workspace, least=1)[0] if self.values["amount"] else None
        known = Target.objects.filter(month=month, member=member).exists()
        actions.set_target(month, amount, member=member, by=self.member, at=self.at)
        return Response(self._told(month, member, amount), 200 if known or amount is None else 201)

    def _told(self, month: date, member: Member | None, amount: int | None) -> dict[str, Any]:
        return {
            "month": f"{month:%Y-%m}",
            "member": member.email if member else None,
            "amount": text(amount, self.workspace.currency),
            "currency": self.workspace.currency,
        }


def routes() -> list[Any]:
    """The address of targets."""
    return [path("targets/", TargetView.as_view({"get": "list", "post": "put"}), name="targets")]
