"""A rep asks marketing for more about a lead, instead of giving it back; marketing answers with words."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from funnel.handoff.actions import NotYours
from funnel.handoff.models import Handoff, Question
from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.mail import actions as mail
from funnel.outbox.actions import record
from funnel.workspaces.models import LEADERS, Member
from funnel.workspaces.refusals import Refusal

LONGEST = 2000


class AnsweredAlready(Refusal):
    """Somebody else was faster."""


def _words(said: str, name: str, missing: str) -> str:
    words = said.strip()
    if not words:
        raise Refused({name: missing})
    if len(words) > LONGEST:
        raise Refused({name: f"Write at most {LONGEST} characters."})
    return words


def holds(lead: Lead, by: Member) -> bool:
    """Whether the lead is with this member, or with somebody whom they lead."""
    return lead.holder_id is not None and (lead.holder_id == by.pk or by.role in LEADERS)


@transaction.atomic
def ask(lead: Lead, words: str, *, by: Member, at: datetime) -> Question:
    """Ask marketing about a lead that one holds or is offered; it stays where it is. Raises NotYours or Refused."""
    words = _words(words, "words", "Write what you want to know.")
    lead = Lead.objects.locked([lead.pk])[lead.pk]
    if not (holds(lead, by) or Handoff.objects.takeable_by(by).filter(lead=lead).exists()):
        raise NotYours("Only who has a lead, or is offered it, asks marketing about it.")
    made = Question(workspace_id=lead.workspace_id, lead=lead, asked_by=by, words=words, asked_at=at)
    made.save()
    record(
        lead.workspace_id, "marketing_asked", at=at, lead_id=lead.pk, actor=by,
        data={"question": str(made.pk), "note": words},
    )  # fmt: skip
    return made


@transaction.atomic
def answer(question: Question, words: str, *, by: Member, at: datetime) -> Question:
    """Answer a question once; who asked gets a mail, else whoever has the lead now. Raises AnsweredAlready, Refused."""
    words = _words(words, "answer", "Write the answer.")
    now: Question = (
        Question.objects.select_related("lead__holder__user", "asked_by__user")
        .select_for_update(of=("self",))
        .get(pk=question.pk)
    )
    if now.answered_at is not None:
        raise AnsweredAlready("This question has been answered already.")
    now.answer, now.answered_by, now.answered_at = words, by, at
    now.save(update_fields=["answer", "answered_by", "answered_at"])
    event = record(
        now.workspace_id, "marketing_answered", at=at, lead_id=now.lead_id, actor=by,
        data={"question": str(now.pk), "note": words},
    )  # fmt: skip
    to = now.asked_by if now.asked_by and now.asked_by.active else now.lead.holder
    if to is not None:
        mail.queue(
            "marketing-answered", to=to, event=event, lead_id=now.lead_id, at=at,
            context={
                "lead": str(now.lead), "company": now.lead.company_name, "question": now.words, "answer": words,
                "by": by.name, "path": f"/leads/{now.lead_id}/",
            },
        )  # fmt: skip
    return now
