"""What lead and rep are told about a demo, each with the appointment for their calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone

from funnel.mail import actions as mail
from funnel.mail.files import File
from funnel.mail.models import Message
from funnel.mail.servers import sender_of
from funnel.outbox.models import Effect, Event
from funnel.templatetags.words import day_time
from funnel.workspaces.models import Member, Workspace
from sales.demos.calendar import invitation
from sales.demos.models import Demo, DemoState

TO_LEAD = {"demo_booked": "demo-booked", "demo_moved": "demo-moved", "demo_cancelled": "demo-cancelled"}
HEADS = {"demo_booked": "Demo booked", "demo_moved": "Demo moved", "demo_cancelled": "Demo cancelled"}
# Why nobody is invited again, or reminded.
HELD = "Not sent: the demo was held after all."
CHANGED = "Not sent: the demo was moved, cancelled or noted meanwhile."


def zone_words(zone: str) -> str:
    """How people name a clock: "London time"."""
    return zone.rpartition("/")[2].replace("_", " ") + " time"


def _demos(effects: list[Effect]) -> Iterator[tuple[Event, Demo]]:
    """The demos that these events are about as they are now, with their event; those told about before they began."""
    events = list(Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("id"))
    pks = [UUID(one.data["demo"]) for one in events if not one.data.get("quiet")]
    found = {one.pk: one for one in Demo.objects.filter(pk__in=pks).select_related("lead__workspace", "holder__user")}
    for event in events:
        demo = found.get(UUID(event.data["demo"]))
        # What changed again meanwhile is told by the later event.
        if demo is not None and event.data["sequence"] == demo.sequence:
            yield event, demo


def tell(effects: list[Effect], at: datetime) -> None:
    """Tell lead and rep that a demo was booked, moved or cancelled; who had it before sees it leave their calendar."""
    for event, demo in _demos(effects):
        letter = partial(mail.queue, event=event, at=at)
        method = "CANCEL" if event.kind == "demo_cancelled" else "REQUEST"
        given = _context(demo, event, method)
        letter(TO_LEAD[event.kind], to_lead=demo.lead, by=demo.holder, context=given | _for_lead(demo))
        for member, head, theirs in _reps(demo, event, method):
            rep = _for_rep(demo, event, theirs) | {"head": head}
            letter("demo-rep", to=member, lead_id=demo.lead_id, context=rep)


def _reps(demo: Demo, event: Event, method: str) -> Iterator[tuple[Member, str, str]]:
    """Whose calendars change: the rep's, and that of who had the demo before."""
    if demo.holder.active:
        yield demo.holder, HEADS[event.kind], method
    if before := (event.data.get("was") or {}).get("holder"):
        member = Member.objects.active().filter(pk=before["member"]).select_related("user").first()
        if member is not None:
            yield member, f"Demo passed to {demo.holder.name}", "CANCEL"


def remind(effects: list[Effect], at: datetime) -> None:
    """Remind lead and rep of a demo that is still to come."""
    for event, demo in _demos(effects):
        if demo.state != DemoState.BOOKED or demo.starts_at <= at:
            continue
        given = _context(demo, event, "")
        mail.queue(
            "demo-reminder", to_lead=demo.lead, by=demo.holder, event=event, at=at, context=given | _for_lead(demo)
        )
        if demo.holder.active:
            rep = _for_rep(demo, event, "") | {"head": "Demo"}
            mail.queue("demo-rep-reminder", to=demo.holder, lead_id=demo.lead_id, event=event, at=at, context=rep)


def missed(effects: list[Effect], at: datetime) -> None:
    """Send who missed a demo for the first time a link to book again; after a second time a person decides."""
    events = {one.pk: one for one in Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("id")}
    for event in events.values():
        demo = Demo.objects.filter(pk=event.data["demo"], state=DemoState.MISSED).select_related(
            "lead__workspace", "holder__user"
        ).first()  # fmt: skip
        if demo is None or event.data.get("times", 1) > 1 or demo.lead.holder_id is None:
            continue
        given = _context(demo, event, "") | _for_lead(demo)
        mail.queue("demo-missed", to_lead=demo.lead, by=demo.holder, event=event, at=at, context=given)


def _context(demo: Demo, event: Event, method: str) -> dict[str, Any]:
    """What a letter keeps of the demo as it is at this moment; its file and its link are made from that."""
    return {
        "demo": str(demo.pk),
        "meeting": demo.title,
        "lead": str(demo.lead),
        "lead_email": demo.lead.email,
        "company": demo.lead.company_name,
        "with": demo.holder.name,
        "with_email": demo.holder.email,
        "place": demo.place,
        "starts": demo.starts_at.isoformat(),
        "ends": demo.ends_at.isoformat(),
        "sequence": demo.sequence,
        "method": method,
        "stamp": event.recorded_at.isoformat(),
        "by_lead": event.data.get("by_lead", False),
        "because": demo.reason,
        "new_rules": event.data.get("new_rules", False),
        "new_time": "starts_at" in (event.data.get("was") or {}),
        "new_rep": "holder" in (event.data.get("was") or {}),
    }


def _for_lead(demo: Demo) -> dict[str, Any]:
    zone = demo.zone or demo.lead.workspace.time_zone
    return {"zone": zone, "zone_words": zone_words(zone), **_when(demo, ZoneInfo(zone))}


def _for_rep(demo: Demo, event: Event, method: str) -> dict[str, Any]:
    own = {"path": f"/leads/{demo.lead_id}/", "words": demo.words}
    return _context(demo, event, method) | own | _when(demo, demo.lead.workspace.zone)


def _when(demo: Demo, zone: ZoneInfo) -> dict[str, str]:
    with timezone.override(zone):
        return {"when": day_time(demo.starts_at)}


def link(message: Message) -> str:
    """Where the lead sees, moves or cancels the demo of a letter, or books again: settings.MAIL_LINKS."""
    demo = Demo.objects.filter(pk=message.context.get("demo")).first()
    return demo.path if demo else ""


def why_not(message: Message) -> str:
    """Why the letter to who missed a demo, or a reminder of one, may not go any more; settings.MAIL_WHY_NOT."""
    demo = Demo.objects.filter(pk=message.context.get("demo")).first()
    if message.kind == "demo-missed":
        return "" if demo and demo.state == DemoState.MISSED else HELD
    holds = demo and demo.state == DemoState.BOOKED and demo.sequence == message.context["sequence"]
    return "" if holds else CHANGED


def files(message: Message) -> list[File]:
    """The appointment that a letter about a demo carries: settings.MAIL_FILES."""
    given = message.context
    if not given.get("method"):
        return []
    make = partial(appointment, given, message.workspace)
    return [File("meeting.ics", f"text/calendar; charset=utf-8; method={given['method']}", make)]


def appointment(given: dict[str, Any], workspace: Workspace) -> bytes:
    """The appointment as a letter's context tells it."""
    people = [(given["lead"], given["lead_email"]), (given["with"], given["with_email"])]
    return invitation(
        uid=given["demo"],
        sequence=given["sequence"],
        method=given["method"],
        made_at=datetime.fromisoformat(given["stamp"]),
        starts_at=datetime.fromisoformat(given["starts"]),
        ends_at=datetime.fromisoformat(given["ends"]),
        title=f"{given['meeting']}: {workspace.name}, {given['with']}",
        place=given["place"],
        business=workspace.name,
        sender=sender_of(workspace),
        people=[(name, email) for name, email in people if email],
    )
