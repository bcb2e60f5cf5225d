"""The tables of a played year in plain SQL, beside which recount.py lays the pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from funnel.outbox.kinds import CONTACTS
from funnel.workspaces.models import Member
from tests.proof.year import Year

OPEN = "'qualified', 'demo', 'negotiation'"
NOTHING = "Without a next step"
OF_WHO_LEFT = " JOIN funnel_member m ON m.id = t.holder_id WHERE t.workspace_id = %(ws)s AND NOT m.active"
# What became of the leads that were handed over for the first time between two moments: a row per chain of offers.
CHAINS = """
WITH RECURSIVE chain(root, opened, due, id) AS (
    SELECT id, opened_at, due_at, id FROM funnel_handoff
    WHERE workspace_id = %(ws)s AND follows_id IS NULL AND opened_at >= %(since)s AND opened_at < %(until)s
    UNION ALL
    SELECT chain.root, chain.opened, chain.due, h.id FROM funnel_handoff h JOIN chain ON h.follows_id = chain.id
    WHERE h.workspace_id = %(ws)s
)
SELECT h.outcome, chain.due < %(at)s OR h.due_at < %(at)s, coalesce(h.closed_by_id, h.offered_to_id), h.fit_band,
    h.given_back_at, h.reason_id, chain.opened, h.closed_at, s.channel, s.campaign, l.id,
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
SELECT who, count(*) FROM (
    SELECT DISTINCT chain.root, h.offered_to_id AS who FROM chain JOIN funnel_handoff h ON h.id = chain.id
    WHERE h.outcome = 'expired' AND h.offered_to_id IS NOT NULL
) AS lapsed GROUP BY who
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
# Nobody of us spoke to them since their handoff `h` began.
UNSPOKEN = """
    h.workspace_id = %(ws)s AND h.outcome = 'accepted' AND h.given_back_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM funnel_event e WHERE e.workspace_id = %(ws)s AND e.lead_id = h.lead_id
        AND e.kind IN ({contacts}) AND e.actor_id IS NOT NULL AND e.occurred_at >= h.began_at AND e.voids_id IS NULL
        AND NOT EXISTS (SELECT 1 FROM funnel_event v WHERE v.voids_id = e.id))
""".format(contacts=", ".join(f"'{kind}'" for kind in CONTACTS))
SELLING = "l.workspace_id = %(ws)s AND l.stage IN ('working', 'qualified', 'demo', 'negotiation')"
SILENT = f"""
SELECT count(*) FROM funnel_handoff h JOIN funnel_lead l ON l.id = h.lead_id WHERE {SELLING} AND {UNSPOKEN}
AND l.holder_id IS NOT NULL AND h.contact_due_at < %(at)s AND h.opened_at >= %(lately)s
"""
HOLDERS = f"""
SELECT u.name, m.active, count(*) FROM funnel_lead l JOIN funnel_member m ON m.id = l.holder_id
JOIN funnel_user u ON u.id = m.user_id WHERE {SELLING} GROUP BY m.id, u.name, m.active
"""
# What may need a leader by itself: each counts once, however many there are.
NEEDS = (
    "SELECT count(*) FROM marketing_submission WHERE workspace_id = %(ws)s AND quarantined",
    "SELECT count(*) FROM funnel_question WHERE workspace_id = %(ws)s AND answered_at IS NULL",
    "SELECT count(*) FROM funnel_effect WHERE workspace_id = %(ws)s AND state = 'stuck'",
    "SELECT count(*) FROM funnel_lead WHERE workspace_id = %(ws)s AND waits_since IS NOT NULL",
    "SELECT count(*) FROM funnel_handoff WHERE workspace_id = %(ws)s AND outcome = '' AND offered_to_id IS NULL",
    "SELECT count(*) FROM funnel_auditentry a JOIN funnel_member m ON m.id = a.actor_id WHERE a.workspace_id = %(ws)s"
    " AND a.action = 'takes no leads' AND a.at >= %(week)s AND m.role = 'rep' AND a.target = %(mail)s",
)
# The open steps of a rep and the demos to come or to tell of, each under its heading with its lead.
STEPS = """
SELECT CASE WHEN t.due_at < %(at)s THEN 'Late' WHEN t.due_at < %(tomorrow)s THEN 'Today'
    WHEN t.due_at < %(beyond)s THEN 'Tomorrow' ELSE 'Later' END, l.id
FROM sales_task t JOIN funnel_lead l ON l.id = t.lead_id WHERE t.workspace_id = %(ws)s AND t.done_at IS NULL
AND t.holder_id = %(who)s AND (l.holder_id = %(who)s OR EXISTS (SELECT 1 FROM sales_deal d WHERE d.lead_id = l.id
    AND d.holder_id = %(who)s AND d.stage IN ('qualified', 'demo', 'negotiation')))
ORDER BY t.due_at, t.id
"""
DEMOS = """
SELECT CASE WHEN ends_at <= %(at)s THEN 'Late' WHEN starts_at < %(tomorrow)s THEN 'Today'
    WHEN starts_at < %(beyond)s THEN 'Tomorrow' ELSE 'Later' END, lead_id
FROM sales_demo WHERE workspace_id = %(ws)s AND state = 'booked' AND holder_id = %(who)s ORDER BY starts_at, id
"""
# What one of us does with a lead whose demo was cancelled or missed.
FALLEN_TILL = (*CONTACTS, "next_step", "next_step_moved", "next_step_done", "quote_sent")
# The leads of a rep, or of their deals, whose last demo was cancelled or missed: nothing was planned or done since.
FALLEN = f"""
SELECT DISTINCT 'Today', l.id FROM sales_demo t JOIN sales_deal d ON d.id = t.deal_id
JOIN funnel_lead l ON l.id = t.lead_id WHERE t.workspace_id = %(ws)s AND t.state IN ('cancelled', 'missed')
AND d.stage IN ({OPEN}) AND (({SELLING} AND l.holder_id = %(who)s) OR EXISTS (
    SELECT 1 FROM sales_deal o WHERE o.lead_id = l.id AND o.holder_id = %(who)s AND o.stage IN ({OPEN})))
AND NOT EXISTS (SELECT 1 FROM sales_task k WHERE k.lead_id = l.id AND k.done_at IS NULL
    AND (k.made_at > t.starts_at OR k.made_at > t.decided_at))
AND NOT EXISTS (SELECT 1 FROM sales_demo o WHERE o.lead_id = l.id AND o.state = 'booked'
    AND (o.made_at > t.starts_at OR o.made_at > t.decided_at))
AND NOT EXISTS (SELECT 1 FROM funnel_event e WHERE e.lead_id = l.id AND e.actor_id IS NOT NULL
    AND e.kind IN ({{kinds}}) AND (e.occurred_at > t.starts_at OR e.occurred_at > t.decided_at) AND e.voids_id IS NULL
    AND NOT EXISTS (SELECT 1 FROM funnel_event v WHERE v.voids_id = e.id))
""".format(kinds=", ".join(f"'{kind}'" for kind in FALLEN_TILL))
# The leads of a rep without a step: first those to whom nobody spoke since they were taken, then by engagement.
NO_STEP = f"""
SELECT CASE WHEN max(h.opened_at) IS NULL THEN '{NOTHING}' WHEN max(h.contact_due_at) < %(at)s THEN 'Late'
    ELSE 'Today' END, l.id
FROM funnel_lead l LEFT JOIN funnel_handoff h ON h.lead_id = l.id AND {UNSPOKEN}
LEFT JOIN funnel_leadscore s ON s.lead_id = l.id AND s.basis_id IN (
    SELECT id FROM funnel_basis WHERE workspace_id = %(ws)s AND in_force)
WHERE {SELLING} AND l.holder_id = %(who)s AND NOT EXISTS (SELECT 1 FROM sales_task t WHERE t.lead_id = l.id
    AND t.holder_id = %(who)s AND t.done_at IS NULL)
GROUP BY l.id, s.total
ORDER BY max(h.closed_at) IS NULL, max(h.closed_at), s.total IS NULL, s.total DESC, l.id DESC
"""
# What was done by hand, and how often it stands in the tables.
DONE = {
    "sent in": "SELECT count(*) FROM marketing_submission WHERE workspace_id = %(ws)s",
    "let through": "SELECT count(*) FROM marketing_submission WHERE workspace_id = %(ws)s AND released_at IS NOT NULL",
    "questions": "SELECT count(*) FROM funnel_question WHERE workspace_id = %(ws)s",
    "answers": "SELECT count(*) FROM funnel_question WHERE workspace_id = %(ws)s AND answered_at IS NOT NULL",
    "demos booked": "SELECT count(*) FROM sales_demo WHERE workspace_id = %(ws)s",
    "demos held": "SELECT count(*) FROM sales_demo WHERE workspace_id = %(ws)s AND state = 'held'",
    "demos missed": "SELECT count(*) FROM sales_demo WHERE workspace_id = %(ws)s AND state = 'missed'",
}
# What would be dropped: there is none of it.
DROPPED = {
    "stuck": "SELECT count(*) FROM funnel_effect WHERE workspace_id = %(ws)s AND state = 'stuck'",
    "let through, and no event": "SELECT count(*) FROM marketing_submission s WHERE workspace_id = %(ws)s"
    " AND NOT quarantined AND NOT EXISTS (SELECT 1 FROM funnel_event e WHERE e.id = s.event_id)",
    "leads of who left": "SELECT count(*) FROM funnel_lead t" + OF_WHO_LEFT,
    "deals of who left": f"SELECT count(*) FROM sales_deal t{OF_WHO_LEFT} AND t.stage IN ({OPEN})",
    "steps of who left": f"SELECT count(*) FROM sales_task t{OF_WHO_LEFT} AND t.done_at IS NULL",
    "offers to who left": "SELECT count(*) FROM funnel_handoff t"
    + OF_WHO_LEFT.replace("holder_id", "offered_to_id")
    + " AND t.outcome = ''",
    "demos to come of who left": f"SELECT count(*) FROM sales_demo t{OF_WHO_LEFT} AND t.state = 'booked'"
    " AND t.ends_at > %(at)s",
}
RUNNING = """
SELECT id FROM marketing_campaign WHERE workspace_id = %(ws)s AND (starts_on IS NULL OR starts_on <= %(today)s)
AND (ends_on IS NULL OR ends_on >= %(today)s) ORDER BY created_at DESC
"""
NAMES = ("leads", "customers", "ready", "taken", "waits", "back_at_once", "given_back")
FIGURES = (*NAMES, "revenue", "cost", "per_lead", "per_ready", "per_customer", "back")


