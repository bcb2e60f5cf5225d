"""The door for whoever was sent a quote: read it, keep it as PDF, ask, accept, decline. No log-in, cookie or script.

Opening it, by whomever or whatever, changes nothing: only a POST does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.csrf import csrf_exempt

from funnel.api.errors import TooMany
from funnel.mail.actions import is_sent
from funnel.workspaces import limits
from funnel.workspaces.doors import address_of, behind
from funnel.workspaces.faces import face_of
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Member, PublicDoor
from funnel.workspaces.roles import public
from sales.negotiation import answers
from sales.negotiation.document import changed, in_words
from sales.negotiation.links import path_of
from sales.negotiation.models import DeclineReason, QuoteVersion, State
from sales.negotiation.paper import headline, name_of, pdf_of

MINUTE = 60
# Whoever guesses addresses, and whoever sends answer after answer, is slowed down long before it gets anywhere.
LOOKS, ANSWERS = 90, 12
LONGEST_NAME, LONGEST_WORDS = 200, 2000


@public
@csrf_exempt
def quote(request: HttpRequest, token: str) -> HttpResponse:
    """Show the quote, or accept it by a typed name."""
    if request.method == "POST":
        return _answered(request, token, _accept)
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    _slow_down(request)
    with tenant(behind(token)) as at:
        said = request.GET.get("said", "")
        return _page(_find(token), at, asked=said == "asked", ours=_ours(request))


@public
@csrf_exempt
def ask(request: HttpRequest, token: str) -> HttpResponse:
    """Take a question, or the wish for a new quote."""
    return _answered(request, token, _ask)


@public
@csrf_exempt
def decline(request: HttpRequest, token: str) -> HttpResponse:
    """Take a no, with its reason."""
    return _answered(request, token, _decline)


@public
def pdf(request: HttpRequest, token: str) -> HttpResponse:
    """Give the quote as PDF."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    _slow_down(request)
    with tenant(behind(token)) as at:
        version = _find(token)
        with timezone.override(ZoneInfo(version.document["zone"])):
            answer = HttpResponse(pdf_of(version, at), content_type="application/pdf")
    answer["Content-Disposition"] = content_disposition_header(True, name_of(version))
    return _private(answer)


# ── answers ──────────────────────────────────────────────────────────────

Errors = dict[str, str]


def _answered(
    request: HttpRequest, token: str, take: Callable[[QuoteVersion, Any, datetime], Errors | str]
) -> HttpResponse:
    """Take an answer in one transaction; what is wrong or came too late is said on the page as it is now."""
    if request.method in ("GET", "HEAD"):
        # A refused answer leaves its own address behind; whoever opens that again wants the quote.
        return _private(HttpResponseRedirect(reverse("public-quote", args=[token]), status=303))
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    _slow_down(request, token)
    workspace_id = behind(token)
    try:
        with tenant(workspace_id, write=True) as at:
            done = take(_find(token), request.POST, at)
    except answers.Over as over:
        with tenant(workspace_id) as at:
            return _page(_find(token), at, status=over.status, trouble=over.sentence)
    if isinstance(done, str):
        return HttpResponseRedirect(reverse("public-quote", args=[token]) + done, status=303)
    with tenant(workspace_id) as at:
        return _page(_find(token), at, status=422, errors=done, typed=request.POST)


def _accept(version: QuoteVersion, posted: Any, at: datetime) -> Errors | str:
    name = _words(posted, "signed")
    errors = _too_long("signed", "Your name", name, LONGEST_NAME)
    if len(name.replace(" ", "")) < 2:
        errors["signed"] = "Type your full name."
    if posted.get("agree") != str(version.number):
        errors["agree"] = "Tick this to accept."
    if version.state_at(at) == State.SENT and errors:
        return errors
    answers.accept(version, signed=name, at=at)
    return "#main"


def _ask(version: QuoteVersion, posted: Any, at: datetime) -> Errors | str:
    question = _words(posted, "q")
    if not question and version.state_at(at) != State.EXPIRED:
        return {"q": "Write what you want to know."}
    if errors := _too_long("q", "Your question", question, LONGEST_WORDS):
        return errors
    answers.ask(version, question=question, at=at)
    return "?said=asked#main"


