"""Demos on a lead's page and beside the desk: what is to come, how the last ones went, and what follows from that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from funnel.handoff.models import Way
from funnel.handoff.reasons import OFFERED
from funnel.leads import known
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.mail.actions import why_none
from funnel.overview.rows import Next
from funnel.templatetags.words import calendar_day, clock_time, day, day_time, plural
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import Member
from funnel.workspaces.roles import may
from sales.demos.days_off import why_nobody
from sales.demos.models import Demo, DemoState
from sales.queue.desk import MOST, WITH_FACE, Planned

SHOWN = 20
# Its link leads to a new time.
FELL = (DemoState.MISSED, DemoState.CANCELLED)
AT_SALES = (*SALES, Stage.READY, Stage.CUSTOMER)
# Who misses two demos is likelier to be won back by marketing than by a third appointment.
ENOUGH = 2


DEMOS = Asked(
    lambda lead: (
        Demo.objects.filter(lead__in=[lead])
        .select_related("holder__user", "deal")
        .with_preparing()
        .with_away()
        .order_by("-starts_at", "-id")[:SHOWN]
    ),
    UUID,
)


def demos_of(request: HttpRequest, lead: Lead) -> dict[str, Any]:
    """The lead's demos with what this member may do."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    found: list[Demo] = known.of(lead, DEMOS)
    for one in found:
        one.lead = lead
    rows = [row_of(one, member, at) for one in found]
    return {
        "lead": lead,
        "coming": [
            row | {"off": "" if row["over"] else why_nobody(row["demo"], member.workspace)}
            for row in reversed(rows)
            if row["open"]
        ],
        "gone": [row for row in rows if not row["open"]],
        "may_book": may_book(member, lead),
        "give_back": _give_back(member, lead, found, at),
        "no_mail": SimpleLazyObject(partial(why_none, member.workspace)),
    }


def row_of(demo: Demo, member: Member, at: datetime) -> dict[str, Any]:
    """A demo as a list shows it, and what this member may do with it now."""
    mine = member.leads_others or member.pk in (demo.holder_id, demo.lead.holder_id)
    is_open = demo.state == DemoState.BOOKED
    began = demo.starts_at <= at
    may_act = mine and may(member, "deals.change")
    may_move = is_open and not began
    return {
        "demo": demo,
        "open": is_open,
        "began": is_open and began,
        "over": is_open and demo.ends_at <= at,
        "may_change": may_act and is_open,
        "may_decide": may_act and began and demo.state != DemoState.CANCELLED,
        "me": demo.holder_id == member.pk,
        "link": settings.PUBLIC_URL + demo.path if may_act and (may_move or demo.state in FELL) else "",
    }


def may_book(member: Member, lead: Lead) -> bool:
    """Whether the member may book a demo with this lead; the verb decides again."""
    theirs = member.leads_others or lead.holder_id in (None, member.pk)
    return may(member, "deals.change") and theirs and lead.stage != Stage.DISQUALIFIED


def _give_back(member: Member, lead: Lead, found: Sequence[Demo], at: datetime) -> dict[str, Any] | None:
    """The suggestion after a second no-show in a row: give the lead back, with the reason at hand."""
    missed = []
    for demo in found:
        if demo.state == DemoState.HELD or (demo.state == DemoState.BOOKED and demo.ends_at > at):
            break
        if demo.state == DemoState.MISSED:
            missed.append(demo)
    mine = lead.holder_id is not None and (lead.holder_id == member.pk or member.leads_others)
    if len(missed) < ENOUGH or lead.stage not in SALES or not mine or not may(member, "leads.take"):
        return None
    reasons = [one for one in known.of(lead, OFFERED) if not one.disqualifies and one.way != Way.DATE]
    reason = next((one for one in reasons if one.key == "no-answer"), reasons[0] if reasons else None)
    days = " and ".join(day(one.starts_at) for one in reversed(missed[:ENOUGH]))
    note = f"Missed {plural(len(missed), 'demo')}: {days}".replace("\N{NO-BREAK SPACE}", " ")
    return {"reason": reason, "note": note, "times": len(missed), "days": days} if reason else None


def lead_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """The panel "Demos" of the lead's page: SLOTS["lead_panels"]."""
    context = demos_of(request, lead) | {"next": reverse("lead", args=[lead.pk]) + "#demos"}
    if not (context["coming"] or context["gone"] or (context["may_book"] and lead.stage in AT_SALES)):
        return None
    return {"side": "left", "template": "sales/_demos_panel.html", "context": context, "actions": []}


def desk_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """What is to come with the lead, or the demo that fell through, under it on the desk: SLOTS["desk_panels"]."""
    context = demos_of(request, lead) | {"next": f"{reverse('sales:desk')}?lead={lead.pk}#lead"}
    at_sales = lead.stage in AT_SALES and not context["coming"]
    context["fell"] = _fell(context["gone"]) if at_sales else None
    if not (context["coming"] or context["give_back"] or context["fell"]):
        return None
    return {"template": "sales/_demos_desk.html", "context": context}


def _fell(gone: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The demo of an open deal of which the last word was that it does not take place, if none came since."""
    last = max(gone, key=lambda row: row["demo"].decided_at or row["demo"].starts_at, default=None)
    if last is None or last["demo"].state == DemoState.HELD:
        return None
    deal = last["demo"].deal
    return last if deal is not None and deal.is_open else None


BOOKED = Asked(
    lambda lead: (
        Demo.objects.booked()
        .filter(lead__in=[lead])
        .order_by("starts_at", "id")
        .values_list("lead_id", "title", "starts_at", "ends_at")
    ),
    UUID,
)


def _says(title: str, starts_at: datetime, ends_at: datetime) -> str:
    return f"{title} · {day_time(starts_at)}" if ends_at > timezone.now() else ""


NEXT = Next(BOOKED, _says)


def desk_rows(member: Member, at: datetime) -> list[Planned]:
    """The member's demos among what is to be done: SLOTS["desk_rows"]. Afterwards each asks how it went."""
    midnight = timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    # Where there isn't room for all, today's stand there, and then those that are over without a word.
    turn = Case(When(ends_at__lte=at, then=1), When(starts_at__lt=midnight, then=0), default=2)
    mine = Demo.objects.booked().filter(holder=member).select_related("lead").with_away()
    shown = mine.only("title", "place", "starts_at", "ends_at", *WITH_FACE).order_by(turn, "starts_at", "id")[:MOST]
    for one in shown:
        one.holder = member
    return [Planned(one.starts_at, one.lead, *_stands(one, at, why_nobody(one, member.workspace))) for one in shown]


def _stands(demo: Demo, at: datetime, off: str) -> tuple[str, str, str]:
    on, today, hour = calendar_day(demo.starts_at), calendar_day(at), clock_time(demo.starts_at)
    if demo.ends_at <= at:
        return f"How did it go? {demo.title}", "late", hour if on == today else f"{day(demo.starts_at)} {hour}"
    what = ": ".join(filter(None, (off, f"{demo.title}, {demo.place}" if demo.place else demo.title)))
    if on <= today:
        return what, "today", hour
    if on == today + timedelta(days=1):
        return what, "tomorrow", hour
    return what, "later", f"{day(demo.starts_at)} {hour}"
