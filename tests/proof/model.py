"""The business as a plain model: what design.md says of people, offers, deals and steps, without a database.

It is told what happens in the order in which it happened, and says what must be so afterwards. To whom an offer goes it
doesn't foretell: it learns that, and says whether it may be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.proof.people import DAY, OPEN, PEOPLE_DID_IT, SALES, Act, Offer, Person, Sale, Step
from tests.proof.scores import Rules

GRID = (None, "judged", "date")
AGAIN = "Call: asked for contact again"
CAME = "See what they want: came to us again"


class No(Exception):
    """This may not be done; nothing has changed."""


class Model:
    """Everybody, and what the worker has to do for them: `owes` are (handler, person, due) of new duties.

    `tells` are (kind, person, whom) of new letters; of several people whom somebody lost at once one letter tells.
    """

    def __init__(self, rules: Rules, leaders: set[UUID], takers: set[UUID]) -> None:
        self.rules, self.leaders, self.takers = rules, leaders, takers
        self.people: dict[UUID, Person] = {}
        self.owes: list[tuple[str, UUID, datetime]] = []
        self.tells: list[tuple[str, UUID | None, UUID]] = []
        self.lost: dict[UUID, list[UUID]] = defaultdict(list)

    # ── letters ──

    def tell(self, kind: str, person: Person, whom: Iterable[UUID]) -> None:
        self.tells += [(kind, person.pk, one) for one in whom]

    def tell_offered(self, kind: str, person: Person, offer: Offer) -> None:
        """Tell whoever has the offer; what is in the pool everybody who may take it."""
        self.tell(kind, person, {offer.to} if offer.to else self.leaders | self.takers)

    def told(self) -> list[tuple[str, UUID | None, UUID]]:
        """The letters since this was asked last."""
        gone = [("gone-on", who[0] if len(who) == 1 else None, whom) for whom, who in self.lost.items()]
        said, self.tells = self.tells + gone, []
        self.lost.clear()
        return said

    # ── offers ──

    def open(self, person: Person, at: datetime, *, follows: Offer | None = None, to: UUID | None = None) -> None:
        """Hand a person over, unless they are."""
        if person.offer is not None:
            return
        tried = follows.tried | {follows.to} - {None} if follows else frozenset()
        root = follows and (follows.root or follows)
        person.offers.append(Offer(at, frozenset(tried), to, root=root))  # type: ignore[arg-type]
        if person.stage != "customer":
            person.move("ready")
        person.cool, person.waits = None, False

    def learn(self, person: Person, pk: UUID, to: UUID | None, due: Mapping[str, datetime]) -> None:
        """Note to whom an offer went, and until when; nobody has it twice, and the pool only what all had."""
        offer = person.offer
        assert offer is not None
        assert (
            to == offer.by_hand
            if offer.by_hand
            else to in self.takers - offer.tried or (to is None and self.takers <= offer.tried)
        ), "offered to somebody who had it, or to nobody though somebody had not"
        offer.pk, offer.to, offer.due = pk, to, due
        self.owes += [("notify", person.pk, offer.opened_at), ("remind", person.pk, due["remind"])]

    def may_take(self, offer: Offer, by: UUID) -> bool:
        return by in self.leaders or offer.to in (by, None)

    def accept(self, person: Person, by: UUID) -> None:
        offer = person.offer
        if offer is None or not self.may_take(offer, by):
            if person.holder == by:
                return
            raise No
        offer.close("accepted", by)
        if person.stage == "customer":
            person.holder = by
        else:
            person.move("working", by)

    def give_back(
        self, person: Person, by: UUID, at: datetime, *, way: dict[str, Any] | None, cool: datetime | None
    ) -> None:
        """Back to marketing with a way back; without one they are set aside."""
        offer = person.offer
        if offer is not None:
            if not self.may_take(offer, by):
                raise No
            offer.close("given_back", by)
            offer.back = at
        else:
            if person.stage not in SALES or (person.holder != by and by not in self.leaders):
                raise No
            if taken := [one for one in person.offers if one.outcome == "accepted" and not one.back]:
                taken[-1].back = at
        self.leaves(person, at)
        if person.stage != "customer":
            person.move("nurturing" if way else "disqualified", cool=cool, way=way)
        elif way == {"way": "date"}:
            person.cool = cool
        else:
            cool = None
        self.owes.append(("cool", person.pk, cool or at))

    def leaves(self, person: Person, at: datetime) -> None:
        """Open deals are lost, and steps end, but for those of a customer whom somebody looks after."""
        for sale in person.sales:
            if sale.stage in OPEN:
                sale.before, sale.stage, sale.decided_at = sale.stage, "lost", at
        if not (person.stage == "customer" and person.holder):
            person.steps.clear()

    def set_aside(self, person: Person, by: UUID, at: datetime) -> None:
        if person.stage == "customer":
            raise No
        if person.stage == "disqualified":
            return
        if person.offer:
            person.offer.close("overtaken", by)
        self.leaves(person, at)
        person.move("disqualified")

    def bring_back(self, person: Person, at: datetime, to: UUID | None) -> None:
        if person.stage != "disqualified":
            raise No
        person.move("working" if to else "nurturing", to, cool=None)
        self.owes.append(("score", person.pk, at))

    def go(self, person: Person, at: datetime) -> None:
        if person.waits:
            self.open(person, at)

    def pass_by_hand(self, person: Person, by: UUID, at: datetime, to: UUID | None) -> None:
        """Offer to somebody else what is open, because a leader says so."""
        assert person.offer
        self._again(person, person.offer, at, outcome="rerouted", by=by, to=to)

    def pass_on(self, person: Person, offer: Offer, at: datetime) -> None:
        """The time is over: offer it to somebody else; what all had stays open."""
        if not offer.outcome and offer.to is not None:
            self._again(person, offer, at, outcome="expired")

    def _again(
        self,
        person: Person,
        offer: Offer,
        at: datetime,
        *,
        outcome: str,
        by: UUID | None = None,
        to: UUID | None = None,
    ) -> None:
        offer.close(outcome)
        if offer.to not in (None, by):
            self.lost[offer.to].append(person.pk)
        self.open(person, at, follows=offer, to=to)

    def pass_held(self, person: Person, to: UUID, by: UUID, at: datetime) -> None:
        if person.stage not in (*SALES, "customer"):
            raise No
        if person.holder == to:
            return
        if person.holder not in (None, by):
            self.lost[person.holder].append(person.pk)
        self.tell("passed-on", person, {to} - {by})
        person.holder = to
        self.owes += [("deals_follow", person.pk, at), ("follow", person.pk, at)]

    # ── what the worker does ──

    def score(self, person: Person, acts: Sequence[Act], at: datetime) -> None:
        """Judge by what came, live and past in turn."""
        rounds: list[list[Act]] = []
        for act in acts:
            if not rounds or rounds[-1][-1].lives != act.lives:
                rounds.append([])
            rounds[-1].append(act)
        for each in rounds:
            for act in each:
                self.rules.score(act)
            person.scored = True
            self.judge(person, each, at)

    def judge(self, person: Person, acts: Sequence[Act], at: datetime) -> None:
        asked = any(act.asks and act.lives for act in acts)
        live = any(act.lives for act in acts)
        busy = person.stage == "customer" and person.holder is not None and person.first_open() is not None
        if person.stage in SALES or busy:
            if asked:
                self.owes.append(("ask", person.pk, at))
        elif person.stage == "customer":
            if asked:
                self.open(person, at)
            elif person.holder and any(act.lives and act.kind in ("form", "call", "email_reply") for act in acts):
                self.owes.append(("see", person.pk, at))
        elif person.stage not in ("ready", "disqualified"):
            ready = self.rules.ready(person, at, [act.kind for act in acts])
            cooling = person.cool is not None and person.cool > at
            touched = any(act.kind not in PEOPLE_DID_IT for act in acts)
            if asked or (live and not cooling and (ready or person.waits)):
                self.open(person, at)
            elif ready and not cooling and not person.waits and (touched or person.stage != "lost"):
                person.move("nurturing")
                person.waits = True
            elif person.stage == "new" or (person.stage == "lost" and live and not cooling):
                person.move("nurturing")

    def cooled(self, person: Person, at: datetime, *, until: datetime | None, promised: bool) -> None:
        """The day that was said when they went has come; a day that was said before that counts no more."""
        if (
            person.stage not in ("nurturing", "lost", "customer")
            or person.cool is None
            or person.cool > at
            or until != person.cool
        ):
            return
        person.cool = None
        if promised:
            self.open(person, at)
        else:
            self.judge(person, [Act(0, "cooled", at, at)], at)

    def ask(self, person: Person, at: datetime) -> None:
        """They asked for contact while somebody had them: a step, or an offer where they were given back since."""
        if person.holder is not None and person.stage in (*SALES, "customer"):
            if all(step.what != AGAIN for step in person.steps):
                person.steps.append(Step(person.holder, AGAIN, at))
            self.tell("asked-again", person, {person.holder})
        elif person.stage in ("new", "nurturing", "lost"):
            self.open(person, at)

    def see(self, person: Person, at: datetime) -> None:
        """A customer came again: a step for who has them."""
        if person.holder and person.stage == "customer" and all(step.what != CAME for step in person.steps):
            person.steps.append(Step(person.holder, CAME, at))

    def notify(self, person: Person, offer: Offer, at: datetime) -> None:
        if not offer.outcome:
            self.tell_offered("handoff", person, offer)

    def remind(self, person: Person, offer: Offer, at: datetime) -> None:
        if not offer.outcome:
            self.tell_offered("handoff-reminder", person, offer)
            self.owes.append(("escalate", person.pk, max(offer.due["late"], at)))

    def escalate(self, person: Person, offer: Offer, at: datetime) -> None:
        if not offer.outcome:
            offer.late_at = at
            self.tell("handoff-late", person, self.leaders)
            self.owes.append(("pass_on", person.pk, max(offer.due["over"], at)))

    def follow_holder(self, person: Person) -> None:
        """Whoever has a person now has their steps."""
        for step in person.steps:
            step.holder = person.holder or step.holder

    def deals_follow(self, person: Person, was: UUID) -> None:
        """And the open deals of whoever had them."""
        for sale in person.sales:
            if sale.stage in OPEN and sale.holder == was:
                sale.holder = person.holder or was

    def judge_all(self, at: datetime) -> None:
        """Rules came in force: who is over the line waits for a go, who isn't any more waits no longer."""
        for person in self.people.values():
            if not person.scored or (person.way or {}).get("way") not in GRID:
                continue
            ready = self.rules.ready(person, at)
            cooling = person.cool is not None and person.cool > at
            if person.waits and not ready:
                person.waits = False
            elif ready and not cooling and person.stage in ("new", "nurturing"):
                person.move("nurturing")
                person.waits = True

    # ── deals ──

    def enter(self, person: Person, holder: UUID, by: UUID) -> None:
        """End the wait of somebody with whom a deal begins."""
        if offer := person.offer:
            if offer.to not in (None, holder, by) and by not in self.leaders:
                raise No
            offer.close("accepted" if offer.to == holder else "overtaken", holder)

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

    def win(self, person: Person, sale: Sale, by: UUID, at: datetime) -> None:
        self._mine(sale, by)
        if sale.stage == "won":
            return
        if person.stage not in SALES:
            self.may_enter(person, sale, by)
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
        self._mine(sale, by)
        if sale.stage == "won":
            raise No
        if sale.stage == "lost":
            return
        was = (sale.stage, sale.before, sale.decided_at)
        sale.before, sale.stage, sale.decided_at = sale.stage, "lost", at
        try:
            self.follow(person, sale, by, cool)
        except No:
            sale.stage, sale.before, sale.decided_at = was
            raise
        if until and person.stage == "customer":
            person.cool = until
        self.owes.append(("cool", person.pk, cool or at))

    def undo(self, person: Person, sale: Sale, by: UUID, at: datetime) -> None:
        self._mine(sale, by)
        if sale.stage in OPEN or sale.decided_at is None or at > sale.decided_at + DAY:
            raise No
        if person.stage not in SALES:
            self.may_enter(person, sale, by)
        sale.stage, sale.before, sale.decided_at, sale.booked = sale.before, "", None, 0
        if sale.made_customer:
            sale.made_customer = False
            others = [one for one in person.sales if one.stage == "won"]
            person.customer = bool(others)
            if others:
                min(others, key=lambda one: one.decided_at or at).made_customer = True
        self.follow(person, sale, by)

    def _mine(self, sale: Sale, by: UUID) -> None:
        if sale.holder != by and by not in self.leaders:
            raise No

    # ── steps ──

    def call(self, person: Person, by: UUID, at: datetime, then: Step | None) -> None:
        if person.holder is None or (person.holder != by and by not in self.leaders):
            raise No
        person.spoken.append(at)
        if then is not None:
            person.steps.append(Step(person.holder, then.what, then.due))
            self.owes.append(("prompt", person.pk, then.due))

    def prompt(self, person: Person, what: str, due: datetime) -> None:
        """A step comes up that is still to be done: whoever has it is reminded."""
        if person.holder is not None:
            self.tell("task", person, [one.holder for one in person.steps if (one.what, one.due) == (what, due)])
