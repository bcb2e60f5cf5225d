"""Replay a seller's opportunities through the public API, twice, and compare what Baton says with truth.json.

    python -m tests.replay.maven FOLDER --url http://127.0.0.1:8000 --key bt_... --slug BUSINESS

FOLDER holds sales_pipeline.csv, sales_teams.csv, products.csv, accounts.csv and truth.json. The sales agents come in
by `manage.py workspace member` as inactive members, so this runs where Baton runs, with its DATA or DATABASE_URL. Each
opportunity is a deal, on a lead that is known only by the opportunity's id.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEM = "maven"
AT_ONCE = 4
BATCH = 1000
# So long the worker tells nothing new before it counts as done.
SETTLES_IN = 10
# (method, path, body, headers) → (status, answer)
Send = Callable[[str, str, Any, dict[str, str]], tuple[int, Any]]
# (what, with each of these): what `map` does, or several at once.
Each = Callable[[Callable[[Any], None], list[Any]], Iterator[None]]
# What the clock alone changes.
FADES = ("engagement", "band")


class Wire:
    """The API over HTTP, a connection per thread; it waits where it is told to, as a good client does."""

    def __init__(self, url: str, key: str) -> None:
        self.host, self.mine = urlsplit(url).netloc, threading.local()
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.asked = self.told_to_wait = 0
        self.counting = threading.Lock()

    def send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        while True:
            with self.counting:
                self.asked += 1
            answer, text = self._once(method, f"/api/v1/{path}", data, self.headers | headers)
            if answer.status not in (429, 503):
                return answer.status, json.loads(text)
            with self.counting:
                self.told_to_wait += 1
            time.sleep(float(answer.headers.get("Retry-After") or 1))

    def _once(self, method: str, path: str, data: str | None, headers: dict[str, str]) -> tuple[Any, bytes]:
        for again in (True, False):
            wire = getattr(self.mine, "wire", None)
            if wire is None:
                wire = self.mine.wire = http.client.HTTPConnection(self.host, timeout=60)
            try:
                wire.request(method, path, data, headers)
                answer = wire.getresponse()
                return answer, answer.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A connection that stood idle was closed; every request here may be sent twice.
                wire.close()
                self.mine.wire = None
                if not again:
                    raise
        raise AssertionError


class Folder:
    """The files, with what is known to be written in two ways put right."""

    def __init__(self, folder: Path) -> None:
        self.products = {row["product"]: row for row in self._rows(folder / "products.csv")}
        self.teams = {row["sales_agent"]: row for row in self._rows(folder / "sales_teams.csv")}
        self.accounts = {row["account"]: row for row in self._rows(folder / "accounts.csv")}
        self.opportunities = self._rows(folder / "sales_pipeline.csv")
        self.truth = json.loads((folder / "truth.json").read_text())
        names = {name.replace(" ", ""): name for name in self.products}
        for row in self.opportunities:
            row["product"] = names[row["product"].replace(" ", "")]

    def _rows(self, path: Path) -> list[dict[str, str]]:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def address_of(agent: str) -> str:
    """The address that stands for a sales agent, who never logs in."""
    return f"{'.'.join(agent.lower().split())}@agents.example"


def noon(day: str) -> str:
    """A moment that lies on this day wherever the business is."""
    return f"{day}T12:00:00Z"


def replay(folder: Folder, send: Send, bring_in: Callable[[str, str], None], each: Each) -> None:
    """Send everything: agents, products, leads, then each opportunity from its beginning to its end."""

    def must(path: str, body: Any, *statuses: int, **headers: str) -> Any:
        status, answer = send("POST", path, body, headers)
        assert status in statuses, (path, body, status, answer)
        return answer

    def one(row: dict[str, str]) -> None:
        name = {"external_id": row["opportunity_id"], "external_system": SYSTEM}
        began = {"occurred_at": noon(row["engage_date"])} if row["engage_date"] else {}
        price = folder.products[row["product"]]["sales_price"]
        body = {"title": row["product"], "amount": price, "holder": address_of(row["sales_agent"]), **name, **began}
        deal = must("deals/", {"lead": name, **body}, 201, 200)
        if row["deal_stage"] == "Won":
            end = {"amount": row["close_value"], "occurred_at": noon(row["close_date"])}
            must(f"deals/{deal['id']}/win/", end, 200)
        elif row["deal_stage"] == "Lost":
            must(f"deals/{deal['id']}/lose/", {"reason": "no-need", "occurred_at": noon(row["close_date"])}, 200)
        elif row["deal_stage"] == "Engaging":
            must(f"deals/{deal['id']}/move/", {"stage": "negotiation", **began}, 200)

    for agent in sorted(folder.teams):
        bring_in(agent, address_of(agent))
    for name, row in folder.products.items():
        product = {"name": name, "prices": {"USD": row["sales_price"]}}
        must("products/", product | {"external_id": name, "external_system": SYSTEM}, 201, 200)
    leads = [
        {
            "external_id": row["opportunity_id"],
            "external_system": SYSTEM,
            "company": row["account"],
            **({"occurred_at": noon(row["engage_date"])} if row["engage_date"] else {}),
        }
        for row in folder.opportunities
    ]
    for start in range(0, len(leads), BATCH):
        batch = {"leads": leads[start : start + BATCH]}
        key = sha256(json.dumps(batch).encode()).hexdigest()
        answer = must("leads/batch/", batch, 207, **{"Idempotency-Key": key})
        assert {result["status"] for result in answer["results"]} <= {201, 200}, answer
    list(each(one, folder.opportunities))


def rows_of(send: Send, path: str) -> Iterator[dict[str, Any]]:
    """Every row of a list, page by page."""
    following: str | None = f"{path}?page_size=200"
    while following:
        status, answer = send("GET", following, None, {})
        assert status == 200, (following, answer)
        yield from answer["results"]
        following = answer["next"] and answer["next"].partition("/api/v1/")[2]


def everything(send: Send) -> dict[str, list[dict[str, Any]]]:
    """All that the API tells of the business, but for what time alone changes."""
    lists = ("members/", "products/", "leads/", "deals/", "revenue/", "events/")
    told = {path: list(rows_of(send, path)) for path in lists}
    for lead in told["leads/"]:
        for name in FADES:
            lead.pop(name)
    return told


def quarter(day: date) -> str:
    return f"{day.year}Q{(day.month + 2) // 3}"


def figures(folder: Folder, told: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What truth.json says, reckoned from what the API told; every amount is exact."""
    names = {member["email"]: member["name"] for member in told["members/"]}
    company = {lead["id"]: lead["company"] for lead in told["leads/"]}
    booked: dict[str, Fraction] = defaultdict(Fraction)
    for row in told["revenue/"]:
        booked[row["deal"]] += Fraction(row["amount"])
    closed, open_ = [], []
    for deal in told["deals/"]:
        agent, account = names[deal["holder"]], folder.accounts.get(company[deal["lead"]], {})
        row = {
            "agent": agent,
            "stage": deal["stage"],
            "product": deal["title"],
            "series": folder.products[deal["title"]]["series"],
            "sector": account.get("sector"),
            "office": account.get("office_location"),
            "began": datetime.fromisoformat(deal["occurred_at"]).date(),
            "value": booked[deal["id"]],
            "manager": folder.teams[agent]["manager"],
            "region": folder.teams[agent]["regional_office"],
            "account": company[deal["lead"]],
        }
        if deal["closed_at"] is None:
            assert not row["value"], deal
            open_.append(row)
            continue
        assert row["value"] == (Fraction(deal["amount"]) if deal["stage"] == "won" else 0), deal
        row["ended"] = datetime.fromisoformat(deal["closed_at"]).date()
        row["quarter"] = quarter(row["ended"])
        closed.append(row)

    def grouped(*by: str) -> dict[tuple[str, ...], dict[str, Any]]:
        groups = defaultdict(list)
        for row in closed:
            groups[tuple(row[name] for name in by)].append(row)
        return {key: _group(rows) for key, rows in sorted(groups.items())}

    def single(by: str) -> dict[str, Any]:
        return {key[0]: group for key, group in grouped(by).items()}

    together = _group(closed)
    cycles = {
        stage: [(row["ended"] - row["began"]).days for row in closed if row["stage"] == stage]
        for stage in ("won", "lost")
    }
    days = [row["ended"] for row in closed]
    engaged = [row["began"] for row in (*closed, *open_) if row["stage"] != "qualified"]
    nobody = {
        name: sum(not row["account"] for row in open_ if row["stage"] == stage)
        for name, stage in (("Engaging", "negotiation"), ("Prospecting", "qualified"))
    }
    return {
        "totals": {
            "opps": len(closed) + len(open_),
            "Won": together["won"],
            "Lost": together["lost"],
            "Engaging": sum(row["stage"] == "negotiation" for row in open_),
            "Prospecting": sum(row["stage"] == "qualified" for row in open_),
            "closed": len(closed),
            "win_rate_pct": together["win_rate_pct"],
            "won_value": together["won_value"],
            "avg_won_value": together["avg_won"],
            "median_won_value": statistics.median(row["value"] for row in closed if row["stage"] == "won"),
            "close_min": min(days).isoformat(),
            "close_max": max(days).isoformat(),
            "engage_min": min(engaged).isoformat(),
            "engage_max": max(engaged).isoformat(),
            "median_cycle_won": statistics.median(cycles["won"]),
            "median_cycle_lost": statistics.median(cycles["lost"]),
            "mean_cycle_won": Fraction(sum(cycles["won"]), len(cycles["won"])),
            "mean_cycle_lost": Fraction(sum(cycles["lost"]), len(cycles["lost"])),
            "missing_account": sum(nobody.values()) + sum(not row["account"] for row in closed),
            "missing_account_by_stage": nobody,
        },
        "by_q": single("quarter"),
        "by_product_n": single("product"),
        "by_sales_agent": single("agent"),
        "by_manager": single("manager"),
        "by_regional_office": single("region"),
        "by_series": single("series"),
        "by_sector": single("sector"),
        "by_office_location": single("office"),
        "by_agent_quarter": [
            {"agent": agent, "quarter": when, **group} for (agent, when), group in grouped("agent", "quarter").items()
        ],
    }


