"""The fixed cast: one business with its people, and an outsider who must never see anything of it."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from funnel.outbox.drain import drain
from funnel.outbox.models import Lane
from funnel.people.actions import start_business
from funnel.workspaces.gate import everywhere, tenant
from funnel.workspaces.models import ApiKey, Member, Role, User, Workspace
from tests.stack import tables

PASSWORD = "a-long-enough-word"
SEVERAL = "PYTEST_XDIST_WORKER" in os.environ


# What takes longest begins first, so that no process is left alone with it; who is timed is not beside every page.
BEGIN = (
    "tests/journey/test_every_page.py", "tests/sales/", "tests/faults/", "tests/journey/", "tests/platform/",
    "tests/funnel/workspaces/test_walls.py", "tests/proof/", "tests/funnel/outbox/", "tests/test_walk.py",
)  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes unless it is asked for. Put the long files forward; the rest keeps its order."""
    if "faults" not in config.option.markexpr:
        items[:] = [item for item in items if item.get_closest_marker("faults") is None]
    items.sort(key=lambda item: next((at for at, name in enumerate(BEGIN) if item.nodeid.startswith(name)), len(BEGIN)))


def pytest_collection_finish() -> None:
    """Leave what was read so far out of the collector's rounds, and have fewer of them: they took a tenth of all."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool) -> bool:
    """Begin with the file that was copied."""
    return django_db_keepdb or (django_settings.SQLITE and SEVERAL)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Where several processes run the suite, one makes the tables and each copies them."""
    if not SEVERAL:
        return
    test = connection.settings_dict["TEST"]
    folder, database = tables(
        django_settings.DATA / "moulds", "" if django_settings.SQLITE else os.environ["DATABASE_URL"]
    )
    if django_settings.SQLITE:
        for left in ("-wal", "-shm"):
            Path(f"{test['NAME']}{left}").unlink(missing_ok=True)
        shutil.copyfile(folder / "baton.sqlite3", test["NAME"])
    else:
        test["TEMPLATE"] = database


@pytest.fixture(autouse=True)
def quiet_machine(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap password hashes, and counters of this process's own that begin at nothing."""
    # Asked anew after five seconds, it would add to the questions of a page that are being counted.
    monkeypatch.setattr("funnel.overview.health.lateness.seconds", 600.0)
    # A test that counts up to a limit would fail now and then where a new minute begins under it.
    monkeypatch.setattr("funnel.workspaces.limits.time", lambda: 1_800_000_000.0)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Otherwise each new client reads all static files before its first page.
    settings.WHITENOISE_AUTOREFRESH = True
    settings.ALLOWED_HOSTS = ["*"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    if settings.REDIS_URL:
        settings.REDIS_URL = urlsplit(settings.REDIS_URL)._replace(path=f"/{int(worker[2:]) + 1}").geturl()
        place = settings.REDIS_URL
    else:
        place = str(settings.DATA / f"counters-{worker}.sqlite3")
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": place}}
    cache.clear()


def make_member(workspace: Workspace, role: str, name: str, *, takes_leads: bool = False) -> Member:
    """A member of the workspace with an address of their own."""
    address = f"{name.split()[0].lower()}@{workspace.slug}.example"
    with everywhere():
        user = User.objects.create_user(address, PASSWORD, name=name)
        member: Member = Member.objects.create(workspace=workspace, user=user, role=role, takes_leads=takes_leads)
    return member


@contextmanager
def undone() -> Iterator[None]:
    """Take back what is done inside, so that the next finds the same rows."""
    apart = transaction.atomic()
    apart._from_testcase = True
    with apart:
        yield
        transaction.set_rollback(True)


@pytest.fixture
def owner(db: Any) -> Member:
    user = User.objects.create_user("olga@first.example", PASSWORD, name="Olga Owner")
    with everywhere():
        member = start_business("First", owner=user, country="GB", time_zone="Europe/London", at=timezone.now())
        Member.objects.filter(pk=member.pk).update(takes_leads=False)
        member.refresh_from_db()
    return member


@pytest.fixture
def workspace(owner: Member) -> Workspace:
    return owner.workspace


@pytest.fixture
def manager(workspace: Workspace) -> Member:
    return make_member(workspace, Role.MANAGER, "Manuel Manager")


@pytest.fixture
def marketer(workspace: Workspace) -> Member:
    return make_member(workspace, Role.MARKETER, "Mara Marketer")


@pytest.fixture
def rep(workspace: Workspace) -> Member:
    return make_member(workspace, Role.REP, "Rita Rep", takes_leads=True)


@pytest.fixture
def other_rep(workspace: Workspace) -> Member:
    return make_member(workspace, Role.REP, "Otto Rep", takes_leads=True)


@pytest.fixture
def viewer(workspace: Workspace) -> Member:
    return make_member(workspace, Role.VIEWER, "Vera Viewer")


@pytest.fixture
def outsider(db: Any) -> Member:
    user = User.objects.create_user("oscar@second.example", PASSWORD, name="Oscar Outsider")
    with everywhere():
        return start_business("Second", owner=user, country="DE", time_zone="Europe/Berlin", at=timezone.now())


@pytest.fixture
def gate() -> Callable[[Member | Workspace], AbstractContextManager[datetime]]:
    """Open the gate of a member's workspace for setting a scene or looking at rows."""

    def opened(who: Member | Workspace) -> AbstractContextManager[datetime]:
        return tenant(who.workspace if isinstance(who, Member) else who, write=True)

    return opened


@pytest.fixture
def browse() -> Callable[[Member], Client]:
    """A browser that is logged in as the member."""

    def logged_in(member: Member) -> Client:
        client = Client()
        client.force_login(member.user, backend="funnel.workspaces.login.LoginBackend")
        session = client.session
        session["workspace"] = str(member.workspace_id)
        session.save()
        return client

    return logged_in


class ApiClient:
    """An integration with a key of its own."""

    def __init__(self, secret: str) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {secret}"})

    def send(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        address = path if path.startswith("/") else f"/api/v1/{path}"
        if body is None:
            return self.client.generic(method, address, **extra)
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        extra.setdefault("content_type", "application/json")
        return self.client.generic(method, address, data, **extra)

    def get(self, path: str, **extra: Any) -> Any:
        return self.send("GET", path, **extra)

    def post(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.send("POST", path, {} if body is None else body, **extra)

    def patch(self, path: str, body: Any, **extra: Any) -> Any:
        return self.send("PATCH", path, body, **extra)


@pytest.fixture
def api() -> Callable[..., ApiClient]:
    """A client with a fresh key of the member; all scopes unless some are named."""

    def keyed(member: Member, *scopes: str) -> ApiClient:
        secret = ApiKey.make_secret()
        with everywhere():
            ApiKey.objects.create(
                workspace=member.workspace,
                member=member,
                name="test",
                prefix=secret[:10],
                digest=ApiKey.digest_of(secret),
                scopes=list(scopes) or ["all"],
                created_at=timezone.now(),
            )
        return ApiClient(secret)

    return keyed


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Do what the worker would: everything due in every lane, at a later moment if one is given."""
    # Nobody else waits for SQLite's write lock here.
    monkeypatch.setattr("funnel.outbox.drain.AIR", 0)
    monkeypatch.setattr("funnel.transfer.importing.AIR", 0)

    def drained(at: datetime | None = None) -> int:
        return drain((Lane.LIVE, Lane.BULK, Lane.MAIL), at=at)

    return drained
