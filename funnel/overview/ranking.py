"""A list of leads, or of what happened with leads, filtered by fit and engagement, and ordered by them where it is
asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.db.models import F, FilteredRelation, Q, QuerySet

from funnel.leads.models import Lead
from funnel.overview.paging import PAGE, beyond, cursor, read
from funnel.overview.rows import basis_in_force
from funnel.scoring.models import Basis, LeadScore, LeadScoreQuerySet

BAND = re.compile(r"[A-D]?[1-4]?")
RANKS = ("engagement", "fit")


def bands_of(band: str) -> tuple[str, int]:
    """The fit band and the engagement band of "A3", "A" or "3"; a blank or 0 for what isn't named."""
    return band.rstrip("1234"), int(band.lstrip("ABCD") or 0)


def banded(band: str, at: datetime, basis: Basis | None = None) -> LeadScoreQuerySet:
    """The scores in the bands named, on the basis in force unless another is given."""
    fit, engagement = bands_of(band)
    found: LeadScoreQuerySet = LeadScore.objects.within(basis or basis_in_force(), at, fit=fit, engagement=engagement)
    return found


@dataclass(frozen=True)
class Choice:
    """The order and the bands that an address asks for; without an order a list keeps its own."""

    order: str
    band: str

    @classmethod
    def of(cls, given: Any) -> Choice:
        """Read the address; an order or a band that isn't ours is refused."""
        return cls(*read_choice(given))

    @property
    def fit(self) -> str:
        """The fit band that is asked for, A to D, or a blank."""
        return bands_of(self.band)[0]

    @property
    def engagement(self) -> str:
        """The engagement band that is asked for, 1 to 4, or a blank."""
        return self.band.lstrip("ABCD")

    @property
    def band_words(self) -> str:
        """The bands that are asked for, in words: "fit A and engagement 2"."""
        named = {"fit": self.fit, "engagement": self.engagement}
        return " and ".join(f"{name} {band}" for name, band in named.items() if band)

    @property
    def order_words(self) -> str:
        """The order that is asked for, in words; a blank where the list keeps its own."""
        return {"engagement": "highest engagement first", "fit": "best fit first"}.get(self.order, "")

    def narrowed(self, rows: Any, at: datetime, basis: Basis | None = None) -> Any:
        """Those of the rows whose leads stand in the bands asked for; a row is a lead, or names its lead."""
        if not self.band:
            return rows
        return rows.filter(**{f"{_lead(rows)}__in": banded(self.band, at, basis).values("lead_id")})

    def query(self, **other: str) -> str:
        """The query of this list's address with some of it said too."""
        asked = {"order": self.order, "band": self.band} | other
        said = urlencode({name: value for name, value in asked.items() if value})
        return f"?{said}" if said else ""


def read_choice(given: Any) -> tuple[str, str]:
    """The order and the bands of an address; an order or a band that isn't ours is refused."""
    order, band = given.get("order", ""), given.get("fit", "") + given.get("engagement", "") + given.get("band", "")
    if order not in ("", "newest", *RANKS) or not BAND.fullmatch(band):
        raise BadRequest("There is no such list.")
    return order if order in RANKS else "", band


def _lead(rows: QuerySet[Any]) -> str:
    """By what name a row knows its lead."""
    return "pk" if rows.model is Lead else "lead_id"


