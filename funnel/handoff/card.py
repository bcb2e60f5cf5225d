"""The reason card: why now, what they touched, what they were promised, what to ask first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from funnel.leads.models import Lead
from funnel.outbox.kinds import KINDS, TOUCHES
from funnel.outbox.models import Event
from funnel.scoring.models import Basis
from funnel.scoring.rules import earns, fit_rows, has_source, labels_for
from funnel.templatetags.words import day, shortened
from funnel.workspaces.models import Workspace

SHOWN, MOST, PROMISED, WORDS, LONGEST = 6, 50, 5, 2, 600
# So many things that somebody did, and so many that we know, stand in the sentence.
NAMED, WEEK = 2, timedelta(days=7)
# What Baton writes itself is no act of theirs; a kind that a program reports under its own name is one.
UNSHOWN = tuple(kind for kind in KINDS if kind not in TOUCHES and kind != "received")


def touches_of(leads: Sequence[Lead], told: Mapping[UUID, Sequence[Event]] | None = None) -> dict[UUID, list[Event]]:
    """What each lead did, latest first, without what was taken back.

    `told` holds all there is of leads that were made just now; nothing is read of them.
    """
    found: dict[UUID, list[Event]] = defaultdict(list)
    for lead_id, events in (told or {}).items():
        shown = [event for event in events if event.kind not in UNSHOWN]
        found[lead_id] = sorted(shown, key=lambda event: (event.occurred_at, event.pk), reverse=True)[:MOST]
    asked = [lead for lead in leads if lead.pk not in found]
    rows = (
        Event.objects.in_force()
        .filter(lead__in=asked)
        .exclude(kind__in=UNSHOWN)
        .select_related("source")
        .order_by("-occurred_at", "-id")
    )
    # So many of each kind: whoever opened a hundred pages since met us all the same.
    many: Counter[tuple[UUID, str]] = Counter()
    for event in rows if asked else ():
        many[event.lead_id, event.kind] += 1
        if many[event.lead_id, event.kind] <= MOST:
            found[event.lead_id].append(event)
    return found


def asks(event: Event) -> bool:
    """Whether the person asked for contact by this event."""
    return event.kind == "contact_request" or bool(event.data.get("asks"))


def says(event: Event) -> str:
    """What somebody did, in words: “Sent the form “Free roof check””."""
    data = event.data
    if event.kind == "form" and data.get("form"):
        return f"Sent “{data['form']}”"
    if event.kind == "page_view" and (data.get("title") or data.get("page")):
        return f"Opened “{data.get('title') or _page(str(data['page']))}”"
    kind = KINDS.get(event.kind)
    return kind.label if kind else event.kind.replace("_", " ").capitalize()


def _page(address: str) -> str:
    """A page's address as people know it: not where it lies, nor what was asked of it, which differs each time."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return (parts.path.rstrip("/") or parts.netloc or parts.path) or address


def promises(touches: Sequence[Event]) -> list[str]:
    """What somebody was promised by what they came by, latest first, each once."""
    return list(dict.fromkeys(event.data["promise"] for event in touches if event.data.get("promise")))[:PROMISED]


def reason_card(lead: Lead, touches: Sequence[Event], *, why: str) -> dict[str, Any]:
    """The card as it is kept with the handoff; it doesn't change when later events do."""
    ask = [
        question
        for missing, question in (
            (not lead.name, "Who am I speaking with?"),
            (not lead.company_name, "Which company is it for?"),
            (not lead.phone, "Which number may I call?"),
            (not lead.email, "Where may I send it?"),
        )
        if missing
    ]
    wanted = [event.data["interest"] for event in touches if event.data.get("interest")]
    return {
        "why": why,
        "touched": [
            {
                "says": says(event),
                "at": event.occurred_at.isoformat(),
                "source": str(event.source) if event.source and event.source.channel != "unknown" else "",
                "words": shortened(_said(event), LONGEST),
            }
            for event in touches[:SHOWN]
        ],
        "promised": promises(touches),
        "ask": ([f"What would you like to know about {wanted[0]}?"] if wanted else []) + ask,
    }


