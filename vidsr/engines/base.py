"""What every engine has in common: how it is chosen, the interface it implements, and the errors it raises."""

import weakref
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from vidsr.errors import EngineBusy, OutOfMemory, VidsrError
from vidsr.options import Precision

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Setup:
    """The engine, device and precision that run a graph; none of them is `auto`."""

    engine: str
    device: str
    """cpu; cuda or cuda:N, an NVIDIA GPU; gpu, gpu:N or npu, a device of Intel."""
    precision: Precision


class Pending(Protocol):
    """A run in progress."""

    def result(self) -> Arrays:
        """Wait for the run, without holding the GIL, and return its arrays by the names of the graph's outputs.

        The arrays belong to the engine and are valid until its next `submit`: copy what must live longer. To be called
        once.
        """


class Engine(Protocol):
    """One network on one device, compiled for one input shape. Not thread-safe: one thread submits and waits."""

    in_flight: int
    """The largest number of runs in progress."""

    def submit(self, inputs: Arrays) -> Pending:
        """Start a run and return at once.

        inputs: arrays by the names of the graph's inputs, with the shapes the engine was opened for. They are not
        modified, and may be reused after `Pending.result()`.
        Raises EngineBusy if `in_flight` runs are in progress. A run whose Pending was garbage-collected does not count.
        """

    def close(self) -> None:
        """Release the device. Runs in progress keep it until they end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SlotRun:
    """A run that takes a slot of its engine until its result is taken, or until it is garbage-collected."""

    def __init__(
        self,
        slot: Any,
        free: list[Any],
        *,
        wait: Callable[[], object],
        collect: Callable[[], Any],
        cancel: Callable[[], object] | None = None,
        held: object = None,
    ) -> None:
        """free: the engine's unused slots. wait: waits for the end of the run; the exceptions it raises leave `result`.

        collect: returns the results after that. cancel: called instead of `collect` if nobody takes the result. held:
        what must stay referenced until the end of the run.
        """
        self._slot, self._free, self._wait, self._collect = slot, free, wait, collect
        self._abandon = weakref.finalize(self, _abandon, slot, free, wait, cancel, held)

    def result(self) -> Any:
        """Wait for the run; see Pending."""
        try:
            self._wait()
        finally:
            self._abandon.detach()
            self._free.append(self._slot)
        return self._collect()


def translate_error(
    runtime: str, exc: BaseException, otherwise: type[VidsrError], *, out_of_memory: Collection[str]
) -> VidsrError:
    """Return the vidsr error for a runtime's exception: OutOfMemory, or `otherwise` with the runtime's message.

    out_of_memory: substrings of the exception's class name or message that mean a failed allocation.
    """
    kind, text = type(exc).__name__, " ".join(str(exc).split())
    if any(sign in kind or sign in text for sign in out_of_memory):
        return OutOfMemory("the picture does not fit into memory; give a smaller --tile")
    return otherwise(f"{runtime} cannot run the network: {text[-300:] or kind}")


def busy(in_flight: int) -> EngineBusy:
    """Return the error that `submit` raises when `in_flight` runs are in progress."""
    return EngineBusy(f"{in_flight} runs are in progress already; take the result of one first")


def _abandon(
    slot: Any, free: list[Any], wait: Callable[[], object], cancel: Callable[[], object] | None, held: object
) -> None:
    if cancel:
        cancel()
    with suppress(Exception):  # nobody waits for the result, and so for its errors
        wait()
    free.append(slot)