def ranked(
    choice: Choice,
    shown: QuerySet[Lead],
    *,
    kind: str,
    at: datetime,
    after: str = "",
    within: QuerySet[Lead] | None = None,
    size: int = PAGE,
) -> tuple[list[Lead], str]:
    """One page of leads, best first, and the cursor of the next or a blank.

    `within` are the leads that the list holds, everybody unless given; `shown` says what is read of a page's.
    """
    # Not joined with the basis: only of one that is known beforehand do the scores stand in order.
    basis = basis_in_force()
    scores = banded(choice.band, at, basis)
    if within is not None:
        scores = scores.filter(lead__in=within.values("pk"))
    kind, by_fit = f"{kind}.{choice.order}", choice.order == "fit"
    if (place := _place(kind, after, basis)) is not None:
        fit, *rest = place
        later = beyond("total", "lead_id", rest, falling=True, key_falling=False)
        scores = scores.filter(Q(fit_band__gt=fit) | Q(fit_band=fit) & later if by_fit else later)
    ordered = scores.order_by(*(["fit_band"] if by_fit else []), "-total", "lead_id")
    found = list(ordered.values_list("fit_band", "total", "lead_id")[: size + 1])
    ids = [row[-1] for row in found[:size]]
    by_id = shown.in_bulk(ids)
    return [by_id[pk] for pk in ids], cursor(kind, *found[size - 1], basis.pk) if len(found) > size else ""


def listed(
    choice: Choice,
    rows: QuerySet[Any],
    own: str,
    *,
    kind: str,
    basis: Basis,
    at: datetime,
    after: str = "",
    size: int = PAGE,
) -> tuple[list[Any], str]:
    """One page of rows of a short list by one statement, and the cursor of the next or a blank.

    Without an order they stand by `own`, the moment by which the list goes. With one a lead may have several rows,
    which come together, the latest first.
    """
    rows = choice.narrowed(rows, at, basis)
    if choice.order:
        return _best(choice, rows, kind=f"{kind}.{choice.order}", basis=basis, after=after, size=size)
    moment, falling = own.removeprefix("-"), own.startswith("-")
    rows = rows.order_by(own, "-pk" if falling else "pk")
    if (place := read(kind, after, 2)) is not None:
        rows = rows.filter(beyond(moment, "pk", place, falling=falling))
    found = list(rows[: size + 1])
    end = found[size - 1] if len(found) > size else None
    return found[:size], cursor(kind, getattr(end, moment).isoformat(), end.pk) if end else ""


def _best(
    choice: Choice, rows: QuerySet[Any], *, kind: str, basis: Basis, after: str, size: int
) -> tuple[list[Any], str]:
    lead, by_fit = _lead(rows), choice.order == "fit"
    path = "scores" if lead == "pk" else "lead__scores"
    # Their index begins with the workspace.
    of_basis = Q(**{f"{path}__workspace": basis.workspace_id, f"{path}__basis": basis})
    rows = rows.annotate(
        scored=FilteredRelation(path, condition=of_basis), band_now=F("scored__fit_band"), total_now=F("scored__total")
    ).filter(scored__isnull=False)
    if (place := _place(kind, after, basis, parts=5)) is not None:
        fit, total, pk, row = place
        same = beyond(lead, "pk", [pk, row], falling=False, key_falling=True)
        later = Q(total_now__lte=total) & (Q(total_now__lt=total) | Q(total_now=total) & same)
        rows = rows.filter(Q(band_now__gt=fit) | Q(band_now=fit) & later if by_fit else later)
    found = list(rows.order_by(*(["band_now"] if by_fit else []), "-total_now", lead, "-pk")[: size + 1])
    if len(found) <= size:
        return found, ""
    end = found[size - 1]
    return found[:size], cursor(kind, end.band_now, end.total_now, getattr(end, lead), end.pk, basis.pk)


def _place(kind: str, after: str, basis: Basis, *, parts: int = 4) -> tuple[Any, ...] | None:
    """Where the page before ended: fit, S, the lead, and the row where a lead may have several.

    None for the first page, also where its last lead has no score any more.
    """
    if (place := read(kind, after, parts)) is None:
        return None
    fit, total, pk, *row, of = place
    if of != str(basis.pk):
        # Another basis took over since: S is another there, so the place is where that lead stands now.
        scored = LeadScore.objects.filter(basis=basis, lead=pk).values_list("fit_band", "total").first()
        return (*scored, pk, *row) if scored else None
    return fit, total, pk, *row
