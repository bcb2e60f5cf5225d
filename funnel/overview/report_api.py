"""The funnel report over the API."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import Day, Invalid
from funnel.api.views import ApiView, spec
from funnel.ledger.money import text
from funnel.overview.report import STAGES, Group, Received, groups_of, stages_of

BY = ("channel", "campaign", "month", "member")
_NUMBER = {"type": "number", "nullable": True}
REPORT_SCHEMA = {
    "type": "object",
    "properties": {
        "stages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "stage": {"type": "string", "enum": [str(stage) for stage in STAGES]},
                    "entered": {"type": "integer"},
                    "converted": {"type": "integer"},
                    "median_days": _NUMBER,
                },
            },
        },
        "groups": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "key": {"type": "string"},
                    "leads": {"type": "integer"},
                    "customers": {"type": "integer"},
                    "conversion": _NUMBER,
                    "median_days": _NUMBER,
                    "revenue": {"type": "string"},
                },
            },
        },
    },
}


class ReportView(ApiView):
    """What became of those who came."""

    scope = "reports"
    rights = {"funnel": "read"}

    @spec(
        "The funnel",
        query={
            "from": "The first day, on the business’s clock; from the beginning unless said.",
            "to": "The day after the last; without an end unless said.",
            "by": f"What the groups are: {', '.join(BY)}; channel unless said.",
        },
        answers={200: REPORT_SCHEMA},
    )
    def funnel(self, request: Request) -> Response:
        """Of the leads received in the period: how many reached or passed each stage, how many went on, how soon.

        A skipped stage takes the date of the next one. Channel and campaign are those of the earliest touch, the member
        is the holder now, else "none"; so is no campaign. Days count from received, and a win before that is negative.
        Revenue is all that was booked on these leads to date, in the business's currency. A sales rep reads of the
        leads that they hold.
        """
        params = request.query_params
        days: dict[str, date | None] = {"from": None, "to": None}
        errors: dict[str, str] = {}
        for name in days:
            try:
                days[name] = Day().read(params.get(name) or None)
            except ValueError as wrong:
                errors[name] = str(wrong)
        by = params.get("by") or "channel"
        if by not in BY:
            errors["by"] = f"Send one of: {', '.join(BY)}."
        first, last = days["from"], days["to"]
        if first and last and last < first:
            errors["to"] = "This lies before the first day."
        if errors:
            raise Invalid(errors)
        period = Received(self.member, first, last)
        groups = groups_of(period, by)
        return Response({"stages": self._stages(period, groups), "groups": self._groups(groups)})

    def _stages(self, period: Received, groups: list[Group]) -> list[dict[str, Any]]:
        return [
            {
                "stage": str(line.stage),
                "entered": line.entered,
                "converted": line.converted,
                "median_days": line.median_days,
            }
            for line in stages_of(period, groups)
        ]

    def _groups(self, groups: list[Group]) -> list[dict[str, Any]]:
        return [
            {
                "key": one.key,
                "leads": one.leads,
                "customers": one.customers,
                "conversion": one.conversion,
                "median_days": one.median_days,
                "revenue": text(one.revenue, self.workspace.currency),
            }
            for one in groups
        ]


def routes() -> list[Any]:
    """The address of the report."""
    return [path("reports/funnel/", ReportView.as_view({"get": "funnel"}), name="report-funnel")]