def _decline(version: QuoteVersion, posted: Any, at: datetime) -> Errors | str:
    reason, note = posted.get("reason", ""), _words(posted, "more")
    errors = _too_long("more", "Your words", note, LONGEST_WORDS)
    if reason not in DeclineReason.values:
        errors["reason"] = "Choose the main reason."
    if version.state_at(at) == State.SENT and errors:
        return errors
    known = DeclineReason(reason) if reason in DeclineReason.values else DeclineReason.SCOPE
    answers.decline(version, reason=known, note=note, at=at)
    return "#main"


def _words(posted: Any, name: str) -> str:
    """What was typed, without signs that no database keeps."""
    # A browser counts the end of a line as one sign and sends two.
    said = str(posted.get(name, "")).replace("\r\n", "\n")
    text = "".join(sign for sign in said if sign.isprintable() or sign in "\r\n\t")
    return text.encode("utf-8", "ignore").decode().strip()


def _too_long(name: str, what: str, said: str, longest: int) -> Errors:
    """What is wrong with words that are more than are kept; they come back whole."""
    much = len(said) > longest
    return {name: f"{what}: write at most {longest:,} characters; this has {len(said):,}."} if much else {}


def _slow_down(request: HttpRequest, token: str = "") -> None:
    wait = limits.hit("quote", address_of(request), LOOKS, MINUTE)
    if wait is None and token:
        wait = limits.hit("quote-answer", token, ANSWERS, MINUTE)
    if wait is not None:
        raise TooMany(wait)


def _ours(request: HttpRequest) -> bool:
    """Whether one of us looks at the customer's page in the browser in which they work."""
    return request.user.is_authenticated and Member.objects.active().filter(user=request.user).exists()


# ── the page ─────────────────────────────────────────────────────────────


def _find(token: str) -> QuoteVersion:
    found: QuoteVersion | None = QuoteVersion.objects.whole().filter(door=PublicDoor.digest_of(token)).first()
    if found is None:
        raise Http404
    return found


def _page(version: QuoteVersion, at: datetime, *, status: int = 200, **also: Any) -> HttpResponse:
    """Render without the request: nothing of a member's may reach a visitor, and no token may set a cookie."""
    siblings = list(
        QuoteVersion.objects.filter(quote=version.quote_id, sent_at__isnull=False)
        .exclude(pk=version.pk)
        .order_by("number")
    )
    before = next((one for one in reversed(siblings) if one.number < version.number), None)
    after = siblings[-1] if siblings and siblings[-1].number > version.number else None
    state = version.state_at(at)
    shown = "withdrawn" if version.is_withdrawn else "closed" if version.is_closed else str(state)
    document = version.document
    said = in_words(document)
    context = {
        "quote": said,
        "headline": headline(said),
        "version": version,
        "state": "replaced" if after is not None and state != State.ACCEPTED else shown,
        "open": state == State.SENT,
        "is_over": state == State.EXPIRED,
        "days_left": (version.valid_until - timezone.localdate(at, ZoneInfo(document["zone"]))).days,
        "before": before,
        "before_path": path_of(before) if before else "",
        "after": after,
        "after_path": path_of(after) if after else "",
        "changes": changed(document, before.document) if before else [],
        "changes_after": changed(after.document, document) if after else [],
        "reasons": DeclineReason.choices,
        "pdf_path": path_of(version) + "pdf/",
        "path": path_of(version),
        "masked": masked(version.sent_to) if is_sent(version.quote.deal.lead.workspace) else "",
        "digest": " ".join(version.digest[place : place + 4] for place in range(0, 64, 4)),
        "errors": {},
        "business": face_of(version.quote.deal.lead.workspace) | {"name": document["from"]["business"]},
        **also,
    }
    with timezone.override(ZoneInfo(document["zone"])):
        return _private(HttpResponse(get_template("public/quote.html").render(context), status=status))


def _private(answer: HttpResponse) -> HttpResponse:
    """The address is the key: it is kept by nobody, found by no search engine and told to no other site."""
    answer["Cache-Control"] = "no-store"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def masked(address: str) -> str:
    """An address as it may stand on a page that can be passed on: e…@corvedale.example."""
    name, at, domain = address.partition("@")
    return f"{name[:1]}…@{domain}" if at else ""
