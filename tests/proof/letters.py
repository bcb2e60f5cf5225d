"""What is written in the model, to whom, and what may still go: nurture mails, demos, quotes, and what members read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from funnel.templatetags.words import day
from tests.proof.people import DAY, MARKETING, OPEN, Demo, Letter, Mails, No, Offer, Person, Quote, Sale, Step
from tests.proof.scores import Rules

# The mails of the sequence by their place: how many days after the one before.
MAILS = {1: 1, 2: 3}
OFFERS = ("handoff", "handoff-reminder", "handoff-late")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Letters:
    """Whom which letter tells: `tells` are (kind, person, whom) of new ones, with nobody where it goes to the person.

    Of several people whom somebody lost, or is offered, at once one letter tells.
    """

    rules: Rules
    people: dict[UUID, Person]
    leaders: set[UUID]
    takers: set[UUID]
    owes: list[tuple[str, UUID | None, datetime]]
    tells: list[tuple[str, UUID | None, UUID | None]]
    lost: dict[UUID, list[UUID]]

    def tell(self, kind: str, person: Person, whom: Iterable[UUID]) -> None:
        self.tells += [(kind, person.pk, one) for one in whom]

    def tell_offered(self, kind: str, person: Person, offer: Offer) -> None:
        """Tell whoever has the offer; what is in the pool everybody who may take it."""
        self.tell(kind, person, {offer.to} if offer.to else self.leaders | self.takers)

    def told(self) -> list[tuple[str, UUID | None, UUID | None]]:
        """The letters since this was asked last."""
        gone = [("gone-on", who[0] if len(who) == 1 else None, whom) for whom, who in self.lost.items()]
        said = [one for one in self.tells if one[0] not in OFFERS]
        offers: dict[tuple[str, UUID | None], list[UUID | None]] = {}
        for kind, person, whom in self.tells:
            if kind in OFFERS:
                offers.setdefault((kind, whom), []).append(person)
        for (kind, whom), who in offers.items():
            said.append((kind, who[0], whom) if len(who) == 1 else (f"{kind}-several", None, whom))
        self.tells = []
        self.lost.clear()
        return said + gone

    def write(self, kind: str, person: Person, about: Mails | Demo | Quote) -> None:
        """Write to a person who has an address."""
        if "email" in person.known:
            person.letters.append(Letter(kind, about, about.sequence if isinstance(about, Demo) else 0))
            self.tells.append((kind, person.pk, None))

    def may_go(self, person: Person, letter: Letter) -> bool:
        """Whether a letter that was written may still go: marketing's may not in all that ends the mails, a quote only
        while it is open, an invitation to book again only to who did miss the demo, a reminder only while that holds.
        """
        about = letter.about
        if isinstance(about, Mails):
            return about.state != "stopped" and not self.no_mails(person, about.since)
        if isinstance(about, Quote):
            return not about.over and about.sale.stage != "lost"
        if letter.kind == "demo-reminder":
            return (about.state, about.sequence) == ("booked", letter.sequence)
        return letter.kind != "demo-missed" or about.state == "missed"

    # ── nurture mails ──

    def no_mails(self, person: Person, since: datetime | None = None) -> bool:
        """Whether somebody may get none: not with marketing, not agreed, unsubscribed, or spoke or asked since then."""
        spoke = [act for act in person.acts if not act.gone and (act.asks or act.kind == "email_reply")]
        said = since is not None and any(act.recorded > since for act in spoke)
        reached = "email" in person.known and person.agreed and not person.barred
        return not reached or person.stage not in MARKETING or said

    def enroll(self, person: Person, at: datetime) -> None:
        """Given back for a reason that says so: the first mail that they have not had yet comes after its days."""
        left = [place for place in MAILS if place not in person.had]
        if left and not self.no_mails(person) and all(one.state != "active" for one in person.mails):
            person.mails.append(Mails(at))
            self.owes.append(("nurture", person.pk, self._later(at, left[0])))

    def nurture(self, person: Person, mails: Mails, position: int, at: datetime) -> None:
        """The next mail, or the end of them."""
        if mails.state != "active" or mails.position != position:
            return
        if self.no_mails(person, mails.since):
            person.end_mails(mails)
            return
        left = [place for place in MAILS if place > position and place not in person.had]
        if not left:
            mails.state = "done"
            return
        mails.position = left[0]
        person.had.add(left[0])
        self.write("nurture", person, mails)
        self.owes.append(("nurture", person.pk, self._later(at, left[1]) if left[1:] else at))

    def _later(self, at: datetime, place: int) -> datetime:
        return (at.astimezone(self.rules.zone) + DAY * MAILS[place]).astimezone(UTC)

    def replied(self, person: Person) -> None:
        for one in person.mails:
            if self.no_mails(person, one.since):
                person.end_mails(one)

    def unsubscribe(self, person: Person) -> None:
        if "email" not in person.known:
            raise No
        person.barred = True
        person.end_mails()

    # ── demos ──

    def busy(self, who: UUID, starts: datetime, ends: datetime, besides: Demo | None = None) -> bool:
        """Whether somebody has another demo in that time."""
        theirs = [one for person in self.people.values() for one in person.demos if one.holder == who]
        takes = [one for one in theirs if one.state in ("booked", "held") and one is not besides]
        return any(one.starts < ends and one.ends > starts for one in takes)

    def book(self, person: Person, demo: Demo, by: UUID, at: datetime) -> None:
        if (person.holder not in (None, by) and by not in self.leaders) or self.busy(by, demo.starts, demo.ends):
            raise No
        found = person.first_open()
        self.advance(person, "demo", by)
        demo.made, demo.sale = at, found or person.sales[-1]
        person.demos.append(demo)
        self._set(person, demo, at)

    def _set(self, person: Person, demo: Demo, at: datetime) -> None:
        """It stands in the calendars anew: both are told, and reminded a day before, else an hour."""
        early = [demo.starts - ahead for ahead in (DAY, HOUR) if demo.starts - ahead > at]
        due = max(early[0] if early else demo.starts, at)
        self.owes += [("tell_demo", person.pk, at), ("remind_demo", person.pk, due)]

    def _may_change(self, person: Person, demo: Demo, by: UUID) -> None:
        if by not in (demo.holder, person.holder) and by not in self.leaders:
            raise No

    def move_demo(self, person: Person, demo: Demo, starts: datetime, by: UUID, at: datetime) -> None:
        self._may_change(person, demo, by)
        ends = starts + (demo.ends - demo.starts)
        if demo.state != "booked" or self.busy(demo.holder, starts, ends, demo):
            raise No
        demo.starts, demo.ends = starts, ends
        demo.sequence += 1
        self._set(person, demo, at)

    def cancel(self, person: Person, demo: Demo, by: UUID, at: datetime) -> None:
        self._may_change(person, demo, by)
        if demo.state != "cancelled":
            if demo.state != "booked":
                raise No
            self._cancelled(person, demo, at)

    def _cancelled(self, person: Person, demo: Demo, at: datetime) -> None:
        demo.state, demo.decided = "cancelled", at
        demo.sequence += 1
        self.owes.append(("tell_demo", person.pk, at))

    def decide(self, person: Person, demo: Demo, to: str, by: UUID, at: datetime) -> None:
        """It was held or missed; the other one is put right."""
        self._may_change(person, demo, by)
        if demo.state == to:
            return
        again = demo.state == "missed" and self.busy(demo.holder, demo.starts, demo.ends, demo)
        if demo.state == "cancelled" or demo.starts > at or again:
            raise No
        person.keep("demo-missed", demo)
        demo.state, demo.decided = to, at
        if to == "held":
            person.spoken.append(min(demo.starts, at))
        else:
            self.owes.append(("ask_again", person.pk, at))

    def cancel_all(self, person: Person, at: datetime) -> None:
        """Nobody would be there: what is to come ends with somebody's time with sales."""
        for demo in person.demos:
            if person.stage != "customer" and demo.state == "booked" and demo.ends > at:
                self._cancelled(person, demo, at)

    def demos_follow(self, person: Person, was: UUID, at: datetime) -> None:
        """A person went to a colleague, and their demos with them; who is busy then has a step."""
        coming = [one for one in person.demos if (one.holder, one.state) == (was, "booked") and one.ends > at]
        for demo in sorted(coming, key=lambda one: one.starts):
            if person.holder is None or person.holder == was:
                continue
            if not self.busy(person.holder, demo.starts, demo.ends):
                demo.holder = person.holder
                demo.sequence += 1
                self._set(person, demo, at)
            else:
                local = demo.starts.astimezone(self.rules.zone)
                what = f"Find a time or somebody for “Meeting” on {day(local.date())}, {local:%H:%M}"
                person.steps.append(Step(person.holder, what, at, at))

    def tell_demo(self, person: Person, demo: Demo, kind: str, was: UUID | None) -> None:
        self.write(kind.replace("_", "-"), person, demo)
        self.tell("demo-rep", person, {demo.holder} | ({was} if was else set()))

    def remind_demo(self, person: Person, demo: Demo, at: datetime) -> None:
        if demo.state == "booked" and demo.starts > at:
            self.write("demo-reminder", person, demo)
            self.tell("demo-rep-reminder", person, {demo.holder})

    def ask_again(self, person: Person, demo: Demo, times: int) -> None:
        """Whoever missed one for the first time may book again."""
        if demo.state == "missed" and times == 1 and person.holder:
            self.write("demo-missed", person, demo)

    # ── quotes ──

    def offer_quote(self, person: Person, quote: Quote, amount: int, by: UUID, at: datetime) -> None:
        self.mine(quote.sale, by)
        if quote.sale.stage not in OPEN:
            raise No
        self.advance(person, "negotiation", by, quote.sale)
        quote.sale.amount = amount
        person.quotes.append(quote)
        person.served.append(at)
        self.write("quote", person, quote)
        self.owes.append(("quote_ends", person.pk, quote.ends))

    def withdraw(self, person: Person, quote: Quote, by: UUID, at: datetime) -> None:
        self.mine(quote.sale, by)
        if quote.over or quote.sale.stage == "lost" or quote.ends <= at:
            raise No
        quote.over = True
        person.keep("quote", quote)

    def quote_ends(self, person: Person, quote: Quote, at: datetime) -> None:
        """Its last day is over, and nobody has answered: a step for whoever has the deal."""
        if quote.over:
            return
        quote.over, sale = True, quote.sale
        if sale.stage in OPEN:
            evening = datetime.combine(at.astimezone(self.rules.zone).date() + DAY, time(), self.rules.zone) - MINUTE
            person.steps.append(Step(sale.holder, f"{quote.name} ended without an answer: call", evening, at))
            self.tell("quote-told", person, {sale.holder})

    def quote_settle(self, person: Person, sale: Sale, at: datetime) -> None:
        """A deal has ended, and with it the steps about its quotes."""
        if sale.stage not in OPEN:
            person.end_steps(at, [step for step in person.steps if _about(person, sale, step)])

    def quote_unsettle(self, person: Person, sale: Sale, since: datetime) -> None:
        """It is open again, and so are they."""
        if sale.stage in OPEN:
            back = [(step, at) for step, at in person.ended if at >= since and _about(person, sale, step)]
            person.steps += [step for step, _ in back]
            person.ended = [one for one in person.ended if one not in back]

    # ── what deals have to do with it ──

    def advance(self, person: Person, to: str, by: UUID, sale: Sale | None = None) -> None:
        raise NotImplementedError

    def mine(self, sale: Sale, by: UUID) -> None:
        raise NotImplementedError


def _about(person: Person, sale: Sale, step: Step) -> bool:
    return any(step.what.startswith(f"{one.name} ") for one in person.quotes if one.sale is sale)
