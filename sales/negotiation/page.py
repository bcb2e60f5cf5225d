"""A quote's page: the draft with its lines, or what was sent and what became of it; and quotes on other pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from funnel.leads import known
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.mail.actions import why_none
from funnel.outbox.models import Event
from funnel.overview.health import worker_hint
from funnel.templatetags.words import day, money
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.roles import may
from sales.deals.board import may_change
from sales.deals.models import Deal
from sales.deals.page import deals_of
from sales.negotiation.document import changed, document_of, in_words, write
from sales.negotiation.forms import QuoteForm, Row, SendForm, kept_rows, new_row, usual_rates
from sales.negotiation.links import path_of, url_of
from sales.negotiation.listing import is_soon, left
from sales.negotiation.models import Product, Quote, QuoteLine, QuoteVersion, State
from sales.negotiation.paper import headline
from sales.negotiation.reckoning import Totals, net_of, reckon
from sales.qualification import actions as qualification

SHOWN, OFFERED = 20, 300


def version_of(pk: UUID, number: int | None = None) -> QuoteVersion:
    """A quote's version by its number, else its latest; 404 for another business's."""
    rows = QuoteVersion.objects.whole().select_related("quote__deal__lead__workspace", "sent_by__user")
    rows = rows.filter(quote=pk).order_by("-number")
    if number is not None:
        rows = rows.filter(number=number)
    found: QuoteVersion = get_object_or_404(rows[:1])
    return found


def editing(
    request: HttpRequest, version: QuoteVersion, *, form: QuoteForm | None = None, rows: list[Row] | None = None
) -> dict[str, Any]:
    """The draft's page; the totals and the preview are of the rows that can be reckoned."""
    _, at = _who(request)
    lead, quote = version.quote.deal.lead, version.quote
    form = form or QuoteForm(version=version, workspace=lead.workspace)
    currency = form.chosen
    if rows is None:
        country = lead.workspace.country
        rows = kept_rows(version.ordered_lines(), quote.currency, country) or [new_row(0, currency, country)]
        lines: list[Any] = list(version.ordered_lines())
        totals = reckon(lines)
    else:
        lines = [_line(version, row) for row in rows if row.line is not None]
        totals = reckon(lines)
    earlier = quote.versions.exclude(pk=version.pk).filter(sent_at__isnull=False).order_by("-number").first()
    return {
        "version": version,
        "quote": quote,
        "deal": quote.deal,
        "lead": lead,
        "asked": asked_about(quote),
        "form": form,
        "rows": rows,
        "wrong": [row for row in rows if row.errors],
        "rates": usual_rates(),
        "products": Product.objects.offered().order_by("name", "id")[:OFFERED],
        "currency": currency,
        "preview": in_words(_preview(version, lines, form, at)),
        "totals": _totals(totals, currency),
        "earlier": earlier,
        "deal_changes": bool(lines) and (quote.deal.amount, quote.deal.currency) != (totals.net, currency),
        "net": money(totals.net, currency, exact=True),
    }


def asked_about(quote: Quote) -> list[Event]:
    """What the lead asked on the quote's page, latest first."""
    found = Event.objects.filter(lead=quote.deal.lead_id, kind="quote_asked", data__quote=str(quote.pk))
    return list(found.order_by("-id")[:SHOWN])


def _line(version: QuoteVersion, row: Row) -> QuoteLine:
    assert row.line is not None
    one = row.line
    return QuoteLine(
        version=version, position=row.place, text=one.text, more=one.more, quantity=one.quantity,
        unit_price=one.unit_price, discount=one.discount, tax_rate=one.tax_rate, net=net_of(one),
    )  # fmt: skip


def _preview(version: QuoteVersion, lines: list[QuoteLine], form: QuoteForm, at: datetime) -> dict[str, Any]:
    """What the lead would see of what stands in the fields now."""
    if form.is_bound and form.is_valid():
        given = form.values()
        version.title, version.words, version.terms = given["title"], given["words"], given["terms"]
        version.valid_until, version.quote.currency = given["valid_until"], given["currency"]
    return write(version, lines, at)


def _totals(totals: Totals, currency: str) -> dict[str, str]:
    return {
        name: money(getattr(totals, name), currency, exact=True)
        for name in ("before", "discount", "net", "tax", "total")
    }


def sending(request: HttpRequest, version: QuoteVersion, form: SendForm | None = None) -> dict[str, Any]:
    """The last look before a draft goes."""
    member, at = _who(request)
    workspace = version.quote.deal.lead.workspace
    hint = worker_hint(member.workspace_id, leads_others=member.leads_others)
    return {
        "send": form or SendForm(version=version, at=at),
        "no_mail": why_none(workspace),
        "mail_late": bool(hint and hint["late"]),
        "missing": _missing(workspace),
        "has_lines": version.lines.exists(),
        "total": money(version.total, version.quote.currency, exact=True),
        "sums": _totals(reckon(list(version.ordered_lines())), version.quote.currency),
    }


