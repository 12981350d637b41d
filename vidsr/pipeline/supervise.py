"""Work that a signal can stop, in a thread of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from vidsr.context import Stop
from vidsr.errors import OutOfMemory, VidsrError

T = TypeVar("T")

GRACE_S = 0.7  # what threads get to clean up after a signal; the whole command ends within a second


def supervised(work: Callable[[], T], stop: Stop) -> T:
    """Do the work in a thread, so that a signal finds this one free to stop it.

    Raises what the work raises, and OutOfMemory where it lacked memory.
    """
    outcome: Future[T] = Future()
    done = threading.Event()  # Thread.join would take an interrupted wait for the end of the thread (CPython 3.11)

    def run() -> None:
        try:
            outcome.set_result(_told_of_memory(work))
        except BaseException as exc:
            outcome.set_exception(exc)
        done.set()

    thread = threading.Thread(target=run, name="vidsr-encode", daemon=True)
    thread.start()
    try:
        while not done.wait(0.5):  # Windows hears no signal in a wait without end
            pass
    except BaseException:
        stop.set()
        done.wait(GRACE_S)
        raise
    thread.join()
    stop.close()
    return outcome.result()


def _told_of_memory(work: Callable[[], T]) -> T:
    """Do the work, and say in a sentence where memory, or a thread that wants some, is not to be had."""
    try:
        return work()
    except (MemoryError, BlockingIOError) as exc:
        if isinstance(exc, VidsrError):
            raise
        what = "not enough memory is left for pictures of this size"
        raise OutOfMemory(f"{what}; ask for a smaller one, or raise the limit (ulimit -v)") from exc
