"""Every Monday: let the demos to come begin when their wall clock says so (clocks.py)."""

from __future__ import annotations

from datetime import datetime

from funnel.outbox.models import Effect
from sales.demos import actions as demos
from sales.demos.clocks import moment_of, wall_of
from sales.demos.models import Demo


def keep(effects: list[Effect], at: datetime) -> None:
    """Move the demos whose clock has other rules by now; a reader of both calendars is told as of any move."""
    coming = Demo.objects.booked().filter(starts_at__gt=at).exclude(wall="").order_by("starts_at", "id")
    # One hour of a year is shown twice, so the clock is asked what it shows, not the other way round.
    apart = [
        (demo, moment_of(demo.wall))
        for demo in coming
        if wall_of(demo.starts_at, demo.wall.partition(" ")[2]) != demo.wall
    ]
    later = any(moment > demo.starts_at for demo, moment in apart)
    # All go the same way; the one that goes first makes room for the next.
    for demo, moment in reversed(apart) if later else apart:
        try:
            if moment > at:
                demos.keep_to_clock(demo, moment, at=at)
        except demos.Taken:
            # Booked since at that very time by the new rules: both reps' calendars show it, and a person decides.
            continue
