"""A rep's quotes: the list, a draft and its lines, what was sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_POST

from funnel.handoff.wayback import nobody_works
from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.mail.actions import why_none
from funnel.templatetags.words import day
from funnel.workspaces.hours import opening
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow
from sales.deals import actions as deals
from sales.deals.board import may_change
from sales.deals.models import Deal, DealStage
from sales.deals.page import deal_of
from sales.negotiation import actions, answers, listing, page
from sales.negotiation.forms import PARTS, QuoteForm, Row, SendForm, new_row, products_of, typed_rows
from sales.negotiation.models import QuoteVersion, State
from sales.negotiation.paper import name_of, pdf_of
from sales.queue import actions as queue
from sales.queue.actions import NextStep
from sales.queue.models import Task


@allow("read")
@require_GET
def quotes(request: HttpRequest) -> HttpResponse:
    """My quotes, or everybody's."""
    return render(request, "sales/quotes.html", listing.page_of(request))


@allow("read")
@require_GET
def quote(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The quote's latest version, or the one that is asked for: a draft to write in, else what was sent."""
    version = page.version_of(pk, _number(request))
    if version.state == State.DRAFT and may_change(_member(request), version.quote.deal):
        return _draft(request, version, open_sheet=request.GET.get("send") == "1")
    return _shown(request, version)


@allow("deals.change")
@require_POST
def add(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Begin a quote for a deal."""
    return _begin(request, deal_of(pk))


@allow("deals.change")
@require_POST
def add_with(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Begin a quote for a lead: for its open deal, else for a new one; of several a person chooses.

    A new one makes a lead in conversation qualified; where answers are missing, a person says so.
    """
    lead: Lead = get_object_or_404(Lead.objects.visible_to(_member(request)).select_related("holder__user"), pk=pk)
    if Deal.objects.open().changeable_by(_member(request)).filter(lead=lead).count() > 1:
        messages.warning(request, f"{lead} has several open deals. Choose the one that the quote is for.")
        return redirect(reverse("lead", args=[pk]) + "#quotes")
    if "anyway" not in request.POST and (lacks := page.unqualified(lead)):
        messages.warning(request, f"{lead} is not qualified yet: {lacks}. Nothing is opened.")
        return redirect(reverse("lead", args=[pk]) + "#quotes")
    deal = deals.advance(lead, DealStage.QUALIFIED, by=_member(request), at=request.at)  # type: ignore[attr-defined]
    return _begin(request, deal)


def _begin(request: HttpRequest, deal: Deal) -> HttpResponse:
    version = actions.draft(deal, [], by=_member(request), at=request.at)  # type: ignore[attr-defined]
    return redirect("sales:quote", version.quote_id)


@allow("deals.change")
@require_POST
def write(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Save the draft, or draw it again with a line more or less; what can't be read is said beside its field."""
    version = _own(request, pk)
    workspace = version.quote.deal.lead.workspace
    if version.state != State.DRAFT:
        raise actions.AlreadySent(f"{version} was sent, so it stays as it is.")
    do = request.POST.get("do", "save")
    out = do.removeprefix("remove-")
    without = int(out) if do.startswith("remove-") and out.isascii() and out.isdigit() and len(out) < 4 else None
    form = QuoteForm(request.POST, version=version, workspace=workspace)
    rows = typed_rows(request.POST, without=without)
    chosen = request.POST.get("from-list", "")
    products = products_of(rows, chosen)
    if do in ("product", "text"):
        rows = [row for row in rows if not row.is_blank] if do == "product" else rows
        product = products.get(chosen) if do == "product" else None
        tax = rows[-1].typed["tax"] if rows else ""
        if do == "text" or product is not None:
            rows.append(new_row(len(rows), form.chosen, workspace.country, product, tax=tax))
    for place, row in enumerate(rows):
        row.place = place
        if not row.is_blank:
            row.read(form.chosen, products, workspace)
    if do not in ("save", "send"):
        return _draft(request, version, form=form, rows=_some(rows, form.chosen, workspace.country))
    written = [row for row in rows if not row.is_blank]
    if not form.is_valid() or any(row.errors for row in written):
        return _draft(request, version, status=422, form=form, rows=_some(rows, form.chosen, workspace.country))
    lines = [row.line for row in written if row.line is not None]
    try:
        actions.revise(version, lines, by=_member(request), at=request.at, **form.values())  # type: ignore[attr-defined]
    except Refused as refused:
        for name, says in refused.errors.items():
            form.add_error(name if name in form.fields else None, says)
        return _draft(request, version, status=422, form=form, rows=_some(rows, form.chosen, workspace.country))
    if do == "send":
        return redirect(reverse("sales:quote", args=[pk]) + "?send=1#send")
    messages.success(request, "The draft is saved.")
    return redirect("sales:quote", pk)


def _some(rows: list[Row], currency: str, country: str) -> list[Row]:
    return rows or [new_row(0, currency, country)]


@allow("deals.change")
@require_POST
def send(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the draft as it is saved, by mail or by a link that the rep passes on."""
    version, member, at = _own(request, pk), _member(request), request.at  # type: ignore[attr-defined]
    form = SendForm(request.POST, version=version, at=at)
    if not version.quote.deal.is_open:
        # The page says that it can't be sent, and has no button for it any more.
        return _draft(request, version, status=409)
    if not form.is_valid():
        return _draft(request, version, status=422, send_form=form, open_sheet=True)
    by_mail = request.POST.get("do") != "link" and bool(form.cleaned_data["to"])
    try:
        actions.send(version, by=member, at=at, to=form.cleaned_data["to"], by_mail=by_mail)
    except Refused as refused:
        says = refused.errors.get("valid_until")
        again = QuoteForm.saved(version, valid_until=says) if says else None
        trouble = "" if says else refused.sentence
        return _draft(request, version, status=422, form=again, send_form=form, trouble=trouble)
    sent = page.version_of(pk)
    when = form.cleaned_data["remind"]
    step = _remind(request, sent, form, when) if when else ""
    none = why_none(member.workspace) if by_mail else ""
    if by_mail and not none:
        messages.success(request, f"{sent.quote.name} is on its way to {sent.sent_to}.{step}")
        return redirect("sales:quote", pk)
    how = f"{none}: copy" if none else "Copy"
    messages.success(request, f"{sent.quote.name} can be read now. {how} the link and pass it on.{step}")
    return redirect(reverse("sales:quote", args=[pk]) + "#link")


def _remind(request: HttpRequest, version: QuoteVersion, form: SendForm, when: str) -> str:
    """Plan the call that looks after the quote, or move an earlier version’s; give what is planned, in words."""
    lead = version.quote.deal.lead
    morning = opening(lead.workspace, form.days[when])
    # A step without a time of day is due at the end of its day.
    due_at = actions.end_of(form.days[when], lead.workspace)
    step = NextStep(answers.CALL.format(version.quote), due_at - actions.MINUTE, all_day=True, remind_at=morning)
    by, at = _member(request), request.at  # type: ignore[attr-defined]
    planned = Task.objects.open().filter(lead=lead, what=step.what).first()
    try:
        if planned is None:
            queue.plan(lead, step, by=by, at=at)
        elif planned.due_at != step.due_at:
            queue.move(planned, step, by=by, at=at)
    except Refusal:
        return ""
    return f" Next: call on {day(form.days[when])}.{nobody_works(lead.workspace, step.due_at)}"


@allow("deals.change")
@require_POST
def change(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Begin the next version."""
    actions.change(_own(request, pk).quote, by=_member(request), at=request.at)  # type: ignore[attr-defined]
    return redirect("sales:quote", pk)


@allow("deals.change")
@require_POST
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take back what was sent, before its day."""
    _own(request, pk)
    version = page.version_of(pk, _number(request))
    actions.withdraw(version, by=_member(request), at=request.at)  # type: ignore[attr-defined]
    messages.success(request, f"{version} is withdrawn. Their page says so; nobody is written to.")
    return redirect(reverse("sales:quote", args=[pk]) + f"?version={version.number}")


@allow("deals.change")
@require_POST
def discard(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Throw a draft away."""
    version = _own(request, pk)
    actions.discard(version, by=_member(request))
    stays = " Its deal stays open." if version.number == 1 and version.quote.deal.is_open else ""
    messages.success(request, f"The draft is thrown away.{stays}")
    if version.number > 1:
        return redirect("sales:quote", pk)
    return redirect("sales:deal", version.quote.deal_id)


@allow("read")
@require_GET
def pdf(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The quote as PDF; a draft too, which says that it is one."""
    version = page.version_of(pk, _number(request))
    answer = HttpResponse(pdf_of(version, request.at), content_type="application/pdf")  # type: ignore[attr-defined]
    answer["Content-Disposition"] = content_disposition_header(True, name_of(version))
    answer["Cache-Control"] = "no-store"
    return answer


# ── what they share ──────────────────────────────────────────────────────


def _member(request: HttpRequest) -> Any:
    return request.member  # type: ignore[attr-defined]


def _number(request: HttpRequest) -> int | None:
    said = request.GET.get("version", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 5 else None


def _own(request: HttpRequest, pk: UUID) -> QuoteVersion:
    version = page.version_of(pk)
    if not may_change(_member(request), version.quote.deal):
        raise PermissionDenied(f"This quote is with {version.quote.deal.holder.name}. You can read it, not change it.")
    return version


def _draft(
    request: HttpRequest,
    version: QuoteVersion,
    *,
    status: int = 200,
    form: QuoteForm | None = None,
    rows: list[Row] | None = None,
    send_form: SendForm | None = None,
    **also: Any,
) -> HttpResponse:
    if version.state != State.DRAFT:
        return _shown(request, version, status=409)
    context = page.editing(request, version, form=form, rows=rows) | page.sending(request, version, send_form)
    return render(request, "sales/quote_edit.html", context | {"parts": PARTS} | also, status=status)


def _shown(request: HttpRequest, version: QuoteVersion, *, status: int = 200) -> HttpResponse:
    return render(request, "sales/quote.html", page.shown(request, version), status=status)
