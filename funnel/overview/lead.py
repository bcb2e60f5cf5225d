"""What a lead's page shows: everything we know of one person, and why it stands where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import phonenumbers
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, OuterRef, Q, Subquery
from django.http import Http404, HttpRequest

from funnel.handoff.actions import may_bring_back
from funnel.handoff.clock import SPOKEN, first_contact
from funnel.handoff.models import Handoff, Outcome, Way
from funnel.handoff.reasons import OFFERED
from funnel.handoff.wayback import promise, whereabouts
from funnel.leads import known
from funnel.leads.fields import FIELDS, fields_of
from funnel.leads.models import Consent, Lead, Suspect
from funnel.leads.stages import SALES, Stage, side_of
from funnel.leads.suppressing import SUPPRESSED, no_mail
from funnel.outbox.models import Event
from funnel.overview import lead_story as story
from funnel.overview.lead_scores import SCORE, opened
from funnel.overview.lead_way import legs, with_words
from funnel.overview.paging import beyond, cursor, read
from funnel.overview.rows import minutes_left
from funnel.templatetags.words import short_day
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import Member, Role, TimeOff
from funnel.workspaces.roles import may
from funnel.workspaces.slots import slot

# What each consent is asked for; others appear under their own name.
CHANNELS = (("email", "E-mail"), ("phone", "Phone"), ("sms", "Text message"))
FIELD_WORDS = {
    "name": "Name",
    "email": "E-mail",
    "phone": "Phone",
    "company_name": "Company",
    "external_id": "External id",
}


HANDOFFS = Asked(
    lambda lead: (
        Handoff.objects.filter(lead__in=[lead])
        .select_related("offered_to__user", "closed_by__user", "reason")
        .order_by("-opened_at")[:20]
    ),
    UUID,
)
# When whoever it waits for goes away. A day is not the same everywhere; what is past is left out where it is read.
OFF = Asked(
    lambda lead: TimeOff.objects.filter(
        member__offers__lead__in=[lead],
        member__offers__outcome=Outcome.OPEN,
        first__gte=ExpressionWrapper(F("member__offers__opened_at") - timedelta(days=1), DateTimeField()),
    ),
    UUID,
)
CONSENTS = Asked(
    lambda lead: Consent.objects.filter(lead__in=[lead]).select_related("event").order_by("-given_at", "-id")[:50], UUID
)
SUSPECTS = Asked(
    lambda lead: (
        Suspect.objects.filter(Q(first__in=[lead]) | Q(second__in=[lead]))
        .select_related("first", "second")
        .only(*(f"{side}__{name}" for side in ("first", "second") for name in Lead.NAMES))
        .order_by("-id")[:10]
    ),
    UUID,
)
ALSO_HERE = Asked(
    lambda lead: (
        Lead.objects.filter(company=Subquery(Lead.objects.filter(pk__in=[lead]).values("company")))
        .exclude(pk__in=[lead])
        .only(*Lead.NAMES)
        .order_by("-received_at", "-id")[:5]
    ),
    UUID,
)
# What the lead's page asks at once, and which of it the desk does too; the rest is plugged in.
THERE = (HANDOFFS, SPOKEN, story.EVENTS, SCORE, SUPPRESSED)
EVERYTHING = (*THERE, OFF, CONSENTS, SUSPECTS, ALSO_HERE)


def ask_at_once(request: HttpRequest, lead: Lead, several: Iterable[Asked]) -> None:
    """Ask these of the lead in one statement, with what depends on the member and on the lead."""
    sells = may(request.member, "leads.take")  # type: ignore[attr-defined]
    known.ask(lead, [*several, *([OFFERED] if sells else ()), *([FIELDS] if lead.fields else ())])


def handoffs_of(lead: Lead) -> list[Handoff]:
    """The latest handoffs of the lead, the latest first."""
    return known.of(lead, HANDOFFS)


def _seen(lead: UUID, member: UUID | None = None, *, role: Role) -> Any:
    who = Member(pk=member, role=role)
    mine = Lead.objects.changeable_by(who).filter(pk=OuterRef("pk"))
    seen = Lead.objects.visible_to(who).filter(pk__in=[lead]).select_related("company", "holder__user", "source")
    return seen.annotate(changeable=Exists(mine))


# What a rep may change depends on who it is; else the role says it.
SEEN = {role: Asked(partial(_seen, role=role), *([UUID, UUID] if role == Role.REP else [UUID])) for role in Role}


def lead_of(member: Member, pk: UUID) -> Any:
    """The lead with what its page says of it, `changeable` by the member or not; 404 for another workspace's."""
    asked = SEEN[Role(member.role)]
    found = asked.rows(*([pk], [member.pk])[: len(asked.kinds)])
    if not found:
        raise Http404
    found[0].workspace = member.workspace
    return found[0]


