"""Run work in a thread, so that a signal can stop it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from vidsr.context import Stop
from vidsr.errors import OutOfMemory, VidsrError

T = TypeVar("T")

GRACE_S = 0.7  # for threads to clean up after a signal; the whole command ends within a second


def supervised(work: Callable[[], T], stop: Stop) -> T:
    """Do the work in a thread, so that the main thread is free to handle signals, and close `stop`.

    A signal gives the work a moment, or as long as it takes where it completes what was written (`stop.finishes`).
    Raises what the work raises, and OutOfMemory if it lacked memory.
    """
    outcome: Future[T] = Future()
    done = threading.Event()  # Thread.join takes an interrupted wait for the end of the thread (CPython 3.11)

    def run() -> None:
        try:
            outcome.set_result(_with_memory_error(work))
        except BaseException as exc:
            outcome.set_exception(exc)
        done.set()

    thread = threading.Thread(target=run, name="vidsr-encode", daemon=True)
    thread.start()
    try:
        while not done.wait(0.5):  # Windows handles no signal during a wait without a timeout
            pass
    except BaseException:
        stop.set()
        while not done.wait(GRACE_S) and stop.finishes:
            pass
        raise
    thread.join()
    stop.close()
    return outcome.result()


def _with_memory_error(work: Callable[[], T]) -> T:
    """Do the work; raise OutOfMemory if memory, or a thread, cannot be had."""
    try:
        return work()
    except (MemoryError, BlockingIOError) as exc:
        if isinstance(exc, VidsrError):
            raise
        what = "not enough memory is left for frames of this size"
        raise OutOfMemory(f"{what}; ask for a smaller size, or raise the limit (ulimit -v)") from exc
