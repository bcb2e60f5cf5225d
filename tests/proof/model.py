"""The business as a plain model: what design.md says of people, offers, deals and steps, without a database.

It is told what happens in the order in which it happened, and says what must be so afterwards. To whom an offer goes it
doesn't foretell: it learns that, and says whether it may be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from tests.proof.deals import Deals
from tests.proof.people import DAY, OPEN, PEOPLE_DID_IT, SALES, Act, Away, No, Offer, Person, Step
from tests.proof.scores import Rules

GRID = (None, "judged", "date")
CALL = "Call: asked for contact"
AGAIN = "Call: asked for contact again"
CAME = "See what they want: came to us again"


class Model(Deals):
    """Everybody, and what the worker has to do for them: `owes` are (handler, person, due) of new duties.

    The `leaders` act for others, the `managers` among them before the owner.
    """

    def __init__(self, rules: Rules, leaders: set[UUID], managers: set[UUID], takers: set[UUID]) -> None:
        self.rules, self.leaders, self.managers, self.takers = rules, leaders, managers, takers
        self.people: dict[UUID, Person] = {}
        self.kept: dict[str, UUID] = {}
        self.away: list[Away] = []
        self.owes: list[tuple[str, UUID | None, datetime]] = []
        self.tells: list[tuple[str, UUID | None, UUID | None]] = []
        self.lost: dict[UUID, list[UUID]] = defaultdict(list)

    # ── who is there ──

    def take_off(self, away: Away, at: datetime) -> None:
        """Somebody will be away: what waits for them then goes on."""
        if any(one.who == away.who and one.first <= away.last and one.last >= away.first for one in self.away):
            raise No
        self.away.append(away)
        begins = datetime.combine(away.first, time(), self.rules.zone)
        self.owes.append(("away", None, max(begins, at)))

    def leave(self, away: Away, at: datetime) -> None:
        if away in self.away and away.first <= at.astimezone(self.rules.zone).date() <= away.last:
            for person in self.people.values():
                if person.offer and person.offer.to == away.who:
                    self._again(person, person.offer, at, outcome="rerouted", by=away.who)

    def here(self, at: datetime) -> set[UUID]:
        """Who takes leads and is there, today and on the day on which what comes now is worked."""
        today, worked = at.astimezone(self.rules.zone).date(), self._worked(at)
        return self.takers - {one.who for one in self.away if one.first <= worked and one.last >= today}

    def _worked(self, at: datetime) -> date:
        """The day on which what comes now is worked: Monday to Friday, to five o'clock."""
        local = at.astimezone(self.rules.zone)
        worked = local.date() + DAY * (local.hour >= 17)
        while worked.weekday() > 4:
            worked += DAY
        return worked

    def heads(self, at: datetime) -> set[UUID]:
        """Who is told of what is late: the managers who are here, else the owner, if here; if nobody is, as if all."""
        worked = self._worked(at)
        here = self.leaders - {one.who for one in self.away if one.first <= worked <= one.last}
        return self.managers & here or here or self.managers or self.leaders

    def knows(self, person: Person) -> UUID | None:
        """Who goes before everybody else: who looks after them, had them last, or has their company."""
        if person.holder:
            return person.holder
        if person.way and "with" in person.way:
            return UUID(person.way["with"])
        if person.sales:
            return person.sales[-1].holder
        had = [one.closed_by for one in person.offers if one.outcome in ("accepted", "given_back")]
        return had[-1] if had else self.kept.get(person.company)

    # ── offers ──

    def open(self, person: Person, at: datetime, *, follows: Offer | None = None, to: UUID | None = None) -> None:
        """Hand a person over, unless they are."""
        if person.offer is not None:
            return
        tried = follows.tried | {follows.to} - {None} if follows else frozenset()
        root = follows and (follows.root or follows)
        free, known = self.here(at) - tried, self.knows(person)
        may = {to} if to else {known} & free or free
        person.offers.append(Offer(at, frozenset(tried), frozenset(may), root=root))  # type: ignore[arg-type]
        if person.stage != "customer":
            person.move("ready")
        person.cool, person.waits = None, False

    def learn(self, person: Person, pk: UUID, to: UUID | None, due: Mapping[str, datetime]) -> None:
        """Note to whom an offer went, and until when."""
        offer = person.offer
        assert offer is not None
        may = to in offer.may or (to is None and not offer.may)
        assert may, "offered past who knows them, to who had it or is away, or to nobody though somebody is there"
        offer.pk, offer.to, offer.due = pk, to, due
        self.owes += [("notify", person.pk, offer.opened_at), ("remind", person.pk, due["remind"])]

    def may_take(self, offer: Offer, by: UUID) -> bool:
        return by in self.leaders or offer.to in (by, None)

    def accept(self, person: Person, by: UUID, at: datetime) -> None:
        offer = person.offer
        if offer is None or not self.may_take(offer, by):
            if person.holder == by:
                return
            raise No
        offer.close("accepted", by)
        if person.stage == "customer":
            person.holder = by
            if all(step.what != CALL for step in person.steps):
                person.steps.append(Step(by, CALL, offer.due["speak"], at))
        else:
            person.move("working", by)
        self.keep_company(person, by)

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
        had = person.holder
        if person.stage != "customer":
            way = way and way | ({"with": str(had)} if had else {})
            person.move("nurturing" if way else "disqualified", cool=cool, way=way)
        elif way == {"way": "date"}:
            person.cool = cool
        else:
            cool = None
        company = person.company
        mates = [one for one in self.people.values() if one.company == company and one.holder == had]
        if had and not mates and self.kept.get(company) == had:
            del self.kept[company]
        self.owes += [("cool", person.pk, cool or at), ("enroll", person.pk, at)]

    def leaves(self, person: Person, at: datetime) -> None:
        """Open deals are lost, and steps end, but for those of a customer whom somebody looks after."""
        for sale in person.sales:
            if sale.stage in OPEN:
                sale.before, sale.stage, sale.decided_at = sale.stage, "lost", at
        self.cancel_all(person, at)
        if not (person.stage == "customer" and person.holder):
            person.end_steps(at, person.steps)

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
        if to:
            self.keep_company(person, to)
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
        self.owes += [(name, person.pk, at) for name in ("deals_follow", "demos_follow", "follow")]

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
                person.steps.append(Step(person.holder, AGAIN, at, at))
            self.tell("asked-again", person, {person.holder})
        elif person.stage in ("new", "nurturing", "lost"):
            self.open(person, at)

    def see(self, person: Person, at: datetime) -> None:
        """A customer came again: a step for who has them."""
        if person.holder and person.stage == "customer" and all(step.what != CAME for step in person.steps):
            person.steps.append(Step(person.holder, CAME, at, at))

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
            self.tell("handoff-late", person, self.heads(at))
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
