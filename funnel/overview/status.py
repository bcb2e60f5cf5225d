"""The page of status and stuck work: what waits, what is stuck and why, and "Try again"."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Count, Min
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from funnel.mail import actions as mail
from funnel.mail.models import Message, MessageState
from funnel.mail.servers import has_server
from funnel.outbox import actions as outbox
from funnel.outbox.health import LATE, parts, worth_showing
from funnel.outbox.kinds import KINDS
from funnel.outbox.models import Effect, State
from funnel.templatetags.words import plural, span
from funnel.workspaces.models import Workspace
from funnel.workspaces.roles import allow

SHOWN = 50
# The worker's handlers as a person reads them: what kind of work waits, or is stuck.
WORK = {
    "receive": "Forms to take in",
    "place": "Sources to put with their campaign",
    "score": "Leads to score",
    "notify": "New leads to tell a rep about",
    "remind": "Reminders to write",
    "escalate": "Late leads to tell a manager about",
    "pass_on": "Late leads to offer to somebody else",
    "day_off": "Leads to offer to somebody who works on that day",
    "cool": "Waiting times to end",
    "follow": "Next steps to pass on with their lead",
    "deals_follow": "Deals to pass on with their lead",
    "demos_follow": "Demos to pass on with their lead",
    "tell_demo": "Demos to tell lead and rep about",
    "remind_demo": "Demos to remind of",
    "ask_again": "Missed demos, to write a link to book again",
    "ask": "Wishes to be called, to pass to a rep",
    "see": "Customers who came again, to tell their rep",
    "prompt": "Next steps to remind of",
    "quote_settle": "Quotes to close with their deal",
    "quote_unsettle": "Quotes to open again with their deal",
    "weekly": "Weekly letters to the owner",
    "next_week": "Weeks to plan",
    "enroll": "Leads to send nurture mails to",
    "nurture": "Nurture mails to write",
    "replied": "Nurture mails to stop after an answer",
    "away": "Leads to pass on from somebody who is off",
    "read_list": "Lists to read",
    "look_through": "Lists to look through",
    "bring_in": "Lists to bring in",
    "forget_list": "Lists to forget",
    "quote_ends": "Quotes to end on their day",
    "keep_clocks": "Demos to keep at their time of day",
    "set_epoch": "Scores to count from a later day",
    "fill_basis": "Rules to try out on every lead",
    "look_ahead": "Rules to look ahead with",
    "judge_all": "Leads to judge by new rules",
    "forget_basis": "Rules that were tried, to forget",
    "send": "Mails to send",
}


def kind_of(handler: str) -> str:
    """What a handler does, in words; an unknown one under its own name."""
    return WORK.get(handler) or handler.replace("_", " ").capitalize()


def _why(effect: Effect) -> str:
    """Why it is stuck, in a sentence; the kind of error stands there without what was in it."""
    error = effect.error.rpartition(".")[2]
    if not error:
        return f"It was tried {plural(effect.attempts, 'time')} and did not come to an end."
    known = {
        "OperationalError": "The database was busy or away each time.",
        "IntegrityError": "What it wanted to write contradicts what is there.",
        "TryLater": "The mail server did not take it.",
        "MemoryError": "There was not enough memory.",
    }
    return f"{known.get(error, 'Baton itself failed with it.')} Tried {plural(effect.attempts, 'time')} ({error})."


@require_safe
@allow("stuck")
def stuck(request: HttpRequest) -> HttpResponse:
    """Show the parts, what waits since when, and what a person has to decide."""
    at = request.at  # type: ignore[attr-defined]
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    waits = [
        {"what": kind_of(row["handler"]), "count": row["count"], "since": row["since"]}
        for row in Effect.objects.filter(state=State.DUE, due_at__lte=at)
        .values("handler")
        .annotate(count=Count("pk"), since=Min("due_at"))
        .order_by("since")
    ]
    rows = (
        Effect.objects.filter(state=State.STUCK).select_related("event__lead").order_by("-due_at", "-pk")[: SHOWN + 1]
    )
    listed = [
        {
            "effect": one,
            "what": kind_of(one.handler),
            "about": KINDS[one.event.kind].label if one.event.kind in KINDS else one.event.kind.replace("_", " "),
            "why": _why(one),
        }
        for one in rows
    ]
    doubt = list(Message.objects.filter(state=MessageState.UNKNOWN).order_by("-created_at", "-id")[:SHOWN])
    known = parts()
    works, mail_set = mail.is_sent(workspace), has_server(workspace)
    no_mail = "" if works or workspace.is_demo else f" Mail is not {'tried yet' if mail_set else 'set up'}."
    context: dict[str, Any] = {
        "parts": worth_showing(known),
        "say": _say(known, waits, len(listed) + len(doubt), no_mail, at),
        "waits": waits,
        "total": sum(row["count"] for row in waits),
        "oldest": min((row["since"] for row in waits), default=None),
        "listed": listed[:SHOWN],
        "many": len(listed) > SHOWN,
        "doubt": doubt,
        "works": works,
        "mail_set": mail_set,
        "at": at,
    }
    return render(request, "funnel/overview/stuck.html", context)


def _say(known: list[Any], waits: list[dict[str, Any]], stuck: int, no_mail: str, at: Any) -> str:
    """The first thing that is wrong, or that nothing is; `no_mail` says what is not well with mail."""
    wrong = [part for part in known if not part.ok]
    if any(part.name == "worker" for part in wrong):
        seen = next(part for part in wrong if part.name == "worker").says
        return f"The worker: {seen[0].lower()}{seen[1:]} Nothing is lost."
    if wrong:
        return f"{wrong[0].label}: {wrong[0].says}"
    oldest = min((row["since"] for row in waits), default=None)
    if oldest and (at - oldest).total_seconds() > LATE:
        return f"Updates are {span(timedelta(seconds=(at - oldest).total_seconds()))} late. Nothing is lost."
    if stuck:
        return f"Baton works, but {plural(stuck, 'thing is', 'things are')} stuck.{no_mail}"
    return f"{'Baton' if no_mail else 'All'} works, and nothing is stuck.{no_mail}"


@require_POST
@allow("stuck")
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Try one stuck duty again."""
    if not Effect.objects.filter(pk=pk).exists():
        raise Http404
    if outbox.try_again(pk, at=request.at):  # type: ignore[attr-defined]
        messages.success(request, "It is tried again now.")
    else:
        messages.success(request, "It was not stuck any more.")
    return redirect("stuck")


@require_POST
@allow("stuck")
def again_all(request: HttpRequest) -> HttpResponse:
    """Try all stuck duties again; mail in doubt is left out."""
    freed = sum(
        outbox.try_again(pk, at=request.at)  # type: ignore[attr-defined]
        for pk in Effect.objects.filter(state=State.STUCK).values_list("pk", flat=True)[:5000]
    )
    messages.success(
        request, f"{plural(freed, 'is', 'are')} tried again now." if freed else "Nothing was stuck any more."
    )
    return redirect("stuck")
