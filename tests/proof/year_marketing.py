"""Who comes in a played year, and what marketing and the owner do about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from funnel.handoff import actions as handoff
from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Event, Lane
from funnel.scoring import changing
from funnel.scoring.rules import default_rules
from marketing.capture import actions as capture
from marketing.capture.models import Form, Submission
from marketing.channels.models import Channel
from marketing.costs.actions import spend
from tests.proof.year_clock import Course

WAYS = (
    ("search", "", ""), ("ads", "Spring roofs", "Headline A"), ("ads", "Spring roofs", "Headline B"),
    ("email", "Newsletter", ""), ("referral", "", ""), ("event", "Home show", "Stand"), ("social", "Autumn", "Reel"),
    ("", "", ""),
)  # fmt: skip
TOUCHES = ("page_view", "page_view", "page_view", "email_click", "visit", "promo_event", "call")


class Marketing(Course):
    """Whoever comes, by which way, and what is done before the handoff."""

    fair: int
    channels: list[Channel]
    form: Form
    # Whose form is on its way to the worker, and which forms wait for a person.
    sent: set[str]
    held: set[UUID]

    def _comes(self, number: int, at: datetime) -> None:
        """Somebody sends a form; some have been here before, some are told of days later."""
        dice = self.dice
        again = number > 20 and dice.random() < 0.04
        who = dice.choice([*self.came]) if again else f"p{number}@{f'firm{number // 2}' if number % 3 else 'gmail'}"
        address = who if "." in who else who + (".com" if who.endswith("gmail") else ".example")
        channel, campaign, placement = dice.choice(WAYS)
        asks = dice.random() < 0.12
        if dice.random() < 0.08:
            typed = {"name": f"Person {number}", "email": address, "consent": "yes"}
            self._sends_in(typed, {"channel": channel, "campaign": campaign, "placement": placement}, at)
            return
        said = Capture(
            kind="form", name=f"Person {number}" if dice.random() < 0.9 else "", email=address,
            phone=f"0{7_400_000_000 + number}" if dice.random() < 0.7 else "",
            company=f"Firm {number // 2}" if number % 3 else "", channel=channel, campaign=campaign,
            placement=placement, asks=asks, occurred_at=at - timedelta(days=3) if dice.random() < 0.03 else None,
        )  # fmt: skip
        with self.gate():
            (got,) = receive(self.workspace, [said], at=at)
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

    def _sends_in(self, typed: dict[str, str], origin: dict[str, str], at: datetime) -> None:
        """The form that the business began with: what looks like a script's waits for a person, who lets it through."""
        flags = self.dice.choice(([], [], ["fast"], ["trap", "old"]))
        pk = self._typed(typed, origin, flags, at)
        if not flags:
            self.sent.add(typed["email"])
        elif self.dice.random() < 0.65:
            self.later(self.dice.choice((1, 8, 30)), partial(self._lets_through, pk))

    def _typed(self, typed: dict[str, str], origin: dict[str, str], flags: list[str], at: datetime) -> UUID:
        origin |= {"consent_text": self.form.consent_text}
        with self.gate():
            pk: UUID = capture.send_in(self.form, typed, origin=origin, flags=flags, at=at).pk
        self.did["sent in"] += 1
        if flags:
            self.held.add(pk)
        return pk

    def _lets_through(self, pk: UUID, at: datetime) -> None:
        with self.gate():
            one = Submission.objects.select_related("form").get(pk=pk)
            capture.release(one, by=self.marketer, at=at)
        self.held.remove(pk)
        self.sent.add(one.typed["email"])
        self.did["let through"] += 1

    def _arrived(self) -> None:
        """After the worker was there, whoever sent the form is a lead, once."""
        for address in sorted(self.sent):
            lead = Lead.objects.get(email=address)
            assert self.came.setdefault(address, lead.pk) == lead.pk
        self.sent.clear()

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
        """A list is brought in and told of what some did there; nobody is handed over by that, some wait for a go."""
        captures = [
            Capture(
                name=f"Visitor {n}", email=f"v{n}@fair{n}.example", phone=f"0{7_500_000_000 + n}", company=f"Fair {n}",
                channel="event", campaign="Home show", occurred_at=at - timedelta(days=2, minutes=n % 400),
            )
            for n in range(self.fair)
        ]  # fmt: skip
        for start in range(0, len(captures), 200):
            with self.gate():
                part = captures[start : start + 200]
                for got in receive(self.workspace, part, at=at, lane=Lane.BULK, by=self.marketer):
                    assert got.lead is not None, got.refused
                    self.came[got.lead.email] = got.lead.pk
        for n in range(0, self.fair, 3):
            for kind in ("promo_event", "call"):
                with self.gate():
                    lead = self.lead(self.came[captures[n].email])
                    touch(lead, kind, at=at, by=self.marketer, occurred_at=captures[n].occurred_at)
        self.did["by a list"] += len(captures)

    def _new_rules(self, how: str, again: bool, at: datetime) -> None:
        rules = default_rules()
        if how == "keen":
            rules["engagement_cuts"] = [8, 16, 45]
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
