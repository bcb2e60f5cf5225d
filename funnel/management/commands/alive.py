"""`manage.py alive worker`: whether a part without an address of its own lives, for whoever watches over it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from funnel.outbox.health import heartbeats


class Command(BaseCommand):
    help = "Say when the worker or the beat was last seen; ends with 1 when that is too long ago."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("part", choices=["worker", "beat"])

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            part = next(part for part in heartbeats() if part.name == options["part"])
        except Error:
            raise CommandError("The database can’t say.") from None
        if not part.ok:
            raise CommandError(part.says)
        self.stdout.write(part.says)
