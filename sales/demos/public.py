"""The door for people who book a meeting: free times, and one POST. No cookie, and no need of a script."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django import forms
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect

from funnel.api.shapes import moment
from funnel.mail.actions import is_sent
from funnel.people.places import zone_choices
from funnel.templatetags.words import clock_time, day_time, when
from funnel.workspaces.gate import writing
from funnel.workspaces.refusals import Refusal
from sales.demos import actions as demos
from sales.demos import booking as meetings
from sales.demos.letters import zone_words
from sales.demos.models import Demo
from sales.demos.visits import Trouble, Visit, about, by_meeting, by_page, door, mailed_to, not_too_often, render

# Nobody reads the page and fills it in within two seconds; one that was left open for a week is read again.
TOO_FAST_MS, SHOWN_MS = 2000, 7 * 24 * 3600 * 1000


class WhoForm(forms.Form):
    """Who comes; somebody whom we know by their link is asked only for the last of it."""

    name = forms.CharField(label="Your name", max_length=200, widget=forms.TextInput({"autocomplete": "name"}))
    email = forms.CharField(label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "email"}))
    phone = forms.CharField(
        label="Phone", max_length=60, required=False, widget=forms.TextInput({"autocomplete": "tel", "type": "tel"})
    )
    note = forms.CharField(
        label="Anything we should know?", max_length=2000, required=False, widget=forms.Textarea({"rows": 3})
    )

    def __init__(self, *args: Any, known: bool, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "%s")
        super().__init__(*args, **kwargs)
        if known:
            for name in ("name", "email", "phone"):
                del self.fields[name]


# ── choose a time ────────────────────────────────────────────────────────


@door
def booking(request: HttpRequest, token: str) -> HttpResponse:
    """Show the free times of a member."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    with by_page(request, token) as visit:
        return _times(visit, since=_since(request))


@door
def times(request: HttpRequest, token: str) -> HttpResponse:
    """Show the other times to somebody who has booked, or who missed it."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    with by_meeting(request, token) as visit:
        _may_choose(visit)
        return _times(visit, since=_since(request))


def _may_choose(visit: Visit) -> None:
    if not visit.page.is_open:
        raise Trouble(410, "Nobody can be booked here at the moment.", visit.workspace)


def _since(request: HttpRequest) -> date | None:
    try:
        return date.fromisoformat(request.GET.get("from", ""))
    except ValueError:
        return None


def _times(visit: Visit, *, since: date | None = None, status: int = 200, **also: Any) -> HttpResponse:
    found = visit.offer(since)
    context = {
        **about(visit),
        "days": [
            {
                "day": one.day,
                "times": [
                    {"at": _stamp_of(moment), "clock": clock_time(moment), "says": day_time(moment)}
                    for moment in one.times
                ],
            }
            for one in found.days
        ],
        "first": found.first and {"at": _stamp_of(found.first), "when": when(found.first)},
        "later": found.later,
        "zone_says": _zone_says(visit.zone, visit.at),
        "zones": zone_choices(visit.at),
        "moves": visit.moves,
        **also,
    }
    return render("public/booking.html", context, visit.workspace, status=status)


def _zone_says(zone: ZoneInfo, at: datetime) -> str:
    """A clock in words: "London (GMT), where it is 10:42 now"."""
    local = at.astimezone(zone)
    name = local.tzname() or ""
    if not name.isalpha():
        name = f"UTC{local:%z}"
        name = f"{name[:-2]}:{name[-2:]}"
    return f"{zone.key.rpartition('/')[2].replace('_', ' ')} ({name}), where it is {local:%H:%M} now"


def _stamp_of(at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo('UTC')):%Y-%m-%dT%H:%M}Z"


# ── book it ──────────────────────────────────────────────────────────────


@door
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Ask who comes, and book."""
    if request.method == "POST":
        not_too_often(request, token)
    with by_page(request, token) as visit:
        return _confirm(request, visit)


@door
def confirm_again(request: HttpRequest, token: str) -> HttpResponse:
    """Move a meeting, or book a new one after it was missed or cancelled, for who has its link."""
    if request.method == "POST":
        not_too_often(request, token)
    with by_meeting(request, token) as visit:
        _may_choose(visit)
        return _confirm(request, visit)


