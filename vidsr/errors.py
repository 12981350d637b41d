"""Everything that can go wrong, as the user sees it; the exit code of each branch in brackets.

VidsrError
  InputError   [3]   NotAVideo (ValueError) · NoVideoStream (ValueError) · StreamBroken (OSError)
                     DataError (ValueError)
  ModelError   [4]   NotAModel (ValueError) · UnknownModel (KeyError) · CardMismatch (ValueError)
                     ParityFailed (ValueError)
  EngineError  [5]   EngineMissing (ImportError) · ExtraMissing (ImportError) · EngineBusy · OutOfMemory (MemoryError)
                     CannotHalve
  OutputError  [6]   TargetExists (FileExistsError) · SameFile (ValueError) · NotPipeable (ValueError)
                     DiskFull (OSError)
  Damaged      [7]   the input was damaged and --strict was asked for
  NotFaithful  [8]   verify found a difference that was not announced
  TrainError   [9]   RecipeError (ValueError) · CheckpointError (ValueError) · Diverged

  WrongOption  [2]   an option that does not fit the input (ValueError)

Typer keeps 2 for wrong usage. Signals: 130 (INT), 143 (TERM), 129 (HUP); a reader that closed our stdout: 141.
A message is one sentence. It should name the thing, say what was found and what was expected, and offer the next step.
"""


class VidsrError(Exception):
    """Any failure that vidsr explains in a sentence."""

    exit_code = 1

    def __str__(self) -> str:
        # KeyError would quote the message, OSError would look for an errno.
        return Exception.__str__(self)


class WrongOption(VidsrError, ValueError):
    """An option that does not fit the input."""

    exit_code = 2


class InputError(VidsrError):
    """What was given to read cannot be read."""

    exit_code = 3


class NotAVideo(InputError, ValueError):
    """FFmpeg cannot decode the file."""


class NoVideoStream(InputError, ValueError):
    """The file can be read, but has no video stream."""


class StreamBroken(InputError, OSError):
    """The input could not be opened, or went away."""


class DataError(InputError, ValueError):
    """Training or test data, or an array given from Python, cannot be used."""


class ModelError(VidsrError):
    """A model file cannot be used."""

    exit_code = 4


class NotAModel(ModelError, ValueError):
    """The file is not a network that vidsr can run."""


class UnknownModel(ModelError, KeyError):
    """No model of that name."""


class CardMismatch(ModelError, ValueError):
    """The card and the file, or the file and the machine, do not belong together."""


class ParityFailed(ModelError, ValueError):
    """An exported file computes something else than the network it was made from."""


class EngineError(VidsrError):
    """A runtime cannot do its work."""

    exit_code = 5


class EngineMissing(EngineError, ImportError):
    """The engine asked for cannot be used here: it is not installed, has no device, or no plan was built."""


class ExtraMissing(EngineError, ImportError):
    """A command needs an extra that is not installed."""


class EngineBusy(EngineError):
    """More runs were submitted than the engine was opened for."""


class OutOfMemory(EngineError, MemoryError):
    """The frame does not fit into memory; a smaller tile would."""


class CannotHalve(EngineError):
    """The network cannot be computed in float16."""


class OutputError(VidsrError):
    """What was asked for cannot be written."""

    exit_code = 6


class TargetExists(OutputError, FileExistsError):
    """The target is there already and `--overwrite` was not given."""


class SameFile(OutputError, ValueError):
    """The output is the input under some name."""


class NotPipeable(OutputError, ValueError):
    """The format needs a file that can be rewound."""


class DiskFull(OutputError, OSError):
    """The disk of the output is full."""


class Damaged(VidsrError):
    """The input was damaged and `--strict` was asked for."""

    exit_code = 7


class NotFaithful(VidsrError):
    """The output differs from the input in something that was not announced."""

    exit_code = 8


class TrainError(VidsrError):
    """A training run cannot start or go on."""

    exit_code = 9


class RecipeError(TrainError, ValueError):
    """The recipe has an unknown key, or a value that cannot work."""


class CheckpointError(TrainError, ValueError):
    """A checkpoint cannot be read or does not belong to the recipe."""


class Diverged(TrainError):
    """The loss is not a finite number any more."""
