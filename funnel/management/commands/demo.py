"""Make the demo business, once; print its log-ins."""

from __future__ import annotations

import json
import os
import secrets
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django_scopes import scope

from funnel.overview.scene.play import BEGINS, CAST, HOURS, Scene
from funnel.people import actions as people
from funnel.workspaces.gate import database_now, enter
from funnel.workspaces.models import Member, User, Workspace

HOST = "ternbrook.example"


class Command(BaseCommand):
    help = "Make the demo business Ternbrook Solar, unless it is there; print its log-ins as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--at", type=datetime.fromisoformat, help="play the quarter up to this moment")

    def handle(self, *args: Any, **options: Any) -> None:
        if not Workspace.objects.filter(is_demo=True).exists():
            logins = play(options.get("at") or database_now())
            keep(logins)
        self.stdout.write(kept())


def play(now: datetime) -> list[dict[str, str]]:
    """Make the business and its people and play its quarter, all or nothing; give the log-ins."""
    begin = now - BEGINS
    logins = []
    with transaction.atomic(durable=True):
        members: dict[str, Member] = {}
        for role, name in CAST["people"]:
            first = name.split()[0]
            user, password = somebody(name, f"{first.lower()}@{HOST}")
            if role == "owner":
                owner = people.start_business(
                    CAST["business"], owner=user, country="GB", time_zone="Europe/London", at=begin, hours=HOURS,
                    is_demo=True,
                )  # fmt: skip
                members[first] = owner
            else:
                with scope(workspace=owner.workspace_id):
                    invitation = people.invite(user.email, role=role, by=owner, at=begin)
                    members[first] = people.join(invitation, user=user, workspace=owner.workspace, at=begin)
            logins.append({"role": role, "name": name, "email": user.email, "password": password})
        with scope(workspace=owner.workspace_id):
            enter(owner.workspace_id)
            Scene(owner.workspace, members, now).run()
    return logins


def somebody(name: str, email: str) -> tuple[User, str]:
    """A person with a password of this installation; one who was there from an earlier demo gets a new one."""
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    user = User.objects.filter(email=email).first()
    if user is None:
        return User.objects.create_user(email, password, name=name), password
    user.set_password(password)
    user.save(update_fields=["password"])
    return user, password


def keep(logins: list[dict[str, str]]) -> None:
    """Write the log-ins where only this installation's account reads them."""
    path: Path = settings.DATA / "demo-logins.json"
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"logins": logins}, file)


def kept() -> str:
    """The log-ins as they were kept; none where the file has been put away."""
    try:
        return (settings.DATA / "demo-logins.json").read_text()
    except OSError:
        return json.dumps({"logins": []})
