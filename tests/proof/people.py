"""Who is there in the model, and what each of them has: what they did, offers, deals and steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

MARKETING = ("new", "nurturing", "lost")
SALES = ("working", "qualified", "demo", "negotiation")
OPEN = ("qualified", "demo", "negotiation")
PEOPLE_DID_IT = ("voided", "edited", "brought_back")
DAY = timedelta(days=1)


class No(Exception):
    """This may not be done; nothing has changed."""


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
    # To whom it may go; with nobody here it goes to the pool.
    may: frozenset[UUID] = frozenset()
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
    """One deal; `booked` is what the ledger holds for it, `cool` the day that its loss promised."""

    pk: UUID
    holder: UUID
    stage: str
    amount: int | None
    decided_at: datetime | None = None
    before: str = ""
    made_customer: bool = False
    booked: int = 0
    cool: datetime | None = None


@dataclass
class Step:
    """Something that is to be done next."""

    holder: UUID
    what: str
    due: datetime
    made: datetime


@dataclass
class Demo:
    """One demo; `sequence` counts what calendars heard of it."""

    pk: UUID
    holder: UUID
    starts: datetime
    ends: datetime
    made: datetime | None = None
    sale: Sale | None = None
    state: str = "booked"
    decided: datetime | None = None
    sequence: int = 0


@dataclass
class Quote:
    """One quote as it was sent, with its number and the moment after its last day."""

    pk: UUID
    sale: Sale
    ends: datetime
    name: str = ""
    over: bool = False


@dataclass
class Away:
    """Days on which a member is away."""

    pk: UUID
    who: UUID
    first: date
    last: date


@dataclass
class Mails:
    """A time with the nurture mails: since when, which was written last, and whether it goes on."""

    since: datetime
    position: int = 0
    state: str = "active"


@dataclass
class Letter:
    """A letter to a person: about what, and what became of it."""

    kind: str
    about: Mails | Demo | Quote
    # Of a demo how often it had changed by then.
    sequence: int = 0
    pk: UUID | None = None
    state: str = "queued"
    tries: int = 0


@dataclass
class Person:
    """One lead."""

    pk: UUID
    known: set[str] = field(default_factory=set)
    company: str = ""
    agreed: bool = False
    barred: bool = False
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
    ended: list[tuple[Step, datetime]] = field(default_factory=list)
    spoken: list[datetime] = field(default_factory=list)
    # When one of us sent a quote, or said what is next.
    served: list[datetime] = field(default_factory=list)
    demos: list[Demo] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    mails: list[Mails] = field(default_factory=list)
    had: set[int] = field(default_factory=set)
    letters: list[Letter] = field(default_factory=list)

    @property
    def offer(self) -> Offer | None:
        """The one that is open."""
        return next((one for one in self.offers if not one.outcome), None)

    def first_open(self) -> Sale | None:
        """The open deal that is furthest, of several the latest."""
        found = (one for one in reversed(self.sales) if one.stage in OPEN)
        return max(found, key=lambda one: OPEN.index(one.stage), default=None)

    def keep(self, kind: str, about: object = None) -> None:
        """Keep the letters of a kind that still wait from going."""
        for one in self.letters:
            if one.kind == kind and about in (None, one.about) and one.state == "queued":
                one.state = "failed"

    def end_steps(self, at: datetime, which: Iterable[Step]) -> None:
        """End these steps, and remember when."""
        for step in list(which):
            self.steps.remove(step)
            self.ended.append((step, at))

    def end_mails(self, *which: Mails) -> None:
        """No more of the nurture mails, by these times with them or any that still goes on."""
        waits = [one.about for one in self.letters if one.state in ("queued", "sending")]
        going = [one for one in which or self.mails if one.state == "active" or (one.state == "done" and one in waits)]
        for one in going:
            one.state = "stopped"
        if going:
            self.keep("nurture")

    def move(self, to: str, holder: UUID | None = None, **also: Any) -> None:
        """Come to a stage, with what follows from that."""
        if to == self.stage:
            return
        if self.stage not in (*SALES, "ready") and to not in ("new", "nurturing"):
            self.end_mails()
        self.stage = to
        if to in SALES or to == "customer":
            self.holder = holder or self.holder
        else:
            self.holder = None
        if to != "nurturing":
            self.waits, self.way = False, None
        if to in SALES or to == "customer":
            self.cool = None
        for name, value in also.items():
            setattr(self, name, value)
