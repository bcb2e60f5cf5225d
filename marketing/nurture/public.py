"""What somebody with the link of a nurture mail can do: say that they want no more, and follow a link in it.

Opening the page changes nothing: mail scanners open every link. No cookie, no script.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import get_template
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from funnel.leads.actions import touch
from funnel.leads.models import Consent, Lead
from funnel.leads.suppressing import agreed_to_mail, suppression_of
from funnel.mail.models import MessageState
from funnel.workspaces import limits
from funnel.workspaces.doors import address_of, behind
from funnel.workspaces.faces import face_of
from funnel.workspaces.gate import tenant, writing
from funnel.workspaces.models import PublicDoor, Workspace
from funnel.workspaces.roles import public
from marketing.nurture import actions as nurture
from marketing.nurture.letters import is_ours
from marketing.nurture.models import Enrollment, Letter, Step

MINUTE = 60
# A program that looks through mail follows its links within moments of their arrival; a person reads first.
AT_ONCE = timedelta(seconds=10)
# Who goes back to the mail and clicks again is there once.
AGAIN = timedelta(minutes=30)
MACHINES = (
    "bot", "crawl", "spider", "preview", "scan", "monitor", "headless", "curl", "wget", "python", "java/", "okhttp",
    "go-http", "libwww", "httpclient", "axios", "node-fetch", "safelinks", "barracuda", "proofpoint", "mimecast",
    "fortimail", "trendmicro", "symantec", "ironport", "googleimageproxy", "yahoomailproxy", "facebookexternalhit",
)  # fmt: skip


def _render(template: str, context: dict[str, Any], workspace: Workspace | None, *, status: int = 200) -> HttpResponse:
    """Render without the request: nothing of a member's may reach a visitor, and no token may set a cookie."""
    business = face_of(workspace) if workspace else {"name": ""}
    response = HttpResponse(get_template(template).render({**context, "business": business}), status=status)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _enrollment(token: str) -> Enrollment:
    """The enrollment that a link belongs to; raise Http404."""
    found: Enrollment | None = (
        Enrollment.objects.filter(digest=PublicDoor.digest_of(token)).select_related("lead__workspace").first()
    )
    if found is None:
        raise Http404
    return found


@public
@csrf_exempt
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show what we may send; a POST says that it is no more, or that it is again.

    Mail programs POST `List-Unsubscribe=One-Click` here without showing the page (RFC 8058).
    """
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    workspace_id = behind(token)
    posted = request.method == "POST"
    each, _ = settings.FORM_LIMITS
    if posted and each and limits.hit("unsubscribe", f"{token} {address_of(request)}", each, MINUTE):
        context = {"sentence": "That was a lot at once. Please wait a minute and try again.", "again": True}
        return _render("public/trouble.html", context, None, status=429)
    wants = posted and "wants" in request.POST and "stop" not in request.POST
    with tenant(workspace_id) as at:
        one = _enrollment(token)
        if posted:
            with writing():
                if wants and request.POST.get("List-Unsubscribe") != "One-Click":
                    nurture.subscribe_again(one, at=at)
                else:
                    nurture.unsubscribe(one, at=at)
        with timezone.override(one.lead.workspace.zone):
            return _page(one, saved=posted)


def _page(one: Enrollment, *, saved: bool) -> HttpResponse:
    lead: Lead = one.lead
    letters = list(one.letters.select_related("message").order_by("-written_at"))
    sent = [letter for letter in letters if letter.message and letter.message.state == MessageState.SENT]
    address = letters[0].message.to_email if letters and letters[0].message else lead.email
    name, _, domain = address.partition("@")
    consent = Consent.objects.filter(lead=lead, channel="email").select_related("event").order_by("-given_at").first()
    suppressed = suppression_of(one.workspace_id, address, lead.email)
    context = {
        "saved": saved,
        "wants": suppressed is None and agreed_to_mail(lead),
        "may_again": suppressed is None or suppressed.why == suppressed.Why.UNSUBSCRIBED,
        "masked": f"{name[:1]}…@{domain}" if domain else "",
        "had": len(sent),
        "of": max(Step.objects.kept().count(), len(sent)),
        "consent": consent,
        "form": consent.event.data.get("form", "") if consent else "",
    }
    return _render("public/preferences.html", context, lead.workspace)


@public
def click(request: HttpRequest, token: str, mark: str) -> HttpResponse:
    """Follow a link of a mail to where it led when it was sent; a person's click is kept, a machine's is not."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    workspace_id = behind(token)
    with tenant(workspace_id) as at:
        one = _enrollment(token)
        letter, place = _linked(one, token, mark)
        if letter is None:
            context = {"sentence": "This link has been changed on its way.", "again": False}
            return _render("public/trouble.html", context, one.lead.workspace, status=400)
        if not _is_machine(request, letter, at):
            with writing():
                _clicked(letter, place, at)
        answer = HttpResponseRedirect(letter.links[place])
        answer["Cache-Control"] = "no-store"
        answer["Referrer-Policy"] = "no-referrer"
        return answer


def _linked(one: Enrollment, token: str, mark: str) -> tuple[Letter | None, int]:
    """The letter and the place of the link in it; None for a link that we didn't make so."""
    parts = mark.split(".", 2)
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts[:2]):
        return None, 0
    position, place = int(parts[0]), int(parts[1])
    if not is_ours(token, position, place, parts[2]):
        return None, 0
    letter = one.letters.filter(position=position).select_related("message", "enrollment__lead").first()
    return (letter, place) if letter and place < len(letter.links) else (None, 0)


def _is_machine(request: HttpRequest, letter: Letter, at: datetime) -> bool:
    """Whether no person clicked: only asked for the head, fetched ahead, a known scanner, or sooner than one reads."""
    agent = request.headers.get("User-Agent", "").casefold()
    ahead = " ".join(request.headers.get(name, "") for name in ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"))
    if request.method == "HEAD" or not agent or any(word in agent for word in MACHINES):
        return True
    if "prefetch" in ahead.casefold() or "preview" in ahead.casefold():
        return True
    message = letter.message
    return message is None or message.sent_at is None or at - message.sent_at < AT_ONCE


def _clicked(letter: Letter, place: int, at: datetime) -> None:
    """Keep a click: the first on the letter, and as a touch that scores unless the last was a moment ago."""
    now: Letter = Letter.objects.select_for_update().get(pk=letter.pk)
    told = now.click_told_at
    if told is not None and at - told < AGAIN:
        return
    now.clicked_at, now.click_told_at = now.clicked_at or at, at
    now.save(update_fields=["clicked_at", "click_told_at"])
    subject = letter.message.subject if letter.message else ""
    touch(letter.enrollment.lead, "email_click", at=at, data={"mail": subject, "link": letter.links[place]})