class Tables:
    """What the tables hold at one moment, and what a page says of it."""

    def __init__(self, year: Year) -> None:
        self.year, self.workspace, self.now = year, year.workspace, year.clock.now
        self.found: list[str] = []
        self.given = {"ws": year.workspace.pk, "at": self.now}

    def rows(self, sql: str, **also: Any) -> list[tuple[Any, ...]]:
        given = {name: _plain(value) for name, value in (self.given | also).items()}
        with self.year.gate(), connection.cursor() as cursor:
            cursor.execute(sql, given)
            return [tuple(read(value) for value in row) for row in cursor.fetchall()]

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

    def figures(self, by: str, span: dict[str, Any]) -> dict[Any, dict[str, int]]:
        """Counts and money of marketing, in groups."""
        found: dict[Any, Counter[str]] = {}
        for key, *counts in self.rows(LEADS.format(by=by), **span):
            found.setdefault(key, Counter()).update(dict(zip(NAMES, map(int, counts), strict=True)))
        for name, sql in (("revenue", BROUGHT), ("cost", SPENT)):
            for key, amount in self.rows(sql.format(by=by), **span):
                found.setdefault(key, Counter())[name] += int(amount)
        return {key: {name: many for name, many in one.items() if many} for key, one in found.items()}


def told(figures: Any) -> dict[str, float]:
    """The figures of a page that are none of them 0."""
    return {name: round(many, 4) for name in FIGURES if (many := getattr(figures, name))}


def reckoned(counts: Mapping[str, int]) -> dict[str, float]:
    """Counts and money, with what one of them cost, and the return on it in percent."""
    found: dict[str, float] = dict(counts)
    if cost := counts.get("cost", 0):
        for name, many in (("per_lead", "leads"), ("per_ready", "ready"), ("per_customer", "customers")):
            found[name] = round(Fraction(cost, counts[many])) if counts.get(many) else 0
        found["back"] = round(100 * counts.get("revenue", 0) / cost - 100, 4)
    return {name: many for name, many in found.items() if many}


def _plain(value: Any) -> Any:
    """A value as the tables hold it."""
    if isinstance(value, UUID):
        return value.hex if settings.SQLITE else str(value)
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value.isoformat() if isinstance(value, date) else value


def read(value: Any) -> Any:
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
