"""The rules as sentences: those in force, or the draft with what it changes and what it would change."""

from __future__ import annotations

from datetime import datetime
from itertools import zip_longest
from typing import Any

from django.db.models import Count, Exists, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from funnel.handoff.models import GiveBackReason
from funnel.handoff.preview import STEPS, band_of, judged
from funnel.handoff.wayback import follows
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.outbox.models import Event
from funnel.overview.rules_forms import PublishForm, seen_of
from funnel.overview.rules_shown import changes, dashed, in_short, shown, stand_alike
from funnel.scoring import changing
from funnel.scoring.checking import gaps_of, is_never_ready
from funnel.scoring.models import Basis, RuleDraft, RuleVersion
from funnel.scoring.rules import sentence
from funnel.templatetags.words import number, plural
from funnel.workspaces.models import Workspace
from funnel.workspaces.roles import allow, may

VERSIONS = 50
# Below so many a week a tenth of one says something.
FEW = 10


@require_safe
@allow("read")
def rules(request: Any) -> HttpResponse:
    """What makes a lead ready, and why, with how many people stand in each cell; for who may, its changing.

    Who may only read reads what is in force, whatever somebody drafts beside it.
    """
    return rules_page(request)


def rules_page(request: Any, form: PublishForm | None = None) -> HttpResponse:
    """Show the page, with the form to publish as it was refused where there is one."""
    basis, found, may_change = changing.in_force(), changing.coming(), may(request.member, "rules.change")
    draft = RuleDraft.objects.select_related("edited_by__user").first() if may_change else None
    if request.GET.get("watch") and not _goes_on(found):
        # Who watched the work go on sees what came of it.
        return HttpResponse(headers={"HX-Refresh": "true"})
    version = basis.version
    says = draft.rules if draft is not None else version.rules
    told = shown(says, version.rules)
    by_draft = found if found is not None and found.filled_at and draft is not None else None
    # Who stands where by other bands or points than the draft's says nothing of its cells.
    known = by_draft is not None or stand_alike(says, version.rules)
    people = _people(by_draft or basis, request.at) if known else {}
    cells = [cell for row in told["grid"] for cell in row["cells"]]
    for cell in cells if known else ():
        cell["people"] = people.get((cell["name"][0], cell["band"]), 0)
    going = Lead.objects.filter(waits_since__isnull=False).count()
    listed = list(_published().order_by("-number")[: VERSIONS + 1])
    if known:
        ready, everybody = sum(cell["people"] for cell in cells if cell["ready"]), sum(people.values())
        caption = (
            f"Each figure is people with marketing or in handoff{', by the draft' if draft else ''}: {number(ready)} of"
            f" {number(everybody)} {'is' if ready == 1 else 'are'} in {'a ready cell' if ready == 1 else 'ready cells'}"
            f"{'' if draft else ' now'}."
        )
        if not everybody:
            caption = "Each figure will be the people with marketing or in handoff; there is nobody yet."
    elif found is not None:
        caption = "How many people stand in each cell by the draft is being counted."
    else:
        caption = "Press “See it” above to see how many people stand in each cell by the draft."
    context = {
        "version": version,
        "draft": draft,
        "caption": f"{caption} A dashed cell is changed." if dashed(told) else caption,
        **told,
        "cooling": Lead.objects.filter(stage=Stage.NURTURING, cool_until__gt=request.at).count(),
        "going": going,
        "fades": _fades(says, version.rules),
        "reasons": [(one, follows(one)) for one in GiveBackReason.objects.offered()],
        "may_reasons": may(request.member, "reasons.change"),
        "may_change": may_change and not (found is not None and found.goes_live),
        "never": is_never_ready(says),
        "undone": _undone(says, request.workspace),
        "gaps": gaps_of(says),
        "against": "In force",
        "changes": sum(changes(says, version.rules).values()),
        "seen": seen_of(draft.rules if draft is not None else None),
        "coming": found,
        "look": _look(found, request.at) if found is not None and draft is not None else None,
        "before": listed[1].pk if len(listed) > 1 else None,
        "versions": [_words_of(*both) for both in zip_longest(listed, listed[1:])][:VERSIONS],
        "form": form or PublishForm(initial={"again": "yes" if found is not None and found.version.again else ""}),
    }
    return render(request, "funnel/overview/rules.html", context, status=200 if form is None else 422)


@require_safe
@allow("read")
def one_version(request: Any, pk: int) -> HttpResponse:
    """A version as it was published: what it says and changed, when, by whom and what it counted for; a way back."""
    one, now, found = get_object_or_404(_published(), pk=pk), changing.in_force(), changing.coming()
    draft = RuleDraft.objects.first()
    free = may(request.member, "rules.change") and not (found is not None and found.goes_live)
    before = _published().filter(number__lt=one.number).order_by("-number").first()
    told = shown(one.rules, before.rules if before is not None else None)
    otherwise = f" A dashed cell said otherwise in version {before.number}." if before and dashed(told) else ""
    context = {
        **told,
        "version": _words_of(one, before),
        "against": f"Version {before.number}" if before is not None else "",
        "in_force": now.version,
        "caption": f"What version {one.number} says of each cell.{otherwise}",
        "may_go_back": free and one.pk != now.version_id,
        "draft": draft,
        "seen": seen_of(draft.rules if draft is not None else None),
    }
    return render(request, "funnel/overview/rule_version.html", context)


