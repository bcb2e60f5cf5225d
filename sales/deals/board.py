"""The board: open deals by stage with their worth, and what ended this month. A fixed number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import CharField, Count, QuerySet, Sum
from django.http import HttpRequest

from funnel.outbox.models import Unindexed
from funnel.overview.home import month_of
from funnel.overview.paging import beyond, cursor, read
from funnel.overview.rows import next_of
from funnel.templatetags.words import number, plural
from funnel.workspaces.models import Member
from sales.deals.ageing import DAY, in_days, latest_in_time, too_long, usual_stay
from sales.deals.models import OPEN, Deal, DealStage
from sales.deals.sums import Worth, grouped, together
from sales.queue.desk import WITH_FACE

PAGE, ENDED_SHOWN, NAMED = 20, 5, 4
MINE, LATE = "mine", "late"
# What a card says; the other columns of sixty deals and leads cost more than the cards.
SHOWN = (
    "title", "stage", "stage_since", "amount", "currency", "holder__user__name", "holder__user__email", *WITH_FACE,
)  # fmt: skip


@dataclass(slots=True)
class Card:
    """One deal on the board."""

    deal: Deal
    next: str
    here: str
    is_late: bool
    may: bool

    @property
    def url(self) -> str:
        """The deal's page; written out, because resolving four names per card costs a quarter of the board."""
        return f"/sales/deals/{self.deal.pk}/"


@dataclass(slots=True)
class Column:
    """One stage: what stands in it, what it is worth, how long deals usually stay."""

    stage: DealStage
    worth: Worth
    usual: str
    cards: list[Card] = field(default_factory=list)
    next_url: str = ""
    is_first: bool = True

    @property
    def rows_id(self) -> str:
        """The id of the list that grows."""
        return f"cards-{self.stage}"

    @property
    def others(self) -> list[DealStage]:
        """To which stages the menu of a card moves it."""
        return [stage for stage in OPEN if stage != self.stage]


@dataclass(slots=True)
class Ended:
    """What was won or lost this month."""

    key: str
    title: str
    worth: Worth
    deals: list[Deal]

    @property
    def more(self) -> int:
        return self.worth.many - len(self.deals)


