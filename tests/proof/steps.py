"""All steps together, with the worker and the clock, in whatever order Hypothesis says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from funnel.handoff.models import GiveBackReason
from funnel.outbox import actions as outbox
from funnel.outbox.drain import ATTEMPTS
from funnel.outbox.models import Effect, State
from funnel.people.actions import start_business
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import Member, Role, User
from marketing.nurture import actions as nurture
from marketing.nurture.models import Step
from tests.conftest import make_member
from tests.proof.letters import MAILS
from tests.proof.machine import BEGINS, TICK, WATCHED
from tests.proof.steps_letters import ENDS, Writing
from tests.proof.steps_marketing import CAST, COOLING
from tests.proof.steps_sales import SALE_ENDS

# Reasons of the business's own; whoever comes back by these does so by nothing else.
OWN_WAYS: tuple[dict[str, Any], ...] = (
    {"key": "visit", "name": "Wants to see it first", "way": "touch", "touch": "visit"},
    {"key": "keen", "name": "Much too early", "way": "engagement", "above": 60},
)
ASIDE = ("judge_all", "fill_basis")
# How the turn of the worker ends: well, a handler fails in the middle, or the process dies before it or its commit.
WORKER_ENDS = st.sampled_from(["", "fails", "dies before", "dies after"])


# What only comes of several steps in their order.
TALES: dict[str, Callable[[Any, int], Any]] = {
    "by touch": lambda self, number: self.comes_back(number, "touch"),
    "by engagement": lambda self, number: self.comes_back(number, "engagement"),
    "go": lambda self, number: self.go(number),
    "back": lambda self, number: self.go_back("keen", False, 1),
    "expires": lambda self, number: self.expire(number),
    "too late": lambda self, number: self.asks_too_late(number),
    "stuck": lambda self, number: (self.gets_stuck(number), self.try_again()),
    "sold": lambda self, number: self.is_sold(number, 100),
    "set aside": lambda self, number: self.bring_back(number, None),
    "away": lambda self, number: self.goes_away(number),
    "mates": lambda self, number: self.mates(),
    "slips": lambda self, number: self.slips(number, number > 1),
}
# What is written to people, and how it ends with that.
LETTERS: dict[str, Callable[[Any, bool, str], Any]] = {
    "demos": lambda self, early, end: self.meets(2, early),
    "mails": lambda self, early, end: self.gets_mails(2, end, early),
    "quotes": lambda self, early, end: [
        self.offers(2, 7, 100, how) for how in (("withdrawn", "is withdrawn meanwhile") if early else ("over",))
    ],
}


class Machine(Writing):
    """What may happen to a small business."""

    @initialize(
        target=COOLING,
        asks=st.lists(st.booleans(), min_size=3, max_size=len(CAST) - 1),
        how=WORKER_ENDS,
        end=SALE_ENDS,
        tales=st.lists(st.sampled_from(sorted(TALES)), min_size=2, max_size=2, unique=True),
        managed=st.booleans(),
        letters=st.sampled_from(sorted(LETTERS)),
        mails_end=st.sampled_from(ENDS),
        early=st.sampled_from([True, True, False]),
    )
    def some_are_there(
        self,
        asks: list[bool],
        how: str,
        end: str,
        tales: list[str],
        managed: bool,
        letters: str,
        mails_end: str,
        early: bool,
    ) -> Any:
        """Some have come already, the worker has been there, perhaps twice; and with each of the first something has
        happened that a few steps in any order seldom come to.
        """
        if not managed:
            self.nobody_manages()
        for number, asked in enumerate(asks):
            self.capture(number, asked, 0)
        self.work(("score", how) if how else None)
        self.now += TICK
        self.work()
        for number, tale in enumerate(tales, 1):
            TALES[tale](self, number)
        LETTERS[letters](self, early, mails_end)
        return self.sell_in_vain(0, 0, 40, end)

    # ── the worker and the clock ──

    @rule(number=st.integers(0, 9), how=WORKER_ENDS)
    def worker_comes(self, number: int, how: str) -> None:
        """What is due is done, or one of its handlers ends as `how` says."""
        self.now += TICK
        with self.gate():
            due = Effect.objects.filter(state=State.DUE, due_at__lte=self.now, handler__in=(*WATCHED, *ASIDE))
            names = sorted(due.values_list("handler", flat=True).distinct())
        self.work((names[number % len(names)], how) if how and names else None)

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9))
    def gets_stuck(self, number: int) -> None:
        """What follows from a touch, or from what is due beside it, fails five times."""
        self._touched(self.person(number), "page_view")
        with self.gate():
            due = Effect.objects.filter(state=State.DUE, due_at__lte=self.now, handler__in=WATCHED)
            pk, handler = list(due.order_by("-pk").values_list("pk", "handler"))[number % due.count()]
        for _ in range(ATTEMPTS):
            self.work((handler, "fails"), culprit=pk)
            self.now += timedelta(minutes=30)
        with self.gate():
            assert Effect.objects.get(pk=pk).state == State.STUCK
        self.stuck.append(pk)

    @precondition(lambda self: self.stuck)
    @rule()
    def try_again(self) -> None:
        """What failed five times is tried again by a person."""
        self.now += TICK
        for pk in self.stuck:
            with self.gate():
                self.happened["tried again"] += outbox.try_again(pk, at=self.now)
        self.stuck.clear()

    @rule(hours=st.sampled_from([1, 5, 9, 24, 24 * 8, 24 * 35, 24 * 100]))
    def time_goes_by(self, hours: int) -> None:
        """Each thing is done when it is due."""
        self.passes(self.now + timedelta(hours=hours))

    @rule(hours=st.sampled_from([1, 9, 30, 24 * 8, 24 * 100]))
    def worker_is_away(self, hours: int) -> None:
        """Time goes by, and nobody does anything."""
        self.now += timedelta(hours=hours)

    @invariant()
    def the_same(self) -> None:
        with self.gate():
            self.compare()


def crew() -> tuple[Member, Member, list[Member]]:
    """A business that has just begun: its owner, a manager, and two who take leads; and two nurture mails."""
    user = User.objects.create_user("olga@first.example", name="Olga Owner")
    with everywhere():
        owner = start_business("First", owner=user, country="GB", time_zone="Europe/London", at=BEGINS)
        Member.objects.filter(pk=owner.pk).update(takes_leads=False)
        # The weekly letters would be most of what there is to do.
        Effect.objects.all().delete()
        GiveBackReason.objects.bulk_create(
            [GiveBackReason(workspace=owner.workspace, cool_days=1, position=9, **one) for one in OWN_WAYS]
        )
        mails = nurture.sequence_of(owner.workspace, at=BEGINS)
        for days in MAILS.values():
            nurture.keep_step(
                Step(
                    workspace=owner.workspace, sequence=mails, days=days, subject="Hello", text="https://first.example/"
                )
            )
        nurture.set_up(mails, is_on=True, sender=owner)
    reps = [make_member(owner.workspace, Role.REP, name, takes_leads=True) for name in ("Rita Rep", "Otto Rep")]
    return owner, make_member(owner.workspace, Role.MANAGER, "Mona Manager"), reps


def play(orders: int, *, number: int = 1) -> Counter[str]:
    """Try so many orders of twenty-five steps, by the seed `number`; give how often each thing happened.

    Raises where Baton and the model differ. Whoever sees that shrinks it by hand, which would take the suite's whole
    quarter of an hour.
    """
    people = crew()
    happened: Counter[str] = Counter()
    few = settings(
        max_examples=orders,
        stateful_step_count=25,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(lambda: Machine(*people, happened)), settings=few)
    return happened
