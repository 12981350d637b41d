"""What every engine has in common: how it is chosen, the interface it implements, and the errors it raises."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import EngineBusy, OutOfMemory, VidsrError
from vidsr.options import Precision

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Setup:
    """The engine, device and precision that run a graph; none of them is `auto`."""

    engine: str
    device: str
    """cpu, cuda, or cuda:N for the GPU with index N."""
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

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


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


def shareable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array itself if a runtime can read it in place, else a copy.

    Decoders' planes may have padded lines and may be read-only, which runtimes do not accept.
    """
    in_place = array.flags.c_contiguous and array.flags.writeable
    return array if in_place else np.array(array, order="C")