def words_in(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What stands on a kept card in their own words, the latest first: "words", and what they "says" they did."""
    return [one for one in card.get("touched", ()) if one.get("words")][:WORDS]


def _said(event: Event) -> str:
    """What they wrote themselves, on a form or with a wish that a program passes on; no note of ours."""
    said = event.data.get("message") or (event.data.get("text") if event.kind == "contact_request" else "")
    return str(said or "")


class WhyNow:
    """Writes why somebody is handed over now: what they did that counted most, and what we know of them."""

    def __init__(self, basis: Basis, workspace: Workspace, at: datetime) -> None:
        self.basis, self.workspace, self.at = basis, workspace, at
        self.rules = basis.version.rules
        self.labels = labels_for(self.rules)

    def asked(self, lead: Lead, touches: Sequence[Event]) -> str:
        """For who asked: "Asked for contact with “Roof check”, from radio; called us on Tue 17 Nov; staff: 25"."""
        wish = next((event for event in touches if asks(event)), None)
        again = [event for event in touches if asks(event) and self.at - event.occurred_at < WEEK]
        form = wish.data.get("form") if wish else ""
        words = f"Asked for contact with “{form}”" if form else "Asked to be contacted"
        words += _times(len(again)) + (_origin(wish) if wish else "")
        others = [event for event in touches if event is not wish and event not in again]
        return "; ".join([words, *self._most(others, 1, begins=False), *self._of(lead)])

    def ready(self, lead: Lead, touches: Sequence[Event], *, fit_band: str, engagement_band: int) -> str:
        """For who crossed the line: "Met us on Tue 17 Nov, second time in seven days; fit A, engagement 3"."""
        parts = [*self._most(touches, NAMED, begins=True), *self._of(lead)]
        return "; ".join([*(parts or ["Over the line"]), f"fit {fit_band}, engagement {engagement_band}"])

    def _most(self, touches: Sequence[Event], many: int, *, begins: bool) -> list[str]:
        """The acts that count most now, each kind once; the first begins the sentence and says where it came from.

        What counts nothing, or against them, speaks for nobody.
        """
        live, best = [event for event in touches if event.kind != "received"], dict[str, Event]()
        counted = [(self._counts(event), event) for event in live]
        for (points, _), event in sorted(counted, key=lambda one: one[0], reverse=True):
            if points > 0 and len(best) < many:
                best.setdefault(says(event), event)
        return [self._did(event, live, first=begins and not place) for place, event in enumerate(best.values())]

    def _of(self, lead: Lead) -> list[str]:
        rows = sorted(fit_rows(lead, self.rules), key=lambda row: -row[0]["points"])
        known = dict.fromkeys(self._known(rule, value) for rule, value in rows if rule["points"] > 0)
        return [words for words in known if words][:NAMED]

    def _counts(self, event: Event) -> tuple[float, datetime]:
        """What the event counts now, without caps; of equal ones the latest."""
        points = sum(
            rule["points"]
            for rule in self.rules["engagement"]
            if earns(rule, event, event.source if has_source(rule) else None)
        )
        return points * self.basis.weight(event.occurred_at) / self.basis.weight(self.at), event.occurred_at

    def _did(self, event: Event, live: Sequence[Event], *, first: bool) -> str:
        said = says(event)
        lately = [one for one in live if says(one) == said and self.at - one.occurred_at < WEEK]
        on = day(self.workspace.local(event.occurred_at).date(), self.workspace.local(self.at).date())
        words = f"{said if first else said[:1].lower() + said[1:]} on {on}"
        return words + _times(len(lately)) + (_origin(event) if first else "")

    def _known(self, rule: dict[str, Any], value: str) -> str:
        """What we know of them that says something: a field of the business's own, or the firm's domain."""
        if rule["field"] in self.labels:
            return f"{self.labels[rule['field']]}: {value or 'not known'}"
        return f"writes from {value}" if rule["when"] == "business" else ""


def _times(number: int) -> str:
    return f", {_nth(number)} time in seven days" if number > 1 else ""


def _nth(number: int) -> str:
    words = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    return words[number - 2] if number - 2 < len(words) else f"{number}th"


def _origin(event: Event) -> str:
    if event.source is None or (event.source.channel in ("unknown", "direct", "other") and not event.source.campaign):
        return ""
    named = event.source.campaign or event.source.channel.replace("_", " ")
    return f", from “{named}”" if event.source.campaign else f", from {named}"
