"""What the worker does when rules change: fill a basis, put it in force, clear away what was left."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from funnel.outbox.models import Effect, Event
from funnel.scoring import changing
from funnel.scoring.actions import hold
from funnel.scoring.filling import fill, forget, put_in_force
from funnel.scoring.models import DAY, Basis
from funnel.workspaces.models import Workspace

# 2^x of a float ends at x = 1024; long before, S is summed from a new moment on.
HALF_LIVES = 300
FORGOTTEN = 5000


def fill_basis(effects: list[Effect], at: datetime) -> list[Effect]:
    """Fill the next slice of a basis; gives what isn't through yet."""
    effect, *left = effects
    pk = Event.objects.values_list("data", flat=True).get(pk=effect.event_id)["basis"]
    workspace = Workspace.objects.get(pk=effect.workspace_id)
    # Before the row, as those do who publish or score beside it, or each would wait for the other.
    hold(workspace, alone=True)
    basis = Basis.objects.select_for_update(of=("self",)).select_related("version").filter(pk=pk, left_at=None).first()
    if basis is None or basis.in_force:
        return left
    if not fill(basis, workspace=workspace, at=at):
        return [effect, *left]
    Basis.objects.filter(pk=basis.pk).update(filled_at=at)
    basis.refresh_from_db()
    if basis.goes_live:
        if not put_in_force(basis, workspace=workspace, at=at):
            return [effect, *left]
        changing.live(basis, workspace, at=at)
    else:
        changing.look_ahead(basis, at=at)
    return left


def forget_basis(effects: list[Effect], at: datetime) -> list[Effect]:
    """Clear a slice away of what is kept of a basis that was left; gives what isn't through yet."""
    effect, *left = effects
    pk = Event.objects.values_list("data", flat=True).get(pk=effect.event_id)["basis"]
    basis = Basis.objects.select_related("version").filter(pk=pk).exclude(left_at=None).first()
    if basis is None:
        return left
    return left if forget(basis, FORGOTTEN // (10 if settings.SQLITE else 1)) else [effect, *left]


def set_epoch(effects: list[Effect], at: datetime) -> None:
    """Each week: sum S from a new moment on where its exponents grow large."""
    now = changing.in_force()
    if (at - now.epoch) / (DAY * now.half_life) > HALF_LIVES:
        changing.set_epoch(Workspace.objects.get(pk=effects[0].workspace_id), at=at)
