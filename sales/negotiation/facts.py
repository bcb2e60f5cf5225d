"""Facts that `check_facts` recomputes: every quote adds up and is what was sent, and no number is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Max, Prefetch

from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace
from sales.negotiation.document import digest_of
from sales.negotiation.models import Quote, QuoteCounter, QuoteLine, QuoteVersion, State
from sales.negotiation.reckoning import net_of, reckon

CHUNK = 500


def quotes_add_up(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """Sums are those of the lines, rounded as they were; what was sent has the fingerprint it had."""
    lines = Prefetch("lines", QuoteLine.objects.order_by("position", "id"))
    for one in QuoteVersion.objects.order_by("pk").prefetch_related(lines).iterator(CHUNK):
        rows = list(one.lines.all())
        totals = reckon(rows)
        if (one.before, one.net, one.tax, one.total) != (totals.before, totals.net, totals.tax, totals.total):
            yield "quotes add up", f"version {one.pk} says {one.total}, its lines come to {totals.total}"
        if any(row.net != net_of(row) for row in rows):
            yield "quotes add up", f"a line of version {one.pk} is rounded otherwise"
        if one.state != State.DRAFT and digest_of(one.document) != one.digest:
            yield "quotes stay as sent", f"version {one.pk} is not what was sent"


def numbers_have_no_gap(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """In every year as many quotes have a number as the counter has given, up to the last."""
    given = dict(QuoteCounter.objects.values_list("year", "last"))
    rows = Quote.objects.exclude(number=None).order_by().values("year").annotate(many=Count("pk"), last=Max("number"))
    found = {row["year"]: (row["many"], row["last"]) for row in rows}
    for year in sorted({*given, *found}):
        many, last = found.get(year, (0, 0))
        if not many == last == given.get(year, 0):
            yield "quote numbers", f"{year} has {many} numbers up to {last}, and {given.get(year, 0)} were given"
