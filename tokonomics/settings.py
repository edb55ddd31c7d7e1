"""Every setting, from the environment, with defaults for a laptop. `docs/operating.md` explains each variable."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import csp.constants

from tokonomics.embedded.serving import served_port
from tokonomics.environment import (
    database_settings,
    email_settings,
    envbool,
    envchoice,
    envint,
    envlist,
    envsecret,
    kept_secret,
    socket_directory,
)
from tokonomics.logs import logging_settings

# Where it lives
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("DATA_DIR") or BASE_DIR / "var").expanduser().resolve()
SOCKET_DIR = socket_directory(DATA_DIR)
SITE_SOCKET = Path(os.environ.get("SITE_SOCKET") or SOCKET_DIR / "site.sock")
HOST = os.environ.get("LISTEN_ADDRESS") or "127.0.0.1"
PORT = envint("PORT", served_port(DATA_DIR) or 8000, 1, 65535)
PUBLIC_URL = (os.environ.get("PUBLIC_URL") or f"http://127.0.0.1:{PORT}").rstrip("/")
SECURE = PUBLIC_URL.startswith("https://")
DEBUG = envbool("TOKONOMICS_DEBUG", False)

# Engines: the embedded ones below DATA_DIR unless a URL names others
EMBEDDED_DATABASE = not envsecret("DATABASE_URL")
EMBEDDED_REDIS = not envsecret("REDIS_URL")
DATABASE_URL = (
    envsecret("DATABASE_URL") or f"postgresql://tokonomics@/tokonomics?host={quote(f'{SOCKET_DIR}/postgres', safe='')}"
)
REDIS_URL = envsecret("REDIS_URL") or f"unix://{quote(f'{SOCKET_DIR}/redis.sock')}?db=0"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        **database_settings(DATABASE_URL),
    }
}
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 5)
DATABASES["default"]["OPTIONS"].setdefault("application_name", "tokonomics")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "tokonomics.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "tokonomics",
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
}

# Secrets: given, or made once and kept below DATA_DIR
SECRET_KEY = envsecret("SECRET_KEY") or kept_secret(
    DATA_DIR / "secrets" / "secret_key", lambda: secrets.token_urlsafe(50)
)
SECRET_KEY_FALLBACKS = envlist("SECRET_KEY_FALLBACKS")
ENCRYPTION_KEYS = [key.strip() for key in envsecret("ENCRYPTION_KEYS").split(",") if key.strip()] or [
    kept_secret(
        DATA_DIR / "secrets" / "encryption_key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    )
]
"""URL-safe base64 of 32 bytes each, newest first: the first encrypts, all of them decrypt."""

# Who may speak to it
ALLOWED_HOSTS = envlist("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]", urlsplit(PUBLIC_URL).hostname or ""]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
TRUSTED_PROXY_COUNT = envint("TRUSTED_PROXY_COUNT", 0, 0, 9)
"""How many proxies stand in front of the gateway and tell it the visitor's address in X-Forwarded-For."""
TRUST_FORWARDED = TRUSTED_PROXY_COUNT > 0
ALLOW_PRIVATE_ADDRESSES = envbool("TOKONOMICS_ALLOW_PRIVATE_ADDRESSES", EMBEDDED_DATABASE)
"""Whether provider base URLs and webhooks may point at private and loopback addresses."""
DEMO = envbool("DEMO", False)
"""Whether `manage.py serve` fills a workspace with the demo's agency first."""
CLOSED_SIGNUP = envbool("CLOSED_SIGNUP", False)
"""True: accounts are made by invitation or by `manage.py quickstart` only."""
ADMIN_ENABLED = envbool("ADMIN_ENABLED", False)

