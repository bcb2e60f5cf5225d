"""Rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

from funnel.leads.stages import MOVES, SALES, Stage, side_of
from funnel.outbox.kinds import KINDS

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)
CODE = [
    path
    for folder in ("funnel", "marketing", "sales")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]


def test_every_stage_has_a_row_and_leads_only_to_stages():
    assert set(MOVES) == set(Stage)
    for stage, onward in MOVES.items():
        assert stage not in onward
        assert onward <= set(Stage)
        assert side_of(stage) in ("marketing", "hall", "sales")
    assert set(SALES) < set(Stage)


def test_only_one_method_writes_a_leads_stage():
    writers = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            writes = isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Attribute) and target.attr == "stage" for target in node.targets
            )
            updates = (
                isinstance(node, ast.Call)
                and getattr(node.func, "attr", "") == "update"
                and any(word.arg == "stage" for word in node.keywords)
            )
            if writes or updates:
                writers.add(str(path.relative_to(ROOT)))
    assert writers <= {"funnel/transfer/mapping.py"}, writers


def test_every_event_route_is_of_a_kind_that_the_hall_knows():
    assert set(settings.EVENT_ROUTES) <= set(KINDS) | {"other"}


def test_no_module_is_longer_than_four_hundred_lines():
    every = [*CODE, *(ROOT / "tests").rglob("*.py")]
    long = {str(path.relative_to(ROOT)): n for path in every if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_no_style_or_script_stands_inside_a_template():
    for path in (ROOT / "templates").rglob("*.html"):
        if "mail" in path.parts:
            continue  # a mail carries its own style
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), path
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"", text), path


def test_no_form_or_serializer_takes_all_fields():
    for path in CODE:
        assert '__all__"' not in path.read_text().replace("__all__ = [", ""), path
