"""Count again in plain SQL what the pages say, and give every difference as a sentence."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from funnel.leads.stages import ARRIVALS, Stage
from funnel.outbox.kinds import CONTACTS
from funnel.workspaces.hours import between
from funnel.workspaces.models import Member
from funnel.workspaces.months import begins_on, periods_at
from funnel.workspaces.slots import slot
from sales.queue.desk import MOST
from tests.proof.year import Year

COLUMNS = ("received_at", *ARRIVALS.values(), "customer_since")
PLANNED = ("Late", "Today", "Tomorrow", "Later")
PARTS = ("everybody", "facts", "homes", "handoffs", "months", "marketings", "desks")
STANDS = {"accepted": "taken", "given_back": "back", "": "waits"}

# What became of the leads that were handed over for the first time between two moments: a row per chain of offers.
CHAINS = """
WITH RECURSIVE chain(root, opened, due, id) AS (
    SELECT id, opened_at, due_at, id FROM funnel_handoff
    WHERE workspace_id = %(ws)s AND follows_id IS NULL AND opened_at >= %(since)s AND opened_at < %(until)s
    UNION ALL
    SELECT chain.root, chain.opened, chain.due, h.id FROM funnel_handoff h JOIN chain ON h.follows_id = chain.id
    WHERE h.workspace_id = %(ws)s
)
SELECT h.outcome, chain.due < %(at)s, coalesce(h.closed_by_id, h.offered_to_id), h.fit_band, h.given_back_at,
    h.reason_id, chain.opened, h.closed_at, s.channel, s.campaign, l.id,
    (SELECT min(e.occurred_at) FROM funnel_event e WHERE e.workspace_id = %(ws)s AND e.lead_id = h.lead_id
        AND e.kind IN ({contacts}) AND e.actor_id IS NOT NULL AND e.occurred_at >= chain.opened AND e.voids_id IS NULL
        AND NOT EXISTS (SELECT 1 FROM funnel_event v WHERE v.voids_id = e.id))
FROM chain JOIN funnel_handoff h ON h.id = chain.id JOIN funnel_lead l ON l.id = h.lead_id
JOIN funnel_source s ON s.id = l.source_id
WHERE NOT EXISTS (SELECT 1 FROM funnel_handoff n WHERE n.follows_id = h.id)
""".format(contacts=", ".join(f"'{kind}'" for kind in CONTACTS))
LAPSES = """
WITH RECURSIVE chain(root, id) AS (
    SELECT id, id FROM funnel_handoff
    WHERE workspace_id = %(ws)s AND follows_id IS NULL AND opened_at >= %(since)s AND opened_at < %(until)s
    UNION ALL
    SELECT chain.root, h.id FROM funnel_handoff h JOIN chain ON h.follows_id = chain.id WHERE h.workspace_id = %(ws)s
)
SELECT count(*) FROM (SELECT DISTINCT chain.root, h.offered_to_id FROM chain JOIN funnel_handoff h ON h.id = chain.id
    WHERE h.outcome = 'expired' AND h.offered_to_id IS NOT NULL) AS lapsed
"""
# Leads of a period with what became of them; money by its own two statements.
LEADS = """
SELECT {by}, count(*), sum(CASE WHEN l.stage = 'customer' THEN 1 ELSE 0 END),
    sum(CASE WHEN h.lead_id IS NOT NULL THEN 1 ELSE 0 END), sum(coalesce(h.taken, 0)),
    sum(CASE WHEN h.taken = 0 AND h.waits = 1 THEN 1 ELSE 0 END),
    sum(CASE WHEN h.taken = 0 AND h.waits = 0 AND h.back = 1 THEN 1 ELSE 0 END), sum(coalesce(h.back, 0))
