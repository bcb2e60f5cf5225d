"""Book a demo, move it, cancel it, and say how it went."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from funnel.handoff import passing
from funnel.handoff.models import Handoff
from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.mail import actions as mail
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.templatetags.words import day
from funnel.workspaces.doors import open_door, token_for
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import SELLERS, Member
from funnel.workspaces.refusals import Forbidden, Refusal
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage
from sales.demos.clocks import wall_of
from sales.demos.letters import HELD
from sales.demos.models import MEETING, Demo, DemoState

# A reminder comes a day before; who books later than that is reminded an hour before.
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONGEST, FAR = timedelta(hours=12), timedelta(days=366 * 2)
# What stands in no calendar: where nothing else changed, nobody is told that a meeting moved.
QUIET = {"before", "words", "zone"}


class Taken(Refusal):
    """The rep has another demo at that time."""


class NotYourDemo(Forbidden):
    """The demo, or its lead, is another member's."""


class NotBooked(Refusal):
    """The demo has ended or was cancelled; the sentence says which."""


class Decided(Refusal):
    """Somebody said meanwhile how the demo went; the sentence says what, when and who."""


class NotYet(Refusal):
    """A demo that has not begun can neither have been held nor missed."""


class CantDemo(Refusal):
    """Somebody who can't have a demo."""

    status = 422


@transaction.atomic
def book(
    lead: Lead,
    *,
    holder: Member,
    starts_at: datetime,
    ends_at: datetime,
    by: Member | None,
    at: datetime,
    title: str = "",
    place: str = "",
    zone: str = "",
    words: str = "",
    before: str | None = None,
    past: bool = False,
    pk: UUID | None = None,
) -> Demo:
    """Book a demo with a member; the lead's deal goes on to demo, or is opened.

    `by` is nobody where the lead books: then the deal's or the lead's own holder stands for them, an offer that waits
    for somebody else goes on to the holder, and who is set aside as not a fit stays so, with the demo but no deal.
    With `past` what has been may be told: its dates are kept, and nobody is written to. Raises Refused, Taken,
    CantDemo, NotYourDemo, and what opening a deal raises.
    """
    _times(starts_at, ends_at, at, past=past)
    gone_by = ends_at <= at
    lead = Lead.objects.locked([lead.pk], "holder__user", "company", "workspace")[lead.pk]
    if by is not None:
        _may_book(lead, holder, by)
    reserve(holder, starts_at, ends_at, past=gone_by, by=by)
    deal = _advance(lead, holder, by=by, at=at, occurred_at=starts_at if gone_by else None)
    # Who booked by a clock of their own before reads what a rep books by it too.
    pk, earlier = pk or uuid7(), Demo.objects.filter(lead=lead).order_by("-id").values_list("zone", flat=True)
    demo = Demo(
        pk=pk,
        workspace_id=lead.workspace_id,
        lead=lead,
        deal=deal,
        holder=holder,
        booked_by=by,
        title=title or MEETING,
        place=place,
        starts_at=starts_at,
        ends_at=ends_at,
        zone=zone or earlier.first() or "",
        wall=wall_of(starts_at, lead.workspace.time_zone),
        words=words,
        before=before,
        digest=open_door(lead.workspace_id, token_for("demo", pk)),
        made_at=at,
        updated_at=at,
    )
    with _no_overlap(demo, by):
        demo.save(force_insert=True)
    _tell(demo, "demo_booked", by=by, at=at, occurred_at=starts_at if gone_by else at)
    return demo


