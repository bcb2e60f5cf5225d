"""Who comes to the demo business, by what, and what becomes of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from funnel.handoff import actions as handoff
from funnel.handoff import questions, reasons
from funnel.handoff.models import GiveBackReason, Handoff, Question
from funnel.leads.actions import touch
from funnel.leads.fields import define
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.leads.stages import Stage
from funnel.overview.scene.playback import LATER, Playback
from funnel.overview.scene.selling import Selling
from funnel.workspaces.hours import after
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.months import months_later
from funnel.workspaces.slots import slot

CAST: dict[str, Any] = json.loads((Path(__file__).parent / "cast.json").read_text())
HOURS = [[["08:30", "17:00"]]] * 5 + [[], []]
BEGINS = timedelta(days=52)
USUAL_GAP = 7
ONWARD = (Stage.QUALIFIED, Stage.DEMO, Stage.NEGOTIATION)


class Scene:
    """The demo business's quarter, up to now."""

    def __init__(self, workspace: Workspace, people: dict[str, Member], now: datetime) -> None:
        self.workspace, self.people, self.now = workspace, people, now
        self.play = Playback(workspace, now)
        # The same quarter on every machine.
        self.dice = random.Random(1117)  # noqa: S311
        self.do: dict[str, Callable[..., Any]] = {}
        for verbs in slot("demo"):
            self.do |= verbs(workspace)
        self.ways: dict[str, Sequence[str]] = CAST["ways"]
        self.words = cycle(CAST["calls"])
        self.selling = Selling(CAST["deals"], self.do, now)
        self.number = 100

    def run(self) -> None:
        """Play it."""
        self.set_up(self.now - BEGINS)
        for one in CAST["given"]:
            self.comes(one, partial(self.gives_back, one))
        for one in CAST["sales"]:
            self.comes(one, partial(self.works, one))
        self.crowd()
        for one in CAST["deals"]["again"]:
            self.play.at(self.play.day(one["days"], "11:40"), partial(self.sells_more, one))
        for name in CAST["deals"]["drafts"]:
            self.play.at(self.play.day(-1, "15:40"), partial(self.drafts, name))
        for name, days, how, words in CAST["deals"]["answers"]:
            self.play.at(self.play.day(days, "15:05"), partial(self.answers, name, how, words=words))
        for one in CAST["costs"]:
            self.play.at(self.play.day(one["day"], "16:30"), partial(self.spends, one))
        for one in CAST["waits"]:
            moment = self.play.ago(one["hours"]) - LATER
            self.play.at(moment, partial(self.asks, one))
            self.play.at(moment + timedelta(minutes=20), partial(self.does, one["name"], one["then"]))
            if "wonders" in one:
                self.play.at(moment + timedelta(minutes=45), partial(self.wonders, one))
        self.play.at(self.now - timedelta(minutes=25), self.lists)
        self.play.run()

    # ── what there is before anybody comes ──

    def set_up(self, at: datetime) -> None:
        owner, marketer = self.people["Gwen"], self.people["Nia"]
        for name, value in CAST["letterhead"].items():
            setattr(self.workspace, name, value)
        self.workspace.save(update_fields=[*CAST["letterhead"]])
        for one in CAST["products"]:
            self.do["product"](*one, by=owner, at=at)
        for one in CAST["reasons"]:
            reasons.add(GiveBackReason(**one), workspace=self.workspace, by=owner, at=at)
        self.do["nurture"](CAST["nurture"], by=marketer, at=at)
        for label, kind, choices in CAST["fields"]:
            define(label, kind, choices=choices, by=owner, at=at)
        for one in CAST["campaigns"]:
            first, last = (self.now + timedelta(days=days) for days in one["days"])
            self.do["campaign"](
                **{key: value for key, value in one.items() if key != "days"}, first=first, last=last, at=at
            )
        for one in CAST["forms"]:
            self.do["form"](by=marketer, at=at, **one)
        for name in ("Hannah", "Raj"):
            self.do["booking_page"](self.people[name], at=at)
        for name, (at_first, then) in CAST["targets"].items():
            # The month before, when the reps began, and half a year from now on.
            for ahead in range(-1, 6):
                month = months_later(self.workspace.local(self.now).date(), ahead)
                pounds = at_first if ahead < 0 else then
                self.do["target"](month, pounds * 100, member=self.people.get(name), by=owner, at=at)

    def spends(self, one: dict[str, Any], at: datetime) -> None:
        """Marketing enters what something cost."""
        channel, campaign, _ = self.ways[one["way"]]
        self.do["spend"](channel, campaign, one["pounds"] * 100, what=one["what"], by=self.people["Nia"], at=at)

    # ── how they come ──

    def typed(self, one: dict[str, Any]) -> dict[str, str]:
        """What somebody writes into a form."""
        self.number += 1
        name = one["name"]
        stem = name.split()[-1].lower().encode("ascii", "ignore").decode()
        typed = {
            "name": name,
            "email": one.get("mail")
            or f"{name.split()[0].lower().encode('ascii', 'ignore').decode()}@{stem}{self.number}.example",
            "phone": f"01632 960{self.number:03}"[-12:],
            "company": one.get("company", ""),
            "fields.postcode_of_the_roof": self.dice.choice(["SY8 1", "SY6 7", "WV16 4", "TF13 6", "LD7 1", "HR5 3"]),
        }
        if one.get("interest"):
            typed["interest"] = one["interest"]
        if one.get("message"):
            typed["message"] = one["message"]
        return {key: value for key, value in typed.items() if value}

    def asks(self, one: dict[str, Any], at: datetime) -> None:
        """Somebody asks for contact: by the campaign's form, else by the one that was there first."""
        way = self.ways[one["way"]]
        typed = self.typed(one)
        form = "Free roof check" if way[1] else "Contact us"
        if form == "Free roof check":
            typed["fields.electricity_bill_a_month"] = self.dice.choice(CAST["fields"][1][2])
            typed.setdefault("interest", self.dice.choice(CAST["forms"][0]["interests"]))
        else:
            typed = {key: value for key, value in typed.items() if not key.startswith("fields.")}
        self.do["send_in"](form, typed, way=way, at=at, consents=self.dice.random() < 0.6 or "agrees" in one)

    def reads(self, one: dict[str, Any], at: datetime) -> None:
        """Somebody wants the prices only."""
        typed = self.typed(one)
        if self.dice.random() < 0.5:
            typed.pop("phone")
        self.do["send_in"](
            "What a roof costs", typed, way=self.ways[one["way"]], at=at, consents=self.dice.random() < 0.8
        )

    def does(self, name: str, kinds: Sequence[str], at: datetime) -> None:
        """Somebody known comes nearer: a kind after the other, as an integration would tell."""
        lead = self.lead(name)
        for left, kind in reversed(list(enumerate(reversed(kinds)))):
            data = {"title": self.dice.choice(CAST["pages"])} if kind == "page_view" else {}
            # Nobody does it all in one minute; the last is told the moment it happens.
            touch(lead, kind, at=at, occurred_at=at - timedelta(minutes=2 * left), data=data)

    def comes(self, one: dict[str, Any], then: Callable[[datetime], None]) -> None:
        """Somebody asks on a day, and something becomes of them."""
        moment = self.play.day(one["days"], f"{self.dice.randint(8, 15):02}:{self.dice.randint(31, 59)}")
        self.play.at(moment, partial(self.asks, one))
        self.play.at(after(self.workspace, moment, self.dice.uniform(0.3, 2.6)), then)

    def crowd(self) -> None:
        """Those whom nobody will look for by name."""
        crowd = CAST["crowd"]
        names = [f"{first} {last}" for first in crowd["first"] for last in crowd["last"]]
        self.dice.shuffle(names)
        given = iter(names)
        fates = cycle(crowd["fates"])
        for place in range(crowd["asked"]):
            days = -46 + place * 46 // crowd["asked"]
            one = {
                "name": next(given), "way": crowd["asking"][place % len(crowd["asking"])], "days": days,
                "stage": next(fates), "won": days + 16, "company": self.firm(),
                "next": ["Call", place % 9, "10:30"],
            }  # fmt: skip
            self.comes(one, partial(self.works, one))
        for way, many in crowd["ways"].items():
            for place in range(many):
                days = -10 if way == "show" else -47 + place * 46 // many // 3 * 3
                one = {"name": next(given), "way": way, "company": self.firm()}
                evening = self.play.day(days, "19:30") + timedelta(seconds=self.dice.randint(0, 100))
                self.play.at(evening, partial(self.reads, one))
                if days > -16 and place % 2:
                    looks = ["page_view"] * self.dice.randint(2, 4) + ["email_click", "email_open"]
                    self.play.at(evening + timedelta(hours=2), partial(self.does, one["name"], looks))

    def firm(self) -> str:
        if self.dice.random() < 0.7:
            return ""
        return f"{self.dice.choice(CAST['crowd']['last'])} {self.dice.choice(CAST['crowd']['firms'])}"

    def lists(self, at: datetime) -> None:
        """Our list of the home show is typed in: people who are ready, and wait for a go."""
        then = at - timedelta(days=2)
        captures = []
        for name, company in CAST["go"]:
            typed = self.typed({"name": name, "company": company})
            who: dict[str, Any] = {key: typed.get(key, "") for key in ("name", "email", "phone", "company")}
            captures += [
                Capture(
                    kind="form",
                    **who,
                    channel="event",
                    campaign="Marches Home Show",
                    occurred_at=then + timedelta(minutes=5 * place),
                    data={"form": form},
                )
                for place, form in enumerate(("Price list", "Roof check", "Battery"))
            ]
        receive(self.workspace, captures, at=at, by=self.people["Nia"])

    # ── what becomes of them ──

    def lead(self, name: str) -> Lead:
        lead: Lead = Lead.objects.select_related("holder__user", "workspace").get(name=name)
        return lead

    def taken(self, one: dict[str, Any], at: datetime) -> Member:
        """Whoever was offered the lead takes it; or Gwen gives it to the one who knows them."""
        lead = self.lead(one["name"])
        if to := one.get("rep"):
            handoff.accept(lead, by=self.people["Gwen"], to=self.people[to], at=at)
            return self.people[to]
        rep = self.offered(lead)
        handoff.accept(lead, by=rep, at=at)
        return rep

    def offered(self, lead: Lead) -> Member:
        """Whom the lead waits for, else who holds it."""
        waiting = Handoff.objects.open().filter(lead=lead).select_related("offered_to__user").first()
        rep = waiting.offered_to if waiting else lead.holder
        return rep or self.people["Hannah"]

    def works(self, one: dict[str, Any], at: datetime) -> None:
        """A rep takes the lead, calls, and goes on with it as far as it went."""
        rep = self.taken(one, at)
        called = after(self.workspace, at, self.dice.uniform(0.1, 1.5))
        self.play.at(called, partial(self.calls, one["name"], rep))
        if "wonders" in one:
            self.play.at(called + timedelta(minutes=10), partial(self.wonders, one))
        onward = called + timedelta(days=1)
        way = self.way_to(one["stage"])
        # Whoever bought was through in time; the others came to where they are not long ago.
        ends = one["won"] if one["stage"] in (Stage.CUSTOMER, Stage.LOST) else -1
        gap = one.get("gap") or min((ends - one["days"]) / (len(way) + 1), USUAL_GAP)
        for stage in way:
            met = self.play.working(onward)
            self.play.at(met, partial(self.moves, one["name"], rep, stage))
            onward += timedelta(days=gap)
        if one["stage"] == Stage.CUSTOMER:
            self.play.at(self.play.day(one["won"], "10:20"), partial(self.answers, one["name"], "accept"))
            self.play.at(self.play.day(one["won"], "14:10"), partial(self.wins, one["name"], rep))
        elif one["stage"] == Stage.LOST:
            self.play.at(self.play.day(one["won"], "16:20"), partial(self.loses, one["name"], rep))
        elif one["next"]:
            what, days, clock = one["next"]
            self.play.at(
                min(called + timedelta(minutes=4), self.now),
                partial(self.plans, one["name"], rep, what, self.play.day(days, clock)),
            )

    def calls(self, name: str, rep: Member, at: datetime) -> None:
        lead = self.lead(name)
        if lead.holder_id == rep.pk:
            self.do["call"](lead, "SPOKE", by=rep, at=at, note=next(self.words))
            self.selling.asks(lead, by=rep, at=at, only=1)

    def plans(self, name: str, rep: Member, what: str, due_at: datetime, at: datetime) -> None:
        lead = self.lead(name)
        if lead.holder_id != rep.pk:
            return
        if what == "Site visit":
            self.do["demo"](lead, what, starts_at=due_at, by=rep, at=at)
        else:
            self.do["plan"](lead, what, due_at=due_at, by=rep, at=at)

    def way_to(self, stage: str) -> Sequence[Stage]:
        """The stages on the way there; who bought or went elsewhere has seen them all."""
        if stage in (Stage.CUSTOMER, Stage.LOST):
            return ONWARD
        return ONWARD[: ONWARD.index(Stage(stage)) + 1] if stage in ONWARD else ()

    def moves(self, name: str, rep: Member, stage: Stage, at: datetime) -> None:
        self.selling.moves(self.lead(name), stage, by=rep, at=at)

    def drafts(self, name: str, at: datetime) -> None:
        lead = self.lead(name)
        if lead.holder is not None:
            self.selling.offers(lead, by=lead.holder, at=at, sends=False)

    def answers(self, name: str, how: str, at: datetime, *, words: str = "") -> None:
        self.selling.answers(self.lead(name), how, words=words, at=at)

    def wins(self, name: str, rep: Member, at: datetime) -> None:
        self.selling.wins(self.lead(name), by=rep, at=at)

    def loses(self, name: str, rep: Member, at: datetime) -> None:
        self.selling.loses(self.lead(name), by=rep, at=at)

    def sells_more(self, one: dict[str, Any], at: datetime) -> None:
        self.selling.sells_more(self.lead(one["name"]), title=one["title"], pounds=one["pounds"], at=at)

    def gives_back(self, one: dict[str, Any], at: datetime) -> None:
        """A rep gives the lead back: at once, or after having taken it and called."""
        if not one["taken"]:
            self.returns(one, at)
            return
        rep = self.taken(one, at)
        self.play.at(after(self.workspace, at, 0.5), partial(self.calls, one["name"], rep))
        self.play.at(after(self.workspace, at, 5), partial(self.returns, one))

    def wonders(self, one: dict[str, Any], at: datetime) -> None:
        """A rep asks marketing about a lead; marketing answers when it knows."""
        lead = self.lead(one["name"])
        asked = questions.ask(lead, one["wonders"], by=self.offered(lead), at=at)
        if "told" in one:
            self.play.at(at + timedelta(hours=2), partial(self.tells, asked, one["told"]))

    def tells(self, asked: Question, words: str, at: datetime) -> None:
        questions.answer(asked, words, by=self.people["Nia"], at=at)

    def returns(self, one: dict[str, Any], at: datetime) -> None:
        lead = self.lead(one["name"])
        reason = GiveBackReason.objects.get(key=one["reason"])
        until = self.play.day(one["until"], "08:30") if one.get("until") else None
        handoff.give_back(lead, reason=reason, by=self.offered(lead), at=at, note=one["words"], until=until)
