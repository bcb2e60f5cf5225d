"""The local mailbox: what went, what would have gone, and what is in doubt."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from funnel.mail import actions as mail
from funnel.mail.files import files_of
from funnel.mail.models import Message, MessageState
from funnel.mail.sending import text_of, why_not
from funnel.mail.servers import has_server
from funnel.workspaces.models import Workspace
from funnel.workspaces.roles import allow

SHOWN = 20
SENDABLE = {MessageState.QUEUED: "Send now", MessageState.FAILED: "Try again", MessageState.UNKNOWN: "Send again"}


@require_safe
@allow("business")
def mailbox(request: HttpRequest) -> HttpResponse:
    """List the letters, latest first, with their words but without links that let somebody in."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    found = Message.objects.select_related("member__user", "sender__user", "lead").order_by("-created_at", "-id")
    if before := _cursor(request.GET.get("before", "")):
        found = found.filter(Q(created_at__lt=before.created_at) | Q(created_at=before.created_at, pk__lt=before.pk))
    listed = list(found[: SHOWN + 1])
    mail_set = has_server(workspace)
    more = listed[SHOWN - 1].pk if len(listed) > SHOWN else None
    context: dict[str, Any] = {
        "letters": [
            {
                "message": one,
                "text": (text := text_of(one, workspace)),
                "in_columns": "   " in text,
                "files": [file.name for file in files_of(one)],
                "again": SENDABLE.get(MessageState(one.state), "") if mail_set else "",
            }
            for one in listed[:SHOWN]
        ],
        "more": more,
        "works": mail.is_sent(workspace),
        "mail_set": mail_set,
    }
    return render(request, "funnel/mail/mailbox.html", context)


def _cursor(text: str) -> Message | None:
    """The letter after which to go on; rubbish begins at the top."""
    try:
        return Message.objects.filter(pk=UUID(text)).only("pk", "created_at").first()
    except ValueError:
        return None


@require_safe
@allow("business")
def letter_file(request: HttpRequest, pk: UUID, place: int) -> HttpResponse:
    """Give a file that a letter carries, to keep; never to be shown as a page of ours."""
    message = get_object_or_404(Message, pk=pk)
    files = files_of(message)
    if place >= len(files):
        raise Http404
    answer = HttpResponse(files[place].make(), content_type=files[place].type)
    answer["Content-Disposition"] = content_disposition_header(True, files[place].name)
    return answer


@require_POST
@allow("business")
def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a letter that waits, failed or is in doubt, because a person says so."""
    message = get_object_or_404(Message, pk=pk)
    if why := why_not(message):
        messages.warning(request, f"It stays here. {why}")
    elif mail.send_again(message, by=request.member, at=request.at):  # type: ignore[attr-defined]
        messages.success(request, f"On its way to {message.to_email}.")
    else:
        messages.warning(request, "This letter is on its way, or has gone already.")
    return redirect("mailbox")