def _group(rows: list[dict[str, Any]]) -> dict[str, Any]:
    won = [row["value"] for row in rows if row["stage"] == "won"]
    return {
        "won": len(won),
        "lost": len(rows) - len(won),
        "win_rate_pct": Fraction(100 * len(won), len(rows)),
        "won_value": sum(won, Fraction()),
        "avg_won": sum(won, Fraction()) / len(won) if won else None,
    }


def differences(truth: Any, found: Any, at: str = "") -> Iterator[str]:
    """Where what was found is not what truth.json says, to its last digit; it may say more of the whole."""
    if isinstance(found, dict):
        missing = found.keys() - truth.keys() | (set() if at in ("", "/totals") else truth.keys() - found.keys())
        for name in sorted(missing):
            yield f"{at}/{name}: only on one side"
        for name in found.keys() - missing:
            yield from differences(truth[name], found[name], f"{at}/{name}")
    elif isinstance(found, list):
        if len(truth) != len(found):
            yield f"{at}: {len(found)} instead of {len(truth)}"
        for place, (one, other) in enumerate(zip(truth, found, strict=False)):
            yield from differences(one, other, f"{at}/{place}")
    elif isinstance(found, str) or found is None or truth is None:
        if found != truth:
            yield f"{at}: {found} instead of {truth}"
    else:
        # Means and rates stand there with four digits after the point.
        is_rounded = at.rpartition("/")[2].startswith(("win_rate", "avg", "mean"))
        if abs(Fraction(found) - Fraction(str(truth))) > (Fraction(1, 20_000) if is_rounded else 0):
            yield f"{at}: {float(found)} instead of {truth}"