FROM funnel_lead l LEFT JOIN marketing_placement p ON p.source_id = l.source_id
LEFT JOIN (
    SELECT lead_id, max(CASE WHEN outcome = 'accepted' THEN 1 ELSE 0 END) AS taken,
        max(CASE WHEN outcome = '' THEN 1 ELSE 0 END) AS waits,
        max(CASE WHEN given_back_at IS NOT NULL THEN 1 ELSE 0 END) AS back
    FROM funnel_handoff WHERE workspace_id = %(ws)s GROUP BY lead_id
) AS h ON h.lead_id = l.id
WHERE l.workspace_id = %(ws)s AND l.received_at >= %(since)s AND l.received_at < %(until)s GROUP BY {by}
"""
BROUGHT = """
SELECT {by}, sum(r.base_amount) FROM funnel_revenue r JOIN funnel_lead l ON l.id = r.lead_id
LEFT JOIN marketing_placement p ON p.source_id = l.source_id
WHERE r.workspace_id = %(ws)s AND l.received_at >= %(since)s AND l.received_at < %(until)s GROUP BY {by}
"""
SPENT = """
SELECT {by}, sum(c.base_amount) FROM funnel_cost c LEFT JOIN marketing_placement p ON p.source_id = c.source_id
WHERE c.workspace_id = %(ws)s AND c.occurred_at >= %(since)s AND c.occurred_at < %(until)s GROUP BY {by}
"""
NAMES = ("leads", "customers", "ready", "taken", "waits", "back_at_once", "given_back")


class Recount:
    """The pages of one moment beside the tables."""

    def __init__(self, year: Year) -> None:
        self.year, self.workspace, self.now = year, year.workspace, year.clock.now
        self.found: list[str] = []
        self.given = {"ws": year.workspace.pk, "at": self.now}

    def rows(self, sql: str, **also: Any) -> list[tuple[Any, ...]]:
        given = {name: _plain(value) for name, value in (self.given | also).items()}
        with self.year.gate(), connection.cursor() as cursor:
            cursor.execute(sql, given)
            return [tuple(_read(value) for value in row) for row in cursor.fetchall()]

    def one(self, sql: str, **also: Any) -> Any:
        return self.rows(sql, **also)[0][0] or 0

    def same(self, what: str, page: Any, sql: Any) -> None:
        """Note it where a page says something else than the tables."""
        if page != sql:
            self.found.append(f"{what}: the page says {page}, the tables {sql}")

    def page(self, member: Member, name: str, **query: str) -> Any:
        client = Client()
        client.force_login(member.user, backend="funnel.workspaces.login.LoginBackend")
        answer = client.get(reverse(name), query)
        assert answer.status_code == 200, (name, answer.status_code)
        return {key: value for part in answer.context for key, value in part.flatten().items()}

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
        stuck = "SELECT count(*) FROM funnel_effect WHERE workspace_id = %(ws)s AND state = 'stuck'"
        self.same("stuck", 0, self.one(stuck))
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
        self.same(f"{what}: late", numbers.get("late", 0), self.one(offers + "due_at < %(at)s"))
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
        self.entries(what, page["entries"], span)
        self.deals(what, page)
        if page["headline"] is None:
            self.same(f"{what}: nothing", (0, None), (self.won(span, None), self.target(period, None)))
        else:
            card = page["headline"]["context"]
            self.money(what, card, period, span, None)
            each = {one.pk: (won, target) for one, won, target in card["each"]}
            for rep in self.year.reps:
                won, target = self.won(span, rep), self.target(period, rep)
                self.same(f"{what}: {rep.name}", each.get(rep.pk, (0, None)), (won, target))
        rows = next(card["context"] for card in page["cards"] if "channels_card" in card["template"])["rows"]
        names = dict(self.rows("SELECT id, name FROM marketing_channel WHERE workspace_id = %(ws)s"))
        page_says = {row["name"]: _figures(row["figures"]) for row in rows}
        counted = {names[key]: figures for key, figures in self.figures("p.channel_id", span).items()}
        self.same(f"{what}: channels", page_says, counted)

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
        self.same(f"{what}: sum won", card["pace"].won, self.won(span, who))
        self.same(f"{what}: target", card["pace"].target, self.target(period, who))
        rows = card["won"].rows
        if rows or card["won"].more:
            _, so_far, _ = rows[-1]
            self.same(f"{what}: rows won", so_far, self.won(span, who))
            shown = sum(row.base_amount for row, _, _ in rows)
            self.same(f"{what}: rows and the rest", shown + card["won"].rest, self.won(span, who))
        sql = "SELECT count(*) FROM funnel_lead WHERE workspace_id = %(ws)s AND customer_since >= %(since)s"
        sql += " AND customer_since < %(until)s" + (" AND holder_id = %(who)s" if who else "")
        self.same(f"{what}: customers", card["customers"], self.one(sql, who=who and who.pk, **span))

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
        planned = self.one(
            "SELECT count(*) FROM sales_task t JOIN funnel_lead l ON l.id = t.lead_id WHERE t.workspace_id = %(ws)s"
            " AND t.done_at IS NULL AND t.holder_id = %(who)s AND (l.holder_id = %(who)s OR EXISTS (SELECT 1 FROM"
            " sales_deal d WHERE d.lead_id = l.id AND d.holder_id = %(who)s AND d.stage IN ('qualified', 'demo',"
            " 'negotiation')))", who=rep.pk,
        )  # fmt: skip
        rows = [row for group in page["groups"] if group.title in PLANNED for row in group.rows]
        first = [row for row in rows if row.what.startswith("Call first")]
        self.same(f"{what}: planned", len(rows) - len(first), min(planned, MOST))

    def figures(self, by: str, span: dict[str, Any]) -> dict[Any, dict[str, int]]:
        """Counts and money of marketing, in groups."""
        found: dict[Any, Counter[str]] = {}
        for key, *counts in self.rows(LEADS.format(by=by), **span):
            found.setdefault(key, Counter()).update(dict(zip(NAMES, map(int, counts), strict=True)))
        for name, sql in (("revenue", BROUGHT), ("cost", SPENT)):
            for key, amount in self.rows(sql.format(by=by), **span):
                found.setdefault(key, Counter())[name] += int(amount)
        return {key: {name: many for name, many in one.items() if many} for key, one in found.items()}

    def marketing(self, key: str, span: dict[str, Any]) -> None:
        """Marketing's home."""
        page, what = self.page(self.year.marketer, "marketing:home", period=key), f"marketing, {key}"
        channels = self.figures("p.channel_id", span)
        whole: Counter[str] = Counter()
        for figures in channels.values():
            whole.update(figures)
        self.same(f"{what}: all", _figures(page["total"]), {name: many for name, many in whole.items() if many})
        self.same(f"{what}: channels", {row["pk"]: _figures(row["figures"]) for row in page["channels"]}, channels)
        campaigns = self.figures("p.campaign_id", span)
        none = campaigns.pop(None, {})
        shown = {_read(one.pk): _figures(figures) for one, figures, _ in page["campaigns"]["rows"]}
        self.same(f"{what}: campaigns", {pk: told for pk, told in shown.items() if told},
                  {str(pk) if isinstance(pk, UUID) else pk: told for pk, told in campaigns.items()})  # fmt: skip
        self.same(f"{what}: no campaign", _figures(page["campaigns"]["none"]), none)
        reasons = self.rows(
            "SELECT r.name, count(DISTINCT h.lead_id) FROM funnel_handoff h JOIN funnel_givebackreason r"
            " ON r.id = h.reason_id JOIN funnel_lead l ON l.id = h.lead_id WHERE h.workspace_id = %(ws)s"
            " AND h.given_back_at IS NOT NULL AND l.received_at >= %(since)s GROUP BY r.name", **span,
        )  # fmt: skip
        self.same(f"{what}: reasons", dict(page["reasons"]), dict(reasons))

    def handoffs_of(self, period: Any, span: dict[str, Any]) -> None:
        """The page of how handoffs of a period went."""
        page, what = self.page(self.year.owner, "handoff-figures", period=period.key), f"handoffs, {period.key}"
        rows = self.rows(CHAINS, **span)
        stands = Counter(STANDS.get(row[0], "otherwise") for row in rows)
        whole = page["all"]
        self.same(f"{what}: handed", whole.handed, len(rows))
        for name in ("taken", "back", "waits", "otherwise"):
            self.same(f"{what}: {name}", getattr(whole, name), stands[name])
        self.same(f"{what}: late", whole.late, sum(1 for row in rows if row[0] == "" and row[1]))
        self.same(f"{what}: later", whole.later, sum(1 for row in rows if row[0] == "accepted" and row[4]))
        self.same(f"{what}: lapses", page["lapses"], self.one(LAPSES, **span))
        taken = [row for row in rows if row[0] == "accepted"]
        for name, place in (("took", 7), ("spoke", 11)):
            minutes = [between(self.workspace, row[6], row[place]).total_seconds() / 60 for row in taken if row[place]]
            page_says, mine = getattr(whole, name), statistics.median(minutes) if minutes else None
            if (page_says is None) != (mine is None) or (mine is not None and abs(page_says - mine) > 1e-6):
                self.found.append(f"{what}: {name}: the page says {page_says}, the tables {mine}")
        for by, _, lines in page["tables"]:
            place = {"rep": 2, "fit": 3, "channel": 8, "campaign": 9}[by]
            told = {line.key.casefold(): line.handed for line in lines if line.handed}
            blank = {"rep": "pool", "fit": "none", "campaign": "none"}.get(by, "")
            self.same(f"{what}: by {by}", told, dict(Counter((row[place] or blank).casefold() for row in rows)))
        back = Counter(row[5] for row in rows if row[4])
        self.same(f"{what}: reasons", {pk: many for pk, _, many, _ in page["reasons"]}, dict(back))


def _figures(figures: Any) -> dict[str, int]:
    return {name: many for name in (*NAMES, "revenue", "cost") if (many := getattr(figures, name))}


def _plain(value: Any) -> Any:
    """A value as the tables hold it."""
    if isinstance(value, UUID):
        return value.hex if settings.SQLITE else str(value)
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value.isoformat() if isinstance(value, date) else value


def _read(value: Any) -> Any:
    """An id, or a moment, whichever way the driver gives it."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and len(value) == 32 and all(sign in "0123456789abcdef" for sign in value):
        return str(UUID(value))
    if isinstance(value, str) and value[:2] == "20" and len(value) >= 19 and value[10] == " ":
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def look(year: Year) -> list[str]:
    """Compare every number with a recount at this moment of the year."""
    return Recount(year).look()
