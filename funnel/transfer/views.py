"""The pages on which a list is brought in; each step is one page that can be left and come back to."""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from funnel.leads.models import FieldDefinition, Lead
from funnel.outbox.models import Effect
from funnel.outbox.models import State as Duty
from funnel.templatetags.words import plural
from funnel.transfer import actions as lists
from funnel.transfer.books import Unreadable
from funnel.transfer.columns import GROUPS, Columns
from funnel.transfer.models import AT_WORK, Import, RefusedRow, State
from funnel.transfer.reading import DELIMITERS, ENCODINGS, Reading
from funnel.transfer.refused import write_refused
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow, may
from funnel.workspaces.uploads import Kept

SHOWN = 20
# The worker takes up what waits within seconds; after this long without a row it is away.
AWAY = timedelta(seconds=30)
ADDED = ("new", "changed")


def _list(pk: UUID) -> Import:
    return get_object_or_404(Import.objects.select_related("by__user", "workspace"), pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("import")
def imports(request: Any) -> HttpResponse:
    """Choose a file, and see those of before."""
    wrong, status = "", 200
    if request.method == "POST":
        file = request.FILES.get("file")
        try:
            if not isinstance(file, Kept):
                raise Unreadable("Choose a file first.")
            return redirect("import", lists.upload(file, by=request.member, at=request.at).pk)
        except Unreadable as refusal:
            wrong, status = refusal.sentence, refusal.status
    recent = list(Import.objects.recent().defer("columns", "preview")[:SHOWN])
    return render(request, "funnel/transfer/imports.html", {"wrong": wrong, "recent": recent}, status=status)


@require_safe
@allow("import")
def import_page(request: Any, pk: UUID) -> HttpResponse:
    """A list at its present step; a page that asks again by itself is told when the step is another."""
    one = _list(pk)
    if request.htmx and request.GET.get("shows", one.state) != one.state:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return _page(request, one)


def _page(request: Any, one: Import, form: Columns | None = None, wrong: str = "", status: int = 200) -> HttpResponse:
    at, state = request.at, State(one.state)
    if state == State.COLUMNS and form is None and not one.forgotten_at:
        form = Columns(one, request.member, at=at)
    before = Import.objects.filter(digest=one.digest, state=State.DONE).exclude(pk=one.pk).recent().first()
    context: dict[str, Any] = {
        "one": one,
        "state": state,
        "wrong": wrong,
        "form": form,
        "before": before if state in (State.COLUMNS, State.LOOKED) else None,
        "at_work": state in AT_WORK,
        "steps": _steps(state),
        "how": _how(one),
        "delimiters": [(sign, word) for sign, word in DELIMITERS.items()],
        "encodings": ENCODINGS.items(),
        "may_go": may(request.member, "leads.go"),
        "progress": _progress(one, at) if state in (*AT_WORK, State.STOPPED) else None,
        "meanings": _meanings(one),
        "named": sum(bool(name) for name in one.header),
        "shares": _shares(one),
        "unready": _unready(one),
        "rows": _counted(one) if state != State.LOOKING else [],
        "adds": sum(one.counts.get(what, 0) for what in ADDED),
    }
    if state == State.DONE:
        context["go"] = Lead.objects.filter(waits_since__isnull=False)[:1000].count()
    return render(request, "funnel/transfer/import.html", context, status=status)


def _steps(state: State) -> dict[str, str]:
    """How each of the three steps stands: done, now or ahead."""
    now = {
        State.COLUMNS: 1, State.LOOKING: 2, State.LOOKED: 2, State.RUNNING: 3, State.STOPPED: 3, State.DONE: 4,
    }.get(state, 0)  # fmt: skip
    return {
        name: "done" if number < now else "now" if number == now else "ahead"
        for number, name in enumerate(("columns", "look", "run"), start=1)
    }


def _how(one: Import) -> str:
    """How the file was read, in words."""
    how = one.how
    if how.get("sheets"):
        return f"sheet “{how['sheet']}”"
    if not how.get("delimiter"):
        return ""
    encoding = how["encoding"].removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    return f"read with {DELIMITERS[how['delimiter']]} as {ENCODINGS.get(encoding, encoding)}"


def _meanings(one: Import) -> list[tuple[str, str]]:
    """What each column that comes in means, in words."""
    words = {target: label for _, targets in GROUPS for target, label in targets}
    own = {f"fields.{one.name}": one.label for one in FieldDefinition.objects.all()}
    return [
        (name, words.get(target) or f"Field “{own.get(target, name)}”")
        for name in one.header
        if (target := one.mapping.get(name))
    ]


def _progress(one: Import, at: datetime) -> dict[str, Any]:
    """How far it is, how long it will still take, and whether the worker is at it."""
    left = None
    if one.began_at and one.done > one.began_from:
        spent = (one.updated_at - one.began_at).total_seconds()
        left = timedelta(seconds=spent / (one.done - one.began_from) * (one.rows - one.done))
    stuck = Effect.objects.filter(event=one.duty, state=Duty.STUCK).exists()
    return {"left": left, "stuck": stuck, "away": not stuck and at - one.updated_at > AWAY}


def _shares(one: Import) -> str:
    """Who gets how many of those who are ready."""
    shares = [*one.preview.get("shares", []), *([["the pool", pool]] if (pool := one.preview.get("pool")) else [])]
    return ", ".join(f"{name} {count:,}" for name, count in shares)


def _unready(one: Import) -> str:
    """What is missing to those who aren't ready."""
    words = {
        "do_more": ("fits and has done too little yet", "fit and have done too little yet"),
        "no_fit": ("fits too little, whatever they do", "fit too little, whatever they do"),
        "elsewhere": ("stays where they are", "stay where they are"),
    }  # fmt: skip
    said = [plural(one.preview[why], *word) for why, word in words.items() if one.preview.get(why)]
    if said and one.preview["elsewhere"]:
        said[-1] += " (customers, lost, at rest, or with sales already)"
    return "; ".join(said)


def _counted(one: Import) -> list[dict[str, Any]]:
    """The counts as rows of a table, with what they mean and their examples."""
    counts, seen = one.counts, one.preview
    if not counts or not seen:
        return []
    words = {
        "customer": ("customer", "customers"), "nurturing": ("goes to marketing", "go to marketing"),
        "lost": ("lost", "lost"), "disqualified": ("not a fit", "not a fit"),
    }  # fmt: skip
    new = ", ".join(plural(seen["stages"][name], *word) for name, word in words.items() if seen["stages"].get(name))
    if undated := seen.get("undated", 0) - seen.get("customers_of_today", 0):
        new += f"; {plural(undated, 'comes', 'come')} without a date, so as of today"
    return [
        {"label": "New", "count": counts["new"], "hue": "i", "means": new, "examples": seen["new"]},
        {"label": "Changed", "count": counts["changed"], "hue": "i", "examples": seen["changed"],
         "means": "Known here; blanks are filled and what differs is corrected, nothing is overwritten with a blank"},
        {"label": "The same", "count": counts["same"], "hue": "n", "means": "Known here with just this; left alone"},
        {"label": "Refused", "count": counts["refused"], "hue": "n", "reasons": seen["reasons"],
         "means": "Stay out; you can download them, put them right and bring them again"},
    ]  # fmt: skip


@require_POST
@allow("import")
def import_columns(request: Any, pk: UUID) -> HttpResponse:
    """Take what the columns mean and have the rows looked through; with `do`, only draw the form anew, and keep it."""
    one = _list(pk)
    if one.state != State.COLUMNS:
        return redirect("import", one.pk)
    form = Columns(one, request.member, at=request.at, posted=request.POST)
    if request.POST.get("do"):
        form.wrong = {}
        with suppress(Refusal):
            lists.keep(one, form.map(), at=request.at)
        return _page(request, one, form)
    if form.wrong:
        return _page(request, one, form, status=422)
    try:
        given = form.map()
        form.judge(lists.mapping_of(one, given))
        lists.choose(one, given, by=request.member, at=request.at)
    except Refusal as refusal:
        return _page(request, one, form, refusal.sentence, 422)
    return redirect("import", one.pk)


@require_POST
@allow("import")
def import_read(request: Any, pk: UUID) -> HttpResponse:
    """Read the file another way."""
    one, asked = _list(pk), request.POST
    head = asked.get("head", "")
    how = Reading(
        delimiter=asked.get("delimiter", "") if asked.get("delimiter") in DELIMITERS else "",
        encoding=asked.get("encoding", "") if asked.get("encoding") in ENCODINGS else "",
        sheet=asked.get("sheet", "")[:100],
        head=int(head) if head.isdecimal() and len(head) < 4 else 0,
    )
    return _act(request, one, lambda: lists.read_again(one, how, by=request.member, at=request.at))


@require_POST
@allow("import")
def import_begin(request: Any, pk: UUID) -> HttpResponse:
    """Bring the rows in."""
    one, hand_over = _list(pk), bool(request.POST.get("hand_over"))
    return _act(request, one, lambda: lists.begin(one, by=request.member, at=request.at, hand_over=hand_over))


@require_POST
@allow("import")
def import_act(request: Any, pk: UUID, verb: str) -> HttpResponse:
    """Go back to the columns, stop, go on, or leave it where it is."""
    one = _list(pk)
    act = {"change": lists.change, "stop": lists.stop, "go-on": lists.go_on, "leave": lists.leave}[verb]
    return _act(request, one, lambda: act(one, by=request.member, at=request.at))


@require_POST
@allow("import")
def import_remove(request: Any, pk: UUID) -> HttpResponse:
    """Take an upload away that was never brought in."""
    one = _list(pk)
    try:
        lists.remove(one, by=request.member, at=request.at)
    except lists.Elsewhere as refusal:
        messages.warning(request, refusal.sentence)
    else:
        messages.success(request, f"“{one.file_name}” is removed.")
    return redirect("imports")


def _act(request: Any, one: Import, act: Any) -> HttpResponse:
    try:
        act()
    except lists.Elsewhere as refusal:
        messages.warning(request, refusal.sentence)
    return redirect("import", one.pk)


@require_safe
@allow("import")
def import_refused(request: Any, pk: UUID) -> HttpResponse | FileResponse:
    """The rows that stayed out, in their own columns, with the reason."""
    one = _list(pk)
    file = tempfile.TemporaryFile("w+b")  # noqa: SIM115, the response closes it
    out = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = RefusedRow.objects.filter(of=one).order_by("id").values_list("line", "cells", "errors")
    write_refused(out, one.header, rows.iterator(chunk_size=1000))
    out.flush()
    out.detach()
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{one.file_name.rpartition('.')[0] or 'list'}-refused.csv")
