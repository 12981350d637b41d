"""`--isa` of the scripts in tests/bars: what it computes with, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidsr.system import has_native_bf16, processor_flags

BARS = Path(__file__).parents[1] / "bars"
SCRIPT = "from common import parser; parser('').parse_args(); print('measuring')"


def run(isa: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(BARS), *filter(None, sys.path)])}
    environment.pop("ONEDNN_MAX_CPU_ISA", None)
    words = [sys.executable, "-c", SCRIPT, "--isa", isa]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif("avx2" not in processor_flags(), reason="this processor has no AVX2")
def test_avx2_computes_with_no_more_than_that() -> None:
    done = run("avx2")
    assert done.returncode == 0, done.stderr
    assert "ONEDNN_MAX_CPU_ISA=AVX2" in done.stdout and done.stdout.endswith("measuring\n")
    assert "avx2" in done.stdout.split("): ")[1] and "avx512" not in done.stdout


@pytest.mark.skipif("amx_tile" in processor_flags(), reason="this processor has AMX")
def test_what_the_processor_lacks_is_one_sentence() -> None:
    done = run("amx")
    assert (done.returncode, done.stdout) == (1, "")
    assert "amx_tile" in done.stderr and done.stderr.count("\n") == 1


def test_bf16_is_not_native_below_the_instructions_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    has_native_bf16.cache_clear()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
    try:
        assert not has_native_bf16()
    finally:
        has_native_bf16.cache_clear()