@transaction.atomic
def move(demo: Demo, changes: dict[str, Any], *, by: Member | None, at: datetime, past: bool = False) -> Demo:
    """Change a booked demo: when, where, with whom, or what of it is QUIET; nobody else may have been faster.

    Without ends_at it keeps its length. With `past` it may begin at a moment that has passed. Raises Refused, Taken,
    NotBooked, NotYourDemo or CantDemo.
    """
    now = locked(demo, by)
    _still_booked(now)
    if "starts_at" in changes and "ends_at" not in changes:
        changes = changes | {"ends_at": changes["starts_at"] + now.length}
    was = {name: getattr(now, name) for name in changes if getattr(now, name) != changes[name]}
    if not was:
        return now
    for name in was:
        setattr(now, name, changes[name])
    now.wall = wall_of(now.starts_at, now.lead.workspace.time_zone)
    _times(now.starts_at, now.ends_at, at, past=past or not {"starts_at", "ends_at"} & set(was))
    if "holder" in was and by is not None and not by.leads_others:
        raise NotYourDemo("Only an owner or a manager gives a demo to somebody else.")
    if {"starts_at", "ends_at", "holder"} & set(was):
        reserve(now.holder, now.starts_at, now.ends_at, past=now.ends_at <= at, besides=now, by=by)
    heard = not set(was) <= QUIET
    _change(now, *was, "wall", at=at, heard=heard, by=by)
    if not heard:
        return now
    told = {name: _plain(value) for name, value in was.items()}
    _tell(now, "demo_moved", by=by, at=at, was=told)
    return now


@transaction.atomic
def give_to(demo: Demo, holder: Member, *, at: datetime) -> Demo:
    """Let another member have a booked demo, because its lead or its rep went; raise Taken, CantDemo or NotBooked."""
    now = locked(demo, None)
    _still_booked(now)
    was, now.holder = now.holder, holder
    reserve(holder, now.starts_at, now.ends_at, besides=now)
    _change(now, "holder", at=at, heard=True)
    _tell(now, "demo_moved", by=None, at=at, by_lead=False, was={"holder": _plain(was)})
    return now


@transaction.atomic
def keep_to_clock(demo: Demo, starts_at: datetime, *, at: datetime) -> Demo:
    """Let a booked demo begin at the moment that its wall clock means by now; raise Taken, CantDemo or NotBooked."""
    now = locked(demo, None)
    _still_booked(now)
    told = {name: _plain(getattr(now, name)) for name in ("starts_at", "ends_at")}
    now.starts_at, now.ends_at = starts_at, starts_at + now.length
    reserve(now.holder, now.starts_at, now.ends_at, besides=now)
    _change(now, "starts_at", "ends_at", at=at, heard=True)
    _tell(now, "demo_moved", by=None, at=at, by_lead=False, new_rules=True, was=told)
    return now


@transaction.atomic
def cancel(demo: Demo, *, by: Member | None, at: datetime, reason: str = "", with_lead: bool = False) -> Demo:
    """Cancel a booked demo; its time is free again. Cancelled twice is no error.

    `with_lead` is for who ends the work with the lead, whoever has the demo. Raises NotBooked or NotYourDemo.
    """
    now = locked(demo, None if with_lead else by)
    if now.state == DemoState.CANCELLED:
        return now
    _still_booked(now)
    now.state, now.reason, now.decided_at = DemoState.CANCELLED, reason, at
    _change(now, "state", "reason", "decided_at", at=at, heard=True)
    _tell(now, "demo_cancelled", by=by, at=at, reason=reason)
    return now


@transaction.atomic
def held(demo: Demo, *, by: Member, at: datetime, note: str = "", seen: int | None = None) -> Demo:
    """Say that a demo was held; one noted as missed is put right, and “We missed you” doesn’t go if it still waits.

    Said before its end, it ended now. `seen` is the version that the person saw. Raises Decided, NotYet, NotBooked or
    NotYourDemo.
    """
    return _decide(demo, DemoState.HELD, by=by, at=at, note=note, seen=seen)


@transaction.atomic
def no_show(demo: Demo, *, by: Member, at: datetime, note: str = "", seen: int | None = None) -> Demo:
    """Say that the lead did not come; one noted as held is put right.

    `seen` is the version that the person saw. Raises Decided, NotYet, NotBooked or NotYourDemo.
    """
    return _decide(demo, DemoState.MISSED, by=by, at=at, note=note, seen=seen)


