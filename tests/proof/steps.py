"""Whatever happens in whatever order: one holder, one open handoff, one outcome each, nothing lost, all adds up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.outbox import actions as outbox
from funnel.outbox.models import Effect, Event, Lane, State
from funnel.people.actions import start_business
from funnel.scoring import changing
from funnel.scoring.models import RuleVersion
from funnel.scoring.rules import default_rules
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import Member, Role, User
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage, LostReason
from sales.queue import actions as queue
from sales.queue.models import CallOutcome
from tests.conftest import make_member
from tests.proof.machine import BEGINS, TICK, WATCHED, Beside
from tests.proof.model import DAY, OPEN, Act, Person, Sale, Step

KINDS = ("page_view", "visit", "call", "promo_event", "contact_request")
COUNTS = {one["kind"] for one in default_rules()["engagement"]}
ASIDE = ("judge_all", "fill_basis")
# Each is somebody: what they give of themselves.
CAST = (
    {"name": "Ann Bell", "email": "ann@bell.example", "phone": "01632 960101", "company": "Bell"},
    {"name": "Bo Cole", "email": "bo@bell.example", "phone": "01632 960101", "company": "Bell"},
    {"name": "", "email": "cy@gmail.com", "phone": "", "company": ""},
    {"name": "Di Eve", "email": "", "phone": "01632 960104", "company": "Eve & Co"},
    {"name": "Ed Fox", "email": "ed@fox.example", "phone": "", "company": ""},
)


def changed(how: str) -> dict[str, Any]:
    """Another set of rules."""
    rules = default_rules()
    if how == "keen":
        rules["half_life_days"], rules["engagement_cuts"] = 30, [5, 9, 33]
    elif how == "slow":
        rules["half_life_days"], rules["ready"] = 7, {"A": [4], "B": [4], "C": [], "D": []}
    else:
        rules["engagement"] = [
            one | {"points": 13, "cap": 31} if one["kind"] == "visit" else one for one in rules["engagement"]
        ]
        rules["fit"] = [one for one in rules["fit"] if one["field"] != "phone"]
    return rules


class Machine(Beside):
    """What happens to a small business, in any order."""

    @initialize(asks=st.lists(st.booleans(), min_size=3, max_size=len(CAST)))
    def some_are_there(self, asks: list[bool]) -> None:
        """Some have come already, and the worker has been there."""
        for number, asked in enumerate(asks):
            self.capture(number, asked, 0)
        self.work()

    # ── marketing ──

    @rule(number=st.integers(0, len(CAST) - 1), asks=st.booleans(), ago=st.sampled_from([0, 0, 2]))
    def capture(self, number: int, asks: bool, ago: int) -> None:
        """Somebody sends a form, or is told of days later."""
        self.now += TICK
        says, moment = CAST[number], self.now - timedelta(days=ago)
        with self.gate():
            capture = Capture(kind="form", asks=asks, occurred_at=moment if ago else None, **says)
            (got,) = receive(self.workspace, [capture], at=self.now)
            assert got.created == (number not in self.who)
            self.who.setdefault(number, got.lead.pk)
            assert self.who[number] == got.lead.pk, "somebody became two leads, or two people one"
            known = {{"company": "company_name"}.get(name, name) for name, value in says.items() if value}
            if says["email"].endswith(".example"):
                known.add("email:business")
            person = self.model.people.setdefault(got.lead.pk, Person(got.lead.pk))
            person.known |= known
            person.acts.append(Act(got.event.pk, "form", moment, self.now, asks))
            self.model.owes.append(("score", person.pk, self.now))
            self.meet()

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), kind=st.sampled_from(KINDS), ago=st.sampled_from([0, 0, 0, 2]))
    def touch(self, number: int, kind: str, ago: int) -> None:
        """Somebody does something."""
        self.now += TICK
        person, moment = self.person(number), self.now - timedelta(days=ago)
        with self.gate():
            event = touch(self.lead(person), kind, at=self.now, occurred_at=moment)
            person.acts.append(Act(event.pk, kind, moment, self.now, kind == "contact_request"))
            self.model.owes.append(("score", person.pk, self.now))
            self.meet()

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), which=st.integers(0, 9))
    def take_back(self, number: int, which: int) -> None:
        """An entry turns out to be wrong."""
        person = self.person(number)
        acts = [one for one in person.acts if not one.gone and one.kind in (*KINDS, "form")]
        if not acts:
            return
        act = acts[which % len(acts)]
        self.now += TICK
        with self.gate():
            event = void(Event.objects.get(pk=act.pk), reason="A slip", by=self.owner, at=self.now)
            act.gone = True
            person.acts.append(Act(event.pk, "voided", self.now, self.now))
            self.model.owes.append(("score", person.pk, self.now))
            self.meet()

    @rule(how=st.sampled_from(["keen", "slow", "other"]), again=st.booleans())
    def publish(self, how: str, again: bool) -> None:
        """The owner changes the rules."""
        if self.comes is not None or changed(how) == self.model.rules.now:
            return
        self.now += TICK
        with self.gate():
            changing.save_draft(changed(how), by=self.owner, at=self.now)
        self.now += TICK
        with self.gate():
            changing.publish(again=again, why="", by=self.owner, at=self.now)
        self.comes = ("again" if again else "now", changed(how), 0)

    @precondition(lambda self: self.versions > 1 and self.comes is None)
    @rule(back=st.integers(1, 3))
    def go_back(self, back: int) -> None:
        """The owner goes back to earlier rules."""
        self.now += TICK
        to = max(1, self.versions - back)
        with self.gate():
            changing.go_back(RuleVersion.objects.get(number=to), by=self.owner, at=self.now)
        self.comes = ("back", self.model.rules.versions[to], to)

    @precondition(lambda self: any(one.waits for one in self.model.people.values()))
    @rule()
    def go(self) -> None:
        """The owner gives the go for all who wait."""
        waiting = [one for one in self.model.people.values() if one.waits]

        def ours() -> None:
            for person in waiting:
                self.model.go(person, self.now)

        self.both(
            ours,
            lambda: handoff.go([one.pk for one in waiting], by=self.owner, workspace=self.workspace, at=self.now),
        )

    # ── between ──

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), by=st.integers(0, 5))
    def accept(self, number: int, by: int) -> None:
        person = self.person(number)
        who = self.whoever(person, by)
        self.both(
            lambda: self.model.accept(person, who.pk), lambda: handoff.accept(self.lead(person), by=who, at=self.now)
        )

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), by=st.integers(0, 5), why=st.integers(0, 5), days=st.sampled_from([0, 0, 3, 40]))
    def give_back(self, number: int, by: int, why: int, days: int) -> None:
        person = self.person(number)
        who = self.whoever(person, by)
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

    @precondition(lambda self: any(one.offer for one in self.model.people.values()))
    @rule(number=st.integers(0, 9), to=st.sampled_from([None, 0, 1]))
    def pass_on(self, number: int, to: int | None) -> None:
        """The owner passes an offer on, to somebody or to whoever is next."""
        waiting = [one for one in self.model.people.values() if one.offer]
        person, who = waiting[number % len(waiting)], None if to is None else self.reps[to]
        if who is not None and person.offer.to == who.pk:  # type: ignore[union-attr]
            return
        self.both(
            lambda: self.model.pass_by_hand(person, self.now, who.pk if who else None),
            lambda: passing.pass_several(
                list(Handoff.objects.open().filter(lead=person.pk)), reason="Knows them", by=self.owner, at=self.now,
                workspace=self.workspace, to=who,
            ),
        )  # fmt: skip

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), to=st.integers(0, 1))
    def pass_held(self, number: int, to: int) -> None:
        person, who = self.person(number), self.reps[to]
        self.both(
            lambda: self.model.pass_held(person, who.pk, self.now),
            lambda: passing.pass_lead(self.lead(person), to=who, by=self.owner, at=self.now),
        )

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9))
    def set_aside(self, number: int) -> None:
        person = self.person(number)
        self.both(
            lambda: self.model.set_aside(person, self.now),
            lambda: handoff.disqualify(self.lead(person), by=self.owner, at=self.now),
        )

    @precondition(lambda self: any(one.stage == "disqualified" for one in self.model.people.values()))
    @rule(number=st.integers(0, 9), to=st.sampled_from([None, 0, 1]))
    def bring_back(self, number: int, to: int | None) -> None:
        aside = [one for one in self.model.people.values() if one.stage == "disqualified"]
        person, who = aside[number % len(aside)], None if to is None else self.reps[to]

        def theirs() -> None:
            handoff.bring_back(self.lead(person), by=self.owner, at=self.now, to=who)
            event = Event.objects.filter(kind="brought_back").latest("pk")
            person.acts.append(Act(event.pk, "brought_back", self.now, self.now))

        self.both(lambda: self.model.bring_back(person, self.now, who.pk if who else None), theirs)

    # ── sales ──

    @precondition(lambda self: any(one.holder for one in self.model.people.values()))
    @rule(number=st.integers(0, 9), by=st.integers(0, 5), ahead=st.sampled_from([None, 3, 20, 50, 200]))
    def call(self, number: int, by: int, ahead: int | None) -> None:
        """Somebody is called, and a next step is planned."""
        held = [one for one in self.model.people.values() if one.holder]
        person = held[number % len(held)]
        who = self.whoever(person, by)
        due = None if ahead is None else self.now + timedelta(hours=ahead)
        self.both(
            lambda: self.model.call(person, who.pk, self.now, Step(who.pk, "Call", due) if due else None),
            lambda: queue.log_call(
                self.lead(person), CallOutcome.SPOKE, by=who, at=self.now,
                then=queue.NextStep("Call", due) if due else None,
            ),
        )  # fmt: skip

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), by=st.integers(0, 5), stage=st.sampled_from(OPEN), pounds=st.integers(1, 900))
    def open_deal(self, number: int, by: int, stage: str, pounds: int) -> None:
        person = self.person(number)
        who = self.whoever(person, by)
        # A model may only know its own after it is there.
        sale = Sale(who.pk, who.pk, stage, pounds * 100)
        made = self.both(
            lambda: self.model.deal(person, sale, who.pk),
            lambda: deals.open_deal(
                self.lead(person), by=who, at=self.now, stage=DealStage(stage), amount=pounds * 100
            ),
        )
        if made is not None:
            sale.pk = made.pk

    def _sale(self, number: int) -> tuple[Person, Sale] | None:
        found = [(person, sale) for person in self.model.people.values() for sale in person.sales]
        return found[number % len(found)] if found else None

    @precondition(lambda self: self._sale(0))
    @rule(number=st.integers(0, 9), by=st.integers(0, 5))
    def win(self, number: int, by: int) -> None:
        person, sale = self._sale(number)  # type: ignore[misc]
        who = self.people[by] if by < 3 else next(one for one in self.people if one.pk == sale.holder)
        self.both(
            lambda: self.model.win(person, sale, who.pk, self.now),
            lambda: close.win(Deal.objects.get(pk=sale.pk), by=who, at=self.now),
        )

    @precondition(lambda self: self._sale(0))
    @rule(number=st.integers(0, 9), by=st.integers(0, 5), why=st.integers(0, 5), days=st.sampled_from([0, 0, 3, 40]))
    def lose(self, number: int, by: int, why: int, days: int) -> None:
        person, sale = self._sale(number)  # type: ignore[misc]
        who = self.people[by] if by < 3 else next(one for one in self.people if one.pk == sale.holder)
        with self.gate():
            reason = list(LostReason.objects.all())[why]
        moment = self.now + TICK
        until = moment + timedelta(days=days) if days else None
        cool = until or (moment + timedelta(days=reason.cool_days) if reason.cool_days is not None else None)
        self.both(
            lambda: self.model.lose(person, sale, who.pk, self.now, cool=cool),
            lambda: close.lose(Deal.objects.get(pk=sale.pk), reason=reason, by=who, at=self.now, until=until),
        )

    @precondition(lambda self: self._sale(0))
    @rule(number=st.integers(0, 9), by=st.integers(0, 5))
    def undo(self, number: int, by: int) -> None:
        person, sale = self._sale(number)  # type: ignore[misc]
        who = self.people[by] if by < 3 else next(one for one in self.people if one.pk == sale.holder)
        self.both(
            lambda: self.model.undo(person, sale, who.pk, self.now),
            lambda: close.undo(Deal.objects.get(pk=sale.pk), by=who, at=self.now),
        )

    # ── the worker and the clock ──

    @rule()
    def worker_comes(self) -> None:
        self.now += TICK
        self.work()

    @rule(name=st.sampled_from([*WATCHED, *ASIDE]), how=st.sampled_from(["fails", "dies before", "dies after"]))
    def worker_fails(self, name: str, how: str) -> None:
        """A handler fails in the middle, or the process ends before it or before its commit."""
        self.now += TICK
        self.work((name, how))

    @precondition(lambda self: self.stuck())
    @rule()
    def try_again(self) -> None:
        """What failed five times is tried again by a person."""
        self.now += TICK
        with self.gate():
            for pk in self.stuck():
                outbox.try_again(pk, at=self.now)

    def stuck(self) -> list[int]:
        with self.gate():
            return list(Effect.objects.filter(state=State.STUCK).values_list("pk", flat=True))

    @rule(hours=st.sampled_from([1, 5, 9, 24, 24 * 8, 24 * 35, 24 * 100]))
    def time_goes_by(self, hours: int) -> None:
        """Each thing is done when it is due."""
        until = self.now + timedelta(hours=hours)
        while True:
            with self.gate():
                due = (
                    Effect.objects.filter(state=State.DUE, due_at__lte=until)
                    .exclude(lane=Lane.MAIL)
                    .order_by("due_at")
                    .first()
                )
            if due is None:
                break
            self.now = max(self.now, due.due_at, due.leased_until or due.due_at)
            self.work()
        self.now = max(self.now, until)

    @rule(hours=st.sampled_from([1, 9, 30, 24 * 8, 24 * 100]))
    def worker_is_away(self, hours: int) -> None:
        """Time goes by, and nobody does anything."""
        self.now += timedelta(hours=hours)

    @invariant()
    def the_same(self) -> None:
        with self.gate():
            self.compare()


@pytest.fixture
def crew(db):
    """A business that has just begun: its owner, and two who take leads."""
    user = User.objects.create_user("olga@first.example", name="Olga Owner")
    with everywhere():
        owner = start_business("First", owner=user, country="GB", time_zone="Europe/London", at=BEGINS)
        Member.objects.filter(pk=owner.pk).update(takes_leads=False)
        # The weekly letters would be most of what there is to do.
        Effect.objects.all().delete()
    return owner, [make_member(owner.workspace, Role.REP, name, takes_leads=True) for name in ("Rita Rep", "Otto Rep")]


@pytest.mark.once
def test_whatever_happens_in_whatever_order(crew, work, monkeypatch):
    owner, reps = crew
    few = settings(
        max_examples=12,
        stateful_step_count=30,
        # Whoever sees it fail shrinks it by hand; that would take the suite's whole quarter of an hour.
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Machine(owner, reps, monkeypatch), settings=few)
