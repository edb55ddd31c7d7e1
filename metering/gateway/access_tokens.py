"""Access tokens of provider accounts: a call waits for the first one only, later ones are fetched before it is needed.

Directories are read again and again, and each reading makes new credentials: tokens live here, by what brings them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from metering.access_tokens import TokenError, fetch_token
from metering.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from metering.access_tokens import Token
    from metering.providers.account import Grant

    Told = Callable[[Refusal | None], None]

REMEMBERED = 4096
RENEW_SHARE = 0.8
"""Of its life, after which a token is renewed while calls go on with the old one."""
SPARE_SECONDS = 15
"""Before its end a token is not used for new calls."""
RETRY_SECONDS = 5

logger = logging.getLogger(__name__)
_fetchers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="access-token")
_tokens: dict[Grant, AccessToken] = {}


def token_of(grant: Grant) -> AccessToken:
    """The one token of a grant in this process."""
    token = _tokens.get(grant)
    if token is None:
        while len(_tokens) >= REMEMBERED:
            del _tokens[next(iter(_tokens))]
        token = _tokens[grant] = AccessToken(grant)
    return token


class AccessToken:
    """`value` is the token itself, empty until the first came. For the event loop that waits for it."""

    __slots__ = ("_ends", "_fetching", "_grant", "_problem", "_renew", "_retry", "_used", "value")

    def __init__(self, grant: Grant) -> None:
        self.value = b""
        self._grant = grant
        self._ends = self._renew = self._retry = 0.0
        self._fetching: asyncio.Task[None] | None = None
        self._problem: Refusal | None = None
        self._used = False

    def valid(self) -> bool:
        """Whether a call can go out now; asks for the next token in time."""
        now = time.monotonic()
        self._used = True
        if now >= self._renew and now < self._ends:
            self._fetch(now)
        return now < self._ends

    def wait(self, told: Told) -> None:
        """Call `told` with None once there is a token, or with why there is none."""
        self._used = True
        self._fetch(time.monotonic())
        if self._fetching is None:
            told(self._problem)
        else:
            self._fetching.add_done_callback(lambda _: told(self._problem))

    def forget(self) -> None:
        """The provider does not take it any more: the next call waits for another one."""
        self._ends = 0.0

    def _fetch(self, now: float) -> None:
        """Begin to fetch, unless that is under way or has just failed."""
        if self._fetching is None and now >= self._retry:
            self._fetching = asyncio.get_running_loop().create_task(self._bring())

    async def _bring(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._keep(await loop.run_in_executor(_fetchers, fetch_token, self._grant), loop)
        except TokenError as error:
            logger.warning("%s", error)
            code = "upstream_auth" if error.refused else "upstream_unreachable"
            self._fail(Refusal(code, f"{error} Check the account under Providers." if error.refused else str(error)))
        except Exception:
            logger.exception("A token could not be fetched")
            self._fail(Refusal("upstream_unreachable"))
        finally:
            self._fetching = None

    def _keep(self, token: Token, loop: asyncio.AbstractEventLoop) -> None:
        now, life = time.monotonic(), max(token.seconds - SPARE_SECONDS, 1)
        self.value = token.value.encode()
        self._problem = None
        self._ends = now + life
        self._renew = now + life * RENEW_SHARE
        loop.call_later(life * RENEW_SHARE, self._renew_used)

    def _renew_used(self) -> None:
        """Have the next token ready for an account that was in use since the last one."""
        now = time.monotonic()
        if self._used and now >= self._renew - 1:  # a timer may fire a moment early
            self._used = False
            self._fetch(now)

    def _fail(self, problem: Refusal) -> None:
        self._problem = problem
        self._retry = time.monotonic() + RETRY_SECONDS
