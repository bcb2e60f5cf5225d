"""What a page asks of one lead, all of it in one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from funnel.leads.models import Lead
from funnel.workspaces.asking import Asked, together

# What is asked for by something else of the lead than its id.
BY: dict[Asked, Callable[[Lead], list[Any]]] = {}


def ask(lead: Lead, several: Iterable[Asked]) -> None:
    """Ask for several things at once, each by what it takes of the lead; this instance of the lead keeps them."""
    asked = list(dict.fromkeys(several))
    found = together([(one, _by(one, lead)) for one in asked])
    _kept(lead).update(zip(asked, found, strict=True))


def of(lead: Lead, asked: Asked, *, keep: bool = False) -> list[Any]:
    """The rows as they were asked for at once, else asked now; `keep` them where more than one part of a page asks."""
    kept = _kept(lead)
    if asked in kept:
        return kept[asked]
    found = asked.rows(*_by(asked, lead))
    if keep:
        kept[asked] = found
    return found


def _kept(lead: Lead) -> dict[Asked, list[Any]]:
    return lead.__dict__.setdefault("known", {})


def _by(asked: Asked, lead: Lead) -> Sequence[Sequence[Any]]:
    if by := BY.get(asked):
        return [by(lead)]
    return [[lead.pk]] if asked.kinds else []
