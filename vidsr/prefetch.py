"""Iterables run ahead of whoever asks, and closed when nobody asks any more."""

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing a prefetching thread has to say."""

    error: BaseException | None


def prefetch(items: Iterable[T], *, depth: int) -> Generator[T, None, None]:
    """Run an iterable in a thread, at most `depth` items ahead of its consumer.

    The thread starts when the first item is asked for. An error of `items` is raised here, after the items before it.
    Closing the iterator drops what is ahead, closes `items` if it is a generator, and waits for the thread.
    """
    room: SimpleQueue[None] = SimpleQueue()  # a permit for each item ahead; threading.Semaphore is written in Python
    for _ in range(depth):
        room.put(None)
    ahead: SimpleQueue[T | _End] = SimpleQueue()
    left = threading.Event()

    def work() -> None:
        error = None
        try:
            with closed_after(items) as iterator:
                for item in iterator:
                    room.get()
                    if left.is_set():
                        break
                    ahead.put(item)
        except BaseException as exc:
            error = exc
        ahead.put(_End(error))

    thread = threading.Thread(target=work, name="vidsr-prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ahead.get(), _End):
            room.put(None)
            yield item
        if item.error is not None:
            raise item.error
    finally:
        left.set()
        room.put(None)  # the thread may be waiting for room
        thread.join()


@contextmanager
def closed_after(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Iterate, and close what was iterated where it is a generator."""
    iterator = iter(items)
    try:
        yield iterator
    finally:
        if isinstance(iterator, Generator):
            iterator.close()