def _decide(demo: Demo, to: DemoState, *, by: Member, at: datetime, note: str, seen: int | None) -> Demo:
    now = locked(demo, by)
    if now.state == to and (not note or note == now.note):
        return now
    if now.state == DemoState.CANCELLED:
        raise NotBooked("This demo was cancelled.")
    if seen not in (None, now.version) and now.state != DemoState.BOOKED:
        raise Decided(_decided(now))
    if now.starts_at > at:
        raise NotYet("This demo has not begun yet.")
    if now.state == DemoState.MISSED:
        # Its time was free again, so something else may stand there.
        reserve(now.holder, now.starts_at, now.ends_at, past=True, besides=now, by=by)
        mail.take_back("demo-missed", lead_ids=[now.lead_id], why=HELD, demo=str(now.pk))
    if to == DemoState.HELD and now.starts_at < at < now.ends_at:
        # It ended before its time, and what was left of it is free again.
        now.ends_at = at
    was, now.state, now.decided_at = now.state, to, at
    now.note = note or now.note
    _change(now, "state", "note", "decided_at", "ends_at", at=at, by=by)
    kind = "demo_held" if to == DemoState.HELD else "demo_missed"
    times = Demo.objects.filter(lead=now.lead, state=DemoState.MISSED).count()
    _tell(now, kind, by=by, at=at, occurred_at=min(now.starts_at, at), note=note, was=str(was), times=times)
    return now


def _decided(demo: Demo) -> str:
    local = demo.lead.workspace.local(demo.decided_at or demo.updated_at)
    told = Event.objects.filter(lead=demo.lead, kind=f"demo_{demo.state}", data__demo=str(demo.pk))
    last = told.select_related("actor__user").order_by("-id").first()
    who = f", by {last.actor.name}" if last is not None and last.actor is not None else ""
    said = f"This demo was noted as {demo.state} already on {day(local.date())}, {local:%H:%M}{who}."
    return f"{said} Press the button once more to change it."


# ── what the verbs share ─────────────────────────────────────────────────


def locked(demo: Demo, by: Member | None) -> Demo:
    """The demo and its lead as they are now, held to the end of the transaction; raise NotYourDemo.

    The lead first, as everywhere, or two verbs could wait for each other.
    """
    lead = Lead.objects.locked([demo.lead_id], "holder__user", "company", "workspace")[demo.lead_id]
    now: Demo = Demo.objects.select_for_update(of=("self",)).select_related("holder__user").get(pk=demo.pk)
    now.lead = lead
    if by is not None and by.pk not in (now.holder_id, lead.holder_id) and not by.leads_others:
        raise NotYourDemo(f"This demo is with {now.holder.name}.")
    return now


def reserve(
    holder: Member,
    starts_at: datetime,
    ends_at: datetime,
    *,
    past: bool = False,
    besides: Demo | None = None,
    by: Member | None = None,
) -> None:
    """Hold the member's row, so that one after the other looks whether this time is free; raise Taken or CantDemo.

    On SQLite the write lock does that; on PostgreSQL the table refuses an overlap too (`demo_no_overlap`). `by` is who
    reads a refusal.
    """
    alive = hold(holder)
    if holder.role not in SELLERS or not (alive or past):
        raise CantDemo(f"{holder.name} can’t be booked.", field="holder")
    other = _in_the_way(holder, starts_at, ends_at, besides)
    if other is not None:
        raise _taken(holder, other, by)


def hold(holder: Member) -> bool:
    """Lock the member's row to the end of the transaction; say whether they work here."""
    rows = Member.objects.select_for_update(no_key=True).filter(pk=holder.pk)
    return all(rows.values_list("active", flat=True))


@contextmanager
def _no_overlap(demo: Demo, by: Member | None) -> Iterator[None]:
    """Turn the table's own refusal of an overlap into its sentence."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "demo_no_overlap" not in str(error):
            raise
        raise _taken(demo.holder, _in_the_way(demo.holder, demo.starts_at, demo.ends_at, demo), by) from None


def _in_the_way(holder: Member, starts_at: datetime, ends_at: datetime, besides: Demo | None) -> Demo | None:
    found = Demo.objects.clashing(holder, starts_at, ends_at).select_related("lead").order_by("starts_at")
    if besides is not None:
        found = found.exclude(pk=besides.pk)
    first: Demo | None = found.first()
    return first


def _taken(holder: Member, other: Demo | None, by: Member | None) -> Taken:
    """Say what is in the way: from when to when, and to a member with whom; a lead reads no other lead's name."""
    sentence = f"{holder.name} has another demo at that time"
    if other is not None:
        begins, ends = map(holder.workspace.local, (other.starts_at, other.ends_at))
        sentence += f": {day(begins.date())}, {begins:%H:%M} to {ends:%H:%M}"
        if by is not None and Lead.objects.visible_to(by).filter(pk=other.lead_id).exists():
            sentence += f", with {other.lead}"
    return Taken(f"{sentence}.", field="starts_at")