def _missing(workspace: Workspace) -> str:
    """What a quote should say of the business and can't yet."""
    parts = (("address", workspace.address), ("tax number", workspace.tax_number))
    return " and ".join(name for name, there in parts if not there)


def shown(request: HttpRequest, version: QuoteVersion) -> dict[str, Any]:
    """The page of a version that was sent, or of a draft for those who can't write it."""
    member, at = _who(request)
    quote, deal = version.quote, version.quote.deal
    versions = list(quote.versions.order_by("-number"))
    document = document_of(version, at)
    said = in_words(document)
    before = next((one for one in versions if one.number < version.number and one.sent_at), None)
    state = version.state_at(at)
    latest = versions[0]
    return {
        "version": version,
        "quote": quote,
        "deal": deal,
        "lead": deal.lead,
        "asked": asked_about(quote),
        "state": state,
        "preview": said,
        "headline": headline(said),
        "changes": changed(document, before.document) if before and version.sent_at else [],
        "before": before,
        "versions": [{"version": one, "says": one.says_at(at)} for one in versions],
        "latest": latest,
        "is_latest": latest.pk == version.pk,
        "url": url_of(version),
        "path": path_of(version),
        "left": left(version, at),
        "soon": is_soon(version, at),
        "may": may_change(member, deal) and may(member, "deals.change"),
        "accepted": next((one for one in versions if one.state == State.ACCEPTED), None),
    }


def won_for(deal: Deal) -> dict[str, Any] | None:
    """What an accepted quote comes to, for the form that wins the deal: SLOTS["won_for"]."""
    found = (
        QuoteVersion.objects.filter(quote__deal=deal, state=State.ACCEPTED)
        .select_related("quote")
        .order_by("-decided_at")
        .first()
    )
    if found is None:
        return None
    says = f"As {found.signed} accepted it in {found.quote.name} on {day(found.decided_at)}, in {found.quote.currency}"
    return {"amount": found.net, "currency": found.quote.currency, "says": says}


def deal_panel(request: HttpRequest, deal: Deal) -> dict[str, Any] | None:
    """The quotes of a deal: SLOTS["deal_panels"]."""
    member, at = _who(request)
    makes = deal.is_open and may_change(member, deal)
    rows = _told(OF_DEAL.rows([deal.pk]), at)
    if not rows and not makes:
        return None
    return {"template": "sales/_quotes_panel.html", "context": {"rows": rows, "deal": deal if makes else None}}


def lead_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """The quotes of a lead's deals: SLOTS["lead_panels"]."""
    member, at = _who(request)
    makes = may(member, "deals.change") and lead.holder_id is not None
    makes = makes and (member.leads_others or lead.holder_id == member.pk)
    rows = _told(known.of(lead, QUOTES), at)
    if not rows and not makes:
        return None
    open_deals = [one for one in deals_of(lead) if one.is_open and may_change(member, one)] if makes else []
    context = {
        "rows": rows,
        "lead": lead if makes else None,
        "deal": open_deals[0] if len(open_deals) == 1 else None,
        "deals": open_deals if len(open_deals) > 1 else [],
        "lacks": unqualified(lead) if makes and not open_deals else "",
    }
    return {"side": "right", "template": "sales/_quotes_panel.html", "context": context}


def unqualified(lead: Lead) -> str:
    """What is missing before a lead in conversation is qualified, as a deal that is opened makes them; in words."""
    if lead.stage != Stage.WORKING:
        return ""
    return qualification.in_words(qualification.missing(qualification.standing(lead)))


def desk_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """The quotes of the lead on the desk: SLOTS["desk_panels"]."""
    panel = lead_panel(request, lead)
    return panel if panel and panel["context"]["rows"] else None


def _latest(**of: Any) -> Any:
    """The quotes of a deal or a lead, latest made first, each by its latest version."""
    later = QuoteVersion.objects.filter(quote=OuterRef("quote"), number__gt=OuterRef("number"))
    found = QuoteVersion.objects.filter(~Exists(later), **of).select_related("quote__deal")
    return found.order_by("-quote__made_at", "-quote_id")[:SHOWN]


OF_DEAL = Asked(lambda deal: _latest(quote__deal__in=[deal]), UUID)
QUOTES = Asked(lambda lead: _latest(quote__deal__lead__in=[lead]), UUID)


def _told(rows: Sequence[QuoteVersion], at: datetime) -> list[dict[str, Any]]:
    return [{"version": one, "state": one.state_at(at), "left": left(one, at)} for one in rows]


def _who(request: HttpRequest) -> tuple[Member, datetime]:
    return request.member, request.at  # type: ignore[attr-defined]
