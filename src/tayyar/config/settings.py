"""Django settings, all from the environment; docs/operations.md lists the variables."""

import datetime as dt
import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from tayyar.core import crypto, postgres

PACKAGE = Path(__file__).resolve().parent.parent


def _database(url: str) -> dict[str, object]:
    """A Django database entry from a postgresql:// address."""
    parts = urlsplit(url)
    options: dict[str, object] = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or parts.hostname or ""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(options.pop("port", None) or parts.port or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASE_URL = os.environ.get("DATABASE_URL") or postgres.database_url()
DATABASES = {"default": _database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DEBUG = os.environ.get("TAYYAR_DEBUG") == "1"
SECRET_KEY = crypto.keys().links.hex()
ALLOWED_HOSTS = os.environ.get("TAYYAR_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
SITE_URL = os.environ.get("TAYYAR_SITE_URL", "http://127.0.0.1:8000")
EMAIL_FROM = os.environ.get("TAYYAR_EMAIL_FROM", "bills@tayyar.example")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.headless",
    "django_htmx",
    "procrastinate.contrib.django",
    "tayyar.core",
    "tayyar.metering",
    "tayyar.customers",
    "tayyar.devices",
    "tayyar.ledger",
    "tayyar.notifications",
    "tayyar.identity",
    "tayyar.requests",
    "tayyar.billing",
    "tayyar.claims",
    "tayyar.portal",
    "tayyar.console",
    "tayyar.kiosk",
    "tayyar.api",
    "tayyar.config",
]
MIDDLEWARE = [
    "tayyar.config.middleware.security_headers",
    "tayyar.core.pulse.measure_portal",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "tayyar.config.middleware.NoNullCharacters",
    "tayyar.config.middleware.BusyPasswords",
]
ROOT_URLCONF = "tayyar.config.urls"
WSGI_APPLICATION = "tayyar.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = ["tayyar.core.passwords.Argon2", "tayyar.core.passwords.OldPBKDF2"]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",  # staff, by user name
    "tayyar.identity.backend.PersonBackend",  # people of the portal
]
LOGIN_URL = "console:login"
LOGIN_REDIRECT_URL = "console:home"

# django-allauth: sessions of people, second factors, passkeys. The pages and the words are the portal's own.
ACCOUNT_ADAPTER = "tayyar.identity.adapter.AccountAdapter"
MFA_ADAPTER = "tayyar.identity.adapter.FactorAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"  # sign-up verifies addresses itself
ACCOUNT_LOGIN_METHODS = {"username"}  # an app sends identity number, e-mail or mobile under this name
ACCOUNT_LOGIN_TIMEOUT = 600  # seconds from the password to the second factor
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
MFA_TRUST_ENABLED = True
MFA_TRUST_COOKIE_AGE = dt.timedelta(days=30)
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SITE_URL.startswith("https://")  # http://127.0.0.1, for trying out
HEADLESS_CLIENTS = ("app",)
HEADLESS_SERVE_SPECIFICATION = False
HEADLESS_TOKEN_STRATEGY = "tayyar.identity.app_tokens.AppTokens"  # noqa: S105 - a class
CACHES = {  # shared by all processes and kept: attempts at second factors and used codes are counted there
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "shared_cache",
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},
    }
}

LANGUAGE_CODE = "ar"
LANGUAGES = [("ar", "العربية"), ("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True  # served from the packages themselves: no collectstatic step, no CDN

# How many proxies of ours stand before the site: the client's address is read from X-Forwarded-For that far back.
TRUSTED_PROXIES = int(os.environ.get("TAYYAR_PROXIES", "1" if SITE_URL.startswith("https://") else "0"))
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "no-referrer"
X_FRAME_OPTIONS = "DENY"
if SITE_URL.startswith("https://"):
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"  # no other host can set them
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"django.request": {"level": "ERROR"}},  # a 404 there would write a bill's link into the log
}
