"""What was won against what was to be won: together and by each, on the owner's home and on one's own month."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.ledger import actions as ledger
from funnel.workspaces import gate as gates
from funnel.workspaces.months import periods_at
from sales.close import actions as close
from sales.deals import actions as deals
from sales.reports.pace import Book
from sales.reports.plot import plot_of
from sales.targets.actions import set_target

# 21 working days; 11 are over.
NOW = datetime(2026, 11, 17, 10, 42, tzinfo=UTC)
NOVEMBER = date(2026, 11, 1)


def text(client, path):
    page = client.get(path).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


@pytest.fixture
def on_that_day(monkeypatch):
    """Every clock says NOW: this process's, and the database's that a door asks."""
    real = gates.enter

    def entered(workspace_id):
        real(workspace_id)
        return NOW

    monkeypatch.setattr(gates, "enter", entered)
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def november(owner, rep, other_rep, catch, gate, on_that_day):
    """Two reps with targets, three wins this month, one last month, and one that was undone."""
    leads = [catch(rep, f"Ann Bell{n}") for n in range(5)]
    with gate(owner):
        set_target(NOVEMBER, 66_000_00, member=rep, by=owner, at=NOW)
        set_target(NOVEMBER, 54_000_00, member=other_rep, by=owner, at=NOW)
        for lead, who, amount, day in (
            (leads[0], rep, 45_130_00, 3), (leads[1], other_rep, 27_090_00, 16), (leads[2], rep, 9_000_00, -20)
        ):  # fmt: skip
            deal = deals.open_deal(lead, by=owner, at=NOW, holder=who)
            when = datetime(2026, 11, day, 12, tzinfo=UTC) if day > 0 else datetime(2026, 10, 20, tzinfo=UTC)
            close.win(deal, by=owner, at=NOW, amount=amount, occurred_at=when)
        undone = close.win(deals.open_deal(leads[3], by=owner, at=NOW, holder=rep), by=owner, at=NOW, amount=7_00)
        close.undo(undone, by=owner, at=NOW)
    return leads


@pytest.fixture
def pace(owner):
    """How a period goes for all together, read alone."""
    return lambda period: Book.of(period, owner.workspace).pace(period, at=NOW)


def test_an_even_pace_is_the_share_of_the_working_days_that_are_over(november, owner, gate, pace):
    with gate(owner):
        month = periods_at(NOW, owner.workspace)["month"]
        now = pace(month)
        assert (now.won, now.target, now.days, now.over) == (72_220_00, 120_000_00, 21, 11)
        assert (now.even, now.ahead, now.ends_near) == (62_857_14, 9_362_86, 137_874_55)
        quarter = pace(periods_at(NOW, owner.workspace)["quarter"])
        assert (quarter.won, quarter.target) == (81_220_00, 120_000_00)
        last = pace(periods_at(NOW, owner.workspace)["last-month"])
        assert (last.won, last.target, last.even, last.ends_near) == (9_000_00, None, None, None)


def test_the_home_says_so_and_opens_into_rows_that_add_up(november, owner, rep, other_rep, gate, browse):
    page = text(browse(owner), "/")
    assert "£72,220 won of £120,000. That is £9,363 ahead of an even pace." in page
    assert "The quarter: £81,220 of £120,000" in page
    assert "Even pace after 11 working days: £62,857" in page
    assert "Rita £45,130 of £66,000, Otto £27,090 of £54,000." in page
    assert "Show the 2 rows behind £72,220" in page
    assert "3 Nov Ann Bell0 Ann Bell0 Rita Unknown £45,130 £45,130" in page
    assert "Won in November 2026 £72,220" in page
    ended = text(browse(owner), "/?period=last-month")
    assert "£9,000 won. 1 new customer." in ended
    with gate(owner):
        month = periods_at(NOW, owner.workspace)["month"]
        won = Book.of(month, owner.workspace).won({})
        assert [so_far for _, so_far, _ in won.rows] == [45_130_00, 72_220_00]
        told = Book.of(month, owner.workspace).each([other_rep, rep])
        assert told[0] == (rep, 45_130_00, 66_000_00)


def test_without_a_target_and_a_win_the_home_says_who_waits(owner, browse, catch):
    catch(owner)
    page = text(browse(owner), "/")
    assert "Nobody waits." in page
    assert "won" not in page.split("What the channels brought")[0]


def test_a_month_without_either_still_says_how_the_quarter_goes(owner, catch, gate, browse, on_that_day):
    lead = catch(owner)
    with gate(owner):
        deal = deals.open_deal(lead, by=owner, at=NOW)
        close.win(deal, by=owner, at=NOW, amount=4_321_00, occurred_at=datetime(2026, 10, 20, tzinfo=UTC))
    for path in ("/", "/sales/month/"):
        assert "The quarter: £4,321" in text(browse(owner), path)


def test_my_month_is_mine(november, rep, other_rep, owner, marketer, browse):
    mine = text(browse(rep), "/sales/month/")
    assert "£45,130 won of £66,000. That is £10,559 ahead of an even pace." in mine
    assert "£27,090" not in mine
    assert "Ann Bell1" not in mine
    assert "£36,090" not in text(browse(other_rep), "/sales/month/")
    assert "Nothing won in November 2026 yet." in text(browse(owner), "/sales/month/")
    assert browse(marketer).get("/sales/month/").status_code == 403


def test_the_drawing_ends_where_the_sum_does(november, owner, gate):
    with gate(owner):
        month = periods_at(NOW, owner.workspace)["month"]
        found = Book.of(month, owner.workspace).by_day()
        plot = plot_of(month, found, 120_000_00, workspace=owner.workspace, at=NOW)
    assert plot.rows == [(date(2026, 11, 3), 45_130_00, 45_130_00), (date(2026, 11, 16), 27_090_00, 72_220_00)]
    assert plot.amounts == ["£125k", "£100k", "£75k", "£50k", "£25k", "0"]
    assert plot.won == "M0 100.00H66.7V63.90H500.0V42.22H548.2"
    assert plot.even.endswith("L1000.0 4.00")
    assert plot.days == ["1 Nov", "8 Nov", "15 Nov", "22 Nov", "29"]


def test_a_correction_in_a_later_month_is_of_the_same_day(november, owner, gate, pace):
    with gate(owner):
        booked = ledger.book_revenue(
            november[4], 5_00, "GBP", by=owner, at=NOW, occurred_at=datetime(2026, 10, 5, tzinfo=UTC)
        )
        last = periods_at(NOW, owner.workspace)["last-month"]
        assert pace(last).won == 9_005_00
        ledger.take_back(booked, by=owner, at=NOW)
        assert pace(last).won == 9_000_00


def test_the_home_and_my_month_ask_the_same_whatever_was_won(november, owner, rep, browse, gate):
    clients = [(browse(owner), "/"), (browse(owner), "/?period=quarter"), (browse(rep), "/sales/month/")]

    def queries():
        counts = []
        for client, path in clients:
            with CaptureQueriesContext(connection) as asked:
                assert client.get(path).status_code == 200
            counts.append(len(asked))
        return counts

    queries()
    before = queries()
    with gate(owner):
        for _ in range(9):
            ledger.book_revenue(november[4], 5_00, "GBP", by=owner, at=NOW, holder=rep)
    assert queries() == before