def shown_phone(number: str, region: str) -> str:
    """A number as people of the region write it; another country's with its prefix."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return number
    home = parsed.country_code == phonenumbers.country_code_for_region(region)
    form = phonenumbers.PhoneNumberFormat
    return str(phonenumbers.format_number(parsed, form.NATIONAL if home else form.INTERNATIONAL))


@dataclass(slots=True)
class Can:
    """What this member may do with this lead now; the verbs decide again."""

    take: bool = False
    give_back: bool = False
    edit: bool = False
    pass_on: bool = False
    set_aside: bool = False
    bring_back: bool = False
    void: bool = False


def can(member: Member, lead: Any, waiting: Handoff | None) -> Can:
    """Read the member's verbs off the role and with whom the lead is."""
    sells = may(member, "leads.take")
    theirs = waiting is not None and (member.leads_others or (sells and waiting.offered_to_id in (None, member.pk)))
    holds = lead.holder_id is not None and (lead.holder_id == member.pk or member.leads_others) and sells
    return Can(
        take=theirs,
        give_back=theirs or (holds and lead.stage in SALES),
        edit=lead.changeable,
        pass_on=holds or (waiting is not None and member.leads_others),
        set_aside=lead.changeable and lead.stage not in (Stage.CUSTOMER, Stage.DISQUALIFIED),
        bring_back=may_bring_back(lead, member),
        void=may(member, "events.void"),
    )


def page(request: HttpRequest, lead: Any) -> dict[str, Any]:
    """Everything of the page in a number of queries that doesn't depend on how much there is."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    workspace = lead.workspace
    ask_at_once(request, lead, [*EVERYTHING, *slot("lead_asks")])
    handoffs = handoffs_of(lead)
    waiting = next((one for one in handoffs if one.is_open), None)
    marks = [one for one in reversed(story.events_of(lead)) if story.is_mark(one)]
    way = story.Way(lead.received_at, [one for one in marks if one.kind == "moved"])
    allowed = can(member, lead, waiting)
    panels = [panel for make in slot("lead_panels") if (panel := make(request, lead))]
    return {
        "lead": lead,
        "can": allowed,
        "side": "sales" if lead.stage == Stage.CUSTOMER else side_of(lead.stage),
        "phone": shown_phone(lead.phone, workspace.country) if lead.phone else "",
        "legs": legs(lead, way, handoffs, me=member, at=at, workspace=workspace),
        "with_words": with_words(lead, waiting, member),
        "waiting": waiting,
        "first_contact": first_contact(handoffs[0], lead=lead, at=at, workspace=workspace)
        if handoffs and lead.holder_id
        else None,
        "minutes_left": minutes_left(waiting, at=at, workspace=workspace) if waiting else None,
        "leaves_on": waiting.leaves_on(known.of(lead, OFF), at, workspace) if waiting else None,
        "latest": waiting or (handoffs[0] if handoffs else None),
        "passed": next((one.data for one in reversed(marks) if "route" in one.data), None) if lead.holder else None,
        "given_back": [one for one in handoffs if one.given_back_at],
        "whereabouts": _whereabouts(lead, at),
        "promises": _promises(marks, handoffs),
        "differs": _differs(marks, lead),
        "scores": opened(lead, at),
        "suspects": _suspects(lead),
        "also_here": known.of(lead, ALSO_HERE),
        "own_fields": _own_fields(lead),
        **_consents(lead),
        **_timeline(request, lead, way, allowed),
        "panels_left": [one for one in panels if one["side"] == "left"],
        "panels_right": [one for one in panels if one["side"] == "right"],
        "panel_actions": [action for one in panels for action in one.get("actions", ())],
    }


def _whereabouts(lead: Lead, at: datetime) -> str:
    """When or how it was said that a lead comes to sales again; of a customer, and of who was lost, only on a day."""
    if lead.stage == Stage.NURTURING and lead.way_back:
        return whereabouts(lead, at)
    if lead.stage not in (Stage.CUSTOMER, Stage.LOST) or lead.cool_until is None or lead.cool_until <= at:
        return ""
    lost = next((one for one in story.events_of(lead) if one.kind == "deal_lost"), None)
    promised = lead.stage == Stage.CUSTOMER or (lost is not None and lost.data.get("promised"))
    return promise({"way": Way.DATE.value}, lead.cool_until) if promised else ""


def _promises(marks: list[Event], handoffs: list[Handoff]) -> list[dict[str, Any]]:
    """What we said to them, latest first, each once with where it was said."""
    said: dict[str, dict[str, Any]] = {}
    for one in reversed(marks):
        if words := one.data.get("promise"):
            form = one.data.get("form")
            where = f"“{form}”" if form else story.source_words(one.source)
            said.setdefault(words, {"words": words, "where": f"{where}, {short_day(one.occurred_at)}"})
    for handoff in handoffs:
        for words in handoff.card.get("promised", ()):
            said.setdefault(words, {"words": words, "where": f"Handed over {short_day(handoff.opened_at)}"})
    return list(said.values())


def _differs(marks: list[Event], lead: Lead) -> list[dict[str, Any]]:
    """What public doors said else than we have; they never overwrite."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in marks:
        for name, value in one.data.get("differs", {}).items():
            label = FIELD_WORDS.get(name, name.removeprefix("fields.").replace("_", " ").capitalize())
            if getattr(lead, name, None) != value:
                found[name, str(value)] = {"label": label, "value": value, "at": one.occurred_at}
    return list(found.values())


