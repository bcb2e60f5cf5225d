"""What brings a lead back that sales gave back: promised with the give back, kept on the lead, and said everywhere.

It is kept apart from the reason, so that whoever edits a reason later changes nothing that was promised.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time
from typing import Any

from django.db.models import Q

from funnel.handoff.models import GiveBackReason, Way
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.outbox.kinds import KINDS
from funnel.templatetags.words import day, long_day, plural, short_day
from funnel.workspaces.hours import spans
from funnel.workspaces.models import Workspace

# What a person does of their own accord, and a reason may wait for.
TOUCHES = ("contact_request", "form", "page_view", "email_click", "email_reply", "call", "visit", "promo_event")


def way_of(reason: GiveBackReason, *, until: datetime | None) -> dict[str, Any] | None:
    """The way back that this reason promises; None where it ends. A promised day goes before what the reason says."""
    if reason.disqualifies:
        return None
    if until is not None:
        return {"way": Way.DATE.value}
    if reason.way == Way.ENGAGEMENT:
        return {"way": Way.ENGAGEMENT.value, "above": reason.above}
    if reason.way == Way.TOUCH:
        return {"way": Way.TOUCH.value, "touch": reason.touch}
    return {"way": Way.JUDGED.value}


def allows(way: dict[str, Any] | None, *, ready: bool, engagement: float, kinds: Collection[str]) -> bool:
    """Whether a lead may be offered again, its cool-down over: by its own way back, else by the grid's `ready`.

    `kinds` are the kinds of the events that are being judged.
    """
    kept = (way or {}).get("way")
    if way is not None and kept == Way.ENGAGEMENT:
        return engagement >= way["above"]
    if way is not None and kept == Way.TOUCH:
        return way["touch"] in kinds
    return ready


def by_the_grid(lead: str = "") -> Q:
    """The leads that come to sales by the grid, as a filter; `lead` is the path to them, like "lead__"."""
    grid = Q(**{f"{lead}way_back__way__in": [Way.JUDGED.value, Way.DATE.value]})
    return Q(**{f"{lead}way_back__isnull": True}) | grid


def touch_words(kind: str) -> str:
    """A kind of touch as people read it."""
    return KINDS[kind].label if kind in KINDS else kind.replace("_", " ").capitalize()


def brings_back(way: dict[str, Any] | None) -> str:
    """What brings a lead back after its cool-down: "back once engagement reaches 25 points"."""
    kept = (way or {}).get("way")
    if way is not None and kept == Way.ENGAGEMENT:
        return f"back once engagement reaches {plural(way['above'], 'point')}"
    if way is not None and kept == Way.TOUCH:
        return f"back after “{touch_words(way['touch'])}”"
    return "back when they are ready again"


def follows(reason: GiveBackReason, *, mails: bool = True, customer: bool = False) -> str:
    """What follows from a reason, as whoever chooses it reads it; without `mails` for a lead who would get none."""
    if customer:
        day = "; comes back to sales on the day that is promised" if reason.asks_date else ""
        return f"Stays a customer{day}"
    if reason.disqualifies:
        return "Ends here; if they come back, they stand under “Came back”"
    meanwhile = "; nurture mails meanwhile" if mails and reason.nurtures else ""
    if reason.way == Way.DATE:
        return f"Comes back to sales on the day that is promised{meanwhile}"
    then = brings_back(way_of(reason, until=None))
    if not reason.cool_days:
        return f"With marketing, {then}{meanwhile}"
    return f"With marketing for {plural(reason.cool_days, 'day')}, then {then}{meanwhile}"


def promise(way: dict[str, Any] | None, until: datetime | None, *, short: bool = False) -> str:
    """Where a lead went that was given back, and when and how it may come back; `until` ends its cool-down."""
    write = short_day if short else long_day
    if way is None:
        return "Ended"
    if until is None:
        return f"With marketing, {brings_back(way)}"
    if way["way"] == Way.DATE:
        return f"Comes back to sales on {write(until)}"
    return f"With marketing until {write(until)}, then {brings_back(way)}"


def briefly(way: dict[str, Any] | None, until: datetime | None) -> str:
    """The same as a row of a list says it: "Comes back from 17 Dec with 25 points"; blank where nothing is said."""
    kept, on = (way or {}).get("way"), short_day(until) if until else ""
    if way is not None and kept in (Way.ENGAGEMENT, Way.TOUCH):
        by = kept == Way.ENGAGEMENT
        what = f"with {plural(way['above'], 'point')}" if by else f"after “{touch_words(way['touch'])}”"
        return f"Comes back from {on} {what}" if on else f"Comes back {what}"
    return "" if not on else f"Comes back on {on} if ready" if kept == Way.JUDGED else f"Comes back on {on}"


def nobody_works(workspace: Workspace, on: datetime) -> str:
    """That nobody works on a day that was promised, as a sentence after another; blank where somebody does."""
    local = workspace.local(on).date()
    works = workspace.local(next(spans(workspace, datetime.combine(local, time(), workspace.zone)))[0]).date()
    return "" if works == local else f" Nobody works on {day(local)}; the next working day is {day(works)}."


def whereabouts(lead: Lead, at: datetime, *, short: bool = False) -> str:
    """Where a lead is now that was given back some time, and when and how it may come back."""
    if lead.stage == Stage.DISQUALIFIED:
        return "Ended"
    if lead.stage == Stage.NURTURING and lead.waits_since:
        return "Ready, waits for a go"
    if lead.stage == Stage.NURTURING and (lead.way_back or lead.cool_until):
        until = lead.cool_until if lead.cool_until and lead.cool_until > at else None
        return promise(lead.way_back or {"way": Way.JUDGED.value}, until, short=short)
    if lead.stage == Stage.CUSTOMER and lead.cool_until and lead.cool_until > at:
        return promise({"way": Way.DATE.value}, lead.cool_until, short=short)
    return f"With {lead.holder.first_name} again" if lead.holder else Stage(lead.stage).label
