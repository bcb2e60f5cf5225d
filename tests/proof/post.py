"""The post of the two side by side: what the worker's handlers wrote to people, and what becomes of it on the line."""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID

from django.test import override_settings

from funnel.mail import sending
from funnel.mail.models import Message
from funnel.outbox.drain import drain
from funnel.outbox.models import Effect, Event, Lane, State
from funnel.workspaces.models import Member
from marketing.nurture.models import Enrollment
from tests.proof.model import Model
from tests.proof.people import Mails, Person, Quote

DELIVER = sending.deliver
# What a handler of these is about, as its event names it; in the model that is the person's.
ABOUT = {"tell_demo": "demo", "remind_demo": "demo", "ask_again": "demo", "quote_ends": "version"}
LETTERS = (*ABOUT, "demos_follow", "quote_settle", "quote_unsettle", "enroll", "nurture", "replied")


class Died(BaseException):
    """The worker's process ends here."""


class Line:
    """The line to a mail server of our own."""

    def __init__(self, post: Post) -> None:
        self.post = post

    def open(self) -> None:
        self.post.opened()

    def send_messages(self, mails: list[Any]) -> None:
        self.post.went()

    def close(self) -> None:
        pass


class Post:
    """What is written, and the line by which it goes; `how` is what happens to the first letter on it."""

    model: Model
    owner: Member
    now: datetime
    gate: Callable[[], Any]
    happened: Counter[str]
    differs: AssertionError | None

    def open_post(self, left: ExitStack) -> None:
        self.how, self.on_line = "", None
        self.went_out: set[UUID | None] = set()
        left.enter_context(override_settings(EMAIL_URL="smtp://post.example"))
        left.enter_context(patch("funnel.mail.sending.connection_to", lambda _server: Line(self)))
        left.enter_context(patch("funnel.mail.sending.deliver", self.deliver))

    # ── what is written ──

    def wrote(self, name: str, person: Person, told: list[Event], at: datetime) -> None:
        """A handler of these is through: let the model write the same."""
        model = self.model
        if name == "replied":
            model.replied(person)
        elif name == "enroll" and any(event.data["nurtures"] for event in told):
            model.enroll(person, at)
        for event in told:
            says, theirs = event.data, [*person.demos, *person.quotes]
            about: Any = next((one for one in theirs if str(one.pk) == says.get(ABOUT.get(name))), None)
            if name == "nurture":
                since = Enrollment.objects.values_list("enrolled_at", flat=True).get(pk=says["enrollment"])
                mails = next(one for one in person.mails if one.since == since)
                model.nurture(person, mails, says["position"], at)
            elif name == "demos_follow" and says["was"]:
                model.demos_follow(person, UUID(says["was"]), at)
            elif name == "quote_ends":
                model.quote_ends(person, about, at)
            elif name.startswith("quote_"):
                sale = next(one for one in person.sales if str(one.pk) == says["deal"])
                if name == "quote_settle":
                    model.quote_settle(person, sale, at)
                elif event.voids is not None:
                    model.quote_unsettle(person, sale, event.voids.recorded_at)
            elif name == "ask_again":
                model.ask_again(person, about, says["times"])
            elif about and says["sequence"] == about.sequence and event.recorded_at < about.ends:
                if name == "remind_demo":
                    model.remind_demo(person, about, at)
                else:
                    was = (says.get("was") or {}).get("holder")
                    model.tell_demo(person, about, event.kind, UUID(was["member"]) if was else None)

    def learn_letters(self, rows: list[tuple[UUID, str, UUID]]) -> None:
        """Which of Baton's new letters, (its id, kind, person), is which of the model's."""
        for pk, kind, lead in rows:
            waits = [one for one in self.model.people[lead].letters if one.kind == kind and one.pk is None]
            if waits:
                waits[0].pk = pk

    # ── the line ──

    def send(self, how: str = "") -> None:
        """The post goes out; something happens to its first letter. Members' own letters go nowhere: none is read."""
        with self.gate():
            outside = {str(pk) for pk in Message.objects.filter(member=None).values_list("pk", flat=True)}
            due = Effect.objects.filter(lane=Lane.MAIL, state=State.DUE).values_list("pk", "event__data")
            inside = [pk for pk, says in due if says["message"] not in outside]
            Effect.objects.filter(pk__in=inside).update(state=State.DONE)
        letters = [(person, one) for person in self.model.people.values() for one in person.letters]
        lost = [one for _, one in letters if one.state == "sending"]
        barred = [one for person, one in letters if one.state == "queued" and not self.model.may_go(person, one)]
        self.how = how
        try:
            drain((Lane.MAIL,), at=self.now, seconds=10**6)
        except Died:
            self.happened["the post died"] += 1
        self.how = ""
        if self.differs is not None:
            raise self.differs
        with self.gate():
            left = Effect.objects.filter(lane=Lane.MAIL, state=State.DUE, due_at__lte=self.now)
            # Whoever died has a lease for a while; one that died before, and whose lease is over, had no turn yet.
            if not left.exclude(leased_until__gt=self.now).exists():
                for one in lost:
                    one.state = "unknown"
                for one in barred:
                    one.state = "failed"
                    self.happened["kept back"] += 1
                self.compare_letters()

    def compare_letters(self) -> None:
        """What became of the letters to people is what the model says, and how far they are with the mails."""
        outside = Message.objects.filter(member=None, lead__isnull=False).values_list("pk", "state")
        mine = {one.pk: one.state for person in self.model.people.values() for one in person.letters}
        assert dict(outside) == mine, f"Baton has {dict(outside)}, the model {mine}"
        columns = ("lead_id", "enrolled_at", "position", "state")
        theirs = sorted(Enrollment.objects.values_list(*columns))
        times = [(pk, one.since, one.position, one.state) for pk, p in self.model.people.items() for one in p.mails]
        assert theirs == sorted(times), f"Baton has {theirs}, the model {sorted(times)}"

    def deliver(self, mail: Any, *how: Any) -> Any:
        """One letter on the line: by its name the model knows it."""
        pk = UUID(mail.extra_headers["Message-ID"].partition("@")[0].rpartition(".")[2])
        self.on_line = next((p, one) for p in self.model.people.values() for one in p.letters if one.pk == pk)
        person, letter = self.on_line
        letter.state = "sending"
        try:
            answer = DELIVER(mail, *how)
            if letter.state == "sending":
                assert not self.model.may_go(person, letter), "a letter that could go was kept back"
                letter.state = "failed"
            return answer
        except AssertionError as differs:
            self.differs = self.differs or differs
            raise

    def once(self, *hows: str) -> str:
        """What happens now, if it is one of these; it happens once."""
        how = self.how if self.how in hows else ""
        if how:
            self.how = ""
            self.happened[how] += 1
        return how

    def opened(self) -> None:
        person, letter = self.on_line  # type: ignore[misc]
        if self.once("dies on the line"):
            raise Died
        if isinstance(letter.about, Mails) and self.once("unsubscribes meanwhile"):
            self.no_more(person)
        if isinstance(letter.about, Quote) and self.once("is withdrawn meanwhile"):
            self.withdrawn(person, letter.about, self.owner)

    def went(self) -> None:
        person, letter = self.on_line  # type: ignore[misc]
        assert letter.pk not in self.went_out, "a letter went twice"
        assert self.model.may_go(person, letter), "a letter went that may go no more"
        if letter.tries < 2 and self.once("is told to come later"):
            letter.tries, letter.state = letter.tries + 1, "queued"
            raise smtplib.SMTPRecipientsRefused({"": (450, b"later")})
        if self.once("finds nobody"):
            letter.state = "failed"
            if isinstance(letter.about, Mails):
                self.model.unsubscribe(person)
            raise smtplib.SMTPRecipientsRefused({"": (550, b"5.1.1 nobody")})
        self.went_out.add(letter.pk)
        self.happened[f"{letter.kind} went"] += 1
        if self.once("dies after it went"):
            raise Died
        letter.state = "unknown" if self.once("breaks") else "sent"
        if letter.state == "unknown":
            raise smtplib.SMTPServerDisconnected

    def no_more(self, person: Person) -> None:
        """Somebody wants no more of marketing's mail."""
        raise NotImplementedError

    def withdrawn(self, person: Person, quote: Quote, who: Member) -> None:
        """One of us withdraws a quote."""
        raise NotImplementedError
