"""Upload a list, say what its columns mean, bring it in, stop, go on; the worker does the rest (handlers.py)."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from funnel.outbox.actions import record
from funnel.outbox.models import Lane
from funnel.transfer import books
from funnel.transfer.books import Unreadable
from funnel.transfer.importing import make_fields
from funnel.transfer.mapping import Mapping, members_by_mail
from funnel.transfer.models import Import, RefusedRow, State, folder_of
from funnel.transfer.reading import CELL, Reading, Table, encoding_of
from funnel.workspaces.models import AuditEntry, Member
from funnel.workspaces.refusals import Forbidden, Refusal
from funnel.workspaces.roles import may
from funnel.workspaces.uploads import Kept

# Somebody's customers in a file: kept as long as one may want to look at what was refused.
KEPT = timedelta(days=14)


class Elsewhere(Refusal):
    """The list is at another step by now; the sentence says so."""


class NotYourGo(Forbidden):
    """Only a manager or the owner hands over."""


@transaction.atomic
def upload(file: Kept, *, by: Member, at: datetime) -> Import:
    """Keep a file and let the worker read it; raise Unreadable for what can be told from its beginning."""
    name = " ".join(str(file.name).split())[-200:]
    path = Path(file.temporary_file_path())
    file.flush()
    _judge(path, name)
    _sweep(by)
    made = Import(workspace=by.workspace, by=by, file_name=name, digest=file.digest, made_at=at, updated_at=at)
    made.folder.mkdir(parents=True, mode=0o700)
    os.replace(path, made.source)
    made.save(force_insert=True)
    _begin_duty(made, "list_uploaded", by=by, at=at, lane=Lane.MAIL, due={"forget_list": at + KEPT})
    return made


def _judge(path: Path, name: str) -> None:
    """Refuse at once what its first rows show; a workbook's rows are read only by the worker."""
    if not path.stat().st_size:
        raise Unreadable("This file is empty.")
    if books.kind_of(path, name) == books.TEXT:
        Table(path, Reading(encoding=encoding_of(path, most=CELL)), name=name)


def _sweep(by: Member) -> None:
    """Take away what an upload left that never came to its row."""
    folder = folder_of(by.workspace_id)
    old = (datetime.now().astimezone() - timedelta(days=1)).timestamp()
    there = [one for one in folder.iterdir() if one.stat().st_mtime < old] if folder.is_dir() else []
    known = {pk.hex for pk in Import.objects.filter(pk__in=[one.name for one in there]).values_list("pk", flat=True)}
    for one in there:
        if one.name not in known:
            shutil.rmtree(one, ignore_errors=True)


def _begin_duty(one: Import, kind: str, *, by: Member | None, at: datetime, **how: Any) -> None:
    """Give the worker something to do with a list; whatever it had to do before is overtaken."""
    event = record(one.workspace_id, kind, at=at, actor=by, data={"list": str(one.pk)}, **how)
    Import.objects.filter(pk=one.pk).update(duty=event.pk)


def _step(one: Import, to: State, at: datetime, **also: Any) -> None:
    if not Import.objects.filter(pk=one.pk).step(to, at=at, **also):
        one.refresh_from_db(fields=["state"])
        raise Elsewhere(f"This list {State(one.state).label[0].lower()}{State(one.state).label[1:]} by now.")


def mapping_of(one: Import, given: Any) -> Mapping:
    """A map of this list; raise WrongMap where it doesn't fit."""
    people = Member.objects.select_related("user")
    return Mapping(given, one.header, zone=one.workspace.zone, members=members_by_mail(people))


@transaction.atomic
def read_again(one: Import, how: Reading, *, by: Member, at: datetime) -> None:
    """Read the file with another delimiter, encoding, sheet or row of names."""
    _step(one, State.READING, at, how=vars(how), columns=[], mapping={}, says="", rows=0)
    _begin_duty(one, "list_uploaded", by=by, at=at, lane=Lane.MAIL, due={"forget_list": one.made_at + KEPT})


