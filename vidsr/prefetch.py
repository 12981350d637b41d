"""Iterables run ahead of their consumer in a thread, and closed with it."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """Marks the end of the items."""

    error: BaseException | None


POLL_S = 0.2  # between two looks at whether to stop


def prefetch(items: Iterable[T], *, depth: int, stopped: Callable[[], bool] | None = None) -> Generator[T, None, None]:
    """Iterate in a thread, at most `depth` items ahead of the consumer.

    The thread starts with the first `next`. An exception of `items` is raised here, after the items before it. Closing
    the iterator drops the items ahead, closes `items` if it is a generator, and waits for the thread.
    stopped: ends the iterator once it is true, even while the thread waits for something that nothing interrupts; the
    thread is then left alone.
    """
    permits: SimpleQueue[None] = SimpleQueue()  # one per item; threading.Semaphore is slower, written in Python
    for _ in range(depth):
        permits.put(None)
    ahead: SimpleQueue[T | _End] = SimpleQueue()
    closed = threading.Event()

    def work() -> None:
        error = None
        try:
            with closed_after(items) as iterator:
                for item in iterator:
                    permits.get()
                    if closed.is_set():
                        break
                    ahead.put(item)
        except BaseException as exc:
            error = exc
        ahead.put(_End(error))

    thread = threading.Thread(target=work, name="vidsr-prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := _next(ahead, stopped), _End):
            permits.put(None)
            yield item
        if item.error is not None:
            raise item.error
    finally:
        closed.set()
        permits.put(None)  # the thread may be waiting for one
        thread.join(POLL_S if stopped is not None and stopped() else None)


def _next(ahead: "SimpleQueue[T | _End]", stopped: Callable[[], bool] | None) -> T | _End:
    """Wait for the next item; return the end once `stopped` is true and none is there."""
    while stopped is not None:
        try:
            return ahead.get(timeout=POLL_S)
        except Empty:
            if stopped():
                return _End(None)
    return ahead.get()


@contextmanager
def closed_after(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Give an iterator, and close it afterwards if it is a generator."""
    iterator = iter(items)
    try:
        yield iterator
    finally:
        if isinstance(iterator, Generator):
            iterator.close()
