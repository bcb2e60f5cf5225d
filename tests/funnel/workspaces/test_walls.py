"""Two walls between workspaces, each seen to hold with the other switched off."""

import ast
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django_scopes import scopes_disabled
from django_scopes.exceptions import ScopeError

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from funnel.outbox.statistics import look_at
from funnel.scoring.models import Basis, LeadScore, RuleVersion, ScorePoint
from funnel.workspaces.gate import tenant
from funnel.workspaces.ids import uuid7
from funnel.workspaces.walls import BREACH, BY_SET, OUTSIDE, raise_walls, references, tenant_models
from tests.stack import tables

ROOT = Path(settings.BASE_DIR)


@pytest.fixture
def leads(transactional_db, owner, outsider, gate):
    """One lead of each business."""
    made = []
    for member in (owner, outsider):
        with gate(member) as at:
            (got,) = receive(member.workspace, [Capture(email="a@one.example")], at=at)
            made.append(got.lead)
    return made


def test_an_unscoped_query_raises(leads):
    with pytest.raises(ScopeError):
        list(Lead.objects.all())


def test_the_first_wall_alone_shows_only_ones_own(leads, owner):
    with tenant(owner.workspace):
        assert list(Lead.objects.all()) == [leads[0]]


@pytest.mark.postgres
def test_the_second_wall_alone_shows_only_ones_own(leads, owner):
    with tenant(owner.workspace), scopes_disabled():
        assert list(Lead.objects.all()) == [leads[0]]
    with scopes_disabled():
        assert not Lead.objects.exists(), "without a gate nothing is seen"


@pytest.mark.postgres
def test_the_second_wall_lets_no_row_into_another_workspace(leads, owner, outsider):
    with tenant(owner.workspace), scopes_disabled():
        assert not Lead.objects.filter(pk=leads[1].pk).update(name="mine now")
        with pytest.raises(Exception, match="row-level security"), transaction.atomic():
            LeadScore.objects.create(workspace=outsider.workspace, lead=leads[1], basis_id=1, fit=0, fit_band="D")


@pytest.mark.postgres
def test_the_application_is_no_superuser_and_every_table_is_forced(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE a.attname = 'workspace_id' AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
            " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
        )
        assert {row[0] for row in cursor.fetchall()} == OUTSIDE


@pytest.mark.postgres
def test_walls_that_stand_are_raised_again_without_a_lock(transactional_db):
    """A deploy raises them beside a worker that writes; made anew they would wait for it, or it for them."""
    with transaction.atomic(), connection.cursor() as cursor:
        raise_walls()
        cursor.execute(
            "SELECT relation::regclass::text, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
        )
        strong = {told for told in cursor.fetchall() if told[1] not in ("AccessShareLock", "RowExclusiveLock")}
    assert not strong


def test_a_reference_cannot_leave_its_workspace(leads, owner):
    with pytest.raises(IntegrityError), scopes_disabled(), tenant(owner.workspace, write=True):
        Event.objects.filter(workspace=owner.workspace).update(lead=leads[1])
    with tenant(owner.workspace):
        assert not Event.objects.filter(lead=leads[1].pk).exists()


def test_every_reference_has_its_wall(transactional_db):
    raise_walls()
    with connection.cursor() as cursor:
        if settings.SQLITE:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE contype = 'f'"
                " UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
            )
        there = {row[0] for row in cursor.fetchall()}
    # A key beside the triggers would cost what they save.
    assert not [name for name in there for table in BY_SET if name.startswith(table) and name.endswith("_in_workspace")]
    for model in tenant_models():
        table = model._meta.db_table
        for field in references(model):
            if settings.SQLITE:
                names = {f"{table}_{field.column}_{verb}" for verb in ("insert", "update")}
            elif table in BY_SET:
                names = {f"{table}_{verb}" for verb in ("insert", "update")}
            else:
                names = {f"{table}_{field.column}_in_workspace"[:63]}
            assert names <= there


@pytest.mark.parametrize("model", [LeadScore, ScorePoint])
@pytest.mark.parametrize("moment", ["insert", "update", "insert or update"])
def test_no_reference_of_many_rows_leaves_their_workspace(leads, owner, outsider, gate, model, moment):
    """Those that the worker writes by the thousand, each reference in its turn, one stray among rows that are right."""
    with gate(outsider):
        strays = {
            "lead": leads[1].pk,
            "basis": Basis.objects.get().pk,
            "version": RuleVersion.objects.get().pk,
            "event": Event.objects.first().pk,
            "cause": Event.objects.first().pk,
        }
    with gate(owner) as at:
        version, event = RuleVersion.objects.get(), Event.objects.first()
        bases = [
            Basis.objects.create(workspace=owner.workspace, version=version, half_life=7, epoch=at, in_force=False)
            for _ in range(3)
        ]

    def rows(stray=None):
        for number, basis in enumerate(bases):
            told = {"workspace": owner.workspace, "lead": leads[0]}
            if model is LeadScore:
                row = LeadScore(**told, basis=basis, fit=0, fit_band="D")
            else:
                told |= {"event": event, "cause": event, "version": version, "points": 1, "rule": f"r{number}"}
                row = ScorePoint(**told, day=at.date(), occurred_at=at)
            if stray and number == 1:
                setattr(row, *stray)
            yield row

    def write(column, stray):
        with scopes_disabled(), tenant(owner.workspace, write=True):
            if moment == "insert":
                model.objects.bulk_create(rows((column, stray)))
                return
            made = model.objects.bulk_create(rows())
            if moment == "update":
                model.objects.filter(pk=made[1].pk).update(**{column: stray})
                return
            setattr(made[1], column, stray)
            model.objects.bulk_create(made, update_conflicts=True, unique_fields=["id"], update_fields=[column])

    for field in references(model):
        for stray in (strays[field.name], uuid7() if field.name == "lead" else 10**9):
            with pytest.raises(IntegrityError, match=BREACH):
                write(field.attname, stray)
    with gate(owner):
        assert not model.objects.filter(
            **({"basis__in": bases} if model is LeadScore else {"rule__in": ["r0", "r2"]})
        ).exists()
        model.objects.bulk_create(rows())


