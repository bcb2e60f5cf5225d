"""Qualify leads over the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import Anything, Invalid, Shape, Text, described, stamp
from funnel.api.views import ApiView, spec
from funnel.leads.models import Lead
from sales.deals.models import Deal
from sales.qualification import actions
from sales.qualification.actions import Said, Standing
from sales.qualification.forms import NOTE
from sales.qualification.models import Met, Question
from sales.qualification.offers import offers_for

MEANS = {True: Met.MET, False: Met.NOT_MET, None: Met.UNKNOWN}


class MetOrNot:
    """True for met, false for not met, null for not known."""

    says = "true for met, false for not met, null for not known."

    def read(self, value: Any) -> Met:
        if value is not None and not isinstance(value, bool):
            raise ValueError("Send true, false or null.")
        return MEANS[value]

    def schema(self) -> dict[str, Any]:
        return described({"type": "boolean", "nullable": True}, self.says)


ONE = Shape({"met": MetOrNot(), "note": Text(NOTE, "In their words.")})
ANSWERS = Anything('By the question’s key: {"need": {"met": true, "note": …}, …}. What isn’t named stays as it is.')
ANSWER = Shape({"answers": ANSWERS}, required=["answers"])
QUALIFY = Shape(
    {
        "answers": ANSWERS,
        "overrule": Text(300, "Why it is qualified all the same; an owner’s or manager’s key only."),
    }
)
_TEXT = {"type": "string"}
_QUESTION = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("key", "label", "ask", "note", "origin"), _TEXT),
        "required": {"type": "boolean"},
        "met": {"type": "boolean", "nullable": True},
        "by": {"type": "string", "nullable": True, "format": "email"},
        "at": {"type": "string", "nullable": True, "format": "date-time"},
        "offered": {
            "type": "array",
            "items": {"type": "object", "properties": dict.fromkeys(("words", "origin"), _TEXT)},
        },
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "lead": {"type": "string", "format": "uuid"},
        "stage": _TEXT,
        "qualified": {"type": "boolean", "description": "Nothing required is missing."},
        "missing": {"type": "array", "items": _TEXT, "description": "Keys of what is required and not met."},
        "questions": {"type": "array", "items": _QUESTION},
        "deal": {"type": "string", "nullable": True, "format": "uuid", "description": "The open deal."},
    },
}


class QualifyView(ApiView):
    """Whether a lead has what it takes."""

    scope = "leads"
    rights = {"retrieve": "read", "qualify": "deals.change", "answer": "deals.change"}

    def lead(self, pk: UUID) -> Lead:
        seen = Lead.objects.visible_to(self.member).select_related("holder__user", "workspace")
        found: Lead = get_object_or_404(seen, pk=pk)
        return found

    @spec("Questions and answers", answers={200: SCHEMA})
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Each question with the lead's answer, what forms and calls said to it already, and what is missing."""
        return self.told(self.lead(pk))

    @spec("Qualify a lead", body=QUALIFY, may_be_empty=True, answers={200: SCHEMA})
    def qualify(self, request: Request, pk: UUID) -> Response:
        """Keep the answers and qualify the lead: its deal is opened. 409 with `missing` where something isn't met,
        and then nothing is kept; PATCH keeps answers alone.
        """
        lead = self.lead(pk)
        actions.answer(lead, self._said(), by=self.member, at=self.at)
        actions.qualify(lead, by=self.member, at=self.at, overrule=" ".join(self.values.get("overrule", "").split()))
        return self.told(self.lead(pk))

    @spec("Answer questions", body=ANSWER, answers={200: SCHEMA})
    def answer(self, request: Request, pk: UUID) -> Response:
        """Keep the answers that are sent, whatever is missing still."""
        lead = self.lead(pk)
        actions.answer(lead, self._said(), by=self.member, at=self.at)
        return self.told(lead)

    def _said(self) -> dict[str, Said]:
        """The answers that were sent; raise Invalid for a question that isn't asked here."""
        known = set(Question.objects.values_list("key", flat=True))
        told: dict[str, Said] = {}
        errors: dict[str, str] = {}
        for key, value in self.values.get("answers", {}).items():
            if key not in known:
                errors[f"answers.{key[:60]}"] = f"Send one of: {', '.join(sorted(known))}."
                continue
            try:
                read = ONE.read(value)
            except Invalid as wrong:
                errors |= {f"answers.{key}.{name}": says for name, says in wrong.errors.items()}
            except ValueError as wrong:
                errors[f"answers.{key}"] = str(wrong)
            else:
                note = read.get("note")
                told[key] = Said(read.get("met"), None if note is None else " ".join(note.split()))
        if errors:
            raise Invalid(errors)
        return told

    def told(self, lead: Lead) -> Response:
        standings = actions.standing(lead)
        offers = offers_for(lead, [one.question for one in standings])
        lacks = actions.missing(standings)
        deal = Deal.objects.open().filter(lead=lead).order_by("made_at").values_list("pk", flat=True).first()
        body = {
            "lead": str(lead.pk),
            "stage": str(lead.stage),
            "qualified": not lacks,
            "missing": [one.question.key for one in lacks],
            "questions": [
                _write(one) | {"offered": [{"words": each.words, "origin": each.origin} for each in offered]}
                for one in standings
                for offered in [offers[one.question.key]]
            ],
            "deal": str(deal) if deal else None,
        }
        return Response(body)


def _write(one: Standing) -> dict[str, Any]:
    answer = one.answer
    return {
        "key": one.question.key,
        "label": one.question.label,
        "ask": one.question.ask,
        "required": one.question.required,
        "met": {Met.MET: True, Met.NOT_MET: False, Met.UNKNOWN: None}[one.met],
        "note": answer.note if answer else "",
        "origin": answer.origin if answer else "",
        "by": answer.by.email if answer and answer.by else None,
        "at": stamp(answer.at) if answer else None,
    }


def routes() -> list[Any]:
    """The address of the questions."""
    view = QualifyView.as_view({"get": "retrieve", "post": "qualify", "patch": "answer"})
    return [path("leads/<uuid:pk>/qualify/", view, name="lead-qualify")]
