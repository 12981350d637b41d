"""What a measurement found."""

from dataclasses import dataclass

from vidsr.bench.case_runs__timing import Timing
from vidsr.bench.cases import Case
from vidsr.bench.conditions import Machine


@dataclass(frozen=True, slots=True)
class Result:
    """What was found of one case."""

    case: Case
    network: Timing
    """Alone, with its edges, and chroma resized beside it: from a frame to a large one in memory."""
    pipeline: Timing
    """Decoded and enlarged."""
    whole: Timing
    """Decoded, enlarged, encoded by x264 veryfast, written."""
    first_frame_s: float
    """From the start of the command until its first frame is out."""
    peak_mb: float | None
    """The most memory that the command held; None where the system does not say."""
    cores: float
    """Busy on the whole way."""
    matrix_peak: float | None
    """GFLOP/s of this machine with the same engine and precision; None without a network."""

    @property
    def gflops(self) -> float | None:
        """GFLOP/s that the network reaches; None where the card does not say what it computes."""
        card, size = self.case.card, self.case.size
        return 2e-9 * card.macs * size.width * size.height * self.network.fps if card and card.macs else None

    @property
    def share_of_peak(self) -> float | None:
        """Of the matrix peak, from 0 to 1."""
        return self.gflops / self.matrix_peak if self.gflops and self.matrix_peak else None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found, and on what."""

    machine: Machine
    film: str
    """What was shown."""
    frames: int
    """Of the film; slow models are given fewer."""
    runs: int
    results: tuple[Result, ...]
    notices: tuple[str, ...]
    """Sentences on what was left out."""
