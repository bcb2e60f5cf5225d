"""Whose turn it is: leads in proportion to what each can take a week, nobody a whole lead ahead of the share or behind.

`owed` counts what somebody should have had by turn, less what they had. A lead owes each who is there their part of
it, and is taken off whoever gets it; among those who are owed something it goes to the one whose next whole lead is
due first (the quota method of Balinski and Young, 1975). So a newcomer begins at nought, neither behind nor ahead, and
days away neither save leads up nor cost any.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from funnel.workspaces.models import Member

# Thirds don't add up to a whole; what is closer than this is the same.
FINE = 9


def in_order(among: Sequence[Member]) -> list[Member]:
    """Give the members in the order of their turns for the lead that comes now.

    The order of `among` decides between equals, so the longest waiting should come first in it.
    """
    whole = sum(one.weekly_leads for one in among)

    def key(one: Member) -> tuple[bool, float]:
        owed = one.owed + one.weekly_leads / whole
        return round(owed, FINE) <= 0, round((1 - owed) / one.weekly_leads, FINE)

    return sorted(among, key=key)


def give(chosen: Member, among: Sequence[Member]) -> None:
    """Count a lead that one of these gets by turn; the rows are not saved."""
    whole = sum(one.weekly_leads for one in among)
    for one in among:
        one.owed += one.weekly_leads / whole
    chosen.owed -= 1
    chosen.week_turns += 1


def begin_week(members: Sequence[Member], today: date) -> None:
    """Count from nothing in a new week."""
    monday = today - timedelta(days=today.weekday())
    for one in members:
        if one.week != monday:
            one.week, one.week_turns = monday, 0


def had(one: Member) -> str:
    """What somebody had by turn this week, in words: “3 of 10 this week”; over their share, both numbers apart."""
    if one.week_turns > one.weekly_leads:
        return f"{one.week_turns} this week, more than their share of {one.weekly_leads}"
    return f"{one.week_turns} of {one.weekly_leads} this week"
