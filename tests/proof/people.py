"""Who is there in the model, and what each of them has: what they did, offers, deals and steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

SALES = ("working", "qualified", "demo", "negotiation")
OPEN = ("qualified", "demo", "negotiation")
PEOPLE_DID_IT = ("voided", "edited", "brought_back")
DAY = timedelta(days=1)


@dataclass
class Act:
    """Something that a person did: an event."""

    pk: int
    kind: str
    moment: datetime
    recorded: datetime
    asks: bool = False
    gone: bool = False

    @property
    def lives(self) -> bool:
        """Whether it may open a handoff by itself."""
        return self.recorded - self.moment <= DAY and self.kind not in PEOPLE_DID_IT


@dataclass
class Offer:
    """One handoff; `to` and what is promised are learned when it is there."""

    opened_at: datetime
    tried: frozenset[UUID] = frozenset()
    by_hand: UUID | None = None
    pk: UUID | None = None
    to: UUID | None = None
    due: Mapping[str, datetime] = field(default_factory=dict)
    outcome: str = ""
    closed_by: UUID | None = None
    # When it was late and the leaders were told, and when the lead was given back after all.
    late_at: datetime | None = None
    back: datetime | None = None
    # The first offer of those that were passed on to this one.
    root: Offer | None = None

    @property
    def began_at(self) -> datetime:
        return self.root.opened_at if self.root else self.opened_at

    def close(self, outcome: str, by: UUID | None = None) -> None:
        self.outcome, self.closed_by = outcome, by


@dataclass
class Sale:
    """One deal; `booked` is what the ledger holds for it."""

    pk: UUID
    holder: UUID
    stage: str
    amount: int
    decided_at: datetime | None = None
    before: str = ""
    made_customer: bool = False
    booked: int = 0


@dataclass
class Step:
    """Something that is to be done next."""

    holder: UUID
    what: str
    due: datetime


@dataclass
class Person:
    """One lead."""

    pk: UUID
    known: set[str] = field(default_factory=set)
    stage: str = "new"
    holder: UUID | None = None
    cool: datetime | None = None
    way: dict[str, Any] | None = None
    waits: bool = False
    customer: bool = False
    scored: bool = False
    acts: list[Act] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    spoken: list[datetime] = field(default_factory=list)

    @property
    def offer(self) -> Offer | None:
        """The one that is open."""
        return next((one for one in self.offers if not one.outcome), None)

    def first_open(self) -> Sale | None:
        """The open deal that is furthest."""
        return max(
            (one for one in self.sales if one.stage in OPEN), key=lambda one: OPEN.index(one.stage), default=None
        )

    def move(self, to: str, holder: UUID | None = None, **also: Any) -> None:
        """Come to a stage, with what follows from that."""
        if to == self.stage:
            return
        self.stage = to
        if to in SALES or to == "customer":
            self.holder = holder or self.holder
        else:
            self.holder = None
        if to != "nurturing":
            self.waits, self.way = False, None
        for name, value in also.items():
            setattr(self, name, value)
