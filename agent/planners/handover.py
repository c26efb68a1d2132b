"""What comes out of a planner's work, handed from where it is done to where it is awaited."""

from collections.abc import AsyncIterator, Awaitable, Callable

from llava_plus.agent.planner import Decision

Item = str | Decision | BaseException  # more of the output, its end, or why there is none


async def until_decided(take: Callable[[], Awaitable[Item]]) -> AsyncIterator[str | Decision]:
    """Yield items up to the decision; raise an error that comes instead.

    Args:
        take: Waits for the next item.
    """
    while True:
        item = await take()
        if isinstance(item, BaseException):
            raise item
        yield item
        if isinstance(item, Decision):
            return
