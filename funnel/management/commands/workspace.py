"""manage.py workspace: start a business from a shell, and bring people in who are not invited."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django_scopes import scope

from funnel.people import actions as people
from funnel.people.actions import HereAlready
from funnel.people.api import write_member
from funnel.people.keys import make_key
from funnel.people.places import countries, zones
from funnel.workspaces.gate import database_now, enter, tenant
from funnel.workspaces.models import SCOPES, Role, User, Workspace


class Command(BaseCommand):
    """Do it and print what there is now as one line of JSON; an error is one sentence and exit code 1."""

    help = "Start a business, or bring somebody into one: workspace create NAME …, workspace member SLUG …"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Read the sub-command and its words."""
        what = parser.add_subparsers(dest="what", required=True)
        create = what.add_parser("create", help="start a business")
        create.add_argument("name")
        create.add_argument("--owner", required=True, metavar="EMAIL")
        create.add_argument("--owner-name", default="", metavar="NAME")
        create.add_argument(
            "--password-stdin", action="store_true", help="read the owner's password from standard input"
        )
        create.add_argument("--country", required=True, metavar="CC")
        create.add_argument("--timezone", required=True, metavar="TZ")
        create.add_argument("--with-key", metavar="SCOPES", help="all, or some of: " + ",".join(SCOPES))

        member = what.add_parser("member", help="bring somebody in without an invitation")
        member.add_argument("slug", help="the business, as workspace create named it")
        member.add_argument("--email", required=True)
        member.add_argument("--name", required=True)
        member.add_argument("--role", required=True, choices=Role.values)
        member.add_argument("--inactive", action="store_true", help="may hold leads and deals, and never logs in")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked."""
        answer = {"create": self.create, "member": self.member}[options["what"]](options)
        self.stdout.write(json.dumps(answer, ensure_ascii=False))

    def member(self, options: dict[str, Any]) -> dict[str, Any]:
        """Bring somebody in; the same again changes nothing."""
        workspace = Workspace.objects.filter(slug=options["slug"]).first()
        if workspace is None:
            raise CommandError(f"There is no business “{options['slug']}”.")
        email, name = _email(options["email"].strip().lower()), options["name"].strip()
        if not name or len(name) > 120 or not name.isprintable():
            raise CommandError("Give a name of 1 to 120 signs.")
        try:
            with tenant(workspace, write=True) as at:
                member = people.bring_in(
                    email, name=name, role=options["role"], active=not options["inactive"], workspace=workspace, at=at
                )
        except HereAlready as wrong:
            raise CommandError(wrong.sentence) from None
        return {"workspace": workspace.slug, "member": write_member(member)}

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Check everything first, then make it in one transaction."""
        name = options["name"].strip()
        if not name or len(name) > 120 or not name.isprintable():
            raise CommandError("Give the business a name of 1 to 120 signs.")
        country = options["country"].upper()
        if country not in dict(countries()):
            raise CommandError(f"{options['country']} is no country; use a code of two letters, like GB.")
        if options["timezone"] not in zones():
            raise CommandError(f"{options['timezone']} is no time zone; write it like Europe/London.")
        scopes = [one.strip() for one in (options["with_key"] or "").split(",") if one.strip()]
        if options["with_key"] is not None and not scopes:
            raise CommandError("Name the key's scopes: all, or some of " + ", ".join(SCOPES) + ".")
        if unknown := [one for one in scopes if one not in (*SCOPES, "all")]:
            raise CommandError(f"{unknown[0]} is no scope; use all, or some of {', '.join(SCOPES)}.")
        email = options["owner"].strip().lower()
        password = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else None
        with transaction.atomic():
            owner = _owner(email, options["owner_name"] or email.partition("@")[0], password)
            at = database_now()
            member = people.start_business(name, owner=owner, country=country, time_zone=options["timezone"], at=at)
            secret = None
            if scopes:
                with scope(workspace=member.workspace_id):
                    enter(member.workspace_id)
                    _, secret = make_key("Command line", member=member, scopes=scopes, by=None, at=at)
        made = member.workspace
        return {
            "workspace": {"slug": made.slug, "id": str(made.pk), "name": made.name},
            "owner": {"email": owner.email},
            "api_key": secret,
        }


def _email(email: str) -> str:
    try:
        validate_email(email)
    except ValidationError:
        raise CommandError(f"{email} is no e-mail address.") from None
    return email


def _owner(email: str, name: str, password: str | None) -> User:
    """The person with this address, if the password is theirs; else a new one."""
    known = User.objects.filter(email=email).first()
    if known is not None:
        # Whoever runs a command here may do much, but a wrong password means a mistaken address more often than not.
        if password is not None and not known.check_password(password):
            raise CommandError(f"{email} has a log-in already, and this is not its password.")
        return known
    _email(email)
    if password is None:
        raise CommandError(f"{email} has no log-in yet: add --password-stdin and give a password on standard input.")
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from None
    return User.objects.create_user(email, password, name=name)
