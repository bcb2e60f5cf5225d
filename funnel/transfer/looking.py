"""What would happen: the counts with examples, who would be ready, and why rows would stay out."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any

from django.db.models.fields.json import KT

from funnel.handoff.judging import score_and_judge
from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.outbox.models import Event
from funnel.scoring import actions as scoring
from funnel.templatetags.words import short_day
from funnel.transfer.importing import Chunk, Run, Seen
from funnel.transfer.mapping import Mapping, Row
from funnel.transfer.models import Import
from funnel.transfer.reading import storable
from funnel.workspaces.models import Member

# In these stages somebody can become ready for sales.
JUDGED = (Stage.NEW, Stage.NURTURING, Stage.LOST)
EXAMPLES, REASONS, LONGEST = 3, 20, 80
COMPARED = {
    "name": "name", "email": "e-mail", "phone": "phone", "company_name": "company", "external_id": "external id",
}  # fmt: skip


class Look:
    """What was found so far in a list, in the shape in which it is kept."""

    def __init__(self, one: Import) -> None:
        self.one = one
        self.found: dict[str, Any] = {
            "stages": {}, "with": 0, "new": [], "changed": [], "reasons": [], "ready": 0, "known": {}, "turns": 0,
            "undated": 0, "customers_of_today": 0, "no_mail": 0, "no_address": 0, "do_more": 0, "no_fit": 0,
            "elsewhere": 0,
        } | one.preview  # fmt: skip
        self.path = one.folder / f"seen-{one.duty}"
        self.seen = Seen(self.path)

    def close(self, *, ended: bool) -> None:
        """Let go of what was seen; at the end it is of no more use."""
        self.seen.close()
        if ended:
            self.path.unlink(missing_ok=True)

    def run(self, mapping: Mapping) -> Run:
        """What tries the rows out."""
        return Run(self.one.workspace, by=self.one.by, mapping=mapping, name=self.one.pk.hex, seen=self.seen)

    def see(self, chunk: Chunk, at: datetime) -> None:
        """Take in a chunk while what it wrote is still there."""
        stages: Counter[str] = Counter(self.found["stages"])
        for row, _, what in chunk.taken:
            if what != "new":
                continue
            stages[row.capture.stage or Stage.NURTURING] += 1
            self.found["with"] += bool(row.capture.holder)
            if len(self.found["new"]) < EXAMPLES:
                self.found["new"].append(_described(row, self.one))
        self.found["stages"] = stages
        self.found["undated"] += chunk.undated.total()
        self.found["customers_of_today"] += chunk.undated[Stage.CUSTOMER]
        self.found["no_mail"] += len(chunk.no_mail)
        self.found["no_address"] += len(chunk.no_address)
        for line, cells, errors in chunk.refused:
            for column, says in errors.items():
                self._reason(line, cells, column, says)
        self._ready(chunk, at)

    def _reason(self, line: int, cells: list[str], column: str, says: str) -> None:
        """Count a reason once per row, with its first example; what it quotes does not make it another one."""
        kind = f"{column}: {re.sub('“[^”]*”|[0-9]+ cells', '…', says)}"
        for known in self.found["reasons"]:
            if known["kind"] == kind:
                known["count"] += 1
                return
        header = self.one.header
        place = header.index(column) if column in header else None
        value = storable(cells[place].strip()[:LONGEST]) if place is not None and place < len(cells) else ""
        if len(self.found["reasons"]) >= REASONS:
            kind, column, says, value = "…", "", "Other reasons; the file of refused rows will name each.", ""
            if any(one["kind"] == kind for one in self.found["reasons"]):
                self.found["reasons"][-1]["count"] += 1
                return
        self.found["reasons"].append(
            {"kind": kind, "count": 1, "line": line, "column": column, "value": value, "says": says}
        )

    def _ready(self, chunk: Chunk, at: datetime) -> None:
        """Who would be handed over: scored and judged as the worker would, and taken back with the rest."""
        touched = {result.lead.pk: result for _, result, _ in chunk.taken if result.lead and result.event}
        ended = {result.lead.pk for row, result, _ in chunk.taken if result.lead and row.capture.is_ended}
        if not touched:
            return
        events = [
            Event(
                lead_id=pk,
                kind="received_batch",
                occurred_at=at,
                recorded_at=at,
                data={"go": True, "ended": pk in ended},
            )
            for pk in touched
        ]
        leads = Lead.objects.locked(touched)
        scores = score_and_judge(
            leads,
            events,
            workspace=self.one.workspace,
            at=at,
            new={pk for pk, result in touched.items() if result.created},
        )
        opened = Handoff.objects.open().filter(lead__in=list(touched), opened_at=at).annotate(by=KT("route__by"))
        known: Counter[str] = Counter(self.found["known"])
        for pk, member, by in opened.values_list("lead", "offered_to", "by"):
            self.found["ready"] += 1
            del leads[pk]
            if by == "known" and member:
                known[str(member)] += 1
            else:
                self.found["turns"] += 1
        self.found["known"] = known
        ready = scoring.bases()[0].version.rules["ready"]
        for pk, lead in leads.items():
            if pk in ended or lead.stage not in JUDGED or (lead.cool_until and lead.cool_until > at):
                why = "elsewhere"
            else:
                why = "do_more" if ready.get(scores[pk].fit_band) else "no_fit"
            self.found[why] += 1

    def compare(self, chunk: Chunk) -> None:
        """Say of a few what would change, now that what was is there again."""
        changed = [
            result.lead for _, result, what in chunk.taken if what == "changed" and result.lead and not result.created
        ][: EXAMPLES - len(self.found["changed"])]
        was = Lead.objects.select_related("holder__user").in_bulk([lead.pk for lead in changed])
        rows = {result.lead.pk: row for row, result, _ in chunk.taken if result.lead}
        unmailed = chunk.no_mail | chunk.no_address
        for lead in changed:
            if old := was.get(lead.pk):
                self.found["changed"].append(_difference(old, lead, rows[lead.pk], no_mail=lead.pk in unmailed))

    def end(self) -> None:
        """Share the turns of those whom nobody knows among those who take leads, as the rotation would."""
        turns = list(Member.objects.taking_leads().select_related("user"))
        whole, rest = divmod(self.found["turns"], len(turns)) if turns else (0, 0)
        shares: Counter[str] = Counter()
        for place, member in enumerate(turns):
            shares[member.name] += whole + (place < rest)
        names = {str(one.pk): one.name for one in Member.objects.select_related("user")}
        for member_id, count in self.found["known"].items():
            shares[names.get(member_id, "somebody")] += count
        self.found["shares"] = [[name, count] for name, count in shares.most_common() if count]
        self.found["pool"] = 0 if turns else self.found["turns"]


def _described(row: Row, one: Import) -> str:
    """One new person in a line."""
    capture, said = row.capture, []
    said.append(capture.name or capture.email or capture.phone or capture.company or capture.external_id)
    if capture.company and capture.company != said[0]:
        said.append(capture.company)
    stage = capture.stage or Stage.NURTURING
    if stage == Stage.CUSTOMER and (since := capture.customer_since or capture.occurred_at or capture.about):
        said.append(f"customer since {short_day(one.workspace.local(since).date())}")
    else:
        said.append(Stage(stage).label.lower())
    if capture.holder:
        said.append(f"with {capture.holder.first_name}")
    if row.no_mail:
        said.append("no mail")
    return ", ".join(said)[:200]


def _difference(old: Lead, new: Lead, row: Row, *, no_mail: bool) -> str:
    """What would be otherwise with a lead that is here."""
    said = []
    for name, word in COMPARED.items():
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            said.append(f"{word} {was} → {now}" if was else f"{word} {now} added")
    for name, value in new.fields.items():
        if old.fields.get(name) != value:
            had = old.fields.get(name)
            said.append(f"{name} {had} → {value}" if had is not None else f"{name} {value} added")
    if row.capture.stage and row.capture.stage != old.stage:
        said.append(f"{old.get_stage_display()} → {row.capture.stage.label}")
    if old.customer_since and new.customer_since != old.customer_since:
        said.append("a customer for longer than we knew")
    if new.received_at != old.received_at:
        said.append("came earlier than we knew")
    if no_mail:
        said.append("no mail any more")
    return f"{old}: {', '.join(said)}"[:300]
