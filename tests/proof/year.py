"""A year of a small business, by the verbs that people and programs use, on a clock that moves as a year does.

    python -m tests.proof --leads 20000

plays it in a database of its own (see __main__.py), says at the beginning of each month how far it is, and compares the
pages with a recount at the end of each quarter (see recount.py). The same seed gives the same year.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

from funnel.handoff.models import Handoff
from funnel.outbox.drain import drain
from funnel.outbox.models import Effect, Lane, State
from funnel.people import actions as people
from funnel.people import leaving
from funnel.people.away import take_off
from funnel.workspaces.gate import everywhere, tenant
from funnel.workspaces.models import Member, Role, User
from marketing.capture.models import Form
from marketing.channels.models import Channel
from sales.targets.actions import set_target
from tests.proof.year_clock import BEGINS, ENDS, HOLIDAYS, LOOKS, MONTHS, ZONE
from tests.proof.year_sales import Selling

# The worker is this late at most.
BEAT = timedelta(minutes=10)


class Year(Selling):
    """Whoever comes, and what three reps, their manager and marketing do about it."""

    def __init__(self, leads: int, *, seed: int, beat: timedelta = BEAT) -> None:
        super().__init__(leads, seed=seed)
        self.beat = beat
        self.seen: set[UUID] = set()
        self.sent, self.held = set(), set()

    # ── the clock ──

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
            self._arrived()
            for pk, who in Handoff.objects.open().order_by("opened_at", "pk").values_list("pk", "offered_to"):
                if pk not in self.seen:
                    self.seen.add(pk)
                    self._answered(pk, who)

    # ── what there is ──

    def _start(self) -> None:
        at = self.clock.now
        with everywhere():
            self.owner = people.start_business(
                "A year", owner=_user("Gwen Owner"), country="GB", time_zone=ZONE.key, at=at
            )
            self.workspace = self.owner.workspace
            self.workspace.closed = HOLIDAYS
            self.workspace.save(update_fields=["closed"])
            make = partial(Member.objects.create, workspace=self.workspace)
            self.marketer = make(user=_user("Nia Marketer"), role=Role.MARKETER)
            self.reps = [
                make(user=_user(name), role=Role.REP, takes_leads=True, weekly_leads=weekly)
                for name, weekly in (("Hannah Rep", 10), ("Raj Rep", 10), ("Tom Rep", 5))
            ]
            Member.objects.filter(pk=self.owner.pk).update(takes_leads=False)
            self.owner.refresh_from_db()
        self.people = {one.pk: one for one in [self.owner, *self.reps]}
        with self.gate():
            for month in range(1, 13):
                for rep in self.reps:
                    self._targets(rep, month, at)
            take_off(self.reps[1], date(2025, 8, 4), date(2025, 8, 15), by=self.reps[1], at=at)
            take_off(self.reps[2], date(2025, 12, 22), date(2025, 12, 31), by=self.owner, at=at)
            self.channels = list(Channel.objects.order_by("pk"))
            self.form = Form.objects.get()

    def _targets(self, rep: Member, month: int, at: datetime) -> None:
        set_target(date(2025, month, 1), self.dice.randrange(10, 90) * 1000_00, member=rep, by=self.owner, at=at)

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
        tom, raj = self.reps[2], self.reps[1]
        self.at(datetime(2025, 6, 30, 16, tzinfo=ZONE), partial(self._leaves, tom, raj))
        self.at(datetime(2025, 7, 1, 10, tzinfo=ZONE), partial(self._joins, "Uma Rep", 5))
        self.at(datetime(2025, 10, 31, 16, tzinfo=ZONE), partial(self._leaves, raj, None))
        self.at(datetime(2025, 11, 3, 10, tzinfo=ZONE), partial(self._joins, "Vera Rep", 10))
        self.at(ENDS - timedelta(hours=6), self._stays_open)

    # ── who comes and goes ──

    def _leaves(self, rep: Member, successor: Member | None, at: datetime) -> None:
        """A rep leaves: one named takes over, or all others by turn."""
        with self.gate():
            got = leaving.remove(rep, by=self.owner, at=at, successor=successor)
        self.reps.remove(rep)
        self.gone.add(rep.pk)
        self.did["taken over"] += sum(got.values())

    def _joins(self, name: str, weekly: int, at: datetime) -> None:
        user = _user(name)
        with self.gate():
            invitation = people.invite(user.email, role=Role.REP, by=self.owner, at=at)
        with self.gate():
            rep = people.join(invitation, user=user, workspace=self.workspace, at=at)
            people.set_weekly_leads(rep, weekly, by=self.owner, at=at)
            for month in range(at.month, 13):
                self._targets(rep, month, at)
        self.reps.append(rep)
        self.people[rep.pk] = rep
        self.did["joined"] += 1


def _user(name: str) -> User:
    return User.objects.create_user(f"{name.split()[0].lower()}@year.example", name=name)
