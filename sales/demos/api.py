"""Demos over the API: book, list, move, cancel, and say how they went."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import Invalid, Moment, Shape, Text, asked_moment, stamp
from funnel.api.views import ApiView, list_of, spec
from funnel.leads.models import Lead
from funnel.leads.named import LeadName, lead_named, member_named, of_lead
from funnel.people.places import zones
from sales.demos import actions
from sales.demos.models import LONGEST_REASON, Demo, DemoState

FIELDS = {
    "holder": Text(254, "With whom, by e-mail: an owner’s or manager’s key may name anybody who sells."),
    "starts_at": Moment("When it begins, with its offset."),
    "ends_at": Moment("When it ends: after the beginning, within 12 hours."),
    "place": Text(300, "An address, or the link of a video call."),
    "title": Text(120, "What it is; “Meeting” unless said."),
    "zone": Text(64, "The lead’s clock in letters, like Europe/Paris; the business’s own unless said."),
}
VERBS = "This can’t be set. Use held/, no-show/ or cancel/."
MADE = "Baton keeps this itself; it can’t be set."
FIXED = {
    **dict.fromkeys(("state", "note", "reason"), VERBS),
    **dict.fromkeys(("id", "deal", "sequence", "created_at", "updated_at", "version"), MADE),
}
NEW = Shape({"lead": LeadName(), **FIELDS}, required=["lead", "starts_at", "ends_at"], fixed=FIXED)
CHANGES = Shape(FIELDS, fixed={**FIXED, "lead": "This stays as it is."})
NOTE = Shape({"note": Text(4000, "What was said, or what comes next.")})
CANCEL = Shape({"reason": Text(LONGEST_REASON, "The lead reads it too.")})
FILTERS = {
    "state": f"One of {', '.join(DemoState.values)}.",
    "holder": "A member’s e-mail.",
    "lead": "A lead’s id.",
    "from": "A moment: those that end after it.",
    "to": "A moment: those that begin before it.",
    "updated_since": "A moment; the list then begins with what changed first.",
}
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}
DEMO_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "lead": {"type": "string", "format": "uuid"},
        "deal": {"type": "string", "format": "uuid", "nullable": True},
        "holder": {"type": "string", "format": "email"},
        **dict.fromkeys(("title", "place", "zone", "note", "reason"), _TEXT),
        **dict.fromkeys(("starts_at", "ends_at", "created_at", "updated_at"), _MOMENT),
        "state": {"type": "string", "enum": DemoState.values},
        "sequence": {"type": "integer", "description": "Counts what changed for calendars."},
        "version": {"type": "integer"},
    },
}


class DemoView(ApiView):
    """Demos, each with one rep whose time it takes."""

    scope = "deals"
    rights = {
        "list": "read",
        "retrieve": "read",
        "create": "deals.change",
        "partial_update": "deals.change",
        "held": "deals.change",
        "no_show": "deals.change",
        "cancel": "deals.change",
    }

    def demos(self) -> QuerySet[Demo]:
        return Demo.objects.select_related("holder__user")

    def demo(self, pk: UUID) -> Demo:
        """The demo in the version that the client read, or 404 or 412."""
        found: Demo = get_object_or_404(self.demos(), pk=pk)
        self.match(found.version)
        return found

    def told(self, demo: Demo, status: int = 200) -> Response:
        """Answer with the demo as it is now."""
        return Response(write_demo(self.demos().get(pk=demo.pk)), status)

    @spec("Demos", query=FILTERS, paged=True, answers=list_of(DEMO_SCHEMA))
    def list(self, request: Request) -> Response:
        """Latest made first; with `updated_since`, earliest changed first."""
        rows, errors = self.narrowed(self.demos(), NARROW)
        if errors:
            raise Invalid(errors)
        order = ("updated_at", "id") if "updated_since" in request.query_params else ("-made_at", "-id")
        return self.listed(rows, order, write_demos)

    @spec("Book a demo", body=NEW, answers={201: DEMO_SCHEMA})
    def create(self, request: Request) -> Response:
        """The lead's deal goes on to demo, or is opened; 409 where the rep has another demo at that time.

        What is over may be told too, to be followed by held/ or no-show/: its dates are kept, and nobody gets mail.
        """
        values = self._values()
        lead = lead_named(self.values["lead"], among=Lead.objects.visible_to(self.member))
        holder = values.pop("holder", None) or lead.holder or self.member
        return self.told(
            actions.book(lead, holder=holder, by=self.member, at=self.at, past=True, **values), 201
        )  # fmt: skip

    @spec("One demo", answers={200: DEMO_SCHEMA})
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Answer the demo with an ETag for `If-Match`."""
        return self.told(get_object_or_404(self.demos(), pk=pk))

    @spec("Move a demo", body=CHANGES, answers={200: DEMO_SCHEMA})
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change what is sent of a booked demo, which stays as long as it was without `ends_at`; calendars hear it."""
        return self.told(actions.move(self.demo(pk), self._values(), by=self.member, at=self.at, past=True))

    @spec("A demo was held", body=NOTE, may_be_empty=True, answers={200: DEMO_SCHEMA})
    def held(self, request: Request, pk: UUID) -> Response:
        """Say that it was held; 409 before it began, before its end it ends now. One noted as missed is put right."""
        return self.told(actions.held(self.demo(pk), by=self.member, at=self.at, note=self._note()))

    @spec("The lead did not come", body=NOTE, may_be_empty=True, answers={200: DEMO_SCHEMA})
    def no_show(self, request: Request, pk: UUID) -> Response:
        """Say that the lead missed it: the first time they get a link to book again. One noted as held is put right."""
        return self.told(actions.no_show(self.demo(pk), by=self.member, at=self.at, note=self._note()))

    @spec("Cancel a demo", body=CANCEL, may_be_empty=True, answers={200: DEMO_SCHEMA})
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Cancel it; its time is free again, and it leaves both calendars."""
        reason = " ".join(self.values.get("reason", "").split())
        return self.told(actions.cancel(self.demo(pk), by=self.member, at=self.at, reason=reason))

    def _note(self) -> str:
        return str(self.values.get("note", "")).strip()

    def _values(self) -> dict[str, Any]:
        """What was sent of the fields, as the row keeps it; raise Invalid."""
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name in ("starts_at", "ends_at"):
            if name in self.values:
                values[name] = self.values[name]
                if values[name] is None:
                    errors[name] = "This is needed."
        for name in ("place", "title", "zone"):
            if name in self.values:
                values[name] = " ".join(self.values[name].split())
        if values.get("zone") and values["zone"] not in zones():
            errors["zone"] = "There is no such time zone; write it like Europe/Paris."
        if values.get("title") == "":
            del values["title"]
        if self.values.get("holder"):
            values["holder"] = member_named(self.values["holder"], "holder")
        if errors:
            raise Invalid(errors)
        return values