# The gateway: sizes in bytes, times in seconds
GATEWAY_WORKERS = envint("GATEWAY_WORKERS", max(1, min(4, os.cpu_count() or 1)), 1, 256)
GATEWAY_BODY_LIMIT = 25 * 1024 * 1024
GATEWAY_HEADER_LIMIT = 16 * 1024
GATEWAY_HEADER_TIMEOUT = 15
GATEWAY_BODY_TIMEOUT = 60
GATEWAY_CONNECT_TIMEOUT = 5
GATEWAY_FIRST_BYTE_TIMEOUT = envint("GATEWAY_FIRST_BYTE_TIMEOUT", 600, 1)
GATEWAY_IDLE_TIMEOUT = envint("GATEWAY_IDLE_TIMEOUT", 300, 1)
GATEWAY_CLIENT_GONE_DRAIN = envint("GATEWAY_CLIENT_GONE_DRAIN", 60)
"""How long an answer is read on to its usage after its client has left."""
GATEWAY_SHUTDOWN_DRAIN = envint("GATEWAY_SHUTDOWN_DRAIN", 900)
"""How long running calls may take to end after SIGTERM."""
SPOOL_DIR = Path(os.environ.get("SPOOL_DIR") or DATA_DIR / "spool")
SPOOL_MAX_BYTES = envint("SPOOL_MAX_BYTES", 2 * 1024**3, 1024**2)
SPOOL_SYNC = envbool("SPOOL_SYNC", False)
"""True: lines reach the disk (fdatasync, grouped) before the call goes on, so that they survive a power cut."""

# The site
SITE_WORKERS = envint("SITE_WORKERS", 2, 1, 256)
INSTALLED_APPS = [
    "tokonomics",
    "metering",
    "billing",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "template_partials",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tokonomics.sessions.SessionLimits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "tokonomics.urls"
WSGI_APPLICATION = "tokonomics.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# Accounts
AUTH_USER_MODEL = "tokonomics.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "tokonomics.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "tokonomics.forms.signup.SignupForm",
    "login": "tokonomics.forms.account.LoginForm",
    "reset_password": "tokonomics.forms.account.ResetPasswordForm",
    "reset_password_from_key": "tokonomics.forms.account.ResetPasswordKeyForm",
    "change_password": "tokonomics.forms.account.ChangePasswordForm",
    "reauthenticate": "tokonomics.forms.account.ReauthenticateForm",
    "add_email": "tokonomics.forms.account.AddEmailForm",
}
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if envbool("EMAIL_VERIFICATION", SECURE) else "optional"
"""Mandatory also hides whether an address has an account; a laptop without a mail server cannot ask for it."""
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip"}
PASSWORD_RESET_TIMEOUT = 3600
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SECURE else "http"
ALLAUTH_TRUSTED_PROXY_COUNT = 1 + TRUSTED_PROXY_COUNT
MFA_TOTP_ISSUER = "Tokonomics"

# What browsers are told
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_IDLE_AGE = 7 * 24 * 3600
"""Seconds: a session ends this long after its log-in, or after its last request."""
CSRF_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31536000 if SECURE else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.constants.NONE],
        "script-src": [csp.constants.SELF],
        "style-src": [csp.constants.SELF],
        "img-src": [csp.constants.SELF, "data:"],
        "font-src": [csp.constants.SELF],
        "connect-src": [csp.constants.SELF],
        "manifest-src": [csp.constants.SELF],
        "form-action": [csp.constants.SELF],
        "base-uri": [csp.constants.NONE],
        "frame-ancestors": [csp.constants.NONE],
    }
}

# The API
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tokonomics.problems.answer",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {"TITLE": "Tokonomics", "VERSION": "1", "SERVE_INCLUDE_SCHEMA": False}

# E-mail, background work, monitoring, log
EMAIL_URL = envsecret("EMAIL_URL")
DEFAULT_FROM_EMAIL = f"Tokonomics <noreply@{urlsplit(PUBLIC_URL).hostname or 'localhost'}>"
globals().update(email_settings(EMAIL_URL))
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
METRICS_TOKEN = envsecret("METRICS_TOKEN")
LOG_LEVEL = envchoice("LOG_LEVEL", "info", ("debug", "info", "warning", "error"))
LOG_FORMAT = envchoice("LOG_FORMAT", "console" if EMBEDDED_DATABASE else "json", ("console", "json"))
LOGGING = logging_settings(LOG_FORMAT, LOG_LEVEL.upper())
