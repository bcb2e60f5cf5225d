"""The door for visitors: a form's page, its POST, its thank-you page. No log-in, no cookie, no script."""

from __future__ import annotations

import logging
import time
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import signing
from django.db import connection
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.template.loader import get_template
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from funnel.workspaces import limits
from funnel.workspaces.doors import address_of
from funnel.workspaces.faces import face_of
from funnel.workspaces.gate import everywhere, tenant, writing
from funnel.workspaces.models import PublicDoor, Workspace
from funnel.workspaces.roles import public
from marketing.capture import actions as capture
from marketing.capture import files, reading
from marketing.capture.models import Form
from marketing.capture.origins import came_from, host_of
from marketing.capture.page import questions_on_page

log = logging.getLogger("baton.capture")

# Nobody reads a form and fills it in within two seconds.
TOO_FAST_MS = 2000
# A form left open since yesterday is a person's; a token kept for weeks is a script's.
SHOWN_MS = 7 * 24 * 3600 * 1000
MINUTE = 60


@lru_cache(maxsize=4096)
def door(token: str) -> tuple[UUID, str]:
    """The workspace behind a public token, and its country; raise Http404. A door never leads elsewhere later."""
    with everywhere():
        found = PublicDoor.objects.filter(digest=PublicDoor.digest_of(token)).values_list(
            "workspace_id", "workspace__country"
        )
        row = next(iter(found[:1]), None)
    if row is None:
        raise Http404
    return row


@public
@csrf_exempt
def form(request: HttpRequest, token: str, framed: bool = False) -> HttpResponse:
    """Show a form, or take what was sent; framed, it stands in another site's page."""
    if request.method == "POST":
        return _post(request, token, framed)
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    workspace_id, _ = door(token)
    with tenant(workspace_id) as at:
        shown, workspace = _find(workspace_id, token), Workspace.objects.get(pk=workspace_id)
    if not shown.is_open:
        return _trouble(410, "This form is closed.", workspace, framed, shown)
    hidden = {"shown": _stamp(token, int(at.timestamp() * 1000))}
    if not framed and (referrer := request.headers.get("Referer", "")) and host_of(referrer) != _here(request):
        # A frame's referrer is the page around it, which the POST will not have.
        hidden["referrer"] = referrer[:500]
    elif framed and request.headers.get("Referer"):
        hidden["referrer"] = request.headers["Referer"][:500]
    return _page(shown, workspace, framed, hidden=hidden)


def _post(request: HttpRequest, token: str, framed: bool) -> HttpResponse:
    try:
        posted = reading.read(request)
    except reading.Unreadable as refused:
        return _trouble(refused.status, refused.sentence, None, framed)
    workspace_id, country = door(token)
    if wait := _over_limit(request, token):
        answer = _trouble(429, "That was a lot at once. Please wait a minute and send it again.", None, framed)
        answer["Retry-After"] = str(wait)
        return answer
    with tenant(workspace_id) as at:
        shown = _find(workspace_id, token)
        refusal = _refused(request, shown)
        if refusal is None:
            typed, errors, others = reading.check(shown, posted, country=country)
            if not errors:
                moment = int(at.timestamp() * 1000)
                flags = _flags(token, posted, moment)
                with writing():
                    capture.send_in(shown, typed, origin=_origin(request, shown, posted), flags=flags, at=at)
    if refusal is None and others:
        log.info("form %s ignored the fields %s", shown.pk, ", ".join(ascii(name[:40]) for name in others[:10]))
    if refusal is None and not errors:
        # Answered alike whether it was held back or not, with the way to the file that the form gives.
        gets = f"?got={files.pass_for(shown)}" if shown.file_key else ""
        return HttpResponseRedirect(_thanks_path(token, framed) + gets, status=303)
    with tenant(workspace_id):
        workspace = Workspace.objects.get(pk=workspace_id)
    if refusal is not None:
        return _trouble(*refusal, workspace, framed, shown)
    hidden = {name: posted[name] for name in ("shown", "referrer") if posted.get(name)}
    return _page(shown, workspace, framed, hidden=hidden, posted=posted, errors=errors)


@public
def thanks(request: HttpRequest, token: str, framed: bool = False) -> HttpResponse:
    """Say thank you; the address holds nothing of the person."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    workspace_id, _ = door(token)
    with tenant(workspace_id):
        shown, workspace = _find(workspace_id, token), Workspace.objects.get(pk=workspace_id)
    word = request.GET.get("got", "")
    gets = f"{reverse('public-file', args=[token])}?got={quote(word)}" if files.lets_in(shown, word) else ""
    return _render("public/thanks.html", {"form": shown, "file_url": gets}, workspace, framed, shown)


@public
def file(request: HttpRequest, token: str) -> HttpResponseBase:
    """Hand out the file that a form gives, to whoever has sent it."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    workspace_id, _ = door(token)
    with tenant(workspace_id):
        shown, workspace = _find(workspace_id, token), Workspace.objects.get(pk=workspace_id)
    if shown.file_key is None or not files.lets_in(shown, request.GET.get("got", "")):
        return _trouble(404, "This link has ended. Send the form again to get the file.", workspace, False, shown)
    answer = FileResponse(
        files.place(workspace_id, shown.file_key).open("rb"), as_attachment=True, filename=shown.file_name
    )
    answer["Cache-Control"] = "no-store"
    return answer


@public
def frame_script(request: HttpRequest) -> HttpResponse:
    """Lead to the script by which a page around a form gives its frame the right height; this address stays."""
    response = HttpResponseRedirect(staticfiles_storage.url("frame.js"))
    response["Cache-Control"] = "public, max-age=3600"
    return response