def write_demos(rows: Iterable[Demo]) -> list[dict[str, Any]]:
    """Write demos whose holders are at hand."""
    return [write_demo(one) for one in rows]


def write_demo(one: Demo) -> dict[str, Any]:
    """Write one demo."""
    return {
        "id": str(one.pk),
        "lead": str(one.lead_id),
        "deal": str(one.deal_id) if one.deal_id else None,
        "holder": one.holder.email,
        "title": one.title,
        "starts_at": stamp(one.starts_at),
        "ends_at": stamp(one.ends_at),
        "place": one.place,
        "zone": one.zone,
        "state": str(one.state),
        "note": one.note,
        "reason": one.reason,
        "sequence": one.sequence,
        "created_at": stamp(one.made_at),
        "updated_at": stamp(one.updated_at),
        "version": one.version,
    }


def _by_state(rows: QuerySet[Demo], value: str) -> QuerySet[Demo]:
    if value not in DemoState.values:
        raise ValueError(f"Send one of: {', '.join(DemoState.values)}.")
    return rows.filter(state=value)


NARROW: dict[str, Callable[[QuerySet[Demo], str], QuerySet[Demo]]] = {
    "state": _by_state,
    "holder": lambda rows, value: rows.filter(holder=member_named(value, "holder")),
    "lead": of_lead,
    "from": lambda rows, value: rows.filter(ends_at__gt=asked_moment(value)),
    "to": lambda rows, value: rows.filter(starts_at__lt=asked_moment(value)),
    "updated_since": lambda rows, value: rows.filter(updated_at__gte=asked_moment(value)),
}


def routes() -> list[Any]:
    """The addresses of demos."""
    one = "demos/<uuid:pk>/"
    return [
        path("demos/", DemoView.as_view({"get": "list", "post": "create"}), name="demos"),
        path(one, DemoView.as_view({"get": "retrieve", "patch": "partial_update"}), name="demo"),
        path(f"{one}held/", DemoView.as_view({"post": "held"}), name="demo-held"),
        path(f"{one}no-show/", DemoView.as_view({"post": "no_show"}), name="demo-no-show"),
        path(f"{one}cancel/", DemoView.as_view({"post": "cancel"}), name="demo-cancel"),
    ]
