"""Django's settings; everything a person may change is an environment variable read here."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import dj_database_url

from fleetdash import env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("FLEETDASH_VAR", str(BASE_DIR / "var"))).absolute()

HOST_NAME = re.sub(
    r"[^a-z0-9-]", "-", env.text("FLEETDASH_HOST", socket.gethostname()).lower()
).strip("-")[:63] or "host"

BIND = env.text("FLEETDASH_BIND", "127.0.0.1")
PORT = env.integer("FLEETDASH_PORT", 8000, least=1, most=65535)
GATEWAY_BIND = env.text("FLEETDASH_GATEWAY_BIND", "127.0.0.1")
GATEWAY_PORT = env.integer("FLEETDASH_GATEWAY_PORT", 4000, least=1, most=65535)

MEMORY_RESERVE_MIB = env.integer("FLEETDASH_MEMORY_RESERVE_MIB", 1024, least=64, most=1 << 20)
DEVICE_COST_MIB = env.integer("FLEETDASH_DEVICE_COST_MIB", 190, least=1, most=65536)
CLONE_COST_MIB = env.integer("FLEETDASH_CLONE_COST_MIB", 16, least=1, most=65536)
DEVICE_MEMORY_MIB = env.integer("FLEETDASH_DEVICE_MEMORY_MIB", 128, least=64, most=4096)
BOOT_DEADLINE_S = env.integer("FLEETDASH_BOOT_DEADLINE_S", 180, least=5, most=3600)
OFFLINE_AFTER_S = env.integer("FLEETDASH_OFFLINE_AFTER_S", 90, least=5, most=3600)
LIVE_RECONNECT_S = env.integer("FLEETDASH_LIVE_RECONNECT_S", 21600, least=1, most=604800)
CONSOLE_IDLE_S = env.integer("FLEETDASH_CONSOLE_IDLE_S", 300, least=1, most=86400)
KSM = env.choice("FLEETDASH_KSM", "auto", of=("auto", "off", "leave"))
# what tells this fleet from others on the machine; set by bin/up
FLEET_ID = env.text("FLEETDASH_ID", HOST_NAME)
# a page that shows a made-up fleet says so; set by bin/bench live alone
SIMULATED = env.boolean("FLEETDASH_SIMULATED", False)
LAUNCH_WIDTH = env.integer("FLEETDASH_LAUNCH_WIDTH", 0, least=0, most=1000)
KEEP_EVENTS_DAYS = env.integer("FLEETDASH_KEEP_EVENTS_DAYS", 14, least=1, most=3650)
KEEP_GONE_DAYS = env.integer("FLEETDASH_KEEP_GONE_DAYS", 7, least=1, most=3650)


def _secret_key() -> str:
    file = VAR_DIR / "secrets" / "secret_key"
    given = env.text("FLEETDASH_SECRET_KEY", "")
    if given:
        return given
    if file.exists():
        return file.read_text().strip()
    return "not-secret: only for commands run before bin/up has made var/secrets/secret_key"


SECRET_KEY = _secret_key()
DEBUG = env.boolean("FLEETDASH_DEBUG", False)
# its own programs reach it by the local names whatever others call it
ALLOWED_HOSTS = [
    "localhost", "127.0.0.1", "[::1]", f"[{BIND}]" if ":" in BIND else BIND,
    *env.words("FLEETDASH_ALLOWED_HOSTS", ""),
]  # fmt: skip
CSRF_TRUSTED_ORIGINS = env.words("FLEETDASH_TRUSTED_ORIGINS", "")
# behind a proxy that speaks TLS, which says so; nobody else is believed
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https")
    if any(origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS)
    else None
)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "ninja",
    "devices",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "devices.views.csp.content_security_policy",
    "devices.views.kept.nothing_is_kept",
    "devices.views.secure_cookies.secure_cookies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
if SIMULATED:
    MIDDLEWARE.append("devices.views.simulated.refuse_changes")

ROOT_URLCONF = "fleetdash.urls"
ASGI_APPLICATION = "fleetdash.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "devices.views.simulated.context",
            ],
            "builtins": [
                "django.templatetags.static",
                "devices.templatetags.modules",
                "devices.templatetags.speech",
                "devices.templatetags.times",
            ],
        },
    }
]

DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL", f"sqlite:///{VAR_DIR}/db/fleetdash.sqlite3"),
        conn_max_age=0,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["CONN_MAX_AGE"] = None
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PASSWORD_HASHERS = ["fleetdash.hashers.PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = f"fleetdash_session_{PORT}"
WALL_COOKIE_NAME = f"fleetdash_wall_{PORT}"
KNOWN_COOKIE_NAME = f"fleetdash_known_{PORT}"
CSRF_COOKIE_NAME = f"fleetdash_csrf_{PORT}"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# what the libraries bring is not used
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "fleetdash.static_storage.StaticStorage"},
}

REDIS_URL = env.text("REDIS_URL", f"unix://{VAR_DIR}/redis/redis.sock")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("FLEETDASH_LOG_LEVEL", "INFO")},
    "loggers": {
        "django.channels.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
    },
}
