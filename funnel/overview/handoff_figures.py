"""How handoffs of a period went: what was taken, given back and waits, how soon, and by whom it came and went."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from funnel.handoff.clock import with_first_contact
from funnel.handoff.models import GiveBackReason, Handoff, Outcome
from funnel.leads.models import Lead, Source
from funnel.overview.rows import channel_words
from funnel.templatetags.words import when
from funnel.workspaces.hours import spans
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.months import Period, asked, begins_on, periods_at
from funnel.workspaces.roles import allow

SHOWN = 50
NO_CAMPAIGN, POOL, NO_FIT = "none", "pool", "none"
COLUMNS = (
    "pk", "lead_id", "follows_id", "fit_band", "opened_at", "due_at", "outcome", "closed_at", "offered_to_id",
    "closed_by_id", "given_back_at", "reason_id", "lead__source_id", "spoken_at",
)  # fmt: skip
# How a lead's handoff stands, in the order of the columns; together they are all that were handed over.
STANDS = {"taken": "Taken", "back": "Given back at once", "waits": "Wait", "otherwise": "Ended otherwise"}


class WorkingTime:
    """Working minutes between two moments of a stretch, reckoned once for many."""

    def __init__(self, workspace: Workspace, start: datetime, end: datetime) -> None:
        self.begins: list[datetime] = []
        self.ends: list[datetime] = []
        self.before: list[float] = []
        passed = 0.0
        for begin, close in spans(workspace, start):
            if begin >= end:
                break
            self.begins.append(begin)
            self.ends.append(close)
            self.before.append(passed)
            passed += (close - begin).total_seconds() / 60

    def _until(self, moment: datetime) -> float:
        place = bisect_right(self.begins, moment) - 1
        if place < 0:
            return 0.0
        return self.before[place] + (min(moment, self.ends[place]) - self.begins[place]).total_seconds() / 60

    def between(self, start: datetime, end: datetime) -> float:
        """The working minutes from one moment to a later one."""
        return self._until(end) - self._until(start)


@dataclass(slots=True)
class Passage:
    """One lead's way from its first offer to what became of it; an offer that went on is no lead of its own."""

    lead_id: UUID
    source_id: int
    fit: str
    opened_at: datetime
    stands: str
    # By when it was to be taken as it was promised at first, and by when from whoever has it now.
    promised_at: datetime
    due_at: datetime
    late: bool
    who: UUID | None
    closed_at: datetime | None
    given_back_at: datetime | None
    reason_id: int | None
    # Working minutes from the first offer; None where it has not happened.
    took: float | None
    spoke: float | None
    # Whoever let an offer of it lapse.
    lapsed: tuple[UUID, ...]

    @property
    def later(self) -> bool:
        """Whether it was given back after it had been taken."""
        return self.stands == "taken" and self.given_back_at is not None


def passages_of(period: Period, *, workspace: Workspace, at: datetime) -> list[Passage]:
    """The leads whose first offer was made in the period, in order, by one query."""
    first, after = begins_on(period.first, workspace), begins_on(period.after, workspace)
    found = Handoff.objects.filter(opened_at__gte=first, opened_at__lte=at).order_by("opened_at", "pk")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in with_first_contact(found).values_list(*COLUMNS)]
    time = WorkingTime(workspace, first, at)
    chains: dict[UUID, list[dict[str, Any]]] = {}
    root: dict[UUID, UUID] = {}
    for row in rows:
        begun = root.get(row["follows_id"]) if row["follows_id"] else row["pk"]
        # What follows an offer of an earlier period belongs to that one.
        if begun is None or (begun == row["pk"] and row["opened_at"] >= after):
            continue
        root[row["pk"]] = begun
        chains.setdefault(begun, []).append(row)
    return [_passage(chain, time, at) for chain in chains.values()]


