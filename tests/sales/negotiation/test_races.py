"""Many hands at one quote: exactly one ends it, and numbers have no gap (fault 28)."""

from __future__ import annotations

import threading

import pytest
from django.conf import settings

from funnel.leads.models import LeadQuerySet
from funnel.outbox.models import Event
from funnel.workspaces.gate import tenant
from funnel.workspaces.refusals import Refusal
from sales.close import actions as close
from sales.deals.models import LostReason
from sales.negotiation import actions as quotes
from sales.negotiation import answers
from sales.negotiation.models import DeclineReason, Quote, QuoteCounter, QuoteVersion
from tests.racing import race

ENDS = ("quote_accepted", "quote_declined", "quote_ended", "quote_withdrawn")


@pytest.fixture
def racers(transactional_db, sent, rep, gate):
    """A quote on its last second, and fifty who accept, decline, end, replace or withdraw it."""
    version = sent(rep)
    with gate(rep) as at:
        quotes.change(version.quote, by=rep, at=at)
        late = version.ends_at

    def one(place):
        def run():
            with tenant(rep.workspace_id, write=True) as at:
                mine = QuoteVersion.objects.select_related("quote__deal").get(pk=version.pk)
                kind = place % 5
                if kind == 0:
                    return bool(answers.accept(mine, signed=f"Ann {place}", at=at)) and "accepted"
                if kind == 1:
                    return bool(answers.decline(mine, reason=DeclineReason.PRICE, at=at)) and "declined"
                if kind == 2:
                    return answers.expire(mine, at=late) and "expired"
                if kind == 3:
                    mine = QuoteVersion.objects.whole().get(pk=version.pk)
                    return bool(quotes.withdraw(mine, by=rep, at=at)) and "withdrawn"
                following = QuoteVersion.objects.select_related("quote__deal__lead", "quote__deal__holder__user").get(
                    quote=version.quote_id, number=2
                )
                # A version that was answered by then stays as it was answered.
                quotes.send(following, by=rep, at=at)
                return "sent" if QuoteVersion.objects.get(pk=version.pk).state != "superseded" else "superseded"

        return run

    return version, [one(place) for place in range(50)]


def test_accepted_declined_ended_replaced_or_withdrawn_at_one_instant_is_exactly_one(racers, rep):
    version, runners = racers
    outcomes = race(runners)
    assert all(isinstance(one, Refusal) for one in outcomes if isinstance(one, Exception)), outcomes
    won = [one for one in outcomes if one in ("accepted", "declined", "expired", "superseded", "withdrawn")]
    assert len(won) == 1, won
    with tenant(rep.workspace_id):
        kept = QuoteVersion.objects.get(pk=version.pk)
        assert ("withdrawn" if kept.is_withdrawn else kept.state) == won[0]
        told = Event.objects.filter(kind__in=ENDS, data__version=str(version.pk))
        assert told.count() == (won[0] != "superseded")


def test_accepted_and_lost_at_one_instant_the_loss_comes_after_or_the_answer_too_late(transactional_db, sent, rep):
    versions = [sent(rep, f"Ann {place}") for place in range(8)]

    def accepts(version):
        def run():
            with tenant(rep.workspace_id, write=True) as at:
                mine = QuoteVersion.objects.select_related("quote__deal").get(pk=version.pk)
                answers.accept(mine, signed="Ann", at=at)

        return run

    def loses(version):
        def run():
            with tenant(rep.workspace_id, write=True) as at:
                close.lose(version.quote.deal, reason=LostReason.objects.get(key="price"), by=rep, at=at)

        return run

    outcomes = race([run for one in versions for run in (accepts(one), loses(one))])
    assert [one for one in outcomes if one is not None and not isinstance(one, answers.Over)] == []
    with tenant(rep.workspace_id):
        for version, accepted in zip(versions, outcomes[::2], strict=True):
            lead = version.quote.deal.lead_id
            told = Event.objects.filter(lead=lead, kind__in=("quote_accepted", "deal_lost")).order_by("id")
            late = isinstance(accepted, answers.Over)
            assert [one.kind for one in told] == ["quote_accepted", "deal_lost"][late:]


@pytest.mark.postgres
def test_without_the_guard_the_race_shows(racers, rep, monkeypatch):
    """The negative control: look, then write, without a lock and without comparing."""

    def unguarded(self, to, *, at, **also):
        if QuoteVersion.objects.get(pk=self.pk).state != "sent":
            return False
        QuoteVersion.objects.filter(pk=self.pk).update(state=to, updated_at=at, **also)
        return True

    monkeypatch.setattr(QuoteVersion, "move", unguarded)

    def unlocked(self, ids, *related):
        rows = self.filter(pk__in=list(ids)).select_related(*related) if related else self.filter(pk__in=list(ids))
        return {lead.pk: lead for lead in rows}

    monkeypatch.setattr(LeadQuerySet, "locked", unlocked)
    monkeypatch.setattr(type(QuoteVersion.objects.none()), "select_for_update", lambda self, **_: self)
    _, runners = racers
    outcomes = race([runner for place, runner in enumerate(runners) if place % 5 < 2])
    won = [one for one in outcomes if one in ("accepted", "declined")]
    assert len(won) > 1


def test_two_hundred_numbers_taken_at_once_have_no_gap(transactional_db, workspace):
    """PostgreSQL has connections for fifty at a time."""

    def take():
        with tenant(workspace, write=True):
            return quotes.next_number(workspace.pk, 2026)

    at_once = 200 if settings.SQLITE else 50
    numbers = [one for _ in range(200 // at_once) for one in race([take] * at_once)]
    assert sorted(numbers) == list(range(1, 201))


def test_without_the_lock_on_the_counter_numbers_are_given_twice(transactional_db, workspace, monkeypatch):
    """The negative control: read the last number, then write the next; on SQLite without the write lock of the door."""
    together = threading.Barrier(20, timeout=20)

    def unguarded(workspace_id, year):
        counter = QuoteCounter.objects.get(year=year)
        together.wait()
        QuoteCounter.objects.filter(pk=counter.pk).update(last=counter.last + 1)
        return counter.last + 1

    def take():
        with tenant(workspace):
            return quotes.next_number(workspace.pk, 2026)

    assert take() == 1
    monkeypatch.setattr(quotes, "next_number", unguarded)
    assert race([take] * 20) == [2] * 20


def test_a_sending_that_fails_takes_no_number(drafted, rep, gate, monkeypatch, transactional_db):
    first, second = drafted(rep), drafted(rep, "Bob Ray")

    def fails(*what, **how):
        raise RuntimeError("after the number was given")

    with monkeypatch.context() as patched:
        patched.setattr(quotes, "digest_of", fails)
        with pytest.raises(RuntimeError), tenant(rep.workspace_id, write=True) as at:
            quotes.send(first, by=rep, at=at)
    with gate(rep) as at:
        quotes.send(second, by=rep, at=at)
        assert list(Quote.objects.exclude(number=None).values_list("number", flat=True)) == [1]
