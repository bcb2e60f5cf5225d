"""A year of a small business, by the verbs that people and programs use, on a clock that moves as a year does.

    python -m tests.proof --leads 20000

plays it in a database of its own (see __main__.py), says at the beginning of each month how far it is, and compares the
pages with a recount at the end of each quarter (see recount.py). The same seed gives the same year.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch
from uuid import UUID
from zoneinfo import ZoneInfo

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.drain import drain
from funnel.outbox.models import Effect, Event, Lane, State
from funnel.people import actions as people
from funnel.people.away import take_off
from funnel.scoring import changing
from funnel.scoring.rules import default_rules
from funnel.workspaces import gate
from funnel.workspaces.gate import everywhere, tenant
from funnel.workspaces.hours import after
from funnel.workspaces.models import Member, Role, User
from funnel.workspaces.refusals import Refusal
from marketing.channels.models import Channel
from marketing.costs.actions import spend
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage, LostReason
from sales.queue import actions as queue
from sales.queue.models import CallOutcome
from sales.targets.actions import set_target

ZONE = ZoneInfo("Europe/London")
BEGINS, ENDS = datetime(2025, 1, 2, 9, tzinfo=ZONE), datetime(2025, 12, 31, 17, tzinfo=ZONE)
LOOKS = (*(datetime(2025, month, day, 17, 30, tzinfo=ZONE) for month, day in ((3, 31), (6, 30), (9, 30))), ENDS)
MONTHS = tuple(datetime(2025, month, 1, tzinfo=ZONE) for month in range(2, 13))
HOLIDAYS = {
    "2025-01-01": "New Year", "2025-04-18": "Good Friday", "2025-04-21": "Easter Monday", "2025-05-05": "May Day",
    "2025-05-26": "Spring bank holiday", "2025-08-25": "Summer bank holiday", "2025-12-25": "Christmas",
    "2025-12-26": "Boxing Day",
}  # fmt: skip
WAYS = (
    ("search", "", ""), ("ads", "Spring roofs", "Headline A"), ("ads", "Spring roofs", "Headline B"),
    ("email", "Newsletter", ""), ("referral", "", ""), ("event", "Home show", "Stand"), ("social", "Autumn", "Reel"),
    ("", "", ""),
)  # fmt: skip
TOUCHES = ("page_view", "page_view", "page_view", "email_click", "visit", "promo_event", "call")
# The worker is this late at most.
BEAT = timedelta(minutes=10)
Action = Callable[[datetime], None]


class Clock:
    """The database's now, as every door reads it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let every gate open at this clock's moment."""
        entered = gate.enter

        def enter(workspace_id: UUID) -> datetime:
            entered(workspace_id)
            return self.now

        with patch.object(gate, "enter", enter), patch.object(gate, "database_now", lambda: self.now):
            yield


class Year:
    """Whoever comes, and what three reps, their manager and marketing do about it."""

    def __init__(self, leads: int, *, seed: int, beat: timedelta = BEAT) -> None:
        self.leads, self.beat = leads, beat
        self.dice = random.Random(seed)
        self.clock = Clock(BEGINS.astimezone(UTC))
        self.waiting: list[tuple[datetime, int, Action]] = []
        self.order = count()
        self.came: dict[str, UUID] = {}
        self.seen: set[UUID] = set()
        self.did: Counter[str] = Counter()

    # ── the clock ──

    def at(self, moment: datetime, action: Action) -> None:
        """Let something happen at a moment of the year."""
        heapq.heappush(self.waiting, (moment.astimezone(UTC), next(self.order), action))

    def later(self, hours: float, action: Action) -> None:
        """Let something happen after so many working hours."""
        self.at(after(self.workspace, self.clock.now, hours), action)

    def play(self, look: Callable[[Year], None]) -> None:
        """Play the year; `look` is called at each of MONTHS and LOOKS, when the worker is through."""
        with self.clock.running():
            self._start()
            self._plan()
            for moment in sorted((*MONTHS, *LOOKS)):
                self._until(moment.astimezone(UTC))
                look(self)

    def _until(self, end: datetime) -> None:
        while (moment := self._next()) and moment <= end:
            # The worker comes at the next full beat; what people do before it, they do at their own moment.
            beat = min(max(moment, self.clock.now) + self.beat, end)
            while self.waiting and self.waiting[0][0] <= beat:
                moment, _, action = heapq.heappop(self.waiting)
                self.clock.now = max(moment, self.clock.now)
                action(self.clock.now)
            self.clock.now = beat
            self._work()
        self.clock.now = end
        self._work()

    def _next(self) -> datetime | None:
        """The moment of what people or the worker do next."""
        with tenant(self.workspace):
            # Lane by lane, as the index has them: this is asked before every beat.
            due = [Effect.objects.filter(state=State.DUE, lane=lane).order_by("due_at") for lane in Lane]
            moments = [one.values_list("due_at", flat=True).first() for one in due]
        return min((one for one in (*moments, self.waiting[0][0] if self.waiting else None) if one), default=None)

    def _work(self) -> None:
        # Mail too: what waited for the end of a quarter would be read again at every beat until then.
        drain((Lane.LIVE, Lane.BULK, Lane.MAIL), seconds=3600, at=self.clock.now)
        with tenant(self.workspace):
            for pk, who in Handoff.objects.open().order_by("opened_at", "pk").values_list("pk", "offered_to"):
                if pk not in self.seen:
                    self.seen.add(pk)
                    self._answered(pk, who)

    def gate(self) -> Any:
        return tenant(self.workspace, write=True)

    # ── what there is ──

    def _start(self) -> None:
        def user(name: str) -> User:
            return User.objects.create_user(f"{name.split()[0].lower()}@year.example", name=name)

        at = self.clock.now
        with everywhere():
            self.owner = people.start_business(
                "A year", owner=user("Gwen Owner"), country="GB", time_zone=ZONE.key, at=at
            )
            self.workspace = self.owner.workspace
            self.workspace.closed = HOLIDAYS
            self.workspace.save(update_fields=["closed"])
            make = partial(Member.objects.create, workspace=self.workspace)
            self.marketer = make(user=user("Nia Marketer"), role=Role.MARKETER)
            self.reps = [
                make(user=user(name), role=Role.REP, takes_leads=True, weekly_leads=weekly)
                for name, weekly in (("Hannah Rep", 10), ("Raj Rep", 10), ("Tom Rep", 5))
            ]
            Member.objects.filter(pk=self.owner.pk).update(takes_leads=False)
            self.owner.refresh_from_db()
        self.people = {one.pk: one for one in [self.owner, *self.reps]}
        with self.gate():
            for month in range(1, 13):
                for rep in self.reps:
                    set_target(date(2025, month, 1), self.dice.randrange(10, 90) * 1000_00, member=rep, by=self.owner,
                               at=at)  # fmt: skip
            take_off(self.reps[1], date(2025, 8, 4), date(2025, 8, 15), by=self.reps[1], at=at)
            take_off(self.reps[2], date(2025, 12, 22), date(2025, 12, 31), by=self.owner, at=at)
            self.channels = list(Channel.objects.order_by("pk"))

    def _plan(self) -> None:
        days = (ENDS - BEGINS) / timedelta(days=1)
        self.fair = self.leads // 20
        for number in range(self.leads - self.fair):
            day = BEGINS + timedelta(days=self.dice.random() ** 0.9 * days)
            moment = day.replace(
                hour=self.dice.choice((7, 9, 10, 11, 13, 14, 16, 19, 21)), minute=self.dice.randrange(60)
            )
            self.at(min(max(moment, BEGINS), ENDS - timedelta(minutes=20)), partial(self._comes, number))
        self.at(datetime(2025, 5, 12, 11, tzinfo=ZONE), self._list_of_the_fair)
        self.at(datetime(2025, 4, 1, 10, tzinfo=ZONE), partial(self._new_rules, "keen", False))
        self.at(datetime(2025, 9, 2, 10, tzinfo=ZONE), partial(self._new_rules, "strict", True))
        for month in range(1, 13):
            for day in (6, 20):
                self.at(datetime(2025, month, day, 15, tzinfo=ZONE), self._spends)
        for week in range(1, 52):
            self.at(BEGINS + timedelta(days=7 * week, hours=1), self._goes)

    # ── marketing ──

    def _comes(self, number: int, at: datetime) -> None:
        """Somebody sends a form; some have been here before, some are told of days later."""
        dice = self.dice
        again = number > 20 and dice.random() < 0.04
        who = dice.choice([*self.came]) if again else f"p{number}@{f'firm{number // 2}' if number % 3 else 'gmail'}"
        address = who if "." in who else who + (".com" if who.endswith("gmail") else ".example")
        channel, campaign, placement = dice.choice(WAYS)
        asks = dice.random() < 0.12
        capture = Capture(
            kind="form", name=f"Person {number}" if dice.random() < 0.9 else "", email=address,
            phone=f"0{7_400_000_000 + number}" if dice.random() < 0.7 else "",
            company=f"Firm {number // 2}" if number % 3 else "", channel=channel, campaign=campaign,
            placement=placement, asks=asks, occurred_at=at - timedelta(days=3) if dice.random() < 0.03 else None,
        )  # fmt: skip
        with self.gate():
            (got,) = receive(self.workspace, [capture], at=at)
        assert got.lead is not None, got.refused
        assert got.created == (address not in self.came)
        self.came[address] = got.lead.pk
        self.did["asked" if asks else "came"] += 1
        moment = at
        for _ in range(dice.choice((0, 0, 1, 1, 2, 3, 5))):
            moment += timedelta(hours=dice.choice((0.2, 1, 20, 70, 200)))
            self.at(moment, partial(self._touches, got.lead.pk, dice.choice(TOUCHES)))
        if dice.random() < 0.01:
            self.at(at + timedelta(days=1), partial(self._slip, got.event.pk))
        if dice.random() < 0.02:
            self.at(at + timedelta(days=2), partial(self._no_lead, got.lead.pk))

    def _touches(self, pk: UUID, kind: str, at: datetime) -> None:
        with self.gate():
            touch(self.lead(pk), kind, at=at)
        self.did[kind] += 1

    def _slip(self, event: int, at: datetime) -> None:
        with self.gate():
            void(Event.objects.get(pk=event), reason="A test by ourselves", by=self.marketer, at=at)
        self.did["taken back"] += 1

    def _no_lead(self, pk: UUID, at: datetime) -> None:
        with self.gate():
            lead = self.lead(pk)
            if lead.stage in ("new", "nurturing"):
                handoff.disqualify(lead, by=self.marketer, at=at, reason="Spam")
                self.did["set aside"] += 1

    def _list_of_the_fair(self, at: datetime) -> None:
        """A list is brought in; nobody of it is handed over by itself."""
        captures = [
            Capture(
                kind="form", name=f"Visitor {n}", email=f"v{n}@fair{n}.example", phone=f"0{7_500_000_000 + n}",
                company=f"Fair {n}", channel="event", campaign="Home show",
                occurred_at=at - timedelta(days=2, minutes=n % 400),
            )
            for n in range(self.fair)
        ]  # fmt: skip
        for start in range(0, len(captures), 200):
            with self.gate():
                part = captures[start : start + 200]
                for got in receive(self.workspace, part, at=at, lane=Lane.BULK, by=self.marketer):
                    assert got.lead is not None, got.refused
                    self.came[got.lead.email] = got.lead.pk
        self.did["by a list"] += len(captures)

    def _new_rules(self, how: str, again: bool, at: datetime) -> None:
        rules = default_rules()
        if how == "keen":
            rules["engagement_cuts"] = [8, 20, 45]
        else:
            rules["half_life_days"] = 21
            for one in rules["engagement"]:
                one["points"] += one["kind"] == "form"
        with self.gate():
            changing.save_draft(rules, by=self.owner, at=at)
        with self.gate():
            changing.publish(again=again, why=how, by=self.owner, at=at)
        self.did["rules"] += 1

    def _spends(self, at: datetime) -> None:
        channel = self.dice.choice(self.channels[:8])
        with self.gate():
            spend(channel, None, self.dice.randrange(5_000, 90_000), "GBP", by=self.marketer, at=at, occurred_at=at)
        self.did["costs"] += 1

    def _goes(self, at: datetime) -> None:
        """The owner lets some of those go who wait."""
        with self.gate():
            found = Lead.objects.filter(waits_since__isnull=False).order_by("waits_since", "pk")
            ids = list(found.values_list("pk", flat=True)[: self.dice.randrange(1, 12)])
            self.did["let go"] += len(handoff.go(ids, by=self.owner, workspace=self.workspace, at=at))

    # ── sales ──

    def lead(self, pk: UUID) -> Any:
        return Lead.objects.select_related("workspace", "holder__user", "company").get(pk=pk)

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