def _passage(chain: Sequence[dict[str, Any]], time: WorkingTime, at: datetime) -> Passage:
    first, last = chain[0], chain[-1]
    stands = {Outcome.ACCEPTED: "taken", Outcome.GIVEN_BACK: "back", Outcome.OPEN: "waits"}.get(
        last["outcome"], "otherwise"
    )
    taken, spoken = stands == "taken", last["spoken_at"]
    return Passage(
        last["lead_id"],
        last["lead__source_id"],
        last["fit_band"],
        first["opened_at"],
        stands,
        first["due_at"],
        last["due_at"],
        stands == "waits" and min(first["due_at"], last["due_at"]) < at,
        last["closed_by_id"] or last["offered_to_id"],
        last["closed_at"],
        last["given_back_at"],
        last["reason_id"],
        time.between(first["opened_at"], last["closed_at"]) if taken else None,
        time.between(first["opened_at"], spoken) if taken and spoken else None,
        tuple({one["offered_to_id"] for one in chain if one["outcome"] == Outcome.EXPIRED and one["offered_to_id"]}),
    )


@dataclass(slots=True)
class Line:
    """What became of the leads of one rep, channel, campaign or fit."""

    key: str
    name: str
    rows: list[Passage] = field(default_factory=list)
    lapses: int = 0

    def _many(self, stands: str) -> int:
        return sum(one.stands == stands for one in self.rows)

    @property
    def handed(self) -> int:
        return len(self.rows)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many stand in each way, by the way."""
        return [(stands, self._many(stands)) for stands in STANDS]

    @property
    def taken(self) -> int:
        return self._many("taken")

    @property
    def back(self) -> int:
        return self._many("back")

    @property
    def waits(self) -> int:
        return self._many("waits")

    @property
    def otherwise(self) -> int:
        return self._many("otherwise")

    @property
    def late(self) -> int:
        return sum(one.late for one in self.rows)

    @property
    def later(self) -> int:
        return sum(one.later for one in self.rows)

    @property
    def decided(self) -> int:
        """Those that somebody took or gave back."""
        return self.taken + self.back

    @property
    def took(self) -> float | None:
        """The median of working minutes until they were taken."""
        return _median(one.took for one in self.rows)

    @property
    def spoke(self) -> float | None:
        """The median of working minutes until somebody spoke to them."""
        return _median(one.spoke for one in self.rows)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def lines_of(rows: Sequence[Passage], key: Callable[[Passage], str], name: Callable[[str], str]) -> list[Line]:
    """The leads by what they have in common, the most first."""
    lines: dict[str, Line] = {}
    for one in rows:
        mine = key(one)
        lines.setdefault(mine, Line(mine, name(mine))).rows.append(one)
    return sorted(lines.values(), key=lambda line: (-line.handed, line.name))


class Groups:
    """The ways in which a page divides the leads: by rep, channel, campaign and fit."""

    def __init__(self) -> None:
        self.people = {str(one.pk): one.name for one in Member.objects.select_related("user")}
        self.sources = {pk: (channel, campaign) for pk, channel, campaign in _sources()}
        self.names = {campaign.casefold(): campaign for _, campaign in reversed(self.sources.values())}

    def key(self, by: str, one: Passage) -> str:
        """Where a lead belongs."""
        if by == "rep":
            return str(one.who) if one.who else POOL
        if by == "fit":
            return one.fit or NO_FIT
        channel, campaign = self.sources[one.source_id]
        return channel.casefold() if by == "channel" else campaign.casefold() or NO_CAMPAIGN

    def name(self, by: str, key: str) -> str:
        """How a group is called."""
        if by == "rep":
            return self.people.get(key, "The pool")
        if by == "fit":
            return "Not scored" if key == NO_FIT else f"Fit {key}"
        if by == "channel":
            return channel_words(key)
        return self.names.get(key, key) if key != NO_CAMPAIGN else "No campaign"

    def lines(self, by: str, rows: Sequence[Passage]) -> list[Line]:
        """The groups; a rep's line also says how many offers they let lapse."""
        lines = lines_of(rows, lambda one: self.key(by, one), lambda key: self.name(by, key))
        if by != "rep":
            return lines
        found = {line.key: line for line in lines}
        for pk in (str(pk) for one in rows for pk in one.lapsed):
            found.setdefault(pk, Line(pk, self.name("rep", pk))).lapses += 1
        return list(found.values())


def _sources() -> Any:
    return Source.objects.order_by("pk").values_list("pk", "channel", "campaign")


