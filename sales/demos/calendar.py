"""A demo for calendars (RFC 5545, 5546): made by icalendar, and the same whenever it is made."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from icalendar import Calendar, Event, vCalAddress, vText

from funnel.mail.actions import plain

MAKER = "-//Baton//Meetings//EN"


def invitation(
    *,
    uid: str,
    sequence: int,
    method: str,
    made_at: datetime,
    starts_at: datetime,
    ends_at: datetime,
    title: str,
    place: str,
    business: str,
    sender: str,
    says: str = "",
    people: list[tuple[str, str]],
) -> bytes:
    """One meeting as METHOD:REQUEST, CANCEL or PUBLISH; `people` are (name, e-mail) of who comes.

    `sender`, from whom the letters come, is the organiser: calendars take a change only from who invited.
    """
    calendar = Calendar()
    calendar.add("prodid", MAKER)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    event = Event()
    event.add("uid", uid)
    event.add("sequence", sequence)
    event.add("dtstamp", made_at.astimezone(UTC))
    event.add("dtstart", starts_at.astimezone(UTC))
    event.add("dtend", ends_at.astimezone(UTC))
    event.add("summary", title)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    if place:
        event.add("location", place)
    if says:
        event.add("description", says)
    event["organizer"] = _person(business, parseaddr(sender)[1])
    if method != "PUBLISH":
        for name, email in people:
            event.add("attendee", _person(name, email, partstat="ACCEPTED", role="REQ-PARTICIPANT"), encode=False)
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _person(name: str, email: str, **params: Any) -> vCalAddress:
    person = vCalAddress(f"mailto:{email}")
    # A quote would end the parameter early, whatever the name of a business holds.
    person.params["cn"] = vText(plain(name).replace('"', "").strip() or email)
    for key, value in params.items():
        person.params[key] = vText(value)
    return person
