"""A seller's old opportunities come in by REST, keep their dates and agents, and add up to the digit, once."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from tests.conftest import ApiClient
from tests.replay.maven import Folder, differences, replay_twice

PRICES = {"GTX Pro": 4821, "MG Special": 55, "GTK 500": 26768}
SERIES = {"GTX Pro": "GTX", "MG Special": "MG", "GTK 500": "GTK"}
ACCOUNTS = {"Acme Works": ("technolgy", "Kenya"), "Beta Soloin": ("retail", "Norway")}
TEAMS = {"Ann Bell": ("Cara Low", "East"), "Mei-Mei Ray": ("Dustin Oak", "West"), "Bob Fry": ("Cara Low", "East")}
MANY = 35


class Tally:
    """What was won and lost in one group, counted while the rows are made up."""

    def __init__(self):
        self.won, self.lost, self.value = 0, 0, Decimal()

    def told(self):
        closed = Decimal(self.won + self.lost)
        average = float(round(self.value / self.won, 4)) if self.won else None
        rate = float(round(100 * self.won / closed, 4))
        return {
            "won": float(self.won),
            "lost": float(self.lost),
            "win_rate_pct": rate,
            "won_value": float(self.value),
            "avg_won": average,
        }


def write(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def invent(folder):
    """A folder of the source's shape, with its traps, and the truth about it."""
    dice = random.Random(7)
    groups, rows, spans, values = {}, [], {"Won": [], "Lost": []}, []
    for place in range(MANY):
        stage = ("Won", "Won", "Lost", "Engaging", "Prospecting", "Won", "Lost")[place % 7]
        agent, product = dice.choice(list(TEAMS)), dice.choice(list(PRICES))
        is_open = stage in ("Engaging", "Prospecting")
        account = "" if is_open and place % 2 else dice.choice(list(ACCOUNTS))
        # The last day of a quarter and the first one stand among them: a wrong zone would move them.
        ended = date(2017, 3, 31) + timedelta(days=dice.choice((0, 1, 91, 92, 150, 275)))
        began = ended - timedelta(days=dice.randrange(1, 140))
        value = PRICES[product] - dice.randrange(20) if stage == "Won" else 0
        rows.append(
            {
                "opportunity_id": f"OPP{place:05}",
                "sales_agent": agent,
                "product": product.replace("GTX Pro", "GTXPro"),
                "account": account,
                "deal_stage": stage,
                "engage_date": "" if stage == "Prospecting" else began.isoformat(),
                "close_date": "" if is_open else ended.isoformat(),
                "close_value": "" if is_open else str(value),
            }
        )
        if is_open:
            continue
        spans[stage].append((ended - began).days)
        values += [value] * (stage == "Won")
        when = f"{ended.year}Q{1 + (ended.month - 1) // 3}"
        of = {
            "by_q": when,
            "by_product_n": product,
            "by_sales_agent": agent,
            "by_manager": TEAMS[agent][0],
            "by_regional_office": TEAMS[agent][1],
            "by_series": SERIES[product],
            "by_sector": ACCOUNTS[account][0],
            "by_office_location": ACCOUNTS[account][1],
            "by_agent_quarter": (agent, when),
            "": "",
        }
        for name, key in of.items():
            tally = groups.setdefault(name, {}).setdefault(key, Tally())
            tally.won += stage == "Won"
            tally.lost += stage == "Lost"
            tally.value += value
    write(folder / "sales_pipeline.csv", rows)
    write(folder / "products.csv", [{"product": n, "series": SERIES[n], "sales_price": p} for n, p in PRICES.items()])
    write(
        folder / "accounts.csv", [{"account": n, "sector": s, "office_location": o} for n, (s, o) in ACCOUNTS.items()]
    )
    write(
        folder / "sales_teams.csv",
        [{"sales_agent": n, "manager": m, "regional_office": o} for n, (m, o) in TEAMS.items()],
    )
    whole, stages = groups.pop("")[""].told(), Counter(row["deal_stage"] for row in rows)
    nobody = Counter(row["deal_stage"] for row in rows if not row["account"])
    truth = {name: {key: tally.told() for key, tally in found.items()} for name, found in groups.items()}
    pairs = sorted(truth.pop("by_agent_quarter").items())
    truth["by_agent_quarter"] = [{"agent": agent, "quarter": when, **told} for (agent, when), told in pairs]
    engaged = [row["engage_date"] for row in rows if row["engage_date"]]
    closed = [row["close_date"] for row in rows if row["close_date"]]
    truth["totals"] = {
        "opps": MANY,
        **stages,
        "closed": len(closed),
        "win_rate_pct": whole["win_rate_pct"],
        "won_value": whole["won_value"],
        "avg_won_value": whole["avg_won"],
        "median_won_value": middle(values),
        "close_min": min(closed),
        "close_max": max(closed),
        "engage_min": min(engaged),
        "engage_max": max(engaged),
        "median_cycle_won": middle(spans["Won"]),
        "median_cycle_lost": middle(spans["Lost"]),
        "mean_cycle_won": round(sum(spans["Won"]) / len(spans["Won"]), 4),
        "mean_cycle_lost": round(sum(spans["Lost"]) / len(spans["Lost"]), 4),
        "missing_account": sum(nobody.values()),
        "missing_account_by_stage": dict(nobody),
    }
    (folder / "truth.json").write_text(json.dumps(truth))
    return truth


def middle(numbers):
    """The median."""
    row, half = sorted(numbers), len(numbers) // 2
    return float(row[half]) if len(row) % 2 else (row[half - 1] + row[half]) / 2


@pytest.fixture
def seller(db, monkeypatch):
    """A business of the command's making: its slug, and its key as an integration uses it."""
    said = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("a-long-enough-word\n"))
    call_command(
        "workspace", "create", "Old Hardware", "--owner", "owner@hardware.example", "--password-stdin",
        "--country", "US", "--timezone", "America/New_York", "--with-key", "all", stdout=said,
    )  # fmt: skip
    made = json.loads(said.getvalue())
    return made["workspace"]["slug"], ApiClient(made["api_key"])


def test_a_replay_by_rest_equals_the_truth_to_the_digit_and_a_second_one_changes_nothing(seller, work, tmp_path):
    slug, keyed = seller
    truth = invent(tmp_path)

    def send(method, path, body, headers):
        answer = keyed.send(method, path, body, headers=headers)
        return answer.status_code, answer.json()

    def bring_in(name, email):
        words = ["--email", email, "--name", name, "--role", "rep", "--inactive"]
        call_command("workspace", "member", slug, *words, stdout=io.StringIO())

    first, second = replay_twice(Folder(tmp_path), send, bring_in, work, map)
    assert first == []
    assert second == []
    said = io.StringIO()
    call_command("check_facts", stdout=said)
    assert json.loads(said.getvalue())["differences"] == 0
    a_cent_more = {**truth, "totals": {**truth["totals"], "won_value": truth["totals"]["won_value"] + 0.01}}
    assert len(list(differences(a_cent_more, truth))) == 1
