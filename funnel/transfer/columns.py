"""The form that says what the columns of a list mean: guesses first, then what a person chose."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.http import QueryDict

from funnel.leads.models import FieldDefinition
from funnel.leads.stages import Stage
from funnel.templatetags.words import plural
from funnel.transfer import guessing
from funnel.transfer.mapping import NO_MAIL, SOURCES, STAGES, WHEN, Mapping, WrongMap, must_not
from funnel.transfer.models import Import
from funnel.workspaces.models import Member
from funnel.workspaces.slots import slot

NEW, NOTHING = "new", "-"
GROUPS = (
    ("Who", (
        ("name", "Name, whole"), ("first_name", "Name: first"), ("last_name", "Name: last"), ("email", "E-mail"),
        ("phone", "Phone"), ("company", "Company"), ("external_id", "Their number in another program"),
    )),
    ("Where they came from", (
        ("source.channel", "Channel"), ("source.campaign", "Campaign"), ("source.placement", "Placement"),
    )),
    ("Where they are", (
        ("received_at", "First contact"), ("stage", "Stage"), ("customer_holder", "With, customers only"),
        ("customer_since", "Customer since"),
    )),
    ("Do not mail", (("no_mail", "No mail to this person"), ("bounced", "Mail to them comes back"))),
)  # fmt: skip
ORDERS = (("dmy", "day/month/year"), ("mdy", "month/day/year"), ("ymd", "year first"))
KEYS = {"email", "phone", "external_id"}
LONGEST = 200
# What is typed for the whole file: what it is called, and how long it may be.
TYPED = (
    ("blank", "The words that mean nothing", 200),
    ("campaign", "The campaign", 120),
    ("system", "The program", 60),
)


@dataclass
class Choice:
    """A value of a column, how often it stands there, and what it means."""

    name: str
    text: str
    count: int
    means: str
    wrong: str = ""


@dataclass
class Line:
    """One column in the form. `says` is what a person should look at; without it the column is found."""

    place: int
    name: str
    eg: str
    target: str
    own: str
    values: list[Choice] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)
    order: str = ""
    dated: bool = False
    says: str = ""
    found: bool = False
    wrong: str = ""

    @property
    def open(self) -> int:
        """How many values have no meaning yet."""
        return sum(not one.means for one in self.values)


class Columns:
    """The form of one list, filled with guesses or with what was posted."""

    def __init__(self, one: Import, member: Member, *, at: datetime, posted: QueryDict | None = None) -> None:
        self.one, self.posted, self.today = one, posted, one.workspace.local(at).date()
        self.own = {named.label: named.name for named in FieldDefinition.objects.all()}
        self.dated = {f"fields.{n}" for n in FieldDefinition.objects.filter(kind="date").values_list("name", flat=True)}
        people = Member.objects.select_related("user").order_by("-active", "joined_at")
        self.people = {person.email.casefold(): person.name for person in people}
        # By the id of a field, what has to be put right there.
        self.wrong: dict[str, str] = {}
        self.kept: dict[str, Any] = one.mapping
        self.kept_from = ""
        if not self.kept:
            self.kept, self.kept_from = self._earlier()
        self.targets = self._posted_targets() if posted is not None else self._first_targets()
        self.lines = [self._line(place, column) for place, column in enumerate(one.columns) if column["name"]]
        self._whole()

    def _earlier(self) -> tuple[dict[str, Any], str]:
        """The map of the last list with the same columns, and its name."""
        for other in Import.objects.exclude(pk=self.one.pk).exclude(mapping={}).recent()[:20]:
            if other.header == self.one.header:
                return other.mapping, other.file_name
        return {}, ""

    def _first_targets(self) -> dict[int, str]:
        if self.kept:
            return {place: self.kept[name] for place, name in enumerate(self.one.header) if self.kept.get(name)}
        return guessing.guess(self.one.columns, self.own)

    def _posted_targets(self) -> dict[int, str]:
        assert self.posted is not None
        asked = self.posted.get("do") == "fields"
        found = {}
        for place, column in enumerate(self.one.columns):
            target = self.posted.get(f"to-{place}", "")[:LONGEST]
            if target == NEW or (asked and not target and column["filled"] and column["name"]):
                target = f"fields.{guessing.slug(column['name'])}"
            if target:
                found[place] = target
        return found

    def _said(self, name: str, otherwise: str) -> str:
        return self.posted.get(name, "").strip() if self.posted is not None else otherwise

    def _line(self, place: int, column: dict[str, Any]) -> Line:
        target = self.targets.get(place, "")
        own = target[7:] if target.startswith("fields.") and target[7:] not in self.own.values() else ""
        line = Line(place, column["name"], column["eg"], target, own)
        if target in ("stage", "customer_holder"):
            self._values(line, column)
        elif target in NO_MAIL:
            self._no_mail(line, column)
        elif target in WHEN or target in self.dated:
            self._dates(line, column)
        elif not target:
            line.says = "Nothing fits" if column["filled"] else "Empty"
        elif target.startswith("fields.") and guessing.OPT_OUT.search(guessing.plain(line.name)):
            line.says = "Only noted on the lead’s page; stops no mail"
        line.found = not (line.says or line.wrong)
        return line

    def _values(self, line: Line, column: dict[str, Any]) -> None:
        if not column["filled"]:
            line.says = "Empty"
            return
        if column["values"] is None:
            line.wrong = "Too many different values for this"
            self.wrong[f"to-{line.place}"] = (
                f"“{line.name}” has too many different values for this; let it go elsewhere."
            )
            return
        shown = self.posted is not None and self.posted.get(f"shown-{line.place}") == line.target
        kept = {str(old).casefold(): new for old, new in self.kept.get("$values", {}).get(line.name, {}).items()}
        blank = {word.casefold() for word in self._blank()}
        for number, (text, count) in enumerate(column["values"]):
            if text.casefold() in blank:
                continue
            name = f"v-{line.place}-{number}"
            if shown and self.posted is not None:
                means = self.posted.get(name, "")
            elif text.casefold() in kept:
                means = kept[text.casefold()] or NOTHING
            elif line.target == "stage":
                means = guessing.stage(text)
            else:
                means = guessing.member(text, self.people)
            line.values.append(Choice(name, text, count, means))
        if line.target == "stage":
            line.options = [(stage.value, stage.label) for stage in STAGES]
        else:
            line.options = list(self.people.items())
        word = "person" if line.target == "customer_holder" else "value"
        many = "people" if word == "person" else "values"
        line.says = plural(len(line.values), word, many) + (f", {line.open} to choose" if line.open else "")
        if shown:
            asks = "Choose what “{}” in “{}” means" if line.target == "stage" else "Choose who “{}” in “{}” is"
            for one in line.values:
                if not one.means:
                    one.wrong = asks.format(one.text, line.name) + ", or “Says nothing”."
                    self.wrong[one.name] = one.wrong
        elif self.posted is not None:
            self.wrong[f"to-{line.place}"] = f"Look at what stands in “{line.name}” and what each means."

    def _no_mail(self, line: Line, column: dict[str, Any]) -> None:
        """How many a column keeps from mail, where its words are few enough to tell."""
        blank = {word.casefold() for word in self._blank()}
        said = [(must_not(text), many) for text, many in column["values"] or [] if text.casefold() not in blank]
        if stops := sum(many for stop, many in said if stop):
            line.says = f"{plural(stops, 'person gets', 'people get')} no mail"
        if unread := sum(many for stop, many in said if stop is None):
            line.wrong = f"{plural(unread, 'row says', 'rows say')} neither yes nor no"

    def _dates(self, line: Line, column: dict[str, Any]) -> None:
        either = column["dates"].get("either", 0)
        known = self.kept.get("$dates", {}).get(line.name, "") or guessing.order(column)
        line.dated, line.order = True, self._said(f"d-{line.place}", known) or known
        sure = not either or column["dates"].get("day") or column["dates"].get("month") or column["dates"].get("year")
        line.says = "" if sure else f"Day first? {plural(either, 'row')} could be either"
        if not line.order and self.posted is not None:
            self.wrong[f"d-{line.place}"] = f"Choose how the dates in “{line.name}” are written."

    def _blank(self) -> list[str]:
        said = self._said("blank", ", ".join(self.kept.get("$blank") or guessing.blanks(self.one.columns)))
        return [word.strip() for word in said.split(",") if word.strip()]

    def _whole(self) -> None:
        """What holds for the whole file."""
        source = self.kept.get("$source", {})
        self.blank = ", ".join(self._blank())
        self.everybody = self._said("everybody", self.kept.get("$stage", ""))
        self.system = self._said("system", self.kept.get("$system", "") or guessing.system(self.one.columns))
        self.channel = self._said("channel", source.get("channel", ""))
        self.campaign = self._said("campaign", source.get("campaign", ""))
        self.about = self._said("about", "" if self.kept_from else self.kept.get("$about", ""))
        if self.posted is not None and (says := self._wrong_about()):
            self.wrong["about"] = says
        for name, what, longest in TYPED:
            if (many := len(getattr(self, name))) > longest:
                self.wrong[name] = f"{what}: write at most {longest} characters; this has {many:,}."
        self.stages = [(stage.value, stage.label) for stage in STAGES]
        self.channels: list[tuple[str, str]] = []
        self.campaigns: list[str] = []
        for origins in slot("origins"):
            known, named = origins()
            self.channels += known
            self.campaigns += named
        if self.channel and self.channel not in dict(self.channels):
            self.channels = [*self.channels, (self.channel, self.channel)]

    def _wrong_about(self) -> str:
        """Why the day of those without a date can't stand, or has to be given."""
        if self.about:
            try:
                day = date.fromisoformat(self.about)
            except ValueError:
                return "This is no date; write it like 2026-11-17."
            return (
                "This day is still to come." if day > self.today else "This is too long ago." if day.year < 1901 else ""
            )
        if any(line.target in WHEN for line in self.lines):
            return ""
        counts = [one.count for line in self.lines for one in line.values if one.means == Stage.CUSTOMER]
        if not counts and self.everybody != Stage.CUSTOMER:
            return ""
        who = f"the {plural(sum(counts), 'customer')}" if self.everybody != Stage.CUSTOMER else "everybody in this file"
        return f"Say since when about they are customers: without a date, {who} would count as this month’s."

    @property
    def look(self) -> list[Line]:
        """The columns that somebody should look at."""
        return [line for line in self.lines if line.target and not line.found]

    @property
    def left(self) -> list[Line]:
        """The columns that go nowhere."""
        return [line for line in self.lines if not line.target]

    @property
    def found(self) -> list[Line]:
        """The columns that are clear."""
        return [line for line in self.lines if line.target and line.found]

    @property
    def own_fields(self) -> list[tuple[str, str]]:
        """The business's own fields as targets."""
        return [(f"fields.{name}", label) for label, name in self.own.items()]

    groups = GROUPS
    orders = ORDERS

    def map(self) -> dict[str, Any]:
        """What the form says, as a map for the command."""
        given: dict[str, Any] = {line.name: line.target for line in self.lines if line.target}
        given["$blank"] = self._blank()
        given["$values"] = {
            line.name: {one.text: "" if one.means == NOTHING else one.means for one in line.values if one.means}
            for line in self.lines
            if line.values
        }
        given["$dates"] = {line.name: line.order for line in self.lines if line.dated and line.order}
        source = {"channel": self.channel, "campaign": self.campaign}
        given |= {"$source": {name: text for name, text in source.items() if text}}
        if self.about:
            given["$about"] = self.about
        if self.everybody:
            given["$stage"] = self.everybody
        if self.system:
            given["$system"] = self.system
        return given

    def judge(self, mapping: Mapping) -> None:
        """Raise WrongMap where too little is said to know anybody again."""
        targets = set(mapping.places.values())
        if not targets & KEYS and not ({"company"} <= targets and targets & {"name", "first_name", "last_name"}):
            raise WrongMap(
                "Say which column holds an e-mail, a phone or their number in another program; or a name and a company."
            )
        if (
            targets & {"customer_holder", "customer_since"}
            and "stage" not in targets
            and mapping.stage != Stage.CUSTOMER
        ):
            raise WrongMap("Say who is a customer: by a column with their stage, or everybody in this file.")


def source_words(given: dict[str, Any]) -> str:
    """Where the rows of a map say that people came from, where no column does."""
    said = given.get("$source", {})
    return " · ".join(said[name[7:]] for name in SOURCES if said.get(name[7:]))