def keep(one: Import, given: dict[str, Any], *, at: datetime) -> None:
    """Remember what the columns mean so far, for whoever leaves the page and comes back; raise WrongMap."""
    mapping_of(one, given)
    Import.objects.filter(pk=one.pk, state=State.COLUMNS).update(mapping=given, updated_at=at)


@transaction.atomic
def choose(one: Import, given: dict[str, Any], *, by: Member, at: datetime) -> None:
    """Say what the columns mean, and let the worker look through the rows; nothing is written yet."""
    mapping = mapping_of(one, given)
    with transaction.atomic():
        make_fields(one.workspace, mapping)
        transaction.set_rollback(True)
    _step(one, State.LOOKING, at, mapping=given, preview={}, counts={}, done=0, place=0, began_at=at, began_from=0)
    _begin_duty(one, "list_mapped", by=by, at=at, lane=Lane.BULK)


@transaction.atomic
def change(one: Import, *, by: Member, at: datetime) -> None:
    """Go back to the columns."""
    _step(one, State.COLUMNS, at)


@transaction.atomic
def begin(one: Import, *, by: Member, at: datetime, hand_over: bool = False) -> None:
    """Let the worker bring the rows in; with `hand_over`, those who are ready go to sales at once."""
    if hand_over and not may(by, "leads.go"):
        raise NotYourGo("Only the owner or a manager can hand over.")
    mapping = mapping_of(one, one.mapping)
    _step(
        one, State.RUNNING, at,
        counts={}, done=0, place=0, began_at=at, began_from=0, hand_over=hand_over, by=by,
    )  # fmt: skip
    make_fields(one.workspace, mapping)
    _begin_duty(one, "list_begun", by=by, at=at, lane=Lane.BULK)
    _audit(one, "list begun", by, at)


@transaction.atomic
def stop(one: Import, *, by: Member, at: datetime) -> None:
    """Stop bringing in; what is in stays in."""
    _step(one, State.STOPPED, at)
    _audit(one, "list stopped", by, at)


@transaction.atomic
def go_on(one: Import, *, by: Member, at: datetime) -> None:
    """Bring in the rest of a list that was stopped."""
    one.refresh_from_db(fields=["done"])
    _step(one, State.RUNNING, at, began_at=at, began_from=one.done)
    _begin_duty(one, "list_begun", by=by, at=at, lane=Lane.BULK)


@transaction.atomic
def leave(one: Import, *, by: Member, at: datetime) -> None:
    """End a list that was stopped where it is."""
    if one.state != State.STOPPED:
        raise Elsewhere("Only a list that was stopped can be left where it is.")
    _step(one, State.DONE, at, ended_at=at)
    _audit(one, "list left", by, at)


@transaction.atomic
def forget(one: Import, *, at: datetime) -> None:
    """Take away the file and the refused rows; what it brought in and the counts stay."""
    RefusedRow.objects.filter(of=one).delete()
    # The next list with these columns is still read as this one was.
    names = [{"name": name} for name in one.header]
    Import.objects.filter(pk=one.pk).update(forgotten_at=at, columns=names, preview={})
    transaction.on_commit(lambda: shutil.rmtree(one.folder, ignore_errors=True))


@transaction.atomic
def remove(one: Import, *, by: Member, at: datetime) -> None:
    """Take an upload away of which nothing was brought in."""
    one = Import.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=one.pk)
    if not one.is_unbegun:
        raise Elsewhere("This list was brought in by now, so it stays here.")
    _audit(one, "list removed", by, at)
    folder = one.folder
    one.delete()
    transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))


def _audit(one: Import, action: str, by: Member, at: datetime) -> None:
    AuditEntry.objects.create(
        workspace=one.workspace, at=at, actor=by, action=action, target=one.file_name[:120],
        data={"list": str(one.pk), "rows": one.rows, "done": one.done},
    )  # fmt: skip
