"""Steps by which letters come about and go: demos, quotes, nurture mails and their end; who is away, and slips."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from funnel.people import away
from funnel.workspaces.models import Member, TimeOff
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment
from sales.deals.models import Deal
from sales.demos import actions as demos
from sales.demos.models import Demo as Booked
from sales.negotiation import actions as quotes
from sales.negotiation.models import QuoteVersion
from tests.proof.machine import TICK
from tests.proof.people import DAY, SALES, Away, Demo, Person, Quote, Sale
from tests.proof.steps_sales import Sales

HALF = timedelta(minutes=30)
# What happens to the first letter on the line.
POST = (
    "", "", "dies on the line", "dies after it went", "unsubscribes meanwhile", "is withdrawn meanwhile",
    "is told to come later", "breaks", "finds nobody",
)  # fmt: skip
# How it ends with the nurture mails, once the first is written and has gone or not.
ENDS = (
    "", "unsubscribes", "answers", "asks", "is sold to", "finds nobody", "unsubscribes meanwhile", "dies on the line",
    "dies after it went",
)  # fmt: skip


class Writing(Sales):
    """What may happen between us and people by mail, and on our calendars."""

    # ── the post and the nurture mails ──

    @rule(how=st.sampled_from(POST))
    def post_goes(self, how: str) -> None:
        self.now += TICK
        self.send(how)

    def no_more(self, person: Person) -> None:
        def theirs() -> None:
            latest = Enrollment.objects.filter(lead=person.pk).select_related("lead").last()
            if latest is None:
                nurture.no_mail(self.lead(person), by=self.owner, at=self.now)
            else:
                nurture.unsubscribe(latest, at=self.now)

        self.both(lambda: self.model.unsubscribe(person), theirs)

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), unsubscribes=st.booleans())
    def says(self, number: int, unsubscribes: bool) -> None:
        """Somebody wants no more mail, or answers one."""
        person = self.person(number, lambda one: one.mails)
        if unsubscribes:
            self.no_more(person)
        else:
            self._touched(person, "email_reply")

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), end=st.sampled_from(ENDS), early=st.booleans())
    def gets_mails(self, number: int, end: str, early: bool) -> None:
        """Somebody is given back who gets the nurture mails then, until the end of them comes, perhaps before the post
        has been there.
        """
        fits = self.person(number, lambda one: one.agreed and not (one.barred or one.customer or one.had))
        if not fits.offer and fits.stage not in SALES:
            self._opened(fits, self.owner, "demo", 100)
        self._given_back(fits, self.owner, 3, 0)
        self.passes(self.now + DAY + timedelta(hours=2))
        if not early or end in POST:
            self.post_goes(end if end in POST else "")
        if end == "unsubscribes":
            self.no_more(fits)
        elif end in ("answers", "asks"):
            self._touched(fits, "email_reply" if end == "answers" else "contact_request")
        elif end == "is sold to":
            self._opened(fits, self.owner, "demo", 100)
            if not early:
                # Given back once more: what they have had doesn't come again.
                self._given_back(fits, self.owner, 3, 0)
        self.post_goes("")
        self.passes(self.now + 4 * DAY)
        self.post_goes("")

    # ── demos ──

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), by=st.integers(0, 7), hours=st.sampled_from([0, 2, 30, 100]))
    def book_demo(self, number: int, by: int, hours: int) -> None:
        """A demo so many hours ahead, or, without any, as somebody's next one begins."""
        person = self.person(number, lambda one: one.stage in SALES)
        who = self.whoever(person, by)
        starts = (self.now + timedelta(hours=hours or 5)).replace(second=0, microsecond=0)
        coming = [
            one.starts for each in self.model.people.values() for one in each.demos if one.starts > self.now + TICK
        ]
        self._booked(person, who, min(coming, default=starts) if not hours else starts)

    def _booked(self, person: Person, who: Member, starts: Any) -> Demo | None:
        demo, many = Demo(who.pk, who.pk, starts, starts + HALF), len(person.sales)
        made = self.both(
            lambda: self.model.book(person, demo, who.pk, self.now),
            lambda: demos.book(
                self.lead(person), holder=who, starts_at=starts, ends_at=starts + HALF, by=who, at=self.now
            ),
        )
        if made is None:
            self.happened["asks for a time that is taken"] += self.model.busy(who.pk, starts, demo.ends)
            return None
        demo.pk = made.pk
        if len(person.sales) > many:
            person.sales[-1].pk = made.deal_id
        return demo

    @precondition(lambda self: any(one.demos for one in self.model.people.values()))
    @rule(
        number=st.integers(0, 9),
        by=st.integers(0, 7),
        how=st.sampled_from(["moved", "cancelled", "held", "missed", "missed"]),
    )
    def demo_goes(self, number: int, by: int, how: str) -> None:
        """It is put off or called off, or it is held or missed."""
        met = [one for one in self.model.people.values() if one.demos]
        person = met[number % len(met)]
        demo, who = person.demos[-1], self.whoever(person, by)
        if how in ("held", "missed") and demo.state == "booked":
            self.passes(demo.starts)
        self._demo_went(person, demo, how, who)

    def _demo_went(self, person: Person, demo: Demo, how: str, who: Member) -> None:
        verb = {"held": demos.held, "missed": demos.no_show, "cancelled": demos.cancel}
        if how == "moved":
            starts = max(self.now + TICK, demo.starts) + timedelta(hours=27)
            self.both(
                lambda: self.model.move_demo(person, demo, starts, who.pk, self.now),
                lambda: demos.move(Booked.objects.get(pk=demo.pk), {"starts_at": starts}, by=who, at=self.now),
            )
        elif how == "cancelled":
            self.both(
                lambda: self.model.cancel(person, demo, who.pk, self.now),
                lambda: demos.cancel(Booked.objects.get(pk=demo.pk), by=who, at=self.now),
            )
        else:
            self.both(
                lambda: self.model.decide(person, demo, how, who.pk, self.now),
                lambda: verb[how](Booked.objects.get(pk=demo.pk), by=who, at=self.now),
            )

    def meets(self, number: int, twice: bool) -> None:
        """Somebody is reminded of a demo and misses it; they miss another whose reminder comes too late, or it goes to
        a colleague, and ends as they are given back.
        """
        person = self.person(number, lambda one: "email" in one.known and not one.customer)
        for hours in (3, 5) if twice else (3,):
            demo = self._booked(person, self.owner, self.now + timedelta(hours=hours))
            if demo is None:
                return
            # Two ask for the same time.
            self._booked(self.person(number, lambda one: one is not person), self.owner, demo.starts)
            self.work()
            if hours == 3:
                self.passes(demo.starts - TICK)
                self.post_goes("")
            self.passes(demo.starts)
            self._demo_went(person, demo, "missed", self.owner)
        self.work()
        self.post_goes("")
        if not twice:
            self._booked(person, self.owner, self.now + timedelta(hours=30))
            self._held_passed(person, self.reps[0])
            self.passes(self.now + timedelta(hours=4))
            self._given_back(person, self.owner, 1, 0)
            self.passes(self.now + timedelta(hours=4))
            self.post_goes("")

    # ── quotes ──

    @precondition(lambda self: self.who)
    @rule(
        number=st.integers(0, 9),
        by=st.integers(0, 7),
        pounds=st.integers(1, 900),
        end=st.sampled_from(["", "withdrawn", "is withdrawn meanwhile", "over"]),
    )
    def offers(self, number: int, by: int, pounds: int, end: str) -> None:
        """A quote is sent, and withdrawn before the post goes or while its letter is on the line, or nobody answers."""
        person = self.person(number, lambda one: one.first_open())
        sale = person.first_open() or self._opened(person, self.owner, "demo", 100)
        if sale is None:
            return
        who = self._seller(sale, by)
        quote = self._quoted(person, sale, who, pounds)
        if quote is None:
            return
        if end == "withdrawn":
            self.withdrawn(person, quote, who)
        self.post_goes(end if end in POST else "")
        if end == "over":
            self.passes(quote.ends)

    def withdrawn(self, person: Person, quote: Quote, who: Member) -> None:
        self.both(
            lambda: self.model.withdraw(person, quote, who.pk, self.now),
            lambda: quotes.withdraw(QuoteVersion.objects.whole().get(pk=quote.pk), by=who, at=self.now),
        )

    def _quoted(self, person: Person, sale: Sale, who: Member, pounds: int) -> Quote | None:
        last = (self.now + TICK).astimezone(self.workspace.zone).date() + 30 * DAY
        ends = datetime.combine(last + DAY, time(), self.workspace.zone).astimezone(UTC)
        quote = Quote(sale.pk, sale, ends)

        def theirs() -> QuoteVersion:
            line = quotes.LineDraft("A roof", 1_0000, pounds * 100)
            version = quotes.draft(Deal.objects.get(pk=sale.pk), [line], by=who, at=self.now)
            quotes.send(version, by=who, at=self.now)
            return QuoteVersion.objects.select_related("quote").get(pk=version.pk)

        made = self.both(lambda: self.model.offer_quote(person, quote, pounds * 100, who.pk, self.now), theirs)
        if made is not None:
            quote.pk, quote.name = made.pk, made.quote.name
        return quote if made is not None else None

    # ── who is there, and what is not so ──

    @rule(
        number=st.integers(0, 5),
        ahead=st.sampled_from([0, 0, 1, 3]),
        days=st.sampled_from([0, 2, 9]),
        back=st.booleans(),
    )
    def is_away(self, number: int, ahead: int, days: int, back: bool) -> None:
        """Somebody of us, mostly a rep, will be away, or comes back before it is over."""
        who = (*self.people, *self.reps)[number % len(self.people + self.reps)]
        theirs = [one for one in self.model.away if one.who == who.pk]
        if theirs and back:
            self.now += TICK
            with self.gate():
                away.come_back(
                    TimeOff.objects.select_related("member__user").get(pk=theirs[-1].pk), by=who, at=self.now
                )
            self.model.away.remove(theirs[-1])
        else:
            self._away(who, ahead, days)

    def _away(self, who: Member, ahead: int, days: int) -> None:
        first = (self.now + TICK).astimezone(self.workspace.zone).date() + ahead * DAY
        one = Away(who.pk, who.pk, first, first + days * DAY)
        made = self.both(
            lambda: self.model.take_off(one, self.now),
            lambda: away.take_off(who, one.first, one.last, by=who, at=self.now),
        )
        if made is not None:
            one.pk = made.pk

    def goes_away(self, number: int) -> None:
        """Whoever has an offer goes away; what comes then goes to nobody who isn't there."""
        person = self.person(number, lambda one: one.stage in ("new", "nurturing", "lost"))
        self._touched(person, "contact_request")
        self.work()
        if person.offer and person.offer.to:
            self._away(next(one for one in self.reps if one.pk == person.offer.to), 0, 2)  # type: ignore[union-attr]
            self.work()
            self.happened["went away"] += person.offer is not None and len(person.offers) > 1

    def mates(self) -> None:
        """Two of a company ask: the second goes to who has the first."""
        self.capture(1, True, 0)
        self.work()
        first = self.model.people[self.who[1]]
        if first.offer and first.offer.to:
            self._accepted(first, next(one for one in self.reps if one.pk == first.offer.to))  # type: ignore[union-attr]
        self.capture(5, True, 0)
        self.work()
        second = self.model.people[self.who[5]].offer
        self.happened["went to who has the company"] += bool(second and second.to and second.to == first.holder)

    @precondition(lambda self: self.who)
    @rule(number=st.integers(0, 9), fails=st.booleans())
    def slips(self, number: int, fails: bool) -> None:
        """Somebody asks, which is a slip: it is taken back before it was scored, or while that is to be tried again."""
        person = self.person(number, lambda one: one.stage in ("new", "nurturing", "lost"))
        self.work()
        self._touched(person, "contact_request")
        if fails:
            self.work(("score", "fails"))
        self._taken_back(person, person.acts[-1])
        self.passes(self.now + HALF)