def _confirm(request: HttpRequest, visit: Visit) -> HttpResponse:
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    posted = request.method == "POST"
    try:
        starts_at = moment((request.POST if posted else request.GET).get("at", ""))
    except ValueError:
        raise Trouble(400, "We can’t read this time. Please choose one from the list.", visit.workspace) from None
    known = visit.demo is not None
    if not posted or "look" in request.POST:
        # From the page that says "just taken" what was typed comes along.
        return _ask(visit, starts_at, WhoForm(initial=request.POST.dict() if posted else None, known=known))
    form = WhoForm(request.POST, known=known)
    if not form.is_valid():
        return _ask(visit, starts_at, form, status=422)
    if _is_script(visit.token, request, visit.at, types=not known):
        form.add_error(None, "That was faster than we expected. Please press the button once more.")
        return _ask(visit, starts_at, form, status=422)
    typed = form.cleaned_data
    # Pressed twice, the page as it was shown books once.
    once = uuid5(visit.workspace.pk, request.POST["shown"])
    try:
        with writing():
            demo = _book(visit, starts_at, typed, once)
    except demos.Taken:
        if (made := Demo.objects.filter(pk=once).first()) is not None:
            return HttpResponseRedirect(f"{made.path}?booked=1#main", status=303)
        return _just_taken(visit, starts_at, typed)
    except meetings.NotKnown as wrong:
        for name, sentence in wrong.errors.items():
            form.add_error(name if name in form.fields else None, sentence)
        return _ask(visit, starts_at, form, status=422)
    except Refusal as refusal:
        form.add_error(None, refusal.sentence)
        return _ask(visit, starts_at, form, status=refusal.status)
    told = (
        visit.moves is None or demo.sequence != visit.moves.sequence or _moved_since(visit.moves, visit.token, request)
    )
    # A browser would carry the form's own place in the address over.
    return HttpResponseRedirect(f"{demo.path}{'?booked=1' if told else ''}#main", status=303)


def _moved_since(demo: Demo, token: str, request: HttpRequest) -> bool:
    """Whether the meeting was moved since the page was shown: a button that is pressed twice has done so at first."""
    return demo.sequence > 0 and demo.updated_at.timestamp() * 1000 > _shown_at(token, request)


def _book(visit: Visit, starts_at: datetime, typed: dict[str, str], once: UUID) -> Demo:
    words = typed.get("note", "")
    if (moves := visit.moves) is not None:
        free = meetings.is_free(visit.page, starts_at, workspace=visit.workspace, at=visit.at, besides=moves)
        if not free:
            raise demos.Taken("This time is not free any more.")
        changes: dict[str, Any] = {"starts_at": starts_at, "zone": visit.zone.key}
        if words:
            changes["words"] = words
        return demos.move(moves, changes, by=None, at=visit.at)
    return meetings.book(
        visit.page,
        starts_at,
        workspace=visit.workspace,
        at=visit.at,
        typed=typed,
        lead=visit.demo.lead if visit.demo else None,
        zone=visit.zone.key,
        words=words,
        pk=once,
    )


def _ask(visit: Visit, starts_at: datetime, form: WhoForm, *, status: int = 200) -> HttpResponse:
    if "email" in form.fields and is_sent(visit.workspace):
        form.fields["email"].help_text = "The appointment for your calendar goes here."
    if not meetings.is_free(visit.page, starts_at, workspace=visit.workspace, at=visit.at, besides=visit.moves):
        typed = form.data if form.is_bound else form.initial
        return _just_taken(visit, starts_at, {name: typed.get(name) for name in form.fields})
    context = {
        **about(visit),
        "form": form,
        "starts": starts_at,
        "ends": starts_at + (timedelta(minutes=visit.page.minutes)),
        "at": _stamp_of(starts_at),
        "zone_words": zone_words(visit.zone.key),
        "shown": _stamp(visit.token, visit.at),
        "masked": mailed_to(visit),
        "moves": visit.moves,
    }
    return render("public/booking_confirm.html", context, visit.workspace, status=status)


def _just_taken(visit: Visit, starts_at: datetime, typed: dict[str, Any]) -> HttpResponse:
    """Somebody was faster: the next time that day, and what was typed stays with the visitor."""
    kept = {name: str(typed[name]) for name in ("name", "email", "phone", "note") if typed.get(name)}
    since = visit.workspace.local(max(starts_at, visit.at)).date()
    found = visit.offer(since)
    local = starts_at.astimezone(visit.zone).date()
    same_day = next((one.times for one in found.days if one.day == local), [])
    after = next((one for one in same_day if one > starts_at), None) or found.first
    context = {
        "taken": starts_at,
        "kept": kept,
        "instead": after
        and {"at": _stamp_of(after), "moment": after, "same_day": after.astimezone(visit.zone).date() == local},
    }
    return _times(visit, since=since, status=409, **context)


def _signer(token: str) -> signing.Signer:
    return signing.Signer(salt=f"booking:{token}")


def _stamp(token: str, at: datetime) -> str:
    """When the page was shown, and a word that no other showing of it has."""
    return _signer(token).sign(f"{int(at.timestamp() * 1000)}.{secrets.token_hex(8)}")


def _is_script(token: str, request: HttpRequest, at: datetime, *, types: bool) -> bool:
    """Whether the trap is filled in, or it came faster than anybody `types`; a person presses once more."""
    try:
        since = int(at.timestamp() * 1000) - _shown_at(token, request)
    except (signing.BadSignature, ValueError):
        return True
    return bool(request.POST.get("website", "").strip()) or not (TOO_FAST_MS if types else 0) <= since <= SHOWN_MS


def _shown_at(token: str, request: HttpRequest) -> int:
    """When the page was shown from which this comes, in milliseconds; raise BadSignature or ValueError."""
    return int(_signer(token).unsign(request.POST.get("shown", "")[:200]).partition(".")[0])
