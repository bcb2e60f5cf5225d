import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PYTHON_LOCKS = sorted(ROOT.glob("requirements*.lock"))
LOCKS = [*PYTHON_LOCKS, ROOT / "package-lock.json"]


def pins(name: str) -> dict[str, str]:
    """Return package and version of each line of a lock file."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;]+)", (ROOT / name).read_text(), re.MULTILINE))


def test_the_three_lock_files_for_python_are_there():
    assert {path.name for path in PYTHON_LOCKS} == {
        "requirements.lock",
        "requirements-dev.lock",
        "requirements-frontend.lock",
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_lock_file_names_an_address(lock):
    text = lock.read_text()
    if lock.suffix == ".json":
        packages = json.loads(text)["packages"].values()
        assert not [package for package in packages if "resolved" in package]
        # Where a package asks for donations is no place that anything is fetched from.
        for package in packages:
            package.pop("funding", None)
        text = json.dumps(list(packages))
    assert "://" not in text
    assert "index-url" not in text
    assert "find-links" not in text


@pytest.mark.parametrize("lock", PYTHON_LOCKS, ids=lambda path: path.name)
def test_every_python_package_is_pinned_and_hashed(lock):
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert entries
    for entry in entries:
        assert re.match(r"\S+==\S+", entry)
        assert "--hash=sha256:" in entry


def test_the_test_tools_sit_on_the_very_packages_that_run():
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_the_locks_hold_what_the_project_asks_for():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"]
    names = {re.match(r"[A-Za-z0-9_.-]+", line)[0].lower().replace("_", "-") for line in wanted}
    assert names <= set(pins("requirements.lock"))


def test_psycopg_3_is_not_there_because_django_would_silently_use_it():
    assert "psycopg" not in pins("requirements-dev.lock")


def test_npm_is_told_to_write_no_address():
    assert "omit-lockfile-registry-resolved=true" in (ROOT / ".npmrc").read_text().splitlines()
