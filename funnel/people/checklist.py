"""What to do first in a new business; each step ticks itself off by a fact."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from funnel.mail.models import MailServer
from funnel.people.places import money_called
from funnel.templatetags.words import clock_time, day
from funnel.workspaces.models import Invitation, Member, Role, Workspace
from funnel.workspaces.slots import slot
from funnel.workspaces.tally import Asked, Counts

Step = dict[str, Any]


def counted(workspace: Workspace) -> Asked:
    """What `steps` has to know, for `tally`."""
    return {
        "sellers": (Member.objects.active().filter(role=Role.REP), ""),
        "invited": (Invitation.objects.filter(role=Role.REP), ""),
        "servers": (MailServer.objects.filter(workspace=workspace), ""),
    }


def steps(workspace: Workspace, member: Member, at: datetime, counts: Counts) -> list[Step]:
    """The steps in order: {key, title, says, done, url, action}, and `link` where there is one to copy.

    A wing plugs its own in by the slot "checklist": a callable that takes (workspace, member, at) and gives such
    steps. The first that isn't done carries `now`. `counts` are those of `counted`.
    """
    listed = [_started(workspace)]
    for more in slot("checklist"):
        listed += more(workspace, member, at)
    listed += [_seller(counts), _mail(workspace, counts)]
    first = next((step for step in listed if not step["done"]), None)
    for step in listed:
        step["now"] = step is first
    return listed


def _started(workspace: Workspace) -> Step:
    made, city = workspace.created_at, workspace.time_zone.rpartition("/")[2].replace("_", " ")
    return {
        "key": "start",
        "title": "Start the business",
        "says": f"On {day(made)}, {clock_time(made)}. Money in {money_called(workspace.currency)}, {city} time.",
        "done": True,
        "url": reverse("business"),
        "action": "Change",
    }


def _seller(counts: Counts) -> Step:
    sellers = bool(counts["sellers"][""])
    says = (
        "Invited; done when they join."
        if counts["invited"][""]
        else "Until then every lead waits for you. Done when they join."
    )
    return {
        "key": "invite",
        "title": "Invite somebody who sells",
        "says": "They take new leads by turn." if sellers else says,
        "done": sellers,
        "url": reverse("people") + "#invite",
        "action": "Look" if sellers else "Invite",
    }


def _mail(workspace: Workspace, counts: Counts) -> Step:
    has_server = bool(settings.EMAIL_URL or counts["servers"][""])
    works = has_server and workspace.mail_proved_at is not None
    says = "Mail is not being sent. Until it is, letters are kept in the local mailbox and links can be copied."
    if has_server:
        says = "A mail server is set. Send a test mail; done when the server has taken it."
    return {
        "key": "mail",
        "title": "Set up mail",
        "says": "Letters go out by themselves." if works else says,
        "done": works,
        "url": reverse("business") + "#mail",
        "action": "Look" if works else "Set up mail",
    }
