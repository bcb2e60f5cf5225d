"""Keep what a lead answered, and qualify it when what is required is met (design.md, The flow)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import FilteredRelation, Q

from funnel.leads import known
from funnel.leads.models import Lead
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.refusals import Forbidden, Refusal
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage
from sales.qualification.models import Answer, Met, Question

FRAMEWORKS = Path(__file__).parent
USUAL = "bant"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it is given: whether it is met, the words, and where they are from; None stays as it is."""

    met: Met | None = None
    note: str | None = None
    origin: str = ""


@dataclass(slots=True)
class Standing:
    """One question and where a lead stands with it."""

    question: Question
    answer: Answer | None

    @property
    def met(self) -> Met:
        return Met(self.answer.met) if self.answer else Met.UNKNOWN

    @property
    def is_missing(self) -> bool:
        """Required, and not met."""
        return self.question.required and self.met != Met.MET

    @property
    def says(self) -> str:
        return f"{self.question.label.lower()} is {self.met.label.lower()}"


class NotTheirs(Forbidden):
    """Another member has this lead."""


class MayNotOverrule(Forbidden):
    """Only an owner or a manager qualifies what isn't."""


class NotQualified(Refusal):
    """Something required isn't met; `extra` holds what, the sentence says it."""

    def __init__(self, missing: Sequence[Standing]) -> None:
        super().__init__(f"Not qualified yet: {in_words(missing)}.", missing=[told(one) for one in missing])


@transaction.atomic
def start(workspace: Workspace, **_: Any) -> None:
    """Give a new business the questions of the usual framework."""
    rows = json.loads((FRAMEWORKS / f"{USUAL}.json").read_text())
    Question.objects.bulk_create(
        [Question(workspace=workspace, framework=USUAL, position=place, **row) for place, row in enumerate(rows)]
    )


def standing(lead: Lead) -> list[Standing]:
    """Every question in order with the lead's answer. One query."""
    return [Standing(question, getattr(question, "given", None)) for question in known.of(lead, QUESTIONS)]


def _asked_of(lead: UUID) -> Any:
    given = FilteredRelation("answers", condition=Q(answers__lead__in=[lead]))
    return Question.objects.annotate(given=given).select_related("given__by__user")


QUESTIONS = Asked(_asked_of, UUID)


def missing(standings: Sequence[Standing]) -> list[Standing]:
    """What is required and not met."""
    return [one for one in standings if one.is_missing]


def in_words(standings: Sequence[Standing]) -> str:
    """Which is how: "budget is not known, timing is not met"."""
    return ", ".join(one.says for one in standings)


def told(one: Standing) -> dict[str, str]:
    """A question and how it stands, for a program."""
    return {"key": one.question.key, "label": one.question.label, "met": str(one.met), "ask": one.question.ask}


def _held(lead: Lead, by: Member) -> Lead:
    """The lead as it is now, locked; raise NotTheirs where it is with somebody else."""
    now = Lead.objects.locked([lead.pk], "holder__user", "company", "workspace")[lead.pk]
    if now.holder is not None and now.holder != by and not by.leads_others:
        raise NotTheirs(f"This lead is with {now.holder.name}.")
    return now


@transaction.atomic
def answer(lead: Lead, said: Mapping[str, Said], *, by: Member, at: datetime) -> list[Standing]:
    """Keep answers by the question's key; what isn't named stays. Raises NotTheirs."""
    now = _held(lead, by)
    found = standing(now)
    changed: dict[str, Any] = {}
    for one in found:
        given = said.get(one.question.key)
        if given is None:
            continue
        was = (str(one.met), one.answer.note if one.answer else "")
        met, note = given.met or one.met, was[1] if given.note is None else given.note
        if (str(met), note) == was:
            continue
        origin = given.origin if given.note is not None else one.answer.origin if one.answer else ""
        one.answer, _ = Answer.objects.update_or_create(
            workspace_id=now.workspace_id,
            lead=now,
            question=one.question,
            defaults={"met": met, "note": note, "origin": origin, "by": by, "at": at},
        )
        changed[one.question.key] = {"label": one.question.label, "met": str(met), "note": note, "origin": origin}
    if changed:
        record(now.workspace_id, "qualification_answered", at=at, lead_id=now.pk, actor=by, data={"answers": changed})
    return found


@transaction.atomic
def qualify(lead: Lead, *, by: Member, at: datetime, overrule: str = "") -> Deal:
    """Say that the lead is qualified: its deal is opened, or stays where it is further.

    Raises NotQualified where something required isn't met, unless an owner or a manager gives the reason to
    `overrule`; NotTheirs, and what opening a deal raises.
    """
    now = _held(lead, by)
    found = standing(now)
    lacks = missing(found)
    if lacks and not overrule:
        raise NotQualified(lacks)
    if lacks and not by.leads_others:
        raise MayNotOverrule("Only an owner or a manager can qualify a lead whose answers don’t.")
    had = deals.first_open(now)
    deal = deals.advance(now, DealStage.QUALIFIED, by=by, at=at)
    if had is None or not Event.objects.filter(lead=now, kind="qualified").exists():
        record(
            now.workspace_id, "qualified", at=at, lead_id=now.pk, actor=by,
            data={
                "deal": str(deal.pk), "overruled": overrule if lacks else "", "missing": [one.says for one in lacks],
                "answers": {one.question.label: one.answer.note for one in found if one.answer and one.answer.note},
            },
        )  # fmt: skip
    return deal
