"""Baton and the model side by side: each step is done to both, and whatever one says the other must say too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

from django.utils import timezone
from hypothesis.stateful import RuleBasedStateMachine

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.ledger.models import Revenue
from funnel.mail.models import Message
from funnel.outbox.actions import try_again
from funnel.outbox.drain import drain, handlers
from funnel.outbox.models import Effect, Event, Lane, State
from funnel.scoring.models import Basis, LeadScore
from funnel.scoring.rules import default_rules
from funnel.workspaces.gate import tenant
from funnel.workspaces.hours import after
from funnel.workspaces.models import Member
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.slots import slot
from sales.deals.models import Deal
from sales.queue.desk import desk_of
from sales.queue.models import Task
from tests.conftest import undone
from tests.proof.desks import Desk, desk, short
from tests.proof.model import Model
from tests.proof.people import No, Person
from tests.proof.post import LETTERS, Died, Post
from tests.proof.scores import Rules

WATCHED = (
    "score", "notify", "remind", "escalate", "pass_on", "cool", "ask", "see", "follow", "deals_follow", "prompt",
    "away", *LETTERS,
)  # fmt: skip
# A Monday of the week before the clocks change.
BEGINS = datetime(2027, 3, 22, 8, 50, tzinfo=UTC)
TICK = timedelta(seconds=61)


class Beside(Post, RuleBasedStateMachine):
    """The two, the clock, and the worker between them; `happened` counts what happened in all of them so far."""

    def __init__(self, owner: Member, manager: Member, reps: list[Member], happened: Counter[str]) -> None:
        super().__init__()
        self.workspace, self.owner, self.manager, self.reps = owner.workspace, owner, manager, reps
        self.people, self.happened = [*reps, owner, manager], happened
        self.left = ExitStack()
        self.left.enter_context(undone())
        self.left.enter_context(timezone.override(self.workspace.zone))
        self.left.enter_context(patch("funnel.outbox.drain.handlers", self.handlers))
        self.open_post(self.left)
        self.now = BEGINS
        rules = Rules(default_rules(), self.workspace.zone)
        self.model = Model(rules, {owner.pk, manager.pk}, {manager.pk}, {one.pk for one in reps})
        self.who: dict[int, UUID] = {}
        self.turn = self.letters = 0
        self.desks: dict[UUID, Desk] = {}
        self.comes: tuple[str, dict[str, Any], int] | None = None
        self.fault: tuple[str, str] | None = None
        self.culprit = 0
        self.stuck: list[int] = []
        self.waits: set[int] = set()
        self.differs: AssertionError | None = None
        with self.gate():
            self.seen = max(Effect.objects.values_list("pk", flat=True), default=0)

    def nobody_manages(self) -> None:
        """The business has no manager, so that its owner is told of what is late."""
        with self.gate():
            Member.objects.filter(pk=self.manager.pk).update(active=False)
        self.people.remove(self.manager)
        self.model.leaders, self.model.managers = {self.owner.pk}, set()

    def teardown(self) -> None:
        """In the end what was stuck is tried again, the worker is through, and check_facts has nothing to say."""
        try:
            self.now += timedelta(hours=1)
            with self.gate():
                for pk in Effect.objects.filter(state=State.STUCK).values_list("pk", flat=True):
                    try_again(pk, at=self.now)
            self.work()
            with self.gate():
                # Nobody reads these addresses.
                Effect.objects.filter(lane=Lane.MAIL).update(state=State.DONE)
                self.compare(every=True)
                self.compare_letters()
                found = [one for fact in slot("facts") for one in fact(self.workspace, self.now)]
                assert not found, found
                waits = Effect.objects.filter(pk__in=self.waits, state=State.DONE)
                assert not waits.exists(), "something counts as done that nobody did"
                assert Message.objects.count() == self.letters, "a letter that nobody sends"
                self.happened.update(Event.objects.values_list("kind", flat=True))
                self.happened.update(Handoff.objects.values_list("outcome", flat=True))
        finally:
            self.left.close()

    def gate(self) -> Any:
        return tenant(self.workspace, write=True)

    # ── both at once ──

    def both(self, ours: Any, theirs: Any) -> Any:
        """Do it in the model, then in Baton; both refuse or neither."""
        self.now += TICK
        try:
            ours()
            refuses = False
        except No:
            refuses = True
        answer, said = None, None
        try:
            with self.gate():
                answer = theirs()
                self.meet()
        except Refusal as refusal:
            said = refusal.sentence
        assert refuses == (said is not None), f"the model refuses: {refuses}; Baton says: {said}"
        return answer

    def meet(self) -> None:
        """Let the model learn of new offers, and compare what has become due and who is told of what."""
        for person in self.model.people.values():
            if person.offer is not None and person.offer.pk is None:
                row = Handoff.objects.filter(lead=person.pk, outcome="").first()
                assert row is not None, "the model has an open offer, Baton none"
                promise = self.workspace.promise(self.model.rules.fit(person) if person.scored else "")
                hours = promise["accept"]
                due = {
                    "remind": after(self.workspace, person.offer.opened_at, hours / 2),
                    "late": after(self.workspace, person.offer.opened_at, hours),
                    "over": after(self.workspace, person.offer.opened_at, hours * 1.5),
                    "speak": after(self.workspace, person.offer.opened_at, promise["contact"]),
                }
                if person.offer.root is not None:
                    due["speak"] = person.offer.root.due["speak"]
                assert (row.opened_at, row.began_at) == (person.offer.opened_at, person.offer.began_at)
                assert [row.remind_at, row.due_at, row.reroute_at, row.contact_due_at] == list(due.values())
                self.model.learn(person, row.pk, row.offered_to_id, due)
        columns = ("pk", "handler", "event__lead", "due_at", "event__data")
        rows = list(Effect.objects.filter(pk__gt=self.seen).order_by("pk").values_list(*columns))
        self.seen = max((row[0] for row in rows), default=self.seen)
        found = Counter(row[1:4] for row in rows if row[1] in WATCHED)
        self.waits |= {row[0] for row in rows if row[1] in WATCHED}
        owed, self.model.owes = Counter(self.model.owes), []
        assert found == owed, f"due in Baton only: {found - owed}; in the model only: {owed - found}"
        sent = [UUID(says["message"]) for _, handler, _, _, says in rows if handler == "send" and "again" not in says]
        letters = Message.objects.filter(pk__in=sent).values_list("pk", "kind", "lead", "member") if sent else []
        about = {pk: rest for pk, *rest in letters}
        wrote, told = Counter(tuple(about[pk]) for pk in sent), Counter(self.model.told())
        self.learn_letters([(pk, *about[pk][:2]) for pk in sent if about[pk][2] is None])
        assert wrote == told, f"told by Baton only: {wrote - told}; by the model only: {told - wrote}"
        self.letters += len(sent)

    def person(self, number: int, fits: Callable[[Person], Any] = bool) -> Person:
        """Somebody who is there already, in the order of their coming; mostly one of those who fit, where there are."""
        people = list(self.model.people.values())
        fitting = [one for one in people if fits(one)] if number < 8 else []
        return (fitting or people)[number % len(fitting or people)]

    def whoever(self, person: Person, by: int) -> Member:
        """Mostly whoever has somebody, or is offered them; else one of all."""
        theirs = person.holder or (person.offer and person.offer.to)
        if by >= len(self.people):
            return next((one for one in self.people if one.pk == theirs), self.reps[0])
        return self.people[by]

    def lead(self, person: Person) -> Lead:
        return Lead.objects.select_related("workspace", "holder__user").get(pk=person.pk)

    # ── the worker ──

    def handlers(self) -> dict[str, Any]:
        """The worker's handlers, each watched; one fails or ends the worker where a fault says so."""
        return {name: self._watched(name, handler) for name, handler in handlers().items()}

    def _watched(self, name: str, handler: Any) -> Any:
        def run(effects: list[Effect], at: datetime) -> Any:
            how = self.fault[1] if self.fault and self.fault[0] == name else ""
            if how:
                self.culprit = self.culprit or effects[0].pk
            hit = bool(how) and self.culprit in [one.pk for one in effects]
            self.happened[how] += hit
            if hit and how == "dies before":
                raise Died
            left = handler(effects, at)
            if hit:
                raise Died if how == "dies after" else RuntimeError("in the middle")
            try:
                self.did(name, effects, at)
            except AssertionError as differs:
                # The worker would take it for a failing handler, and go on.
                self.differs = self.differs or differs
            return left

        run.outside = getattr(handler, "outside", False)  # type: ignore[attr-defined]
        run.whole = getattr(handler, "whole", False)  # type: ignore[attr-defined]
        return run

    def did(self, name: str, effects: list[Effect], at: datetime) -> None:
        """A handler is through with these: let the model do the same."""
        if name == "fill_basis":
            number = Basis.objects.values_list("version__number", flat=True).get(in_force=True)
            if number != self.model.rules.number:
                assert self.comes is not None
                how, rules, back_to = self.comes
                acts = [act for person in self.model.people.values() for act in person.acts]
                self.model.rules.publish(rules, how, back_to, acts=acts)
                self.comes = None
                assert number == self.model.rules.number
        elif name == "judge_all":
            self.model.judge_all(at)
        if name not in WATCHED:
            return
        self.waits -= {one.pk for one in effects}
        ids = [one.event_id for one in effects]
        events = Event.objects.filter(pk__in=ids).select_related("voids").order_by("pk")
        if name == "away":
            for event in events:
                for one in [one for one in self.model.away if str(one.pk) == event.data["time_off"]]:
                    self.model.leave(one, at)
            self.meet()
            return
        by_person: dict[UUID, list[Event]] = {}
        for event in events:
            by_person.setdefault(event.lead_id, []).append(event)
        for pk, told in by_person.items():
            person = self.model.people[pk]
            if name == "score":
                acts = [act for act in person.acts if not act.gone and act.pk in [one.pk for one in told]]
                if acts:
                    self.model.score(person, acts, at)
            elif name in LETTERS:
                self.wrote(name, person, told, at)
            elif name in ("ask", "see"):
                getattr(self.model, name)(person, at)
            elif name == "follow":
                self.model.follow_holder(person)
            elif name == "prompt":
                for event in told:
                    self.model.prompt(person, event.data["what"], datetime.fromisoformat(event.data["due"]))
            elif name == "deals_follow":
                for event in told:
                    # A customer whom nobody looked after has no deals that could follow.
                    if event.data["was"]:
                        self.model.deals_follow(person, UUID(event.data["was"]))
            elif name == "cool":
                for event in told:
                    until = datetime.fromisoformat(event.data["until"]) if event.data["until"] else None
                    self.model.cooled(person, at, until=until, promised=event.data["promised"])
            else:
                for event in told:
                    offer = next(one for one in person.offers if str(one.pk) == event.data["handoff"])
                    getattr(self.model, name)(person, offer, at)
        self.meet()

    def work(self, fault: tuple[str, str] | None = None, culprit: int = 0) -> None:
        """Let the worker do what is due; without a fault nothing that could be done is left.

        A fault meets the `culprit`, or else the first effect of its handler.
        """
        self.fault, self.culprit = fault, culprit
        moment = self.now
        try:
            # However busy the machine is.
            drain(at=moment, seconds=10**6)
        except Died:
            return
        finally:
            self.fault = None
            if self.differs is not None:
                raise self.differs
        if fault is None:
            with self.gate():
                due = Effect.objects.filter(state=State.DUE, due_at__lte=moment).exclude(lane=Lane.MAIL)
                left = due.exclude(leased_until__gt=moment).values_list("handler", flat=True)
                found = list(left)
                assert not found, found

    def passes(self, until: datetime) -> None:
        """Let time go by until then; each thing is done when it is due."""
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

    # ── what must be so after every step ──

    def compare(self, *, every: bool = False) -> None:
        """What the model says of people, offers, deals, money, steps, scores and desks is what Baton has.

        A desk costs as much as all the rest, so those are looked at that have changed, at every other step one more in
        turn, and in the end `every` one.
        """
        self._leads()
        self._offers()
        self._deals()
        self._scores()
        self.turn = (self.turn + 1) % (2 * len(self.people))
        for place, who in enumerate(self.people):
            mine = desk(self.model.people.values(), self.model.away, who.pk, self.now, self.workspace.zone)
            in_turn = self.turn == 2 * place
            if every or in_turn or mine != self.desks.get(who.pk):
                self._desk(who, mine)
                self.desks[who.pk] = mine

    def _leads(self) -> None:
        columns = (
            "pk",
            "stage",
            "holder_id",
            "cool_until",
            "way_back",
            "company__holder",
            "waits_since",
            "customer_since",
        )
        found = {row[0]: row[1:] for row in Lead.objects.values_list(*columns)}
        assert set(found) == set(self.model.people), "somebody is lost, or stands there twice"
        for pk, one in self.model.people.items():
            *same, waits, since = found[pk]
            kept = self.model.kept.get(one.company)
            mine = (one.stage, one.holder, one.cool, one.way, kept, one.waits, one.customer)
            theirs = (*same, waits is not None, since is not None)
            assert theirs == mine, f"Baton has {theirs}, the model {mine}"

    def _offers(self) -> None:
        rows = Handoff.objects.order_by("opened_at", "pk")
        columns = ("lead_id", "pk", "offered_to", "outcome", "closed_by", "escalated_at", "given_back_at")
        found = list(rows.values_list(*columns))
        for person in self.model.people.values():
            mine = [(one.pk, one.to, one.outcome, one.closed_by, one.late_at, one.back) for one in person.offers]
            theirs = [row[1:] for row in found if row[0] == person.pk]
            assert theirs == mine, f"Baton has {theirs}, the model {mine}"
            assert sum(not one.outcome for one in person.offers) <= 1

    def _deals(self) -> None:
        columns = ("lead_id", "pk", "holder_id", "stage", "amount", "stage_before", "made_customer")
        found = list(Deal.objects.order_by("made_at", "pk").values_list(*columns))
        steps = list(Task.objects.open().values_list("lead_id", "holder_id", "what", "due_at"))
        booked: Counter[Any] = Counter()
        for *whose, amount, worth in Revenue.objects.values_list("lead_id", "deal_id", "amount", "base_amount"):
            assert amount == worth
            booked[tuple(whose)] += amount
        people = self.model.people.values()
        won = Counter({(person.pk, sale.pk): sale.booked for person in people for sale in person.sales})
        assert booked == won, f"Baton has booked {booked}, the model {won}"
        for person in people:
            mine = [(s.pk, s.holder, s.stage, s.amount, s.before, s.made_customer) for s in person.sales]
            theirs = [row[1:] for row in found if row[0] == person.pk]
            assert theirs == mine, f"Baton has {theirs}, the model {mine}"
            planned = sorted((step.holder, step.what, step.due) for step in person.steps)
            open_ = sorted(row[1:] for row in steps if row[0] == person.pk)
            assert open_ == planned, f"Baton has {open_}, the model {planned}"

    def _scores(self) -> None:
        pending = Effect.objects.filter(handler="score").exclude(state=State.DONE).values_list("event__lead", flat=True)
        waits, basis = set(pending), Basis.objects.select_related("version").get(in_force=True)
        for row in LeadScore.objects.filter(basis=basis).exclude(lead__in=waits):
            person = self.model.people[row.lead_id]
            mine, theirs = self.model.rules.engagement(person, self.now), basis.now(row.total, self.now)
            assert abs(mine - theirs) < 1e-6, f"engagement {theirs}, by the model {mine}"
            assert row.fit_band == self.model.rules.fit(person)

    def _desk(self, who: Member, mine: Desk) -> None:
        groups, _ = desk_of(who, at=self.now, workspace=self.workspace)
        found = {
            group.title: sorted(
                (row.lead.pk, "" if group.title == "New handoffs" else short(row.what)) for row in group.rows
            )
            for group in groups
        }
        assert found == mine, f"Baton has {found}, the model {mine}"
