"""Waiting for conditions, always with a deadline and with a reason when it passes."""

import asyncio
import inspect
import time

POLL_SECONDS = 0.02


class LabError(Exception):
    """Something in the laboratory itself, or in a server's behaviour, is wrong."""


class LabTimeout(LabError):
    """A deadline passed; the text says what was waited for."""


async def until(condition, what, deadline=15.0, details=None):
    """Evaluate `condition` (plain or async) until it is true and return its value.

    `details` is called for a last word when the deadline (seconds) passes. Conditions
    that nobody announces, such as a listening port or a row in a server's store, can
    only be looked at again; the pause between two looks is short and carries no meaning.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            text = f"no {what} within {deadline:g} s"
            if details:
                text += f": {details()}"
            raise LabTimeout(text)
        await asyncio.sleep(POLL_SECONDS)


async def within(deadline, awaitable, what):
    """Await with a deadline in seconds; `what` names the thing that did not happen."""
    try:
        return await asyncio.wait_for(awaitable, deadline)
    except asyncio.TimeoutError:
        raise LabTimeout(f"no {what} within {deadline:g} s") from None


async def can_connect(address, port):
    """True if something accepts TCP connections at address and port."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 2)
    except (OSError, asyncio.TimeoutError):
        return False
    writer.close()
    return True