def funnel_differences(truth: dict[str, Any], send: Send) -> Iterator[str]:
    """The same for Baton's own report: customers, their revenue and their days, whole and by member."""
    status, report = send("GET", "reports/funnel/?by=member", None, {})
    assert status == 200, report
    totals, agents = truth["totals"], truth["by_sales_agent"]
    last = report["stages"][-1]
    found = {"customers": last["entered"], "leads": report["stages"][0]["entered"], "days": last["median_days"]}
    yield from differences(
        {"customers": totals["Won"], "leads": totals["opps"], "days": totals["median_cycle_won"]}, found, "/funnel"
    )
    sold = {group["key"]: group for group in report["groups"] if group["customers"] or Fraction(group["revenue"])}
    yield from differences(
        {address_of(name): {"won": one["won"], "value": one["won_value"]} for name, one in agents.items()},
        {key: {"won": one["customers"], "value": Fraction(one["revenue"])} for key, one in sold.items()},
        "/funnel/by_member",
    )


def replay_twice(
    folder: Folder, send: Send, bring_in: Callable[[str, str], None], settle: Callable[[], None], each: Each
) -> Iterator[list[str]]:
    """Replay, and give what differs from the truth; replay again, and give which lists it changed."""
    replay(folder, send, bring_in, each)
    settle()
    first = everything(send)
    yield [*differences(folder.truth, figures(folder, first)), *funnel_differences(folder.truth, send)]
    replay(folder, send, bring_in, each)
    settle()
    again = everything(send)
    yield [f"{path} {len(first[path])} → {len(again[path])}" for path in first if first[path] != again[path]]


def main() -> int:
    """Replay a folder into a running Baton; exit code 1 where anything differs."""
    reads = argparse.ArgumentParser(description="Replay opportunities into Baton and compare.")
    reads.add_argument("folder", type=Path)
    for name in ("--url", "--key", "--slug"):
        reads.add_argument(name, required=True)
    given = reads.parse_args()
    wire = Wire(given.url, given.key)

    def bring_in(name: str, email: str) -> None:
        words = ["--email", email, "--name", name, "--role", "rep", "--inactive"]
        command = [sys.executable, "manage.py", "workspace", "member", given.slug, *words]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    mark = time.monotonic(), wire.asked

    def settle() -> None:
        """Say how long the replay took, and wait until the worker has nothing more to tell."""
        seconds, asked = time.monotonic() - mark[0], wire.asked - mark[1]
        print(
            json.dumps(
                {
                    "seconds": round(seconds, 1),
                    "requests": asked,
                    "per_second": round(asked / seconds, 1),
                    "told_to_wait": wire.told_to_wait,
                }
            ),
            flush=True,
        )
        known, after = -1, 0
        while known != after:
            known = after
            time.sleep(SETTLES_IN)
            while rows := wire.send("GET", f"events/?after={after}&page_size=200", None, {})[1]["results"]:
                after = rows[-1]["position"]

    right = True
    replays = replay_twice(
        Folder(given.folder), wire.send, bring_in, settle, lambda do, rows: ThreadPoolExecutor(AT_ONCE).map(do, rows)
    )
    for turn in ("first", "second"):
        mark = time.monotonic(), wire.asked
        wrong = next(replays)
        print(json.dumps({"replay": turn, "wrong": wrong}, ensure_ascii=False), flush=True)
        right = right and not wrong
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