TABLES = {"rep": "By rep", "channel": "By channel", "campaign": "By campaign", "fit": "By fit"}


@require_safe
@allow("read")
def figures(request: Any) -> HttpResponse:
    """The page of how handoffs of a period went; each figure opens the leads that it counts."""
    period = asked(request)
    rows = passages_of(period, workspace=request.workspace, at=request.at)
    groups, reasons = Groups(), dict(GiveBackReason.objects.values_list("pk", "name"))
    by, key, stands = (request.GET.get(name, "") for name in ("by", "key", "is"))
    chosen = _chosen(rows, groups, by, key, stands)[::-1]
    begin = request.GET.get("after", "")
    start = int(begin) if begin.isascii() and begin.isdigit() and len(begin) < 7 else 0
    shown = chosen[start : start + SHOWN]
    leads = Lead.objects.in_bulk([one.lead_id for one in shown]) if shown else {}
    back: dict[int, list[Passage]] = {}
    for one in rows:
        if one.given_back_at is not None and one.reason_id is not None:
            back.setdefault(one.reason_id, []).append(one)
    query = request.GET.copy()
    query["after"] = str(start + SHOWN)
    return render(
        request,
        "funnel/overview/handoff_figures.html",
        {
            "period": period,
            "periods": periods_at(request.at, request.workspace).values(),
            "all": Line("", "", rows),
            "tables": [(name, title, groups.lines(name, rows)) for name, title in TABLES.items()],
            "reasons": sorted(
                ((pk, reasons[pk], len(ones), sum(one.later for one in ones)) for pk, ones in back.items()),
                key=lambda row: (-row[2], row[1]),
            ),
            "given": sum(map(len, back.values())),
            "lapses": sum(len(one.lapsed) for one in rows),
            "what": _what(groups, reasons, by, key, stands),
            "rows": [_row(one, leads[one.lead_id], groups, reasons, request.at) for one in shown],
            "count": len(chosen),
            "coming": min(SHOWN, len(chosen) - start - SHOWN),
            "next_url": f"?{query.urlencode()}#rows" if len(chosen) > start + SHOWN else "",
        },
    )


def _chosen(rows: Sequence[Passage], groups: Groups, by: str, key: str, stands: str) -> list[Passage]:
    if by == "lapsed":
        return [one for one in rows if key in map(str, one.lapsed)]
    if by == "reason":
        rows = [one for one in rows if one.given_back_at is not None and str(one.reason_id) == key]
    elif by in TABLES:
        rows = [one for one in rows if groups.key(by, one) == key]
    if stands in STANDS:
        return [one for one in rows if one.stands == stands]
    if stands in ("late", "later"):
        return [one for one in rows if getattr(one, stands)]
    return list(rows)


def _what(groups: Groups, reasons: dict[int, str], by: str, key: str, stands: str) -> str:
    """What the list below shows, in words."""
    named = STANDS | {"late": "Wait too long", "later": "Given back later"}
    if by == "lapsed":
        return f"{groups.name('rep', key)} let it lapse"
    reason = {str(pk): name for pk, name in reasons.items()}.get(key, "")
    where = reason if by == "reason" else groups.name(by, key) if by in TABLES else ""
    return ": ".join(part for part in (where, named.get(stands, "")) if part)


def _row(one: Passage, lead: Lead, groups: Groups, reasons: dict[int, str], at: datetime) -> dict[str, Any]:
    name = groups.people.get(str(one.who), "") if one.who else ""
    says = {
        "taken": f"Taken by {name}",
        "back": f"Given back by {name}",
        "waits": f"Waits for {name}" if name else "In the pool",
        "otherwise": "Ended otherwise",
    }[one.stands]
    if one.given_back_at and one.reason_id:
        says += f"{', later given back' if one.later else ''}: {reasons[one.reason_id]}"
    if one.late:
        since = f"too long since {when(min(one.promised_at, one.due_at))}"
        # Whoever got it late has their own time.
        says = (
            f"Waits {since}, {name or 'the pool'} has until {when(one.due_at)}"
            if one.due_at >= at
            else f"{says}, {since}"
        )
    return {"lead": lead, "one": one, "says": says}