def _goes_on(found: Basis | None) -> bool:
    """Whether the worker still fills a basis, or reckons what it would change."""
    return found is not None and (found.goes_live or not (found.figures or {}).get("through"))


def _fades(says: dict[str, Any], before: dict[str, Any]) -> str:
    """How points fade by these rules compared with those before, in a word; blank where no faster and no slower."""
    now, was = says["half_life_days"], before["half_life_days"]
    return "" if now == was else "faster" if now < was else "slower"


def _undone(says: dict[str, Any], workspace: Workspace) -> list[str]:
    """What rules count that nobody has ever done; nothing where nobody has done anything that they count."""
    kinds = list(dict.fromkeys(rule["kind"] for rule in says["engagement"]))
    # By a form one may ask to be contacted too; which did isn't asked, because no index would find it.
    by = {kind: [kind, "form"] if kind == "contact_request" else [kind] for kind in kinds}
    done = {f"done_{place}": Exists(Event.objects.filter(kind__in=by[kind])) for place, kind in enumerate(kinds)}
    found = Workspace.objects.annotate(**done).values_list(*done).get(pk=workspace.pk) if done else ()
    return (
        [sentence({"kind": kind}) for kind, is_done in zip(kinds, found, strict=True) if not is_done]
        if any(found)
        else []
    )


def _people(basis: Basis, at: datetime) -> dict[tuple[str, int], int]:
    """How many people with marketing or in handoff stand in each cell."""
    return {
        (fit, engagement): many
        for fit, engagement, many in judged()
        .filter(basis=basis)
        .order_by()
        .annotate(band=band_of(basis, at))
        .values_list("fit_band", "band")
        .annotate(many=Count("pk"))
    }


def _look(found: Basis, at: datetime) -> dict[str, Any]:
    """What the worker found out about a draft, or how far it is."""
    told = found.figures
    if not told or not told["through"]:
        ahead = sum(told[one]["through"] for one in STEPS) if told else 0
        share = 50 + 50 * ahead / len(STEPS) if found.filled_at else 50 * min(found.done / max(found.of, 1), 1)
        return {"through": False, "done": int(share), "of": found.of}
    customers, losses, weekly = told["customers"], told["losses"], told["weekly"]
    days = customers["days"] / customers["both"] if customers["both"] else 0
    whole = abs(round(days))
    apart = "on the same day"
    if whole:
        mean = "on average " if customers["both"] > 1 else ""
        apart = f"{mean}{plural(whole, 'day')} {'earlier' if days > 0 else 'later'}"
    ready = told["ready"]
    return {
        "through": True,
        "ready": ready, "would": ready + told["more"] - told["fewer"],
        # What was looked at before this was kept doesn't say it.
        "over": told.get("over", 0),
        "at": datetime.fromisoformat(told["at"]),
        "more": told["more"], "fewer": told["fewer"], "moved": told["moved"], "people": told["people"],
        "customers": customers, "losses": losses, "apart": apart if customers["both"] else "",
        "named": _dated(customers["named"]), "alarms": _dated(losses.get("named", [])),
        "week_then": _weekly(weekly["then"]), "week_now": _weekly(weekly["now"]), "places": told["places"],
    }  # fmt: skip


def _weekly(many: int) -> float:
    """How many of four weeks come in one; of few a part of one is told too, or one a month would be none."""
    one = many / 4
    return round(one) if one >= FEW else round(one, 1)


def _dated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whom the worker named, with their moments as such."""
    kept = ("was", "would", "lost")
    return [
        {name: datetime.fromisoformat(told) if name in kept and told else told for name, told in row.items()}
        for row in rows
    ]


def _published() -> QuerySet[RuleVersion]:
    """The versions that are in force or were."""
    found: QuerySet[RuleVersion] = RuleVersion.objects.exclude(number=None).exclude(published_at=None)
    return found.select_related("published_by__user")


def _words_of(one: RuleVersion, before: RuleVersion | None) -> dict[str, Any]:
    """When a version was published, by whom, why or what it changed of the one before, and what it counted for."""
    return {
        "pk": one.pk,
        "number": one.number,
        "why": one.why or (in_short(one.rules, before.rules) if before is not None else one.rules["name"]),
        "by": one.published_by.name if one.published_by else "",
        "counted": _counted(one),
        "at": one.published_at,
    }


def _counted(one: RuleVersion) -> str:
    """From when on a version that was published counts, in words."""
    if not one.again:
        return "From then on"
    return "The past again" if one.follows_id is None else "Again since it was left"
