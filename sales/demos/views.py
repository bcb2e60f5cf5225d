"""Book a demo, move it, cancel it, say how it went; the week, and one's own booking page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.mail.actions import why_none
from funnel.templatetags.words import day_time
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow
from sales.demos import actions as verbs
from sales.demos import booking, saying
from sales.demos.forms import BookingPageForm, DemoForm, sellers
from sales.demos.letters import zone_words
from sales.demos.models import BookingPage, Demo
from sales.demos.panel import demos_of, may_book
from sales.demos.slots import offer, unusual
from sales.demos.week import week_of
from sales.queue import actions as queue
from sales.queue.models import Task

# What a refusal is about, where the form names it otherwise.
FIELDS = {"starts_at": "hour", "ends_at": "minutes", "holder": "holder"}


@allow("deals.change")
@require_GET
def demos(request: HttpRequest) -> HttpResponse:
    """My demos of a week; an owner or a manager may look at everybody's."""
    page = BookingPage.objects.filter(member=_member(request)).first()
    return render(request, "sales/demos.html", week_of(request) | {"page": page})


@allow("deals.change")
@require_http_methods(["GET", "HEAD", "POST"])
def book(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Book a demo with a lead."""
    member, workspace = _member(request), _workspace(request)
    lead: Lead = get_object_or_404(
        Lead.objects.visible_to(member).select_related("holder__user", "holder__workspace", "company"), pk=pk
    )
    rep = _chosen_rep(request) or (lead.holder if lead.holder is not None and lead.holder.active else member)
    own = BookingPage.objects.filter(member=rep).first()
    start = DemoForm.start(None, own, workspace) | _chosen(request) | {"holder": rep.pk}
    steps = Task.objects.open().filter(lead=lead, **({} if member.leads_others else {"holder": member}))
    form = DemoForm(
        request.POST or None, workspace=workspace, by=member, initial=start, steps=steps.order_by("due_at", "id")
    )
    status, asks = 200, ""
    if request.method == "POST":
        status = 422
        if form.is_valid() and not (asks := _asks(request, form, form.cleaned_data.get("holder") or member)):
            holder = form.cleaned_data.get("holder") or member
            been, at = _been(request, form), request.at  # type: ignore[attr-defined]
            # What runs now is booked as what is to come.
            past = been or form.cleaned_data["ends_at"] > at
            try:
                with transaction.atomic():
                    made = verbs.book(lead, holder=holder, by=member, at=at, past=past, **form.values())
                    if been:
                        verbs.held(made, by=member, at=at)
                    if step := form.cleaned_data.get("done"):
                        queue.finish(step, by=member, at=at)
            except Refusal as refusal:
                status = _refused(form, refusal)
            else:
                if been:
                    messages.success(request, f"Noted: held {day_time(made.starts_at)}.")
                    return redirect(reverse("lead", args=[lead.pk]) + "#demos")
                told = _told(workspace, "Both get the appointment by mail.", "pass their link on yourself.")
                messages.success(request, f"Booked: {day_time(made.starts_at)}. {told}")
                return redirect(reverse("lead", args=[lead.pk]) + "#demos")
    said = f"With {lead}" + (f", {lead.company_name}" if lead.company_name and lead.name else "")
    free = _free(request, rep, own)
    past = bool(asks) and _been(request, form)
    context = {"lead": lead, "form": form, "may": may_book(member, lead), "says": said, "asks": asks, "past": past}
    return render(request, "sales/demo_book.html", context | free, status=status)


@allow("deals.change")
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Move a demo to another time, place or rep."""
    member, workspace = _member(request), _workspace(request)
    demo = _demo(request, pk)
    rep = _chosen_rep(request) or demo.holder
    start = DemoForm.start(demo, None, workspace) | _chosen(request) | {"holder": rep.pk}
    form = DemoForm(request.POST or None, workspace=workspace, by=member, initial=start)
    status, asks = 200, ""
    if request.method == "POST":
        status = 422
        if form.is_valid() and not (asks := _asks(request, form, form.cleaned_data.get("holder") or demo.holder, demo)):
            changes = form.values()
            if form.cleaned_data.get("holder"):
                changes["holder"] = form.cleaned_data["holder"]
            stays = (changes.get("before"), changes["title"], changes.get("holder", demo.holder))
            if stays == (start["before"], demo.title, demo.holder):
                # What the rep's page says is kept with the demo only once that can't say it any more.
                del changes["before"]
            at = request.at  # type: ignore[attr-defined]
            try:
                with transaction.atomic():
                    # What runs now is moved as what is to come.
                    now = verbs.move(demo, changes, by=member, at=at, past=changes["ends_at"] > at)
            except Refusal as refusal:
                status = _refused(form, refusal)
            else:
                said = f"Moved. It is on {day_time(now.starts_at)} now."
                if now.sequence == demo.sequence:
                    said = "Nothing to save: all is as it was." if now.version == demo.version else "Saved."
                messages.success(request, said)
                return redirect(reverse("lead", args=[demo.lead_id]) + "#demos")
    own = BookingPage.objects.filter(member=rep).first()
    said = f"With {demo.lead}, now {day_time(demo.starts_at)}"
    free = _free(request, rep, own, demo)
    context = {"lead": demo.lead, "demo": demo, "form": form, "may": True, "says": said, "asks": asks, **free}
    return render(request, "sales/demo_book.html", context, status=status)


@allow("deals.change")
@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Cancel a demo; the lead is told, with the reason."""
    demo = _demo(request, pk)
    form = saying.ReasonForm(request.POST)
    if refused := _try(request, demo, form, verbs.cancel, does="Cancel the demo"):
        return refused
    told = _told(_workspace(request), f"{demo.lead} is told by mail.", f"tell {demo.lead} yourself.")
    return _done(request, f"Cancelled. {told}", demo)


@allow("deals.change")
@require_POST
def held(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that a demo was held."""
    demo = _demo(request, pk)
    form = saying.NoteForm(request.POST)
    if refused := _try(request, demo, form, verbs.held, does="It was held", seen=_seen(request)):
        return refused
    return _done(request, "Noted: it was held.", demo)


@allow("deals.change")
@require_POST
def missed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that the lead did not come."""
    demo = _demo(request, pk)
    form = saying.NoteForm(request.POST)
    before = Demo.objects.filter(lead=demo.lead, state="missed").exclude(pk=demo.pk).exists()
    if refused := _try(request, demo, form, verbs.no_show, does="They did not come", seen=_seen(request)):
        return refused
    yourself = "ask them for another time yourself."
    if demos_of(request, Lead.objects.select_related("holder").get(pk=demo.lead_id))["give_back"]:
        then = "This was not the first time; you can give the lead back."
    elif before:
        then = f"This was not the first time: {yourself}"
    else:
        then = _told(_workspace(request), "They get a link to book again.", yourself)
    return _done(request, f"Noted: {demo.lead} did not come. {then}", demo)


@allow("deals.change")
@require_http_methods(["GET", "HEAD", "POST"])
def booking_page(request: HttpRequest) -> HttpResponse:
    """One's own page for people outside: open it, change it, copy its address."""
    member = _member(request)
    page = BookingPage.objects.filter(member=member).first()
    if page is None:
        if request.method == "POST":
            booking.page_of(member, at=request.at)  # type: ignore[attr-defined]
            messages.success(request, "Your booking page is open.")
            return redirect("sales:booking")
        return render(request, "sales/booking.html", {"page": None})
    form = BookingPageForm(request.POST or None, instance=page)
    if request.method == "POST" and form.is_valid():
        page.refresh_from_db()
        booking.change_page(page, form.cleaned_data, by=member, at=request.at)  # type: ignore[attr-defined]
        messages.success(request, "Saved. What is booked stays as it is.")
        return redirect("sales:booking")
    context = {"page": page, "form": form, "address": f"{settings.PUBLIC_URL}{page.path}"}
    return render(request, "sales/booking.html", context, status=422 if form.errors else 200)


def _member(request: HttpRequest) -> Member:
    return request.member  # type: ignore[attr-defined]


def _workspace(request: HttpRequest) -> Workspace:
    return request.workspace  # type: ignore[attr-defined]


def _demo(request: HttpRequest, pk: UUID) -> Demo:
    """The demo; 404 for another business's, 403 for a colleague's."""
    demo: Demo = get_object_or_404(
        Demo.objects.select_related("lead__holder__user", "holder__user", "holder__workspace"), pk=pk
    )
    member = _member(request)
    if member.pk not in (demo.holder_id, demo.lead.holder_id) and not member.leads_others:
        raise verbs.NotYourDemo(f"This demo is with {demo.holder.name}.")
    return demo


def _chosen(request: HttpRequest) -> dict[str, str]:
    """A free time that was chosen by its link."""
    return {name: request.GET[name][:10] for name in ("on", "hour") if request.GET.get(name)}


def _chosen_rep(request: HttpRequest) -> Member | None:
    """Whom an owner or a manager chose for the demo."""
    said = request.POST.get("holder") or request.GET.get("holder")
    if not said or not _member(request).leads_others:
        return None
    try:
        return sellers().filter(pk=said).first()
    except ValidationError:
        return None


def _asks(request: HttpRequest, form: DemoForm, holder: Member, demo: Demo | None = None) -> str:
    """What speaks against the time, unless this was said before and it is to be booked anyway."""
    given, member = form.cleaned_data, _member(request)
    if demo and (given["starts_at"], given["ends_at"], holder) == (demo.starts_at, demo.ends_at, demo.holder):
        return ""
    if demo is None and _been(request, form):
        found = f"{day_time(given['starts_at'])} has passed, so it is noted as held"
        return "" if request.POST.get("anyway") == found else found
    found = unusual(holder, given["starts_at"], given["ends_at"], by=member, workspace=_workspace(request))
    return "" if request.POST.get("anyway") == found else found


def _been(request: HttpRequest, form: DemoForm) -> bool:
    """Whether the time is over already, and not by years: a meeting that was held without having been booked."""
    given, at = form.cleaned_data, request.at  # type: ignore[attr-defined]
    return bool(at - verbs.FAR < given["starts_at"] and given["ends_at"] <= at)


def _free(request: HttpRequest, rep: Member, own: BookingPage | None, demo: Demo | None = None) -> dict[str, Any]:
    """When the rep is free in the next working days, as links that fill the form in."""
    workspace, at = _workspace(request), request.at  # type: ignore[attr-defined]
    minutes = int(demo.length.total_seconds() // 60) if demo else own.minutes if own else 30
    page = BookingPage(member=rep, minutes=minutes, gap_minutes=own.gap_minutes if own else 0, notice_hours=0)
    found = offer(page, workspace=workspace, at=at, since=None, zone=workspace.zone, besides=demo)
    free = [one for one in found.days if one.times]
    return {"rep": rep, "free": free, "free_minutes": minutes, "zone": zone_words(workspace.time_zone)}


def _refused(form: DemoForm, refusal: Refusal) -> int:
    """Put a refusal to the field that it is about; give the status of the answer."""
    errors = refusal.errors if isinstance(refusal, Refused) else {refusal.extra.get("field", ""): refusal.sentence}
    for name, sentence in errors.items():
        field = FIELDS.get(name, name)
        form.add_error(field if field in form.fields else None, sentence)
    return 422 if isinstance(refusal, Refused) else refusal.status


def _seen(request: HttpRequest) -> int:
    """The version of the demo that the form was drawn with; a form that doesn’t say is taken for an old one."""
    said = request.POST.get("version", "")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0


def _try(
    request: HttpRequest, demo: Demo, form: Form, verb: Callable[..., Demo], *, does: str, **also: Any
) -> HttpResponse | None:
    """Do what was asked, or ask once more with what was typed, which is lost neither way."""
    if form.is_valid():
        try:
            verb(demo, by=_member(request), at=request.at, **also, **form.cleaned_data)  # type: ignore[attr-defined]
        except (verbs.Decided, verbs.NotBooked, verbs.NotYet, verbs.Taken) as refusal:
            form.add_error(None, refusal.sentence)
            may = not isinstance(refusal, verbs.NotBooked)
            return saying.again(request, demo, form, does=does, status=refusal.status, may=may)
        return None
    return saying.again(request, demo, form, does=does)


def _told(workspace: Workspace, by_mail: str, instead: str) -> str:
    """Who hears of it by mail; where none is sent, what is left to do."""
    none = why_none(workspace)
    return f"{none}: {instead}" if none else by_mail


def _done(request: HttpRequest, sentence: str, demo: Demo) -> HttpResponse:
    """Back to where the form stood, with a sentence."""
    messages.success(request, sentence)
    back = request.POST.get("next", "")
    if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return HttpResponseRedirect(back)
    return redirect(reverse("lead", args=[demo.lead_id]) + "#demos")
