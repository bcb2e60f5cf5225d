"""A country changes the rules of its clocks, and a demo at two o'clock stays one at two o'clock.

The moments of demos are stored in UTC, reckoned by the rules that were known at booking. New rules come with a newer
Python or system, long before they hold; so every Monday the demos to come are looked through.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def wall_of(moment: datetime, zone: str) -> str:
    """What the zone's clock shows at a moment, and the zone: "2027-03-28T14:30:00 Europe/Berlin"."""
    return f"{moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat()} {zone}"


def moment_of(wall: str) -> datetime:
    """The moment in UTC at which a clock shows this, by the rules that are known now."""
    shown, _, zone = wall.partition(" ")
    return datetime.fromisoformat(shown).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
