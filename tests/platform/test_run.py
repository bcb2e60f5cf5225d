"""What `make test` says at its end."""

import pytest

from tests import run

pytestmark = pytest.mark.once

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_one"/>
<testcase classname="tests.a" name="test_two"><failure message="no"/></testcase>
<testcase classname="tests.a" name="test_two"><error message="nor its end"/></testcase>
<testcase classname="tests.b" name="test_three"/>
<testcase classname="tests.b" name="test_three"><error message="its end failed"/></testcase>
<testcase classname="tests.b" name="test_four"><skipped message="no printer here"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def tally(tmp_path):
    """Return a tally after one report."""
    (tmp_path / "report.xml").write_text(REPORT)
    tally = run.Tally()
    run.count(tally, "SQLite", tmp_path / "report.xml")
    return tally


def test_the_last_line_counts_each_test_once(tally, capsys):
    assert tally.close() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 2 failed, 1 skipped"


def test_what_was_left_out_is_said_by_name_and_count(tally, capsys):
    tally.leave_out("chromium is not installed", ["tests/c.py::test_five", "tests/c.py::test_six"])
    tally.close()
    said = capsys.readouterr().out
    assert "Left out, 1: no printer here\n  tests.b::test_four (SQLite)\n" in said
    assert "Left out, 2: chromium is not installed\n  tests/c.py::test_five\n  tests/c.py::test_six\n" in said


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_on_a_build_machine_nothing_may_be_left_out(monkeypatch, ci, code):
    monkeypatch.setenv("CI", ci)
    tally = run.Tally(passed=3)
    tally.leave_out("redis-server is not installed", ["tests/c.py::test_five"])
    assert tally.close() == code


def test_a_machine_s_own_settings_do_not_reach_the_tests(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgres://live@db/live")
    monkeypatch.setenv("EMAIL_URL", "smtp://mail:25")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    env = run.environment(str(tmp_path), REDIS_URL="redis://127.0.0.1:1/0")
    assert "DATABASE_URL" not in env
    assert "EMAIL_URL" not in env
    assert "PYTHONDONTWRITEBYTECODE" not in env
    assert env["DATA"] == str(tmp_path)
    assert env["REDIS_URL"] == "redis://127.0.0.1:1/0"
