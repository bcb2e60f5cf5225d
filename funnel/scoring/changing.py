"""Change the rules: draft, try out, publish, go back (design.md, Scoring)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from funnel.leads.fields import FieldBook
from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.outbox.actions import record
from funnel.outbox.models import Lane
from funnel.scoring.actions import hold
from funnel.scoring.checking import mistakes_of
from funnel.scoring.filling import put_in_force
from funnel.scoring.models import Basis, RuleDraft, RuleVersion
from funnel.workspaces.models import AuditEntry, Member, Workspace
from funnel.workspaces.refusals import Refusal


class Busy(Refusal):
    """A version is being put in force, so nothing can be changed until it is."""


class NothingChanged(Refusal):
    """There is no draft, or it says what is in force."""


def in_force() -> Basis:
    """The basis by which leads are judged, with its version."""
    return Basis.objects.select_related("version").get(in_force=True)


def coming() -> Basis | None:
    """The basis that is being filled or waits beside the one in force, if there is one."""
    return Basis.objects.filter(in_force=False, left_at=None).select_related("version").first()


def to_change(workspace: Workspace | None = None) -> dict[str, Any]:
    """The rules that a change begins with: the draft's, else those in force.

    With a workspace they are held until the transaction ends, so that of two who change them nobody's is lost.
    """
    if workspace is not None:
        hold(workspace, alone=True)
    draft = RuleDraft.objects.first()
    rules: dict[str, Any] = draft.rules if draft is not None else in_force().version.rules
    return rules


@transaction.atomic
def save_draft(rules: dict[str, Any], *, by: Member, at: datetime) -> RuleDraft:
    """Keep the rules as somebody is changing them; what was tried out of an earlier draft is dropped.

    Raises Refused with a sentence by place, and Busy.
    """
    if wrong := mistakes_of(rules, FieldBook().by_name):
        raise Refused(wrong)
    _free(by.workspace)
    _leave(at)
    draft, _ = RuleDraft.objects.update_or_create(
        defaults={"rules": rules, "edited_at": at, "edited_by": by},
        create_defaults={
            "workspace": by.workspace,
            "rules": rules,
            "edited_at": at,
            "edited_by": by,
        },
    )
    return draft


@transaction.atomic
def drop_draft(*, by: Member, at: datetime) -> None:
    """Throw the draft away, with what was tried out of it; raise Busy."""
    _free(by.workspace)
    _leave(at)
    RuleDraft.objects.all().delete()


@transaction.atomic
def try_out(*, again: bool, by: Member, at: datetime) -> Basis:
    """Let the worker say what the draft would change, from now on or with the past judged `again`.

    Raises NothingChanged or Busy.
    """
    _free(by.workspace)
    _leave(at)
    return _begin(_draft().rules, follows=None if again else in_force().version, again=again, by=by, at=at)


@transaction.atomic
def publish(*, again: bool, why: str, by: Member, at: datetime) -> Basis:
    """Put the draft in force, at once where it was tried out that way, else as soon as the worker is through.

    Raises NothingChanged or Busy.
    """
    workspace = by.workspace
    _free(workspace)
    draft, found = _draft(), coming()
    if found is not None and found.version.again != again:
        _leave(at)
        found = None
    if found is None:
        found = _begin(draft.rules, follows=None if again else in_force().version, again=again, by=by, at=at)
    RuleVersion.objects.filter(pk=found.version_id).update(why=why, published_by=by)
    draft.delete()
    return _go(found, workspace, by=by, at=at)


@transaction.atomic
def go_back(version: RuleVersion, *, by: Member, at: datetime) -> Basis:
    """Judge by an earlier version's rules again, and what happened since it was left by them too; raise Busy.

    Points that later versions gave count no more.
    """
    workspace = by.workspace
    _free(workspace)
    _leave(at)
    if version.number is None or version.pk == in_force().version_id:
        raise NothingChanged("This version is in force already.")
    why = f"Back to version {version.number}"
    found = _begin(version.rules, follows=version, again=True, why=why, by=by, at=at)
    RuleVersion.objects.filter(pk=found.version_id).update(published_by=by)
    RuleDraft.objects.all().delete()
    return _go(found, workspace, by=by, at=at)


@transaction.atomic
def set_epoch(workspace: Workspace, *, at: datetime) -> None:
    """Sum S from a new moment on, before its exponents grow too large; nothing that a person sees changes."""
    now = in_force()
    if coming() is None:
        basis = Basis.objects.create(
            workspace=workspace, version=now.version, half_life=now.half_life, epoch=at, in_force=False,
            of=Lead.objects.count(), goes_live=True,
        )  # fmt: skip
        record(workspace.pk, "rules_tried", at=at, data={"basis": basis.pk}, lane=Lane.BULK)


def _draft() -> RuleDraft:
    draft = RuleDraft.objects.select_for_update().first()
    if draft is None or draft.rules == in_force().version.rules:
        raise NothingChanged("Nothing is changed yet.")
    return draft


def _begin(
    rules: dict[str, Any],
    *,
    follows: RuleVersion | None,
    again: bool,
    by: Member,
    at: datetime,
    why: str = "",
) -> Basis:
    workspace, now = by.workspace, in_force()
    version = RuleVersion.objects.create(workspace=workspace, rules=rules, follows=follows, again=again, why=why)
    half_life = rules["half_life_days"]
    basis = Basis.objects.create(
        workspace=workspace,
        version=version,
        half_life=half_life,
        # With the same epoch S stays the same, so that most rows need not be summed.
        epoch=now.epoch if half_life == now.half_life else at,
        in_force=False,
        of=Lead.objects.count(),
    )
    record(workspace.pk, "rules_tried", at=at, actor=by, data={"basis": basis.pk}, lane=Lane.BULK)
    return basis


def _go(basis: Basis, workspace: Workspace, *, by: Member, at: datetime) -> Basis:
    if basis.filled_at is not None and put_in_force(basis, workspace=workspace, at=at):
        live(basis, workspace, at=at, by=by)
    else:
        Basis.objects.filter(pk=basis.pk).update(goes_live=True)
    basis.refresh_from_db()
    return basis


def live(basis: Basis, workspace: Workspace, *, at: datetime, by: Member | None = None) -> None:
    """Record that a basis has come in force: those over the line are judged, and the one before is cleared away."""
    version = RuleVersion.objects.get(pk=basis.version_id)
    record(workspace.pk, "rules_published", at=at, actor=by, data={"version": version.number}, lane=Lane.BULK)
    for left in Basis.objects.exclude(left_at=None):
        record(workspace.pk, "rules_left", at=at, data={"basis": left.pk}, lane=Lane.BULK)
    if by is not None or version.published_by is not None:
        AuditEntry.objects.create(
            workspace=workspace, at=at, actor=by or version.published_by, action="rules published",
            target=f"version {version.number}", data={"why": version.why},
        )  # fmt: skip


def look_ahead(basis: Basis, *, at: datetime) -> None:
    """Let the worker say what a filled basis would change."""
    record(basis.workspace_id, "rules_filled", at=at, data={"basis": basis.pk}, lane=Lane.BULK)


def _free(workspace: Workspace) -> None:
    """Hold the bases alone; raise Busy while one is on its way."""
    hold(workspace, alone=True)
    if Basis.objects.filter(goes_live=True).exists():
        raise Busy("A version is being put in force at the moment. It takes a minute; then change what you like.")


def _leave(at: datetime) -> None:
    """Drop what was tried out and not published."""
    for basis in Basis.objects.filter(in_force=False, left_at=None):
        Basis.objects.filter(pk=basis.pk).update(left_at=at)
        record(basis.workspace_id, "rules_left", at=at, data={"basis": basis.pk}, lane=Lane.BULK)
