"""What the reps of a played year do: take, give back, call, sell, win, lose and undo."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.workspaces.refusals import Refusal
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage, LostReason
from sales.queue import actions as queue
from sales.queue.models import CallOutcome
from tests.proof.year_marketing import Marketing


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
            if one is None:
                return
            if self.dice.random() < 0.13:
                self._back(one.lead, rep, at)
                return
            handoff.accept(one.lead, by=rep, at=at)
        self.did["taken"] += 1
        self.later(self.dice.choice((0.2, 1, 4, 12)), partial(self._calls, one.lead_id, rep))

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
            if lead.holder_id != rep.pk:
                return
            step = queue.NextStep("Call again", at + timedelta(days=dice.randrange(1, 9)), remind_at=None)
            outcome = dice.choice((CallOutcome.SPOKE, CallOutcome.SPOKE, CallOutcome.NO_ANSWER))
            queue.log_call(lead, outcome, by=rep, at=at, then=step if dice.random() < 0.6 else None)
        self.did["calls"] += 1
        fate = dice.random()
        if fate < 0.35:
            self.later(dice.randrange(8, 60), partial(self._gives_back, pk, rep))
        elif fate < 0.75:
            self.later(dice.randrange(8, 40), partial(self._sells, pk, rep))

    def _gives_back(self, pk: UUID, rep: Any, at: datetime) -> None:
        with self.gate():
            lead = self.lead(pk)
            if lead.holder_id == rep.pk and lead.with_sales:
                self._back(lead, rep, at)

    def _sells(self, pk: UUID, rep: Any, at: datetime) -> None:
        with self.gate():
            lead = self.lead(pk)
            if lead.holder_id != rep.pk:
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
            if deal.is_open:
                deals.move(deal, stage, by=rep, at=at)

    def _ends(self, pk: UUID, rep: Any, won: bool, at: datetime) -> None:
        with self.gate():
            deal = self._deal(pk)
            if not deal.is_open:
                return
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
                close.undo(self._deal(pk), by=rep, at=at)
            self.did["undone"] += 1
        except Refusal:
            self.did["not undone"] += 1
