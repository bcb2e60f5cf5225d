"""What this installation was started with: folder, address, key, database, log. A bad value stops the start."""

import logging
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DATA = Path(env.str("DATA", default="") or BASE_DIR / "data").expanduser().resolve()
HOST = env.str("HOST", default="") or "127.0.0.1"
PORT = env.int("PORT", default=8000)


def reachable(host: str) -> str:
    """The host as it can stand in a link: "every address" of this machine becomes the one that the office sees."""
    if host in ("0.0.0.0", "::"):  # noqa: S104
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            try:
                door.connect(("192.0.2.1", 9))  # nothing is sent: it only asks which way packets would leave
                host = door.getsockname()[0]
            except OSError:
                host = "127.0.0.1"
    return f"[{host}]" if ":" in host else host


PUBLIC_URL = (env.str("PUBLIC_URL", default="") or f"http://{reachable(HOST)}:{PORT}").rstrip("/")

PUBLIC = urlsplit(PUBLIC_URL)
if PUBLIC.scheme not in ("http", "https") or not PUBLIC.hostname or PUBLIC.path or PUBLIC.query:
    raise ImproperlyConfigured(f"PUBLIC_URL is {PUBLIC_URL!r}; write it like https://crm.example.com, without a path.")
HTTPS = PUBLIC.scheme == "https"


def secret_key() -> str:
    """Make this installation's key once and keep it beside the database."""
    if given := env.str("SECRET_KEY", default=""):
        return given
    path = DATA / "secret.key"
    try:
        DATA.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x") as made:
                path.chmod(0o600)
                made.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass
        return path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"DATA is {DATA}, but Baton can't write there ({error.strerror}).") from None


SECRET_KEY = secret_key()

_database = env.str("DATABASE_URL", default="") or f"sqlite:///{DATA / 'baton.sqlite3'}"
try:
    DATABASES = {"default": env.db_url_config(_database)}
except (ValueError, KeyError, ImproperlyConfigured):
    raise ImproperlyConfigured(
        "DATABASE_URL can't be read; write it like postgres://user:password@host:5432/name."
    ) from None
SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
KEEP_PLANS = not SQLITE and env.bool("KEEP_PLANS", default=False)
if SQLITE:
    # A page waits at most a second for the one write lock, the worker twenty (design.md, Events and effects).
    # The log is moved into the file by the worker, beside the write lock; a commit does it only when that is away.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "cached_statements": env.int("SQLITE_STATEMENTS", default=128),
        "timeout": env.float("SQLITE_TIMEOUT", default=20.0),
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
        f" PRAGMA cache_size=-{1024 * env.int('SQLITE_CACHE', default=64)}; PRAGMA temp_store=MEMORY;"
        " PRAGMA wal_autocheckpoint=8000;",
    }
    DATABASES["default"]["TEST"] = {"NAME": str(DATA / "test.sqlite3")}
else:
    # A page gives up on a lock and on a statement after so many seconds, the worker never: see wsgi.py.
    _patience = {name: env.float(name.upper(), default=0.0) for name in ("lock_timeout", "statement_timeout")}
    _options = DATABASES["default"].setdefault("OPTIONS", {})
    _options.setdefault("connect_timeout", 5)
    _said = [f"-c {name}={wait * 1000:.0f}" for name, wait in _patience.items() if wait]
    # What is kept planned (funnel/workspaces/asking.py) is planned once, not for each value.
    _said += ["-c plan_cache_mode=force_generic_plan"] * KEEP_PLANS
    if _said:
        _options["options"] = " ".join([_options.get("options", ""), *_said]).strip()
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = not SQLITE


def without_trace(record: logging.LogRecord) -> bool:
    """Leave the trace out of a line of the log that says all by itself."""
    record.exc_info = None
    return True


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"brief": {"()": "django.utils.log.CallbackFilter", "callback": without_trace}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="WARNING")},
    "loggers": {
        "baton": {"level": env.str("LOG_LEVEL", default="INFO")},
        # Strangers send wrong names of hosts all day long.
        "django.security.DisallowedHost": {"filters": ["brief"]},
    },
}
