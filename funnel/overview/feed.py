"""The feed of events over the API."""

from __future__ import annotations

import re
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.paging import PAGING, size_of
from funnel.api.shapes import Invalid, stamp
from funnel.api.views import ApiView, list_of, spec
from funnel.outbox import feed
from funnel.outbox.models import Event
from funnel.overview.answers import EVENT_SCHEMA

# A 64-bit number.
POSITION = re.compile(r"[0-9]{1,18}")
_EVENT: dict[str, Any] = EVENT_SCHEMA["properties"]  # type: ignore[assignment]
FED_SCHEMA = {
    "type": "object",
    "properties": {
        "position": {"type": "integer", "description": "Grows by one from event to event."},
        "id": _EVENT["id"],
        "kind": _EVENT["kind"],
        "lead": {"type": "string", "format": "uuid", "nullable": True},
        **{name: _EVENT[name] for name in ("occurred_at", "recorded_at", "actor", "data", "voids")},
    },
}


class FeedView(ApiView):
    """Everything that happens in the business."""

    scope = "leads"
    rights = {"list": "read"}

    @spec(
        "Follow all events",
        query={
            "after": "The position of the last event you know; from the beginning unless said.",
            "page_size": PAGING["page_size"],
        },
        answers=list_of(FED_SCHEMA),
    )
    def list(self, request: Request) -> Response:
        """Events of the business in an order without gaps: ask again after the last position, and none is missed.

        What is told late stands where it was told. An event that was taken back stays; the one that took it back
        names it in `voids`.
        """
        given, size = request.query_params.get("after", "0"), size_of(request)
        if not POSITION.fullmatch(given):
            raise Invalid({"after": "Send the position of an event, a whole number."})
        found = feed.after(int(given), size + 1, self.workspace.pk)
        following = None
        if len(found) > size:
            params = request._request.GET.copy()
            params["after"] = str(found[size - 1].position)
            following = request.build_absolute_uri(f"{request.path}?{params.urlencode()}")
        return Response({"results": [write_fed(one) for one in found[:size]], "next": following})


def write_fed(event: Event) -> dict[str, Any]:
    """Write one event of the feed."""
    return {
        "position": event.position,
        "id": event.pk,
        "kind": event.kind,
        "lead": str(event.lead_id) if event.lead_id else None,
        "occurred_at": stamp(event.occurred_at),
        "recorded_at": stamp(event.recorded_at),
        "actor": event.actor.email if event.actor else None,
        "data": event.data,
        "voids": event.voids_id,
    }


def routes() -> list[Any]:
    """The address of the feed."""
    return [path("events/", FeedView.as_view({"get": "list"}), name="events")]
