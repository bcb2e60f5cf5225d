"""Steps at the handoff and on sales' side: taken, given back, run out, passed on; called, sold, won, lost, undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import multiple, precondition, rule

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.workspaces.models import Member
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage, LostReason
from sales.queue import actions as queue
from sales.queue.models import CallOutcome
from tests.proof.machine import TICK
from tests.proof.people import DAY, OPEN, SALES, Person, Sale, Step
from tests.proof.steps_marketing import COOLING, WARM, Marketing

# How a sale in vain ends: the deal is lost, the lead given back, or the deal won and that undone.
# By which reason somebody comes back by a way of their own.
OWN = {"touch": "visit", "engagement": "keen"}
SALE_ENDS = st.sampled_from(["lost", "given back", "undone"])


class Sales(Marketing):
    """What may happen from the handoff on."""

    # ── between ──

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), by=st.integers(0, 7))
    def accept(self, number: int, by: int) -> None:
        person = self.person(number, lambda one: one.offer)
        self._accepted(person, self.whoever(person, by))

    def _accepted(self, person: Person, who: Member) -> None:
        self.both(
            lambda: self.model.accept(person, who.pk, self.now),
            lambda: handoff.accept(self.lead(person), by=who, at=self.now),
        )

    @precondition(lambda self: self.who)
    @rule(
        target=COOLING,
        number=st.integers(0, 9),
        by=st.integers(0, 7),
        why=st.integers(0, 5),
        days=st.sampled_from([0, 0, 3, 40]),
    )
    def give_back(self, number: int, by: int, why: int, days: int) -> Any:
        person = self.person(number, lambda one: one.offer or one.stage in SALES)
        self._given_back(person, self.whoever(person, by), why, days)
        return self._cools(person)

    def _given_back(self, person: Person, who: Member, why: int, days: int) -> None:
        with self.gate():
            reasons = list(GiveBackReason.objects.all())
        reason = reasons[why % len(reasons)]
        moment = self.now + TICK
        until = moment + timedelta(days=days) if reason.asks_date or (days and not reason.disqualifies) else None
        until = until + DAY if until == moment else until
        cool = None if reason.disqualifies else until or moment + timedelta(days=reason.cool_days)
        way: dict[str, Any] | None = {"way": "date"} if until else {"way": str(reason.way)}
        if not until and reason.way == "engagement":
            way = {"way": "engagement", "above": reason.above}
        if not until and reason.way == "touch":
            way = {"way": "touch", "touch": reason.touch}
        way = None if reason.disqualifies else way
        self.both(
            lambda: self.model.give_back(person, who.pk, self.now, way=way, cool=cool),
            lambda: handoff.give_back(self.lead(person), reason=reason, by=who, at=self.now, until=until),
        )

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), way=st.sampled_from(["touch", "engagement"]))
    def comes_back(self, number: int, way: str) -> None:
        """Somebody is given back who comes by a way of their own: by nothing else, and then by that."""
        person = self.person(number, lambda one: not one.customer)
        if person.offer is None:
            self._opened(person, self.owner, "demo", 100)
        with self.gate():
            why = next(n for n, one in enumerate(GiveBackReason.objects.all()) if one.key == OWN[way])
        self._given_back(person, self.owner, why, 0)
        if person.cool is None:
            return
        self.passes(person.cool)
        first, then = (WARM, ("visit",)) if way == "touch" else (("call", "visit"), WARM)
        for kinds in (first, then):
            early = person.offer is not None
            for kind in kinds:
                self._touched(person, kind)
            self.work()
        self.happened[f"came back by {way}"] += person.offer is not None and not early

    def asks_too_late(self, number: int) -> None:
        """Somebody calls, which is a slip, and asks; before the rep hears of that they are given back."""
        person = self.person(number, lambda one: one.stage in SALES)
        if person.stage not in SALES:
            self._opened(person, self.owner, "demo", 100)
        self._touched(person, "call")
        self._taken_back(person, person.acts[-1])
        self._touched(person, "contact_request")
        self.work(("ask", "fails"))
        self._given_back(person, self.owner, 1, 0)
        self.work()

    def _cools(self, person: Person) -> Any:
        """What a rule adds to those who cool."""
        return person.pk if person.cool else multiple()

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9))
    def expire(self, number: int) -> None:
        """Whoever was asked doesn't decide, and others may not: the worker comes until somebody else is asked."""
        person = self.person(number, lambda one: one.offer and one.offer.to)
        if person.offer is None:
            person = self.person(number, lambda one: one.stage in ("new", "nurturing", "lost", "customer"))
            self._touched(person, "contact_request")
            self.work()
        if offer := person.offer:
            if offer.to:
                self._accepted(person, next(one for one in self.reps if one.pk != offer.to))
            self.passes(max(self.now, offer.due["over"]) + TICK)

    @precondition(lambda self: any(one.offer for one in self.model.people.values()))
    @rule(number=st.integers(0, 9), to=st.sampled_from([None, 0, 1]))
    def pass_on(self, number: int, to: int | None) -> None:
        """The owner passes an offer on, to somebody or to whoever is next."""
        waiting = [one for one in self.model.people.values() if one.offer]
        person, who = waiting[number % len(waiting)], None if to is None else self.reps[to]
        if who is not None and person.offer.to == who.pk:  # type: ignore[union-attr]
            return
        self._passed(person, who)

    def _passed(self, person: Person, who: Member | None) -> None:
        self.both(
            lambda: self.model.pass_by_hand(person, self.owner.pk, self.now, who.pk if who else None),
            lambda: passing.pass_several(
                list(Handoff.objects.open().filter(lead=person.pk)), reason="Knows them", by=self.owner, at=self.now,
                workspace=self.workspace, to=who,
            ),
        )  # fmt: skip

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), to=st.integers(0, 1))
    def pass_held(self, number: int, to: int) -> None:
        self._held_passed(self.person(number, lambda one: one.holder), self.reps[to])

    def _held_passed(self, person: Person, who: Member) -> None:
        self.both(
            lambda: self.model.pass_held(person, who.pk, self.owner.pk, self.now),
            lambda: passing.pass_lead(self.lead(person), to=who, by=self.owner, at=self.now, reason="Away"),
        )

    # ── sales ──

    @precondition(lambda self: any(one.holder for one in self.model.people.values()))
    @rule(number=st.integers(0, 9), by=st.integers(0, 7), ahead=st.sampled_from([None, 3, 20, 50, 200]))
    def call(self, number: int, by: int, ahead: int | None) -> None:
        """Somebody is called, and a next step is planned."""
        held = [one for one in self.model.people.values() if one.holder]
        person = held[number % len(held)]
        self._called(person, self.whoever(person, by), ahead)

    def _called(self, person: Person, who: Member, ahead: int | None) -> None:
        due = None if ahead is None else self.now + timedelta(hours=ahead)
        self.both(
            lambda: self.model.call(person, who.pk, self.now, Step(who.pk, "Call", due, self.now) if due else None),
            lambda: queue.log_call(
                self.lead(person), CallOutcome.SPOKE, by=who, at=self.now,
                then=queue.NextStep("Call", due, remind_at=due) if due else None,
            ),
        )  # fmt: skip

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), by=st.integers(0, 7), stage=st.sampled_from(OPEN), pounds=st.integers(1, 900))
    def open_deal(self, number: int, by: int, stage: str, pounds: int) -> None:
        person = self.person(number, lambda one: one.holder)
        self._opened(person, self.whoever(person, by), stage, pounds)

    def _opened(self, person: Person, who: Member, stage: str, pounds: int) -> Sale | None:
        # A model may only know its own after it is there.
        sale = Sale(who.pk, who.pk, stage, pounds * 100)
        made = self.both(
            lambda: self.model.deal(person, sale, who.pk),
            lambda: deals.open_deal(
                self.lead(person), by=who, at=self.now, stage=DealStage(stage), amount=pounds * 100
            ),
        )
        if made is None:
            return None
        sale.pk = made.pk
        return sale

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), pounds=st.integers(1, 900))
    def is_sold(self, number: int, pounds: int) -> None:
        """All goes well: somebody asks, is passed on, taken and called, goes to a colleague, asks again, and buys."""
        person = self.person(number, lambda one: one.stage in ("new", "nurturing", "lost"))
        self._touched(person, "contact_request")
        self.work()
        if (offer := person.offer) is None:
            return
        one, other = sorted(self.reps, key=lambda rep: rep.pk == offer.to)
        self._passed(person, one)
        self._accepted(person, one)
        self._called(person, one, 3)
        sale = self._opened(person, one, "negotiation", pounds)
        self._held_passed(person, other)
        self._touched(person, "contact_request")
        self.work()
        if sale is not None:
            self._won(person, sale, other)

    def _sale(self, number: int, is_open: bool = True) -> tuple[Person, Sale] | None:
        """A deal, mostly an open one, or one that has ended."""
        found = [(person, sale) for person in self.model.people.values() for sale in person.sales]
        fitting = [(person, sale) for person, sale in found if (sale.stage in OPEN) == is_open] if number < 8 else []
        return (fitting or found)[number % len(fitting or found)] if found else None

    @precondition(lambda self: self._sale(0))
    @rule(number=st.integers(0, 9), by=st.integers(0, 7))
    def win(self, number: int, by: int) -> None:
        person, sale = self._sale(number)  # type: ignore[misc]
        self._won(person, sale, self._seller(sale, by))

    def _seller(self, sale: Sale, by: int) -> Member:
        """Mostly whoever has the deal, else one of all."""
        return self.people[by] if by < len(self.people) else next(one for one in self.people if one.pk == sale.holder)

    def _won(self, person: Person, sale: Sale, who: Member) -> None:
        self.both(
            lambda: self.model.win(person, sale, who.pk, self.now),
            lambda: close.win(Deal.objects.get(pk=sale.pk), by=who, at=self.now),
        )

    @precondition(lambda self: self._sale(0))
    @rule(
        target=COOLING,
        number=st.integers(0, 9),
        by=st.integers(0, 7),
        why=st.integers(0, 5),
        days=st.sampled_from([0, 0, 3, 40]),
    )
    def lose(self, number: int, by: int, why: int, days: int) -> Any:
        person, sale = self._sale(number)  # type: ignore[misc]
        self._lost(person, sale, self._seller(sale, by), why, days)
        return self._cools(person)

    @precondition(lambda self: self.who)
    @rule(
        target=COOLING,
        number=st.integers(0, 9),
        why=st.integers(0, 3),
        days=st.sampled_from([0, 3, 40]),
        end=SALE_ENDS,
    )
    def sell_in_vain(self, number: int, why: int, days: int, end: str) -> Any:
        """The owner opens a deal and at once loses it, gives the lead back, or wins it (twice) and undoes that."""
        person = self.person(number)
        sale = self._opened(person, self.owner, "demo", 100)
        if sale is not None and end == "lost":
            self._lost(person, sale, self.owner, why, days)
        elif sale is not None and end == "given back":
            self._given_back(person, self.owner, why, days)
        elif sale is not None:
            self._won(person, sale, self.owner)
            self._won(person, sale, self.owner)
            self._undone(person, sale, self.owner)
        return self._cools(person)

    def _lost(self, person: Person, sale: Sale, who: Member, why: int, days: int) -> None:
        with self.gate():
            reason = list(LostReason.objects.all())[why]
        moment = self.now + TICK
        until = moment + timedelta(days=days) if days else None
        cool = until or (moment + timedelta(days=reason.cool_days) if reason.cool_days is not None else None)
        self.both(
            lambda: self.model.lose(person, sale, who.pk, self.now, cool=cool, until=until),
            lambda: close.lose(Deal.objects.get(pk=sale.pk), reason=reason, by=who, at=self.now, until=until),
        )

    @precondition(lambda self: self._sale(0))
    @rule(number=st.integers(0, 9), by=st.integers(0, 7))
    def undo(self, number: int, by: int) -> None:
        person, sale = self._sale(number, is_open=False)  # type: ignore[misc]
        self._undone(person, sale, self._seller(sale, by))

    def _undone(self, person: Person, sale: Sale, who: Member) -> None:
        self.both(
            lambda: self.model.undo(person, sale, who.pk, self.now),
            lambda: close.undo(Deal.objects.get(pk=sale.pk), by=who, at=self.now),
        )
