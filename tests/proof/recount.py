"""Count again in plain SQL what the pages say, and give every difference as a sentence."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from unittest.mock import patch

from funnel.leads.stages import ARRIVALS, Stage
from funnel.workspaces.hours import between
from funnel.workspaces.models import Member
from funnel.workspaces.months import begins_on, periods_at
from funnel.workspaces.slots import slot
from sales.queue.desk import MOST
from tests.proof.tables import (
    CHAINS,
    DEMOS,
    DONE,
    DROPPED,
    FALLEN,
    HOLDERS,
    LAPSES,
    NEEDS,
    NO_STEP,
    NOTHING,
    RUNNING,
    SILENT,
    STEPS,
    Tables,
    read,
    reckoned,
    told,
)
from tests.proof.year import Year
from tests.proof.year_clock import HOLIDAYS, ZONE

COLUMNS = ("received_at", *ARRIVALS.values(), "customer_since")
PLANNED = ("Late", "Today", "Tomorrow", "Later")
PARTS = ("everybody", "facts", "homes", "handoffs", "months", "marketings", "desks")
LINE = ("handed", "taken", "back", "waits", "otherwise", "late", "later", "lapses", "took", "spoke")
STANDS = {"accepted": "taken", "given_back": "back", "": "waits"}


class Recount(Tables):
    """The pages of one moment beside the tables."""

    # ── all ──

    def look(self) -> list[str]:
        """Everything: nothing is lost, the facts hold, and the pages are right."""
        for part in PARTS:
            getattr(self, part)()
        return self.found

    def everybody(self) -> list[str]:
        """Who came is there, once, and nothing is stuck."""
        came = set(self.year.came.values())
        self.same("people", len(came), len(self.year.came))
        self.same("leads", {row[0] for row in self.rows("SELECT id FROM funnel_lead WHERE workspace_id = %(ws)s")},
                  {str(pk) for pk in came})  # fmt: skip
        held = self.rows("SELECT id FROM marketing_submission WHERE workspace_id = %(ws)s AND quarantined")
        self.same("held", {str(pk) for pk in self.year.held}, {row[0] for row in held})
        for name, sql in DONE.items():
            self.same(name, self.year.did[name], self.one(sql))
        for name, sql in DROPPED.items():
            self.same(name, 0, self.one(sql))
        return self.found

    def facts(self) -> list[str]:
        """What check_facts compares, at this moment of the year."""
        with self.year.gate():
            self.found += [f"{name}: {says}" for fact in slot("facts") for name, says in fact(self.workspace, self.now)]
        return self.found

    def _spans(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        for period in periods_at(self.now, self.workspace).values():
            first, after = (begins_on(day, self.workspace) for day in (period.first, period.after))
            yield period, {"since": first, "until": after}

    def homes(self) -> list[str]:
        """The owner's home, by each period that it offers."""
        for period, span in self._spans():
            self.home(period, span)
        return self.found

    def handoffs(self) -> list[str]:
        """The page of how handoffs went, by each period."""
        for period, span in self._spans():
            self.handoffs_of(period, span)
        return self.found

    def months(self) -> list[str]:
        """Each rep's own month."""
        for period, span in self._spans():
            for rep in self.year.reps:
                self.month(rep, period, span)
        return self.found

    def marketings(self) -> list[str]:
        """Marketing's home, by each period that it offers."""
        begin = {name: periods_at(self.now, self.workspace)[name].first for name in ("month", "quarter")}
        for name, day in (begin | {"all": date(1990, 1, 1)}).items():
            self.marketing(name, {"since": begins_on(day, self.workspace), "until": self.now + timedelta(days=999)})
        return self.found

    def desks(self) -> list[str]:
        """Each rep's desk."""
        for rep in self.year.reps:
            self.desk(rep)
        return self.found

    def home(self, period: Any, span: dict[str, Any]) -> None:
        """The owner's home."""
        page, what = self.page(self.year.owner, "home", period=period.key), f"home, {period.key}"
        numbers, lead = page["numbers"], "SELECT count(*) FROM funnel_lead WHERE workspace_id = %(ws)s AND "
        offers = "SELECT count(*) FROM funnel_handoff WHERE workspace_id = %(ws)s AND outcome = '' AND "
        month = begins_on(self.workspace.local(self.now).date().replace(day=1), self.workspace)
        self.same(f"{what}: won", numbers.get("won", 0), self.one(lead + "customer_since >= %(m)s", m=month))
        self.same(f"{what}: go", numbers.get("go", 0), self.one(lead + "waits_since IS NOT NULL"))
        self.same(f"{what}: wait", numbers.get("waiting", 0), self.one(offers + "1 = 1"))
        first = "EXISTS (SELECT 1 FROM funnel_handoff f WHERE f.lead_id = h.lead_id AND f.opened_at = h.began_at"
        late = offers.replace("WHERE", "h WHERE") + f"(due_at < %(at)s OR {first} AND f.due_at < %(at)s))"
        self.same(f"{what}: late", numbers.get("late", 0), self.one(late))
        self.same(f"{what}: pool", numbers.get("pool", 0), self.one(offers + "offered_to_id IS NULL"))
        stages = dict(self.rows("SELECT stage, count(*) FROM funnel_lead WHERE workspace_id = %(ws)s GROUP BY stage"))
        labels = {Stage(stage).label: many for stage, many in stages.items()}
        for leg in page["legs"]:
            for stop in leg["stops"]:
                if stop["label"] in [one.label for one in Stage]:
                    self.same(f"{what}: {stop['label']}", stop["count"], labels.get(stop["label"], 0))
        ended = ("customer", "lost", "disqualified")
        on_the_way = sum(many for stage, many in stages.items() if stage not in ended)
        self.same(f"{what}: on the way", page["on_the_way"], on_the_way)
        self.needs(what, page)
        self.entries(what, page["entries"], span)
        self.deals(what, page)
        if page["headline"] is None:
            self.same(f"{what}: nothing", (0, None), (self.won(span, None), self.target(period, None)))
        else:
            card = page["headline"]["context"]
            self.money(what, card, period, span, None)
            each = {one.pk: (won, target) for one, won, target in card["each"]}
            for rep in self.year.people.values():
                won, target = self.won(span, rep), self.target(period, rep)
                self.same(f"{what}: {rep.name}", each.get(rep.pk, (0, None)), (won, target))
        card = next(card["context"] for card in page["cards"] if "channels_card" in card["template"])
        names = dict(self.rows("SELECT id, name FROM marketing_channel WHERE workspace_id = %(ws)s"))
        counted = {names[key]: figures for key, figures in self.figures("p.channel_id", span).items()}
        self.groups(f"{what}: channels", {row["name"]: row["figures"] for row in card["rows"]}, counted)
        self.same(
            f"{what}: all channels", told(card["total"]), reckoned(sum(map(Counter, counted.values()), Counter()))
        )

    def needs(self, what: str, page: Any) -> None:
        """With whom they are, whom nobody spoke to in time, and how many things need the owner."""
        holders = self.rows(HOLDERS)
        names = sorted(f"{name.split()[0]} {many:,}" for name, _, many in holders)
        self.same(f"{what}: holders", sorted(filter(None, page["legs"][2]["note"].split(", "))), names)
        self.same(f"{what}: held", page["held"], sum(row[2] for row in holders))
        left = sum(many for _, active, many in holders if not active)
        self.same(f"{what}: left", page["numbers"]["left"], left)
        silent = self.one(SILENT, lately=self.now - timedelta(days=92))
        self.same(f"{what}: silent", page["numbers"].get("silent", 0), silent)
        week, sql = self.now - timedelta(days=7), "FROM funnel_handoff WHERE workspace_id = %(ws)s AND "
        offers = self.rows(f"SELECT id, due_at < %(at)s, offered_to_id {sql} outcome = '' ORDER BY due_at, id")
        named = [pk for pk, late, _ in offers[:5] if late]
        own = [pk for pk, _, who in offers if who == str(self.year.owner.pk)][:5]
        back = self.one(f"SELECT count(*) {sql} given_back_at >= %(week)s", week=week)
        by_itself = [self.one(one, week=week, mail=self.year.owner.email) for one in NEEDS]
        takers = "SELECT count(*) FROM funnel_member WHERE workspace_id = %(ws)s AND active AND takes_leads"
        no_taker = page["on_the_way"] and not self.one(takers)
        lines = {need["icon"]: int(need["what"].split()[0].replace(",", "")) for need in page["needs"]}
        held, asked = (self.one(one) for one in NEEDS[:2])
        self.same(f"{what}: held back", lines.get("inbox", 0), held)
        self.same(f"{what}: questions", lines.get("message-2", 0), asked)
        things = len({*named, *own}) + min(back, 3) + sum(map(bool, (*by_itself, left, silent, no_taker)))
        self.same(f"{what}: things", page["things"], things)

    def entries(self, what: str, entries: list[Any], span: dict[str, Any]) -> None:
        """Who came to each stage in the period, how many went on, and after how many days."""
        since, until = span["since"], span["until"]
        ways = self.rows(f"SELECT {', '.join(COLUMNS)} FROM funnel_lead WHERE workspace_id = %(ws)s")
        came = [[next((one for one in way[place:] if one), None) for place in range(len(way))] for way in ways]
        for place, (entry, _, _) in enumerate(entries):
            inside = [n for n, row in enumerate(came) if row[place] and since <= row[place] < until]
            self.same(f"{what}: came to {entry.stage}", entry.entered, len(inside))
            if place + 1 < len(COLUMNS):
                on = [n for n in inside if came[n][place + 1]]
                self.same(f"{what}: went on from {entry.stage}", entry.went_on, len(on))
                stays = [(came[n][place + 1] - ways[n][place]) / timedelta(days=1) for n in on if ways[n][place]]
                days = statistics.median(stays) if stays else None
                if (entry.days is None) != (days is None) or (days is not None and abs(entry.days - days) > 1e-6):
                    self.found.append(f"{what}: days at {entry.stage}: the page says {entry.days}, the tables {days}")

    def deals(self, what: str, page: Any) -> None:
        """What the open deals are worth, by stage and together."""
        found = self.rows(
            "SELECT stage, count(*), sum(amount) FROM sales_deal WHERE workspace_id = %(ws)s"
            " AND stage IN ('qualified', 'demo', 'negotiation') GROUP BY stage"
        )
        worth = {str(entry.stage): (one.many, one.sums["GBP"]) for entry, _, one in page["entries"] if one}
        self.same(f"{what}: open deals", worth, {stage: (many, amount) for stage, many, amount in found})
        whole = (sum(row[1] for row in found), sum(row[2] for row in found))
        self.same(f"{what}: all open deals", (page["open"].many, page["open"].sums["GBP"]), whole)

    def won(self, span: dict[str, Any], who: Member | None) -> int:
        sql = "SELECT sum(base_amount) FROM funnel_revenue WHERE workspace_id = %(ws)s AND occurred_at >= %(since)s"
        sql += " AND occurred_at < %(until)s" + (" AND holder_id = %(who)s" if who else "")
        found: int = self.one(sql, who=who and who.pk, **span)
        return int(found)

    def target(self, period: Any, who: Member | None) -> int | None:
        sql = "SELECT sum(amount) FROM sales_target WHERE workspace_id = %(ws)s AND month >= %(first)s"
        sql += " AND month < %(after)s" + (" AND member_id = %(who)s" if who else "")
        found = self.rows(sql, first=period.first, after=period.after, who=who and who.pk)[0][0]
        return None if found is None else int(found)

    def money(self, what: str, card: Any, period: Any, span: dict[str, Any], who: Member | None) -> None:
        """What was won against what was to be won, the rows behind it, and who became a customer."""
        self.pace(f"{what}: pace", card["pace"], period, who)
        if period.key == "month":
            self.pace(f"{what}: quarter beside", card["wider"], periods_at(self.now, self.workspace)["quarter"], who)
        rows = card["won"].rows
        if rows or card["won"].more:
            _, so_far, _ = rows[-1]
            self.same(f"{what}: rows won", so_far, self.won(span, who))
            shown = sum(row.base_amount for row, _, _ in rows)
            self.same(f"{what}: rows and the rest", shown + card["won"].rest, self.won(span, who))
        sql = "SELECT count(*) FROM funnel_lead WHERE workspace_id = %(ws)s AND customer_since >= %(since)s"
        sql += " AND customer_since < %(until)s" + (" AND holder_id = %(who)s" if who else "")
        self.same(f"{what}: customers", card["customers"], self.one(sql, who=who and who.pk, **span))

    def pace(self, what: str, pace: Any, period: Any, who: Member | None) -> None:
        """What was won and was to be, what an even pace brings by today, and near what the period ends."""
        since, until = (begins_on(day, self.workspace) for day in (period.first, period.after))
        won, target = self.won({"since": since, "until": until}, who), self.target(period, who)
        days = (period.first + timedelta(days=ahead) for ahead in range((period.after - period.first).days))
        work = [day for day in days if day.weekday() < 5 and day.isoformat() not in HOLIDAYS]
        today = self.now.astimezone(ZONE).date()
        over = sum(day < today for day in work)
        even = None if target is None else round(Fraction(target * over, len(work)))
        ends = round(Fraction(won * len(work), over)) if over and today < period.after else None
        says = (pace.won, pace.target, pace.even, pace.ahead, pace.ends_near)
        self.same(what, says, (won, target, even, None if even is None else won - even, ends))

    def month(self, rep: Member, period: Any, span: dict[str, Any]) -> None:
        """A rep's own month."""
        page = self.page(rep, "sales:month", period=period.key)
        self.money(f"{rep.name}, {period.key}", page["card"], period, span, rep)

    def desk(self, rep: Member) -> None:
        """What waits for a rep, and what is planned."""
        page, what = self.page(rep, "sales:desk"), f"desk of {rep.name}"
        new = self.one(
            "SELECT count(*) FROM funnel_handoff WHERE workspace_id = %(ws)s AND outcome = ''"
            " AND (offered_to_id = %(who)s OR offered_to_id IS NULL)", who=rep.pk,
        )  # fmt: skip
        self.same(f"{what}: new", page["new"], new)
        days = [begins_on(self.now.astimezone(ZONE).date() + timedelta(days=n), self.workspace) for n in (1, 2)]
        spans = {"who": rep.pk, "tomorrow": days[0], "beyond": days[1]}
        planned = [row for sql in (STEPS, DEMOS) for row in self.rows(sql, **spans)[:MOST]]
        seen = {pk for _, pk in planned}
        rest = [row for row in self.rows(NO_STEP, who=rep.pk)[: 3 * MOST] if row[1] not in seen]
        silent = [row for row in rest if row[0] != NOTHING][:MOST]
        first = {pk for _, pk in silent}
        fallen = [row for row in self.rows(FALLEN, **spans)[:MOST] if row[1] not in first]
        rows = Counter(title for title, _ in planned + silent + fallen)
        rows[NOTHING] = min(len({pk for _, pk in rest} - {pk for _, pk in fallen} - first), MOST)
        shown = {group.title: len(group.rows) for group in page["groups"]}
        for title in (*PLANNED, NOTHING):
            self.same(f"{what}: {title}", shown.get(title, 0), rows[title])
        self.same(f"{what}: to do", page["to_do"], new + sum(rows[title] for title in PLANNED[:3]))

    def groups(self, what: str, page: dict[Any, Any], tables: dict[Any, dict[str, int]]) -> None:
        """Groups of figures; one in which there is nothing may stand there or not."""
        says = {key: told(figures) for key, figures in page.items()}
        counted = {key: reckoned(counts) for key, counts in tables.items()}
        for key in {**says, **counted}:
            self.same(f"{what}: {key}", says.get(key, {}), counted.get(key, {}))

    def marketing(self, key: str, span: dict[str, Any]) -> None:
        """Marketing's home."""
        page, what = self.page(self.year.marketer, "marketing:home", period=key), f"marketing, {key}"
        channels = self.figures("p.channel_id", span)
        whole: Counter[str] = sum(map(Counter, channels.values()), Counter())
        self.same(f"{what}: all", told(page["total"]), reckoned(whole))
        self.groups(f"{what}: channels", {row["pk"]: row["figures"] for row in page["channels"]}, channels)
        campaigns = self.figures("p.campaign_id", span)
        none = campaigns.pop(None, {})
        self.same(f"{what}: no campaign", told(page["campaigns"]["none"]), reckoned(none))
        running = [pk for (pk,) in self.rows(RUNNING, today=self.now.astimezone(ZONE).date())]
        self.campaigns(what, page["campaigns"], campaigns, running[:20])
        # There are few: what is left out is seen where a page has no room.
        with patch("marketing.reports.views.SHOWN", 1):
            page_of_one = self.page(self.year.marketer, "marketing:home", period=key)
        self.campaigns(f"{what}, one shown", page_of_one["campaigns"], campaigns, running[:1])
        held, asked = (self.one(one) for one in NEEDS[:2])
        self.same(f"{what}: held", len(page["held"]), min(held, 1))
        self.same(f"{what}: questions", page["questions"], asked)
        reasons = self.rows(
            "SELECT r.name, count(DISTINCT h.lead_id) FROM funnel_handoff h JOIN funnel_givebackreason r"
            " ON r.id = h.reason_id JOIN funnel_lead l ON l.id = h.lead_id WHERE h.workspace_id = %(ws)s"
            " AND h.given_back_at IS NOT NULL AND l.received_at >= %(since)s GROUP BY r.name", **span,
        )  # fmt: skip
        self.same(f"{what}: reasons", dict(page["reasons"]), dict(reasons))

    def campaigns(self, what: str, page: Any, counted: dict[Any, dict[str, int]], running: list[Any]) -> None:
        """The campaigns with the most leads, and what the others bring together."""
        shown = {read(one.pk): figures for one, figures, _ in page["rows"]}
        self.groups(f"{what}: campaigns", shown, {pk: one for pk, one in counted.items() if pk in shown})
        others = [one for pk, one in counted.items() if pk not in shown]
        self.same(f"{what}: others", max(page["others"], 0), len({*counted, *running} - {*shown}))
        self.same(f"{what}: rest", told(page["rest"]), reckoned(sum(map(Counter, others), Counter())))
        least = min((figures.leads for figures in shown.values()), default=0)
        self.same(f"{what}: others with more", 0, sum(1 for one in others if one.get("leads", 0) > least))

    def handoffs_of(self, period: Any, span: dict[str, Any]) -> None:
        """The page of how handoffs of a period went."""
        page, what = self.page(self.year.owner, "handoff-figures", period=period.key), f"handoffs, {period.key}"
        rows = self.rows(CHAINS, **span)
        lapses = Counter(dict(self.rows(LAPSES, **span)))
        self.same(f"{what}: lapses", page["lapses"], lapses.total())
        self.same(f"{what}: all", _line(page["all"]), self.stood(rows))
        for by, _, lines in page["tables"]:
            place = {"rep": 2, "fit": 3, "channel": 8, "campaign": 9}[by]
            blank = {"rep": "pool", "fit": "none", "campaign": "none"}.get(by, "")
            groups: dict[str, list[Any]] = {who: [] for who in lapses} if by == "rep" else {}
            for row in rows:
                groups.setdefault((row[place] or blank).casefold(), []).append(row)
            says = {line.key.casefold(): _line(line) for line in lines}
            counted = {key: self.stood(ones, lapses[key] if by == "rep" else 0) for key, ones in groups.items()}
            for key in {**says, **counted}:
                self.same(f"{what}: by {by}: {key}", says.get(key), counted.get(key))
        back = Counter(row[5] for row in rows if row[4])
        self.same(f"{what}: reasons", {pk: many for pk, _, many, _ in page["reasons"]}, dict(back))

    def stood(self, rows: list[Any], lapses: int = 0) -> dict[str, float]:
        """What became of some of them, and the medians of working minutes until they were taken and spoken to."""
        found: dict[str, float] = Counter(STANDS.get(row[0], "otherwise") for row in rows)
        found |= {"handed": len(rows), "lapses": lapses, "late": sum(1 for row in rows if row[0] == "" and row[1])}
        taken = [row for row in rows if row[0] == "accepted"]
        found["later"] = sum(1 for row in taken if row[4])
        for name, place in (("took", 7), ("spoke", 11)):
            minutes = [between(self.workspace, row[6], row[place]).total_seconds() / 60 for row in taken if row[place]]
            found[name] = round(statistics.median(minutes), 3) if minutes else 0
        return {name: many for name, many in found.items() if many}


def _line(line: Any) -> dict[str, float]:
    return {name: round(many, 3) for name in LINE if (many := getattr(line, name))}


def look(year: Year) -> list[str]:
    """Compare every number with a recount at this moment of the year."""
    return Recount(year).look()