class Board:
    """The board as one member sees it, narrowed by the address: everybody's deals, one's own, or a stay too long."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.member: Member = request.member  # type: ignore[attr-defined]
        self.at: datetime = request.at  # type: ignore[attr-defined]
        self.home = request.workspace.currency  # type: ignore[attr-defined]
        self.usual = usual_stay()
        self.asked = self._asked(request.GET.get("is", ""))

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Every open deal, summed by stage, holder and currency; a column that only goes on doesn't ask."""
        late = too_long(self.usual, self.at)
        return grouped(
            Deal.objects.open(), "stage", "holder",
            late_many=Count("currency", filter=late), late_known=Count("amount", filter=late),
            late_worth=Sum("amount", filter=late),
        )  # fmt: skip

    @cached_property
    def people(self) -> dict[UUID, Member]:
        """Who has an open deal."""
        holders = {row["holder"] for row in self.rows}
        return {one.pk: one for one in Member.objects.filter(pk__in=holders).select_related("user")}

    def _asked(self, word: str) -> str:
        return word if word in ("", MINE, LATE) or word in {str(pk) for pk in self.people} else ""

    @property
    def holder(self) -> UUID | None:
        """Whose deals are asked for; None for everybody's."""
        if self.asked == MINE:
            return self.member.pk
        return UUID(self.asked) if self.asked not in ("", LATE) else None

    def _narrowed(self, rows: QuerySet[Deal]) -> QuerySet[Deal]:
        return rows if self.holder is None else rows.filter(holder=self.holder)

    def _worth(self, *, stage: str | None = None, holder: UUID | None = None, asked: bool = False) -> Worth:
        """The worth of a stage or a holder; `asked` counts only what the address asks for."""
        holder = self.holder if asked else holder
        rows = [
            row for row in self.rows
            if (stage is None or row["stage"] == stage) and (holder is None or row["holder"] == holder)
        ]  # fmt: skip
        return together(rows, self.home, "late_" if asked and self.asked == LATE else "")

    def columns(self, only: str = "") -> list[Column]:
        """The open stages; or the one that goes on, whose worth stands above it already."""
        found = [self._column(stage, goes_on=bool(only)) for stage in OPEN if only in ("", stage)]
        cards = [card for column in found for card in column.cards]
        steps = next_of([card.deal.lead_id for card in cards])
        for card in cards:
            card.next = steps.get(card.deal.lead_id, "")
        return found

    def _column(self, stage: DealStage, *, goes_on: bool) -> Column:
        rows = self._narrowed(Deal.objects.filter(stage=stage))
        line = latest_in_time(stage, self.usual, self.at)
        if self.asked == LATE:
            rows = rows.filter(too_long(self.usual, self.at))
        after = self.request.GET.get("after", "") if self.request.GET.get("of") == stage else ""
        if place := read(f"board-{stage}", after, 2):
            rows = rows.filter(beyond("stage_since", "id", place, falling=True))
        rows = rows.select_related("lead", "holder__user").only(*SHOWN)
        deals = list(rows.order_by("-stage_since", "-id")[: PAGE + 1])
        more, deals = len(deals) > PAGE, deals[:PAGE]
        usual = self.usual.get(stage)
        column = Column(
            stage,
            Worth(self.home) if goes_on else self._worth(stage=stage, asked=True),
            f"Usually {in_days(usual)}" if usual is not None else "",
            [self._card(deal, line) for deal in deals],
            is_first=not after,
        )
        if more:
            place_after = cursor(f"board-{stage}", deals[-1].stage_since.isoformat(), deals[-1].pk)
            query = {"is": self.asked} if self.asked else {}
            column.next_url = f"?{urlencode(query | {'of': str(stage), 'after': place_after})}"
        return column

    def _card(self, deal: Deal, line: datetime | None) -> Card:
        is_late = line is not None and deal.stage_since < line
        here = max(self.at - deal.stage_since, timedelta()) // DAY
        says = f"{plural(here, 'day')} here" if here else "Here since today"
        if is_late:
            says = f"{plural(here, 'day')} here, usually {in_days(self.usual[deal.stage])}"
        return Card(deal, "", says, is_late, may_change(self.member, deal))

    def filters(self) -> list[dict[str, Any]]:
        """All, mine, the colleagues' with the most, and those that stay too long."""
        told = [("", "All", self._worth().many)]
        if self.member.role in ("owner", "manager", "rep"):
            told.append((MINE, "Mine", self._worth(holder=self.member.pk).many))
        told += [
            (str(pk), f"{name}’s", worth.many) for pk, name, worth in self.by_holder()[:NAMED] if pk != self.member.pk
        ]
        if self.usual:
            told.append((LATE, "Too long here", together(self.rows, self.home, "late_").many))
        return [
            {"url": f"?is={key}" if key else "?", "label": label, "count": many, "current": key == self.asked}
            for key, label, many in told
        ]

    def by_holder(self) -> list[tuple[UUID, str, Worth]]:
        """Who has how many, those with the most first, each by a name that means nobody else here."""
        often = Counter(one.first_name for one in self.people.values())
        found = [
            (pk, one.first_name if often[one.first_name] == 1 else one.name, self._worth(holder=pk))
            for pk, one in self.people.items()
        ]
        return sorted(found, key=lambda row: (-row[2].many, row[1]))

    def summary(self) -> str:
        """All open deals in a sentence: how many, what they are worth, and with whom."""
        whole = self._worth()
        if not whole.many:
            return "Nothing is open."
        people = self.by_holder()
        told = [f"{name} {_many_for(worth)}" for _, name, worth in people[:NAMED]]
        if rest := people[NAMED:]:
            told.append(f"{plural(len(rest), 'other')} {number(sum(worth.many for _, _, worth in rest))}")
        first = f"{number(whole.many)} open" + (f", {whole.words}" if whole.words else "")
        return f"{first}. {', '.join(told)}" if len(people) > 1 else first

    def ended(self) -> list[Ended]:
        """What was won and lost since the month began, latest first."""
        workspace = self.request.workspace  # type: ignore[attr-defined]
        since = month_of(workspace, self.at)
        rows = self._narrowed(Deal.objects.filter(closed_at__gte=since))
        sums = grouped(rows.annotate(end=Unindexed("stage", CharField())), "end")
        return [
            Ended(
                str(stage),
                f"{stage.label} in {since:%B}",
                together([row for row in sums if row["end"] == stage], self.home),
                list(
                    rows.filter(stage=stage)
                    .select_related("lead", "holder__user")
                    .only(*SHOWN, "closed_at", "reason")
                    .order_by("-closed_at", "-id")[:ENDED_SHOWN]
                ),
            )
            for stage in (DealStage.WON, DealStage.LOST)
        ]


def may_change(member: Member, deal: Deal) -> bool:
    """Whether the member may move and change the deal: one's own, for owner and manager every one."""
    return member.leads_others or (member.role == "rep" and deal.holder_id == member.pk)


def _many_for(worth: Worth) -> str:
    return f"{number(worth.many)} for {worth.words}" if worth.words else number(worth.many)


def stages_of(columns: Sequence[Column], ended: Sequence[Ended]) -> list[dict[str, Any]]:
    """The links to the columns on a phone, each with how many stand there."""
    told = [{"id": f"c-{one.stage}", "many": one.worth.many, "label": one.stage.label} for one in columns]
    return [*told, {"id": "c-ends", "many": sum(one.worth.many for one in ended), "label": "Won, lost"}]
