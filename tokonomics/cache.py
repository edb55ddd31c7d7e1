"""The cache of the site, which may go away: then nothing is remembered, and rate limits hold nobody back."""

from __future__ import annotations

import logging
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class ForgivingRedisCache(RedisCache):
    """Redis while it answers; a log-in must not fail because it does not."""

    def add(self, key: Any, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """True when the key was free, or nobody can tell."""
        try:
            return bool(super().add(key, value, timeout, version))
        except RedisError:
            _away()
            return True

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """What is kept, else the default."""
        try:
            return super().get(key, default, version)
        except RedisError:
            _away()
            return default

    def set(self, key: Any, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Keep it, if possible."""
        try:
            super().set(key, value, timeout, version)
        except RedisError:
            _away()

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Forget it, if possible."""
        try:
            return bool(super().delete(key, version))
        except RedisError:
            _away()
            return False


def _away() -> None:
    logger.warning("Redis does not answer: rate limits of log-ins are off until it does.")
