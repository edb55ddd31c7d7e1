"""The product's settings as tests need them: data of their own, quick passwords, nothing sent."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["DATA_DIR"] = str(Path(__file__).parents[1] / "var" / "test")
os.environ.setdefault("LOG_LEVEL", "WARNING")
for name in ("PORT", "PUBLIC_URL", "EMAIL_URL", "SPOOL_DIR", "SITE_SOCKET", "TOKONOMICS_DEBUG"):
    os.environ.pop(name, None)

from tokonomics.settings import *  # noqa: E402, F403 - after the environment that they read
from tokonomics.settings import DATABASES, EMBEDDED_DATABASE, PASSWORD_HASHERS, STATIC_ROOT, STORAGES  # noqa: E402

RUN = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
"""The process that this test run began with. Runs beside each other share the embedded server, not its databases."""
if EMBEDDED_DATABASE:
    DATABASES["default"]["TEST"] = {"NAME": f"test_{RUN}"}

STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *PASSWORD_HASHERS]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CELERY_BROKER_URL = "memory://"
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
