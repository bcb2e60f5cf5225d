"""Steps on marketing's side: who comes, what they do, what is taken back, who is set aside, the rules, and the go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, precondition, rule

from funnel.handoff import actions as handoff
from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from funnel.scoring import changing
from funnel.scoring.models import RuleVersion
from funnel.scoring.rules import default_rules
from funnel.workspaces.models import Member
from tests.proof.machine import TICK, Beside
from tests.proof.people import Act, Person

KINDS = ("page_view", "visit", "call", "promo_event", "contact_request", "email_reply")
# Together more than the highest line, whichever rules are in force.
HOT = ("call", "call", "visit", "form")
# What else there is to do, without a visit; together it is ready by most rules.
WARM = ("call", "call", "form", "promo_event")
HOW = st.sampled_from(["keen", "slow", "other"])
# Whom sales has given back or lost, and leaves in peace for a while.
COOLING = Bundle("cooling")
# Each is somebody: what they give of themselves. Two share a number, two a company; some agree to mail.
CAST = (
    {"name": "Ann Bell", "email": "ann@bell.example", "phone": "01632 960101", "company": "Bell"},
    {"name": "Bo Cole", "email": "bo@cole.example", "phone": "01632 960101", "company": "Cole"},
    {"name": "", "email": "cy@gmail.com", "phone": "", "company": ""},
    {"name": "Di Eve", "email": "", "phone": "01632 960104", "company": "Eve & Co"},
    {"name": "Ed Fox", "email": "ed@fox.example", "phone": "", "company": ""},
    {"name": "Flo Cole", "email": "flo@cole.example", "phone": "", "company": ""},
)
# Who agrees to mail.
AGREE = (0, 1, 4)


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


class Marketing(Beside):
    """What may happen before the handoff."""

    @rule(number=st.integers(0, len(CAST) - 1), asks=st.booleans(), ago=st.sampled_from([0, 0, 2]))
    def capture(self, number: int, asks: bool, ago: int) -> None:
        """Somebody sends a form, or is told of days later."""
        self.now += TICK
        says, moment = CAST[number], self.now - timedelta(days=ago)
        agrees = {"email": "Write to me"} if number in AGREE else {}
        with self.gate():
            capture = Capture(kind="form", asks=asks, occurred_at=moment if ago else None, consents=agrees, **says)
            (got,) = receive(self.workspace, [capture], at=self.now)
            assert got.created == (number not in self.who)
            self.who.setdefault(number, got.lead.pk)
            assert self.who[number] == got.lead.pk, "somebody became two leads, or two people one"
            known = {{"company": "company_name"}.get(name, name) for name, value in says.items() if value}
            if says["email"].endswith(".example"):
                known.add("email:business")
            domain = says["email"].partition("@")[2]
            person = self.model.people.setdefault(got.lead.pk, Person(got.lead.pk))
            person.known |= known
            person.company, person.agreed = domain if domain.endswith(".example") else "", bool(agrees)
            person.acts.append(Act(got.event.pk, "form", moment, self.now, asks))
            self.model.owes.append(("score", person.pk, self.now))
            self.meet()

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), kind=st.sampled_from(KINDS), ago=st.sampled_from([0, 0, 0, 2]))
    def touch(self, number: int, kind: str, ago: int) -> None:
        """Somebody does something."""
        self._touched(self.person(number), kind, timedelta(days=ago))

    def _touched(self, person: Person, kind: str, ago: timedelta = timedelta()) -> None:
        self.now += TICK
        moment = self.now - ago
        with self.gate():
            event = touch(self.lead(person), kind, at=self.now, occurred_at=moment)
            person.acts.append(Act(event.pk, kind, moment, self.now, kind == "contact_request"))
            self.model.owes.append(("score", person.pk, self.now))
            if kind == "email_reply":
                self.model.owes.append(("replied", person.pk, self.now))
            self.meet()

    @rule(pk=COOLING, over=st.booleans())
    def comes_hot(self, pk: UUID, over: bool) -> None:
        """Who is to be left in peace does much, before that is over or as soon as it is; the worker looks at once."""
        person = self.model.people[pk]
        if over and person.cool:
            self.passes(person.cool)
        for kind in HOT:
            self._touched(person, kind)
        self.work()

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), which=st.integers(0, 9))
    def take_back(self, number: int, which: int) -> None:
        """An entry turns out to be wrong."""
        person = self.person(number)
        acts = [one for one in person.acts if not one.gone and one.kind in (*KINDS, "form")]
        if not acts:
            return
        self._taken_back(person, acts[which % len(acts)])

    def _taken_back(self, person: Person, act: Act) -> None:
        self.now += TICK
        with self.gate():
            event = void(Event.objects.get(pk=act.pk), reason="A slip", by=self.owner, at=self.now)
            act.gone = True
            person.acts.append(Act(event.pk, "voided", self.now, self.now))
            self.model.owes.append(("score", person.pk, self.now))
            self.meet()

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9))
    def set_aside(self, number: int) -> None:
        self._aside(self.person(number))

    def _aside(self, person: Person) -> None:
        self.both(
            lambda: self.model.set_aside(person, self.owner.pk, self.now),
            lambda: handoff.disqualify(self.lead(person), by=self.owner, at=self.now),
        )

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), to=st.sampled_from([None, 0, 1]))
    def bring_back(self, number: int, to: int | None) -> None:
        """The owner lets somebody go on who was set aside, or is for that."""
        person = self.person(number, lambda one: one.stage == "disqualified")
        if person.stage != "disqualified":
            self._aside(person)
        self._brought_back(person, None if to is None else self.reps[to])

    def _brought_back(self, person: Person, to: Member | None) -> None:
        def theirs() -> None:
            handoff.bring_back(self.lead(person), by=self.owner, at=self.now, to=to)
            event = Event.objects.filter(kind="brought_back").latest("pk")
            person.acts.append(Act(event.pk, "brought_back", self.now, self.now))

        self.both(lambda: self.model.bring_back(person, self.now, to.pk if to else None), theirs)

    @rule(how=HOW, again=st.booleans())
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

    @rule(how=HOW, again=st.booleans(), back=st.integers(1, 3))
    def go_back(self, how: str, again: bool, back: int) -> None:
        """The owner goes back to earlier rules, or changes them for that, after a visit that some count otherwise."""
        if self.model.rules.number == 1:
            if self.who:
                self._touched(self.person(back), "visit")
            for one in ("other", how):
                self.work()
                self.publish(one, again)
            self.work()
        if self.comes is not None:
            return
        self.now += TICK
        to = max(1, self.model.rules.number - back)
        with self.gate():
            changing.go_back(RuleVersion.objects.get(number=to), by=self.owner, at=self.now)
        self.comes = ("back", self.model.rules.versions[to], to)
        self.happened["went back"] += 1

    @rule(number=st.integers(0, 9))
    def go(self, number: int) -> None:
        """The owner gives the go for all who wait; where nobody does, somebody is told of who did much days ago."""
        if self.who and not self._waiting():
            fitting = self.person(number, lambda one: not one.customer and self.model.rules.fit(one) in "AB")
            if fitting.stage not in ("new", "nurturing") or fitting.cool:
                self._aside(fitting)
                self._brought_back(fitting, None)
            for kind in (*HOT, "promo_event"):
                self._touched(fitting, kind, timedelta(days=2))
            self.work()
        waiting = self._waiting()

        def ours() -> None:
            for person in waiting:
                self.model.go(person, self.now)

        opened = self.both(
            ours,
            lambda: handoff.go([one.pk for one in waiting], by=self.owner, workspace=self.workspace, at=self.now),
        )
        self.happened["gave a go"] += bool(opened)

    def _waiting(self) -> list[Person]:
        return [one for one in self.model.people.values() if one.waits]