# ── what is checked before anything is kept ──────────────────────────────


_known: dict[str, tuple[tuple[Any, ...], Form]] = {}


def _find(workspace_id: UUID, token: str) -> Form:
    """Give the form as it stands now. Its row is read each time, and taken apart only where it has changed."""
    with connection.cursor() as cursor:
        cursor.execute(_row_of(), [workspace_id.hex, token])
        row = cursor.fetchone()
    if row is None:
        raise Http404
    known = _known.get(token)
    if known is None or known[0] != row:
        if len(_known) > 4096:
            _known.clear()
        # Read apart, so it may be newer than the row; then the next visitor's row differs and it is read again.
        known = _known[token] = row, Form.objects.get(token=token)
    return known[1]


@cache
def _row_of() -> str:
    return f'SELECT * FROM "{Form._meta.db_table}" WHERE workspace_id = %s AND token = %s'  # noqa: S608


def _over_limit(request: HttpRequest, token: str) -> int | None:
    """Seconds to wait, or None. Per address against a script; per form against many, counted in this process."""
    each, all_of_them = settings.FORM_LIMITS
    if all_of_them and _full(token, all_of_them):
        return MINUTE
    return limits.hit("form", f"{token} {address_of(request)}", each, MINUTE) if each else None


_sent: dict[str, tuple[int, int]] = {}


def _full(token: str, limit: int) -> bool:
    """Whether a form has had its share of this minute; a rough count is enough, so it costs no store."""
    minute = int(time.monotonic() // MINUTE)
    since, many = _sent.get(token, (minute, 0))
    if len(_sent) > 10_000:
        _sent.clear()
    _sent[token] = (minute, many + 1 if since == minute else 1)
    return since == minute and many >= limit


def _refused(request: HttpRequest, shown: Form) -> tuple[int, str] | None:
    if not shown.is_open:
        return 410, "This form is closed."
    if not shown.origins:
        return None
    origin = request.headers.get("Origin") or _origin_of(request.headers.get("Referer", ""))
    ours = {f"{request.scheme}://{request.get_host()}", settings.PUBLIC_URL}
    if origin.lower() in {*shown.origins, *ours}:
        return None
    return 403, "This form can’t be sent from that page."


def _origin_of(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _flags(token: str, posted: dict[str, str], moment: int) -> list[str]:
    """Why this looks like a script: the hidden field is filled in, or it came faster than anybody types."""
    flags = []
    if posted.get("website", "").strip():
        flags.append("trap")
    stamp = posted.get("shown", "")
    if stamp:
        shown_at = _read_stamp(token, stamp)
        if shown_at is None:
            flags.append("forged")
        elif moment - shown_at < TOO_FAST_MS:
            flags.append("fast")
        elif moment - shown_at > SHOWN_MS:
            flags.append("old")
    return flags


def _signer(token: str) -> signing.Signer:
    return signing.Signer(salt=f"form:{token}")


def _stamp(token: str, moment: int) -> str:
    return _signer(token).sign(str(moment))


def _read_stamp(token: str, stamp: str) -> int | None:
    try:
        return int(_signer(token).unsign(stamp[:200]))
    except (signing.BadSignature, ValueError):
        return None


def _here(request: HttpRequest) -> str:
    return split_domain_port(request.get_host())[0].strip("[]").removeprefix("www.")


def _origin(request: HttpRequest, shown: Form, posted: dict[str, str]) -> dict[str, Any]:
    found = came_from(
        posted,
        request.GET.dict() if request.META.get("QUERY_STRING") else {},
        request.headers.get("Referer", ""),
        here=_here(request),
        own={host_of(one) for one in shown.origins},
    )
    if shown.consent_text:
        found["consent_text"] = shown.consent_text
    return found


# ── pages ────────────────────────────────────────────────────────────────


@lru_cache(maxsize=4096)
def _thanks_path(token: str, framed: bool) -> str:
    return f"{reverse('public-form', args=[token])}{'frame/' if framed else ''}thanks/"


def _page(
    shown: Form,
    workspace: Workspace,
    framed: bool,
    *,
    hidden: dict[str, str],
    posted: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> HttpResponse:
    context = {
        "form": shown,
        "hidden": hidden,
        "rows": questions_on_page(shown, posted or {}, errors or {}),
        "wrong": errors or {},
        "consented": (posted or {}).get("consent", "").strip().casefold() not in reading.NOT_YES,
    }
    return _render("public/form.html", context, workspace, framed, shown, status=422 if errors else 200)


def _trouble(
    status: int, sentence: str, workspace: Workspace | None, framed: bool, shown: Form | None = None
) -> HttpResponse:
    context = {"form": shown, "sentence": sentence, "again": status in (400, 413, 429)}
    return _render("public/trouble.html", context, workspace, framed, shown, status=status)


def _render(
    template: str,
    context: dict[str, Any],
    workspace: Workspace | None,
    framed: bool,
    shown: Form | None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Render without the request: nothing of a member's may reach a visitor, and no token may set a cookie."""
    business = face_of(workspace) if workspace else {"name": ""}
    body = get_template(template).render({**context, "business": business, "framed": framed})
    response = HttpResponse(body, status=status)
    response["Cache-Control"] = "no-store"
    if framed:
        response.xframe_options_exempt = True
        around = ["'self'", *shown.origins] if shown and shown.origins else ["*"]
        response._csp_replace = {"frame-ancestors": around}  # type: ignore[attr-defined]
    return response