def _times(starts_at: datetime, ends_at: datetime, at: datetime, *, past: bool) -> None:
    if ends_at <= starts_at:
        raise Refused({"ends_at": "This is not after the beginning."})
    if ends_at - starts_at > LONGEST:
        raise Refused({"ends_at": "This is longer than 12 hours."})
    if starts_at - at > FAR:
        raise Refused({"starts_at": "Choose a day within the next two years."})
    if starts_at <= at and not past:
        raise Refused({"starts_at": "This has passed; choose a later time."})


def _may_book(lead: Lead, holder: Member, by: Member) -> None:
    if by.leads_others:
        return
    if lead.holder is not None and lead.holder_id != by.pk:
        raise NotYourDemo(f"This lead is with {lead.holder.name}.")
    if holder.pk != by.pk:
        raise NotYourDemo("Only an owner or a manager books a demo for somebody else.")


def _advance(
    lead: Lead, holder: Member, *, by: Member | None, at: datetime, occurred_at: datetime | None
) -> Deal | None:
    """Bring the lead's deal to demo; None where the lead stays set aside."""
    if by is not None:
        new_holder = holder if lead.holder is None else None
        return deals.advance(lead, DealStage.DEMO, by=by, at=at, holder=new_holder, occurred_at=occurred_at)
    if lead.stage == Stage.DISQUALIFIED:
        return None
    found = deals.first_open(lead)
    if found is None and lead.holder is None:
        waiting = Handoff.objects.open().filter(lead=lead).select_related("offered_to__user", "follows").first()
        if waiting is not None and waiting.offered_to_id not in (None, holder.pk):
            passing.pass_on(waiting, at=at, workspace=lead.workspace, by=holder, to=holder)
    stands = found.holder if found is not None else lead.holder or holder
    return deals.advance(lead, DealStage.DEMO, by=stands, at=at, occurred_at=occurred_at, by_lead=True)


def _still_booked(demo: Demo) -> None:
    if demo.state != DemoState.BOOKED:
        raise NotBooked(f"This demo was {demo.get_state_display().lower()}.")


def _change(demo: Demo, *names: str, at: datetime, heard: bool = False, by: Member | None = None) -> None:
    """Save what changed; `heard` where calendars must hear of it."""
    demo.version += 1
    demo.sequence += heard
    demo.updated_at = at
    with _no_overlap(demo, by):
        demo.save(update_fields=[*names, "sequence", "version", "updated_at"])


def _tell(
    demo: Demo, kind: str, *, by: Member | None, at: datetime, occurred_at: datetime | None = None, **also: Any
) -> None:
    """Record what happened with what a letter about it says; nobody is written to about what is over."""
    record(
        demo.workspace_id, kind, at=at, lead_id=demo.lead_id, actor=by, occurred_at=occurred_at,
        data={
            "demo": str(demo.pk), "title": demo.title, "with": demo.holder.name, "place": demo.place,
            "starts": demo.starts_at.isoformat(), "ends": demo.ends_at.isoformat(), "sequence": demo.sequence,
            "quiet": demo.ends_at <= at, "by_lead": by is None, **also,
        },
        due={"remind_demo": max(reminder_at(demo, at), at)},
    )  # fmt: skip


def reminder_at(demo: Demo, booked_at: datetime) -> datetime:
    """When lead and rep are reminded: a day before, else an hour before; who books later still needs no reminder."""
    early = [demo.starts_at - ahead for ahead in (DAY, HOUR) if demo.starts_at - ahead > booked_at]
    return early[0] if early else demo.starts_at


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return {"name": value.name, "member": str(value.pk)} if isinstance(value, Member) else value
