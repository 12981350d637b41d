"""Keep codecs from taking the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_priority() -> Iterator[None]:
    """Undo what a codec does inside to the priority of this thread.

    SVT-AV1, where root runs it, makes the thread that opens it real-time (SCHED_FIFO): whatever that thread does
    later starves every other process of the machine.
    """
    if not hasattr(os, "sched_getscheduler"):  # no Linux
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)
