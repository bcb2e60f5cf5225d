"""What the reps of the demo business sell: to whom, what, for how much."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

from funnel.leads.actions import touch
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.workspaces.models import Member


class Selling:
    """The deals of the quarter. Each lead's is about the same thing for as much, whenever it is asked for."""

    def __init__(self, cast: dict[str, Any], do: dict[str, Callable[..., Any]], now: datetime) -> None:
        self.cast, self.do, self.now = cast, do, now
        self.why_won = cycle(cast["won"])
        self.why_lost = cycle(cast["lost"])

    def about(self, name: str) -> dict[str, Any]:
        """What the deal with somebody is about, and its amount in pence."""
        if name in self.cast["named"]:
            title, pounds = self.cast["named"][name]
        else:
            dice = random.Random(name)  # noqa: S311
            title, pounds = dice.choice(self.cast["usual"]), dice.randrange(6_400, 14_900, 50)
        return {"title": title, "amount": pounds * 100}

    def moves(self, lead: Lead, stage: Stage, *, by: Member, at: datetime) -> None:
        """A meeting brings the deal on; whoever bought meanwhile doesn't begin anew."""
        if lead.holder_id != by.pk or lead.stage == Stage.CUSTOMER:
            return
        touch(lead, "meeting", at=at, by=by)
        if stage == Stage.QUALIFIED:
            self.asks(lead, by=by, at=at)
        if stage == Stage.NEGOTIATION:
            self.offers(lead, by=by, at=at)
        else:
            self.do["deal"](lead, stage, by=by, at=at, **self.about(lead.name))

    def asks(self, lead: Lead, *, by: Member, at: datetime, only: int | None = None) -> None:
        """Note what they said to the questions, or to the first of them."""
        dice = random.Random(f"{lead.name} says")  # noqa: S311
        said = {key: dice.choice(words) for key, words in self.cast["said"].items()}
        self.do["answers"](lead, dict(list(said.items())[:only]), by=by, at=at)

    def offers(self, lead: Lead, *, by: Member, at: datetime, sends: bool = True) -> None:
        """Send a quote, or begin one; some of them end on a day that is near, all others after the quarter."""
        if lead.holder_id != by.pk or lead.stage == Stage.CUSTOMER:
            return
        days, words = self.cast["quotes"].get(lead.name, (21, self.cast["quote"]))
        until, firm = (self.now + timedelta(days=days)).date(), bool(lead.company_name)
        self.do["quote"](
            lead, by=by, at=at, words=words.format(lead.name.split()[0]), until=until, tax="20" if firm else "0",
            lines=self.cast["kits"]["firm" if firm else "home"], sends=sends, **self.about(lead.name),
        )  # fmt: skip

    def answers(self, lead: Lead, how: str, *, at: datetime, words: str = "") -> None:
        """The lead does something with the quote that is open."""
        self.do["answer_quote"](lead, how, words=words, at=at)

    def wins(self, lead: Lead, *, by: Member, at: datetime) -> None:
        self.do["win"](lead, by=by, at=at, reason=next(self.why_won), **self.about(lead.name))

    def loses(self, lead: Lead, *, by: Member, at: datetime) -> None:
        reason, rival, words = next(self.why_lost)
        self.do["lose"](lead, reason, note=words, competitor=rival, by=by, at=at)

    def sells_more(self, lead: Lead, *, title: str, pounds: int, at: datetime) -> None:
        """Whoever has the customer opens a second deal."""
        if lead.holder is not None:
            self.do["deal"](lead, Stage.QUALIFIED, title=title, amount=pounds * 100, by=lead.holder, at=at)
