"""What a log line looks like, and that no secret ever stands in one. Pure: no Django."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET = re.compile(
    r"\b(?P<prefix>sk|rk|mk|tk|gsk|xai|pplx|whsec)[-_][A-Za-z0-9_\-+/=]{4,}"
    r"|\bAIza[A-Za-z0-9_-]{10,}"
    r"|(?<=\b[Bb]earer )[^\s\"',\\]+"
    r"|(?<=[?&]key=)[^\s&\"',\\]+"
    r"|(?<=://)[^\s/@:\"']*:[^\s/@\"']+(?=@)"
)


def redact(text: str) -> str:
    """The text without keys (`sk-…`, `mk_…`, `tk_…` and the like), bearer tokens, `?key=` and passwords in URLs."""
    return _SECRET.sub(lambda found: f"{found['prefix'] or ''}[redacted]", text)


class RedactingRenderer:
    """Renders with another structlog renderer and redacts the finished line, whatever field a secret came in by."""

    def __init__(self, renderer: structlog.typing.Processor) -> None:
        self.renderer = renderer

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        return redact(str(self.renderer(logger, method, event)))


def _renderer(style: str) -> structlog.typing.Processor:
    if style == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )


def logging_settings(style: str, level: str) -> dict[str, Any]:
    """A `logging.config` dictionary, everything to standard error; style is `json` (a line an event) or `console`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if style == "json":
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    finish = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, RedactingRenderer(_renderer(style))]
    quiet = {"level": "WARNING", "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"()": structlog.stdlib.ProcessorFormatter, "processors": finish, "foreign_pre_chain": shared}
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "httpx": quiet,
            "httpx2": quiet,
            "httpcore2": quiet,
        },
    }
