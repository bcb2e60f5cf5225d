"""Deals in the model, who holds a company by them, and the steps with a person."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tests.proof.letters import Letters
from tests.proof.people import DAY, OPEN, SALES, No, Person, Sale, Step

CALL_AGAIN = "Call again: promised for this day"


class Deals(Letters):
    """What becomes of deals, and of a person by them; `kept` is who has which company."""

    kept: dict[str, UUID]

    def keep_company(self, person: Person, who: UUID) -> None:
        if person.company:
            self.kept.setdefault(person.company, who)

    def enter(self, person: Person, holder: UUID, by: UUID) -> None:
        """End the wait of somebody with whom a deal begins."""
        if offer := person.offer:
            if offer.to not in (None, holder, by) and by not in self.leaders:
                raise No
            offer.close("accepted" if offer.to == holder else "overtaken", holder)
        self.keep_company(person, holder)

    def follow(self, person: Person, sale: Sale, by: UUID, cool: datetime | None = None) -> None:
        """Stand where the deals say."""
        furthest = person.first_open()
        won = any(one.stage == "won" for one in person.sales)
        to = "customer" if won or person.customer else furthest.stage if furthest else "lost"
        outside = person.stage not in SALES
        if outside and to != "lost":
            self.enter(person, sale.holder, by)
        if person.stage == to:
            if outside and to == "customer":
                person.holder = person.holder or sale.holder
            return
        holder = sale.holder if outside and person.holder is None else None
        person.move(to, holder, **({"cool": cool} if to == "lost" else {}))

    def deal(self, person: Person, sale: Sale, by: UUID) -> None:
        """Open a deal; whoever has the person has the deal."""
        if person.holder not in (None, by) and by not in self.leaders:
            raise No
        sale.holder = person.holder or by
        person.sales.append(sale)
        try:
            self.follow(person, sale, by)
        except No:
            person.sales.remove(sale)
            raise

    def advance(self, person: Person, to: str, by: UUID, sale: Sale | None = None) -> None:
        """Bring a deal at least so far; without one it is opened."""
        sale = sale or person.first_open()
        if sale is None:
            self.deal(person, Sale(by, by, to, None), by)
        elif OPEN.index(sale.stage) < OPEN.index(to):
            self.mine(sale, by)
            was, sale.stage = sale.stage, to
            try:
                self.follow(person, sale, by)
            except No:
                sale.stage = was
                raise

    def win(self, person: Person, sale: Sale, by: UUID, at: datetime) -> None:
        self.mine(sale, by)
        if sale.stage == "won":
            return
        if sale.amount is None:
            raise No
        if person.stage not in SALES:
            self.may_enter(person, sale, by)
        if sale.stage == "lost":
            self.owes.append(("quote_unsettle", person.pk, at))
            self.found_again(person, sale)
        self.owes.append(("quote_settle", person.pk, at))
        sale.before = sale.stage if sale.stage in OPEN else sale.before
        sale.stage, sale.decided_at, sale.made_customer = "won", at, not person.customer
        sale.booked, person.customer = sale.amount, True
        self.follow(person, sale, by)

    def may_enter(self, person: Person, sale: Sale, by: UUID) -> None:
        offer = person.offer
        if offer and offer.to not in (None, sale.holder, by) and by not in self.leaders:
            raise No

    def lose(
        self, person: Person, sale: Sale, by: UUID, at: datetime, *, cool: datetime | None, until: datetime | None
    ) -> None:
        self.mine(sale, by)
        if sale.stage == "won":
            raise No
        if sale.stage == "lost":
            return
        was = (sale.stage, sale.before, sale.decided_at, sale.cool)
        sale.before, sale.stage, sale.decided_at, sale.cool = sale.stage, "lost", at, cool
        try:
            self.follow(person, sale, by, cool)
        except No:
            sale.stage, sale.before, sale.decided_at, sale.cool = was
            raise
        if until and person.stage == "customer":
            person.cool = until
        if until and person.stage in SALES and person.holder:
            person.steps.append(Step(person.holder, CALL_AGAIN, until, at))
            person.served.append(at)
            self.owes.append(("prompt", person.pk, until))
        if person.stage == "lost":
            self.cancel_all(person, at)
        self.owes += [("cool", person.pk, cool or at), ("quote_settle", person.pk, at)]

    def undo(self, person: Person, sale: Sale, by: UUID, at: datetime) -> None:
        self.mine(sale, by)
        if sale.stage in OPEN or sale.decided_at is None or at > sale.decided_at + DAY:
            raise No
        if person.stage not in SALES:
            self.may_enter(person, sale, by)
        self.owes.append(("quote_unsettle", person.pk, at))
        if sale.stage == "lost":
            self.found_again(person, sale)
        sale.stage, sale.before, sale.decided_at, sale.booked = sale.before, "", None, 0
        if sale.made_customer:
            sale.made_customer = False
            others = [one for one in person.sales if one.stage == "won"]
            person.customer = bool(others)
            if others:
                min(others, key=lambda one: one.decided_at or at).made_customer = True
        self.follow(person, sale, by)

    def found_again(self, person: Person, sale: Sale) -> None:
        """A loss doesn't count any more, nor does its day."""
        if sale.cool is not None and person.cool == sale.cool:
            person.cool = None
        sale.cool = None

    def mine(self, sale: Sale, by: UUID) -> None:
        if sale.holder != by and by not in self.leaders:
            raise No

    # ── steps ──

    def call(self, person: Person, by: UUID, at: datetime, then: Step | None) -> None:
        if person.holder is None or (person.holder != by and by not in self.leaders):
            raise No
        person.spoken.append(at)
        if then is not None:
            person.steps.append(Step(person.holder, then.what, then.due, at))
            self.owes.append(("prompt", person.pk, then.due))

    def prompt(self, person: Person, what: str, due: datetime) -> None:
        """A step comes up that is still to be done: whoever has it is reminded."""
        if person.holder is not None:
            self.tell("task", person, [one.holder for one in person.steps if (one.what, one.due) == (what, due)])
