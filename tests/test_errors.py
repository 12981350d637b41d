import inspect
import re

import pytest

from vidsr import errors

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", [c for c in CLASSES if c.__bases__ != (Exception,)], ids=lambda c: c.__name__)
def test_every_error_stands_in_the_tree_of_the_docstring(kind):
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__)
    code = next(c.exit_code for c in kind.__mro__ if "exit_code" in vars(c))
    branch = next(c.__name__ for c in kind.__mro__ if "exit_code" in vars(c))
    assert re.search(rf"{branch} +\[{code}\]", errors.__doc__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_an_error_prints_as_its_sentence(kind):
    assert str(kind("what, found, next")) == "what, found, next"


def test_errors_are_also_the_builtin_a_caller_would_catch():
    assert issubclass(errors.UnknownModel, KeyError)
    assert issubclass(errors.TargetExists, FileExistsError)
    assert issubclass(errors.OutOfMemory, MemoryError)