def _suspects(lead: Lead) -> list[Lead]:
    return [one.second if one.first_id == lead.pk else one.first for one in known.of(lead, SUSPECTS)]


def _own_fields(lead: Lead) -> list[dict[str, Any]]:
    labels = {name: one.label for name, one in fields_of(lead).items()}
    order = {name: place for place, name in enumerate(labels)}
    words = {True: "Yes", False: "No"}
    return [
        {"label": labels.get(name, name), "value": words[value] if isinstance(value, bool) else value}
        for name, value in sorted(lead.fields.items(), key=lambda row: order.get(row[0], len(order)))
    ]


def _consents(lead: Lead) -> dict[str, Any]:
    given: list[Consent] = known.of(lead, CONSENTS)
    latest: dict[str, Consent] = {}
    for one in given:
        latest.setdefault(one.channel, one)
    usual = dict(CHANNELS)
    names = [*usual, *(name for name in latest if name not in usual)]
    return {
        "consents": [(usual.get(name, name.capitalize()), latest.get(name)) for name in names],
        "no_mail": no_mail(lead) if "email" in latest else None,
        "proofs": given,
    }


def _timeline(request: HttpRequest, lead: Lead, way: story.Way, allowed: Can) -> dict[str, Any]:
    show = request.GET.get("show", "")
    if show not in dict(story.GROUPS):
        show = ""
    after = read("lead-timeline", request.GET.get("after", ""), 2)
    if show or after:
        rows = Event.objects.filter(lead=lead).exclude(kind__in=story.UNTOLD).timeline()
        rows = rows.filter(kind__in=story.kinds_of(show)) if show else rows
        rows = rows.filter(beyond("occurred_at", "id", after, falling=True)) if after else rows
        events = list(rows[: story.PAGE + 1])
    else:
        events = [one for one in story.events_of(lead) if one.kind not in story.UNTOLD][: story.PAGE + 1]
    more = len(events) > story.PAGE
    events = events[: story.PAGE]
    told = story.entries(events, way, may_void=allowed.void)
    latest = next((one for one in events if one.source and one.source.channel != "unknown"), None)
    return {
        "months": story.by_month(told),
        "told": len(told),
        "show": show,
        "filters": story.GROUPS,
        "earlier": cursor("lead-timeline", events[-1].occurred_at.isoformat(), events[-1].pk) if more else "",
        "after": bool(after),
        "first_source": story.source_words(lead.source) or "Not known",
        "latest_source": story.source_words(latest.source) if latest else "",
        "latest_at": latest.occurred_at if latest else None,
    }
