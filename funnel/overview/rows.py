"""What a row of people says: both scores, with whom they are, and what is next. A fixed number of queries per list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from funnel.handoff.clock import not_spoken_to
from funnel.handoff.models import Handoff
from funnel.handoff.wayback import briefly
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.scoring.models import Basis, LeadScore
from funnel.templatetags.words import lateness, when
from funnel.workspaces import hours
from funnel.workspaces.asking import Asked, together
from funnel.workspaces.models import Workspace
from funnel.workspaces.slots import slot

Grade = tuple[str, int]
UNKNOWN: tuple[None, None] = (None, None)


@dataclass(slots=True)
class Row:
    """One lead as a list shows it; `left` are the working minutes of an open handoff's clock, `promise` all of them."""

    lead: Lead
    stage: str
    grade: Grade | tuple[None, None]
    person: str
    with_whom: str
    next: str
    left: float | None = None
    promise: float = 0

    @property
    def url(self) -> str:
        """The lead's page; written out, because resolving a name per row costs more than the rest of the row."""
        return f"/leads/{self.lead.pk}/"


SPELLED = {"email": "E-mail", "tv": "TV"}


def channel_words(channel: str) -> str:
    """A source's channel as a person reads it: "paid_search" is "Paid search"."""
    words = channel.replace("_", " ")
    return SPELLED.get(channel, words[:1].upper() + words[1:])


BASIS = Asked(lambda: Basis.objects.filter(in_force=True).select_related("version"))
SCORES = Asked(
    lambda lead: LeadScore.objects.in_force().filter(lead__in=[lead]).values_list("lead_id", "fit_band", "total"), UUID
)
WAITING = Asked(
    lambda lead: (
        Handoff.objects.open()
        .filter(lead__in=[lead])
        .select_related("offered_to__user")
        .only("lead_id", "due_at", "promise_minutes", "offered_to__user__name", "offered_to__user__email")
    ),
    UUID,
)

SPEAK = Asked(lambda lead: not_spoken_to().filter(lead__in=[lead]).values_list("lead_id", "contact_due_at"), UUID)


def basis_in_force() -> Basis:
    """The basis by which scores are read, with its rules."""
    basis: Basis = BASIS.rows()[0]
    return basis


@dataclass(frozen=True)
class Next:
    """What is next with leads: a row that is `asked` begins with its lead, the next one first; `says` words the rest,
    or gives a blank.
    """

    asked: Asked
    says: Callable[..., str]


def next_of(lead_ids: Sequence[UUID]) -> dict[UUID, str]:
    """What is next with each lead that has something, in words."""
    nexts = slot("lead_next")
    return _in_words(nexts, together([(one.asked, [lead_ids]) for one in nexts]))


def _in_words(nexts: Sequence[Next], found: Sequence[Sequence[Any]]) -> dict[UUID, str]:
    words: dict[UUID, str] = {}
    for one, rows in zip(nexts, found, strict=True):
        # The first that says something, the rows turned round.
        words |= {lead_id: says for lead_id, *row in reversed(rows) if (says := one.says(*row))}
    return words


def grades_of(lead_ids: Sequence[UUID], *, at: datetime, basis: Basis | None = None) -> dict[UUID, Grade]:
    """Fit and engagement band now of each lead that has been scored; the basis in force is read unless it is given."""
    if basis is not None:
        return _graded(basis, SCORES.rows(lead_ids), at)
    found, scored = together([(BASIS, []), (SCORES, [lead_ids])])
    return _graded(found[0], scored, at)


def _graded(basis: Basis, scored: Sequence[tuple[UUID, str, float]], at: datetime) -> dict[UUID, Grade]:
    cuts = basis.cuts(at)
    return {lead_id: (band, 1 + sum(total >= cut for cut in cuts)) for lead_id, band, total in scored}


def minutes_left(handoff: Handoff, *, at: datetime, workspace: Workspace) -> float:
    """What is left of the promise in working minutes; negative when it is late."""
    return minutes_until(handoff.due_at, at=at, workspace=workspace)


def minutes_until(moment: datetime, *, at: datetime, workspace: Workspace) -> float:
    """The working minutes until a moment; negative when it has passed."""
    return hours.minutes_left(workspace, moment, at)


def rows_of(leads: Sequence[Lead], *, at: datetime, workspace: Workspace, may_go: bool) -> list[Row]:
    """The rows of a list of leads whose holders are loaded; `may_go` says whether the reader gives the go."""
    ids = [lead.pk for lead in leads]
    if not ids:
        return []
    held = [lead.pk for lead in leads if lead.stage in SALES or lead.stage == Stage.CUSTOMER]
    nexts = slot("lead_next")
    basis, scored, open_, silent, *found = together(
        [(BASIS, []), (SCORES, [ids]), (WAITING, [ids]), (SPEAK, [held]), *((one.asked, [held]) for one in nexts)]
    )
    grades = _graded(basis[0], scored, at)
    # What we promised them stands where nothing else is next.
    steps = {lead_id: f"To be spoken to by {when(due_at)}" for lead_id, due_at in silent} | _in_words(nexts, found)
    waiting = {one.lead_id: one for one in open_}
    go = "your go" if may_go else "a go"
    return [_row(lead, waiting.get(lead.pk), grades.get(lead.pk, UNKNOWN), steps, at, workspace, go) for lead in leads]


def _row(
    lead: Lead,
    handoff: Handoff | None,
    grade: Grade | tuple[None, None],
    steps: dict[UUID, str],
    at: datetime,
    workspace: Workspace,
    go: str,
) -> Row:
    stage = Stage(lead.stage).label
    if handoff is not None:
        person = handoff.offered_to.name if handoff.offered_to else ""
        left = minutes_left(handoff, at=at, workspace=workspace)
        says = lateness(left).capitalize() if left < 0 else f"To be taken by {when(handoff.due_at)}"
        whom = f"Waits for {handoff.offered_to.first_name}" if handoff.offered_to else "In the pool"
        return Row(lead, stage, grade, person, whom, says, left, handoff.promise_minutes)
    if lead.holder is not None:
        return Row(lead, stage, grade, lead.holder.name, lead.holder.name, steps.get(lead.pk, ""))
    if lead.stage in (Stage.DISQUALIFIED, Stage.CUSTOMER):
        return Row(lead, stage, grade, "", "", "")
    return Row(lead, stage, grade, "", "Marketing", _with_marketing(lead, at, go))


def _with_marketing(lead: Lead, at: datetime, go: str) -> str:
    if lead.waits_since:
        return f"Ready, waits for {go}"
    if says := briefly(lead.way_back, lead.cool_until if lead.cool_until and lead.cool_until > at else None):
        return says
    if lead.stage == Stage.NEW:
        return f"Came {when(lead.received_at)}"
    return ""
