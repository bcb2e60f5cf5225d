"""What an integration must know before it sends: stages, kinds of events, reasons, the business's own fields."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import OneOf, Shape, Text, Texts
from funnel.api.views import ApiView, list_of, spec
from funnel.handoff.models import GiveBackReason
from funnel.leads.fields import define
from funnel.leads.models import FieldDefinition
from funnel.leads.stages import MOVES, Stage, side_of
from funnel.outbox.kinds import KINDS
from funnel.workspaces.refusals import Refusal

FIELD = Shape(
    {
        "name": Text(60, "How `fields` of a lead name it; letters, digits and underscores."),
        "label": Text(120, "How people read it; the name unless said."),
        "kind": OneOf(FieldDefinition.Kind.values),
        "choices": Texts(120, 200, "For the kind choice."),
    },
    required=["name"],
)
_TEXT = {"type": "string"}
FIELD_SCHEMA = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "label": _TEXT,
        "kind": {"type": "string", "enum": FieldDefinition.Kind.values},
        "choices": {"type": "array", "items": _TEXT},
    },
}


class FieldTaken(Refusal):
    """There is a field of this name."""


class VocabularyView(ApiView):
    """Short lists that never need a second page."""

    scope = "leads"
    rights = {
        "stages": "read",
        "kinds": "read",
        "reasons": "read",
        "fields": "read",
        "make_field": "campaigns.change",
    }

    @spec("Stages", answers=list_of({"type": "object"}))
    def stages(self, request: Request) -> Response:
        """Every stage, which side holds a lead in it, and where it may move to."""
        return _all(
            {
                "key": str(one),
                "name": one.label,
                "side": side_of(one),
                "moves_to": sorted(str(to) for to in MOVES[one]),
            }
            for one in Stage
        )

    @spec("Kinds of events", answers=list_of({"type": "object"}))
    def kinds(self, request: Request) -> Response:
        """Every kind that Baton knows; `touch` ones can be sent, and any other name that isn't here."""
        return _all(
            {"key": key, "name": kind.label, "touch": kind.touch, "contact": kind.contact}
            for key, kind in KINDS.items()
        )

    @spec("Reasons to give back", answers=list_of({"type": "object"}))
    def reasons(self, request: Request) -> Response:
        """What return/ takes as its reason."""
        return _all(
            {
                "key": one.key,
                "name": one.name,
                "cool_days": one.cool_days,
                "asks_date": one.asks_date,
                "way": str(one.way),
                "above": one.above,
                "touch": one.touch,
                "nurtures": one.nurtures,
                "disqualifies": one.disqualifies,
            }
            for one in GiveBackReason.objects.offered()
        )

    @spec("Fields of the business's own", answers=list_of(FIELD_SCHEMA))
    def fields(self, request: Request) -> Response:
        """What `fields` of a lead may hold."""
        return _all(_field(one) for one in FieldDefinition.objects.all())

    @spec("Make a field", body=FIELD, answers={201: FIELD_SCHEMA})
    def make_field(self, request: Request) -> Response:
        """Add a field; text unless `kind` says otherwise."""
        name = self.values["name"].strip()
        if FieldDefinition.objects.filter(name__iexact=name).exists():
            raise FieldTaken("There is a field of this name already.", field="name")
        made = define(
            self.values.get("label") or name.replace("_", " ").capitalize(),
            self.values.get("kind", FieldDefinition.Kind.TEXT),
            by=self.member,
            at=self.at,
            choices=self.values.get("choices", ()),
            name=name,
        )
        return Response(_field(made), 201)


def _field(one: FieldDefinition) -> dict[str, Any]:
    return {"name": one.name, "label": one.label, "kind": str(one.kind), "choices": one.choices}


def _all(rows: Any) -> Response:
    return Response({"results": list(rows), "next": None})


def routes() -> list[Any]:
    """The addresses of what the API's words mean."""
    return [
        path("stages/", VocabularyView.as_view({"get": "stages"}), name="stages"),
        path("kinds/", VocabularyView.as_view({"get": "kinds"}), name="kinds"),
        path("reasons/", VocabularyView.as_view({"get": "reasons"}), name="reasons"),
        path("fields/", VocabularyView.as_view({"get": "fields", "post": "make_field"}), name="fields"),
    ]
