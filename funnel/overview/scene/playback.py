"""Play what people do and what the worker would have done after it, in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count, groupby

from funnel.outbox.drain import handlers
from funnel.outbox.models import Effect, Lane, State
from funnel.workspaces.hours import between, spans
from funnel.workspaces.models import Workspace

Action = Callable[[datetime], None]
# The worker of the past came this much later, so that what came together is worked together.
LATER = timedelta(minutes=2)
FAR = timedelta(days=120)


class Playback:
    """A queue of actions by their moment; the open workspace's effects are done in between, none of them by mail."""

    def __init__(self, workspace: Workspace, now: datetime) -> None:
        self.workspace, self.now = workspace, now
        self.waiting: list[tuple[datetime, int, Action]] = []
        self.order = count()

    def at(self, moment: datetime, action: Action) -> None:
        """Let something happen at a moment; what lies in the future doesn't."""
        if moment <= self.now:
            heapq.heappush(self.waiting, (moment, next(self.order), action))

    def run(self) -> None:
        """Play until now."""
        while self.waiting:
            moment, _, action = heapq.heappop(self.waiting)
            self.work(moment)
            action(moment)
        self.work(self.now + LATER)
        # Nobody reads these addresses; a server set up before would only get them back.
        Effect.objects.filter(lane=Lane.MAIL, state=State.DUE).update(state=State.DONE)

    def work(self, until: datetime) -> None:
        """Do what the worker would have done up to a moment, each a little after it was due."""
        while True:
            due = list(
                Effect.objects.filter(state=State.DUE, due_at__lte=until - LATER)
                .exclude(lane=Lane.MAIL)
                .order_by("due_at", "id")[:200]
            )
            if not due:
                return
            moment = min(due[0].due_at + LATER, self.now)
            batch = sorted((one for one in due if one.due_at <= moment), key=lambda one: (one.handler, one.pk))
            for name, effects in groupby(batch, key=lambda one: one.handler):
                handlers()[name](list(effects), moment)
            Effect.objects.filter(pk__in=[one.pk for one in batch]).update(state=State.DONE, attempts=1)

    def ago(self, hours: float) -> datetime:
        """The latest moment that lies so many working hours before now."""
        wanted, early, late = timedelta(hours=hours), self.now - FAR, self.now
        while late - early > timedelta(seconds=1):
            middle = early + (late - early) / 2
            if between(self.workspace, middle, self.now) >= wanted:
                early = middle
            else:
                late = middle
        return early

    def day(self, days: int, clock: str) -> datetime:
        """A time of day so many days from today (negative: ago), moved to the nearest working day on that side."""
        hour, minute = map(int, clock.split(":"))
        moment = self.workspace.local(self.now).replace(hour=hour, minute=minute, second=0, microsecond=0)
        moment += timedelta(days=days)
        while not self.workspace.hours[moment.weekday()]:
            moment += timedelta(days=1 if days >= 0 else -1)
        return moment.astimezone(self.now.tzinfo)

    def working(self, moment: datetime) -> datetime:
        """The moment itself, or the next at which somebody works."""
        return next(spans(self.workspace, moment))[0]
