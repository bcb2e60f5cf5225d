import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from funnel.outbox import heartbeat

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
STAYING = {name: service for name, service in SERVICES.items() if service["restart"] != "no"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.mark.once
def test_the_parts_of_a_server_are_there():
    assert set(STAYING) == {"database", "redis", "web", "worker", "beat"}
    assert set(SERVICES) - set(STAYING) == {"migrate"}


@pytest.mark.once
@pytest.mark.parametrize("name", STAYING)
def test_every_service_that_stays_has_a_health_check(name):
    check = STAYING[name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@pytest.mark.once
@pytest.mark.parametrize("name", SERVICES)
def test_no_service_is_root_or_can_change_its_own_files(name):
    service = SERVICES[name]
    assert str(service["user"]).split(":")[0] not in ("", "0", "root")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")


@pytest.mark.once
def test_the_image_itself_is_not_root_either():
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == SERVICES["web"]["user"]


@pytest.mark.once
def test_only_the_web_can_be_reached_and_from_this_machine_alone():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]
    assert SERVICES["web"]["ports"] == ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name in ("database", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]


@pytest.mark.once
def test_redis_keeps_what_it_was_given():
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


@pytest.mark.once
def test_the_example_explains_every_setting_and_holds_no_password():
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text())) | {"LOG_LEVEL"}
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)) == asked
    assert re.findall(r"^\w*PASSWORD=(.*)$", example, re.MULTILINE) == ["", ""]


@pytest.mark.once
def test_what_the_image_copies_is_let_through_to_it():
    copied = {
        word.split("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    }
    let_through = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.once
def test_django_finds_nothing_to_warn_of_behind_an_https_address(tmp_path):
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={"DATA": str(tmp_path), "PUBLIC_URL": "https://crm.example.com", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db
def test_a_part_that_was_never_seen_is_not_alive_and_one_that_beats_is(capsys):
    with pytest.raises(CommandError, match="Was never seen"):
        call_command("alive", "worker")
    heartbeat.beat("worker")
    call_command("alive", "worker")
    assert "ago." in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("alive", "beat")
