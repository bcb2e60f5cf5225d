"""What the reps of a played year do: take, ask, give back, call, sell, show, win, lose and undo."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from funnel.handoff import actions as handoff
from funnel.handoff import questions
from funnel.handoff.models import GiveBackReason, Handoff, Question
from funnel.leads.models import Lead
from funnel.leads.stages import SALES
from funnel.workspaces.hours import after
from funnel.workspaces.refusals import Refusal
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage, LostReason
from sales.demos import actions as demos
from sales.demos.models import Demo
from sales.queue import actions as queue
from sales.queue.models import CallOutcome
from tests.proof.year_marketing import Marketing

HALF = timedelta(minutes=30)


class Selling(Marketing):
    """What becomes of those who were handed over."""

    def _answered(self, pk: UUID, who: UUID | None) -> None:
        """Somebody will look at an offer, or nobody in time."""
        dice = self.dice
        rep = self.people[who] if who else dice.choice(self.reps)
        if dice.random() < 0.9:
            self.later(dice.choice((0.1, 0.5, 1, 2, 5, 7)), partial(self._decides, pk, rep))
        elif who is None:
            self.later(20, partial(self._decides, pk, self.owner))

    def _decides(self, pk: UUID, rep: Any, at: datetime) -> None:
        with self.gate():
            one = Handoff.objects.takeable_by(rep).filter(pk=pk).select_related("lead").first()
            if one is None or rep.pk in self.gone:
                return
            fate = self.dice.random()
            if fate > 0.94:
                self._asks(one.lead, rep, at)
                self.later(3, partial(self._decides, pk, rep))
                return
            if fate < 0.13:
                self._back(one.lead, rep, at)
                return
            handoff.accept(one.lead, by=rep, at=at)
        self.did["taken"] += 1
        self.later(self.dice.choice((0.2, 1, 4, 12)), partial(self._calls, one.lead_id, rep))

    def _asks(self, lead: Any, rep: Any, at: datetime) -> None:
        """Marketing is asked for more, and answers mostly."""
        asked = self._asked(lead, rep, at)
        if self.dice.random() < 0.7:
            self.later(self.dice.choice((1, 6, 20)), partial(self._answers, asked.pk))

    def _asked(self, lead: Any, rep: Any, at: datetime) -> Question:
        self.did["questions"] += 1
        return questions.ask(lead, "What did they see at the fair?", by=rep, at=at)

    def _answers(self, pk: UUID, at: datetime) -> None:
        with self.gate():
            questions.answer(Question.objects.get(pk=pk), "The new roof", by=self.marketer, at=at)
        self.did["answers"] += 1

    def _back(self, lead: Any, rep: Any, at: datetime) -> None:
        reason = self.dice.choice(list(GiveBackReason.objects.offered()))
        until = at + timedelta(days=self.dice.randrange(10, 90)) if reason.way == "date" else None
        handoff.give_back(lead, reason=reason, by=rep, at=at, note="As they said", until=until)
        self.did["given back"] += 1

    def _calls(self, pk: UUID, rep: Any, at: datetime) -> None:
        """A call, a next step, and what becomes of it."""
        dice = self.dice
        with self.gate():
            lead = self.lead(pk)
            if (rep := self.now(rep, lead)) is None:
                return
            step = queue.NextStep("Call again", at + timedelta(days=dice.randrange(1, 9)), remind_at=None)
            outcome = dice.choice((CallOutcome.SPOKE, CallOutcome.SPOKE, CallOutcome.NO_ANSWER))
            queue.log_call(lead, outcome, by=rep, at=at, then=step if dice.random() < 0.6 else None)
            if dice.random() < 0.06:
                self._asks(lead, rep, at)
        self.did["calls"] += 1
        fate = dice.random()
        if fate < 0.35:
            self.later(dice.randrange(8, 60), partial(self._gives_back, pk, rep))
        elif fate < 0.75:
            self.later(dice.randrange(8, 40), partial(self._sells, pk, rep))

    def _gives_back(self, pk: UUID, rep: Any, at: datetime) -> None:
        with self.gate():
            lead = self.lead(pk)
            if (rep := self.now(rep, lead)) and lead.stage in SALES:
                self._back(lead, rep, at)

    def _sells(self, pk: UUID, rep: Any, at: datetime) -> None:
        with self.gate():
            lead = self.lead(pk)
            if (rep := self.now(rep, lead)) is None:
                return
            pence = self.dice.randrange(900_00, 15_000_00)
            deal = deals.open_deal(lead, by=rep, at=at, amount=pence, stage=DealStage.QUALIFIED)
        self.did["deals"] += 1
        hours = 0.0
        for stage in (DealStage.DEMO, DealStage.NEGOTIATION):
            hours += self.dice.randrange(4, 50)
            if self.dice.random() < 0.8:
                self.later(hours, partial(self._moves, deal.pk, rep, stage))
        fate = self.dice.random()
        if fate < 0.85:
            self.later(hours + self.dice.randrange(2, 60), partial(self._ends, deal.pk, rep, fate < 0.4))

    def _deal(self, pk: UUID) -> Any:
        return Deal.objects.filter(pk=pk).first()

    def _moves(self, pk: UUID, rep: Any, stage: Any, at: datetime) -> None:
        with self.gate():
            deal = self._deal(pk)
            rep = self.now(rep, deal)
            shows = stage == DealStage.DEMO and self.dice.random() < 0.6
            if deal.is_open and not shows:
                deals.move(deal, stage, by=rep, at=at)
        if deal.is_open and shows:
            self._books(deal.lead_id, rep, at)

    # ── demos ──

    def _books(self, pk: UUID, rep: Any, at: datetime) -> None:
        """A demo at the next half hour that the rep has free."""
        begins = after(self.workspace, at, self.dice.choice((3, 9, 20, 45)))
        begins -= timedelta(minutes=begins.minute % 30, seconds=begins.second, microseconds=begins.microsecond)
        for ahead in range(8):
            times = {"starts_at": begins + ahead * HALF, "ends_at": begins + (ahead + 1) * HALF}
            try:
                with self.gate():
                    demo = demos.book(self.lead(pk), holder=rep, by=rep, at=at, **times)
                break
            except demos.Taken:
                self.did["no time"] += 1
        else:
            return
        self.did["demos booked"] += 1
        self.at(demo.ends_at + HALF, partial(self._shown, demo.pk, rep))
        if self.dice.random() < 0.2:
            self.later(1, partial(self._changes, demo.pk, rep))

    def _changes(self, pk: UUID, rep: Any, at: datetime) -> None:
        """They can't come at that time: it is a week later, or not at all."""
        with self.gate():
            demo = Demo.objects.upcoming(at).filter(pk=pk).first()
            if demo is None:
                return
            rep = self.now(rep, demo)
            if self.dice.random() < 0.4:
                demos.cancel(demo, by=rep, at=at, reason="They asked us to")
                self.did["demos cancelled"] += 1
                return
            try:
                demo = demos.move(demo, {"starts_at": demo.starts_at + timedelta(days=7)}, by=rep, at=at)
                self.did["demos moved"] += 1
            except demos.Taken:
                self.did["no time"] += 1
        self.at(demo.ends_at + HALF, partial(self._shown, demo.pk, rep))

    def _shown(self, pk: UUID, rep: Any, at: datetime) -> None:
        """The rep says how it went; of some nobody does."""
        fate = self.dice.random()
        with self.gate():
            demo = Demo.objects.undecided(at).filter(pk=pk).first()
            if demo is None or fate > 0.8:
                return
            if fate < 0.6:
                demos.held(demo, by=self.now(rep, demo), at=at)
            else:
                demos.no_show(demo, by=self.now(rep, demo), at=at)
        self.did["demos held" if fate < 0.6 else "demos missed"] += 1

    # ── the end ──

    def _stays_open(self, at: datetime) -> None:
        """What nobody comes to any more this year: a form, a question, a word on a demo, and a cancelled one."""
        self._typed({"name": "Spam", "email": "spam@last.example"}, {}, ["fast"], at)
        with self.gate():
            held = Lead.objects.filter(holder__in=self.reps, stage__in=SALES).order_by("pk")
            if len(held) < 2:
                return
            lead, other = held[:2]
            rep = self.people[lead.holder_id]
            self._asked(lead, rep, at)
            self._last_demo(lead, rep, at)
            if demo := self._last_demo(other, self.people[other.holder_id], at, hours=4):
                demos.cancel(demo, by=None, at=at, reason="No budget this year")

    def _last_demo(self, lead: Lead, rep: Any, at: datetime, *, hours: int = 3) -> Demo | None:
        begins = at + timedelta(hours=hours)
        try:
            made = demos.book(lead, holder=rep, starts_at=begins, ends_at=begins + HALF, by=rep, at=at)
        except demos.Taken:
            self.did["no time"] += 1
            return None
        self.did["demos booked"] += 1
        return made

    def _ends(self, pk: UUID, rep: Any, won: bool, at: datetime) -> None:
        with self.gate():
            deal = self._deal(pk)
            if not deal.is_open:
                return
            rep = self.now(rep, deal)
            if won:
                close.win(deal, by=rep, at=at)
                if self.dice.random() < 0.2:
                    again = partial(self._touches, deal.lead_id, "contact_request")
                    self.at(at + timedelta(days=self.dice.randrange(5, 90)), again)
            else:
                close.lose(deal, reason=self.dice.choice(list(LostReason.objects.all())), by=rep, at=at)
        self.did["won" if won else "lost"] += 1
        if self.dice.random() < 0.05:
            self.at(at + timedelta(hours=self.dice.randrange(1, 20)), partial(self._undoes, pk, rep))

    def _undoes(self, pk: UUID, rep: Any, at: datetime) -> None:
        try:
            with self.gate():
                deal = self._deal(pk)
                close.undo(deal, by=self.now(rep, deal), at=at)
            self.did["undone"] += 1
        except Refusal:
            self.did["not undone"] += 1
