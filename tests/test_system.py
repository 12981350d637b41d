"""What is told of the processor, and of any program that tells."""

import sys
from pathlib import Path

import pytest

from vidsr import system as processor
from vidsr.system import output_of, processor_flags, processor_kind, processor_name


def test_the_processor_has_a_name_and_a_kind() -> None:
    assert processor_name()
    assert processor_kind().startswith(processor_name())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file")
def test_linux_tells_what_it_can() -> None:
    assert processor_flags() <= set(Path("/proc/cpuinfo").read_text().split())


def test_where_nothing_is_told_the_architecture_is_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_cpuinfo", dict)
    monkeypatch.setattr(processor.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(processor.sys, "platform", "linux")
    assert (processor_name(), processor_kind(), processor_flags()) == ("riscv64", "riscv64", set())


def test_a_program_that_fails_tells_nothing() -> None:
    assert output_of(sys.executable, "-c", "print('told')") == "told\n"
    assert output_of(sys.executable, "-c", "print('told'); exit(1)") is None
    assert output_of(sys.executable, "-c", "import time; time.sleep(9)", timeout_s=0.1) is None
    assert output_of("no such program") is None
