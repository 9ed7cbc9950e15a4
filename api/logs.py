"""Logs: one structured line a fact, as JSON or for people, on standard error; never a secret, never content."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

HIDDEN = "[redacted]"
SECRET_KEY = re.compile(r"(^|_)(authorization|cookie|token|secret|password|passwd|api_?key|key_hash|plaintext)$")
CONTENT_KEY = re.compile(r"(^|_)(text|texts|content|contents|prompt|rationale|body)$")
# The same secrets inside a sentence: our keys, an authorization header's value, a password in a URL.
SECRET_TEXT = re.compile(
    r"gf_[0-9a-f]{12}_[\w-]{43}"
    r"|(?<=Bearer )\S+|(?<=Token )\S+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: hide secrets by key and by shape, and content by key, at any depth."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: object, value: Any) -> Any:
    name = re.sub(r"[^a-z0-9]+", "_", str(key).lower())
    if SECRET_KEY.search(name):
        return HIDDEN
    if CONTENT_KEY.search(name) and value is not None:
        return f"[content, {len(value)} long]" if hasattr(value, "__len__") else "[content]"
    if isinstance(value, Mapping):
        return {inner: _clean(inner, one) for inner, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean("", one) for one in value]
    return SECRET_TEXT.sub(HIDDEN, value) if isinstance(value, str) else value


def configure(level: str, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's lines, from ``level`` up, through one format to ``stream``."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # A plain traceback: one with local variables would print content and secrets.
                structlog.processors.format_exc_info,
                redact,
                _renderer(as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


def _renderer(as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
