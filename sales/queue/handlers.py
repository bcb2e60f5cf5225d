"""What sales does after an event of the hall: a task for the holder, a reminder of a next step."""

from __future__ import annotations

from datetime import datetime

from funnel.outbox.models import Effect


def ask(effects: list[Effect], at: datetime) -> None:
    """Somebody whom a rep holds asked for contact again: give the holder a task and tell them."""


def prompt(effects: list[Effect], at: datetime) -> None:
    """A next step is due: remind its holder by mail."""
