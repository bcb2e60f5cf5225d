"""Work a lead that is with somebody: log a call, plan the next step, tick it off."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from funnel.leads.actions import touch
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.outbox.actions import record
from funnel.workspaces.models import Member, Role
from funnel.workspaces.refusals import Forbidden, Refusal
from sales.queue.models import CallOutcome, Task

CALL = "Call: asked for contact"


@dataclass(frozen=True)
class NextStep:
    """What is to be done next and when; `remind_at` None asks for no mail."""

    what: str
    due_at: datetime
    all_day: bool = False
    remind_at: datetime | None = None


class NotTaken(Refusal):
    """Nobody has this lead, so nobody can work it."""


class WithSomebodyElse(Forbidden):
    """Another member has this lead."""


class DoneAlready(Refusal):
    """A step that was ticked off, or that ended with its lead, can't be moved."""


def _theirs(lead: Lead, by: Member) -> Member:
    """The lead's holder, if the member may work it; raise NotTaken or WithSomebodyElse."""
    if lead.holder is None:
        raise NotTaken("This lead is with nobody in sales. Take it first.")
    if lead.holder_id != by.pk and not by.leads_others:
        raise WithSomebodyElse(f"This lead is with {lead.holder.name}.")
    return lead.holder


def call_customer(lead: Lead, due_at: datetime, *, at: datetime) -> None:
    """Plan the call that a customer asked for, unless it is planned: they stand under no stage of the desk.

    SLOTS["customer_taken"].
    """
    if not Task.objects.open().filter(lead=lead, what=CALL).exists():
        Task.objects.create(
            workspace_id=lead.workspace_id, lead=lead, holder=lead.holder, what=CALL, due_at=due_at, made_at=at
        )


@transaction.atomic
def log_call(
    lead: Lead,
    outcome: CallOutcome,
    *,
    by: Member,
    at: datetime,
    note: str = "",
    then: NextStep | None = None,
    done: Collection[Task] = (),
) -> None:
    """Log a call with how it ended, tick off the steps it settles, and plan what comes then.

    Raises NotTaken or WithSomebodyElse.
    """
    _theirs(lead, by)
    touch(
        lead, "call_made", at=at, by=by,
        data={"outcome": str(outcome), "says": outcome.label, **({"note": note} if note else {})},
    )  # fmt: skip
    for task in done:
        finish(task, by=by, at=at)
    if then is not None:
        plan(lead, then, by=by, at=at)


@transaction.atomic
def plan(lead: Lead, step: NextStep, *, by: Member, at: datetime) -> Task:
    """Plan the next step for whoever has the lead; its reminder is an effect due then."""
    return plan_for(_theirs(lead, by), lead, step, by=by, at=at)


def plan_for(holder: Member, lead: Lead, step: NextStep, *, by: Member, at: datetime) -> Task:
    """Plan a step for a holder, inside the verb of somebody who may."""
    task = Task.objects.create(
        workspace_id=lead.workspace_id,
        lead=lead,
        holder=holder,
        what=step.what,
        due_at=step.due_at,
        all_day=step.all_day,
        made_at=at,
    )
    record(
        lead.workspace_id, "next_step", at=at, lead_id=lead.pk, actor=by,
        data={
            "task": task.pk, "what": step.what, "due": step.due_at.isoformat(), "all_day": step.all_day,
            "remind": step.remind_at is not None,
        },
        due={"prompt": step.remind_at or at},
    )  # fmt: skip
    return task


@transaction.atomic
def move(task: Task, to: NextStep, *, by: Member, at: datetime) -> None:
    """Put an open step off, or bring it forward; its reminder is the new one alone. Raises DoneAlready."""
    was = {"due": task.due_at.isoformat(), "all_day": task.all_day}
    if not Task.objects.open().filter(pk=task.pk).update(due_at=to.due_at, all_day=to.all_day):
        raise DoneAlready("This step is done already, so it stays where it was.")
    record(
        task.workspace_id, "next_step_moved", at=at, lead_id=task.lead_id, actor=by,
        data={
            "task": task.pk, "what": task.what, "due": to.due_at.isoformat(), "all_day": to.all_day, "was": was,
            "remind": to.remind_at is not None,
        },
        due={"prompt": to.remind_at or at},
    )  # fmt: skip


@transaction.atomic
def finish(task: Task, *, by: Member, at: datetime) -> bool:
    """Tick a step off; False when it is done already."""
    if not Task.objects.open().filter(pk=task.pk).update(done_at=at):
        return False
    record(
        task.workspace_id, "next_step_done", at=at, lead_id=task.lead_id, actor=by,
        data={"task": task.pk, "what": task.what},
    )  # fmt: skip
    return True


@transaction.atomic
def drop_steps(lead: Lead, reason: str, *, by: Member, at: datetime) -> None:
    """End the open steps with a locked lead that leaves sales, and say so on its timeline. SLOTS["leaves_sales"]."""
    if lead.stage == Stage.CUSTOMER and lead.holder_id is not None:
        return
    for task in Task.objects.open().filter(lead=lead).order_by("id"):
        Task.objects.filter(pk=task.pk).update(done_at=at)
        record(
            task.workspace_id, "next_step_dropped", at=at, lead_id=lead.pk, actor=by,
            data={"task": task.pk, "what": task.what, "due": task.due_at.isoformat(), "all_day": task.all_day},
        )  # fmt: skip


@transaction.atomic
def hand_tasks(member: Member, successor: Member | None, *, at: datetime) -> None:
    """Let the open steps of somebody who leaves go with their leads; the rest to the successor, else to the owner."""
    left = Task.objects.open().filter(holder=member)
    keepers = left.filter(lead__holder__active=True).exclude(lead__holder=member)
    for holder in set(keepers.values_list("lead__holder", flat=True)):
        left.filter(lead__holder=holder).update(holder=holder)
    heir = (
        successor or Member.objects.active().filter(role=Role.OWNER).exclude(pk=member.pk).order_by("joined_at").first()
    )
    if heir is not None:
        left.update(holder=heir)