@pytest.mark.postgres
def test_what_a_connection_keeps_of_a_small_business_does_not_go_through_all_of_a_large_one(
    transactional_db, owner, gate, request
):
    def points(member, events, at):
        version = RuleVersion.objects.get()
        for event in events:
            told = {"workspace": member.workspace, "lead_id": event.lead_id, "version": version, "rule": "read"}
            yield ScorePoint(**told, event=event, cause=event, points=1, day=at.date(), occurred_at=at)

    def came(member, at):
        (got,) = receive(member.workspace, [Capture(email="a@one.example")], at=at)
        return Event.objects.filter(lead=got.lead)

    def read():
        """So many events this connection has read by an index or without."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'funnel_event'"
            )
            return cursor.fetchone()[0]

    with gate(owner) as at:
        first = came(owner, at)[0]
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO funnel_event (workspace_id, lead_id, kind, data, occurred_at, recorded_at)"
                " SELECT %s, %s, 'page_view', '{}', %s, %s FROM generate_series(1, 50000)",
                [owner.workspace.pk, first.lead_id, at, at],
            )
    look_at(Event)
    # A second one begins, and the plan is made now.
    outsider = request.getfixturevalue("outsider")
    with gate(outsider) as at:
        ScorePoint.objects.bulk_create(points(outsider, came(outsider, at), at))
    with gate(owner) as at:
        many, before = list(Event.objects.filter(kind="page_view")[:100]), read()
        ScorePoint.objects.bulk_create(points(owner, many, at))
        assert read() - before < 500, "each is found by its key"


@pytest.mark.postgres
def test_a_row_asks_for_its_workspace_only_where_no_other_reference_carries_it(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f' AND confrelid = 'funnel_workspace'::regclass"
        )
        plain = {row[0] for row in cursor.fetchall()}
    alone = {model._meta.db_table for model in tenant_models() if all(field.null for field in references(model))}
    assert plain == alone
    assert {"funnel_member", "funnel_source"} <= plain
    assert not plain & {"funnel_leadscore", "funnel_scorepoint", "funnel_effect"}


ALLOWED = {
    "funnel/bench/importing.py",
    "funnel/workspaces/gate.py",  # a key finds the member
    "funnel/workspaces/login.py",  # a log-in finds the memberships
    "funnel/outbox/drain.py",  # claiming
    "funnel/outbox/health.py",  # effects that no handler knows, whichever the workspace
    "funnel/people/adapter.py",  # somebody forgot a password: in which businesses are they?
    "funnel/people/keys.py",  # a password link is only made for somebody who is in no other business
    "funnel/workspaces/doors.py",  # a public token tells the workspace
    "marketing/capture/public.py",  # a public token tells the workspace
    "funnel/bench/draining.py",  # counts what is left of a throw-away installation
}


@pytest.mark.once
def test_only_the_known_callers_take_the_first_wall_away():
    callers = set()
    for folder in ("funnel", "marketing", "sales"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
                    "everywhere",
                    "scopes_disabled",
                ):
                    callers.add(str(path.relative_to(ROOT)))
    assert callers <= ALLOWED, f"not on the list: {sorted(callers - ALLOWED)}"


@pytest.mark.once
def test_an_older_installation_on_sqlite_is_brought_up_to_date_and_has_its_walls_again(tmp_path):
    env = {**os.environ, "DATA": str(tmp_path), "DATABASE_URL": ""}

    def walls():
        with closing(sqlite3.connect(tmp_path / "baton.sqlite3")) as file:
            return file.execute("SELECT count(*) FROM sqlite_master WHERE sql LIKE '%leaves its workspace%'").fetchone()

    def migrate(*to):
        command = [sys.executable, "manage.py", "migrate", "-v", "0", *to]
        subprocess.run(command, cwd=ROOT, env=env, check=True, timeout=120)

    shutil.copytree(tables(settings.DATA / "moulds", "")[0], tmp_path, dirs_exist_ok=True)
    whole = walls()
    assert whole > (50,)
    # Members are named by the walls of many tables, and SQLite remakes them for a column that may not be empty.
    migrate("funnel", "0018")
    migrate()
    assert walls() == whole
