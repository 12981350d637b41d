"""Measure as on another processor: oneDNN, which OpenVINO and PyTorch compute with, obeys ONEDNN_MAX_CPU_ISA.

It is read when the runtime is loaded, so a script starts itself again with it. What a processor does not have cannot be
measured: that is an error, and so is a runtime whose kernels do not follow.
"""

import os
import sys

import numpy as np

from vidsr.system import MAX_ISA, processor_flags

NAMES = {"avx2": "AVX2", "avx2_vnni": "AVX2_VNNI", "avx512_vnni": "AVX512_CORE_VNNI", "amx": "AVX512_CORE_AMX"}
"""oneDNN's names."""
NEEDS = {
    "avx2": {"avx2"},
    "avx2_vnni": {"avx_vnni"},
    "avx512_vnni": {"avx512_vnni"},
    "amx": {"amx_tile", "amx_bf16", "amx_int8"},
}
"""Flags of /proc/cpuinfo."""
LATER = {"avx2": ("avx512", "amx"), "avx2_vnni": ("avx512", "amx"), "avx512_vnni": ("amx",), "amx": ()}
"""Parts of the names of kernels that may not run."""


def apply(isa: str | None) -> None:
    """Start this script again with no more than `isa`, and print what runs then; exit with a sentence if it cannot."""
    if isa is None:
        return
    if missing := NEEDS[isa] - processor_flags():
        sys.exit(f"this processor cannot compute as {isa}: it lacks {', '.join(sorted(missing))}")
    if os.environ.get(MAX_ISA) != NAMES[isa]:
        # VIDSR_MEASURE: no choice of a model may depend on what was measured with other instructions.
        os.environ |= {MAX_ISA: NAMES[isa], "VIDSR_MEASURE": "0"}
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    kernels = running_kernels()
    if wrong := [name for name in kernels if any(part in name for part in LATER[isa])]:
        sys.exit(f"{MAX_ISA}={NAMES[isa]} has no effect here: {', '.join(wrong)} ran")
    print(f"as on {isa} ({MAX_ISA}={NAMES[isa]}): {', '.join(name for name in kernels if 'conv' in name)}")


def running_kernels() -> list[str]:
    """Return the names of OpenVINO's kernels that compute a live network, in the precision it prefers."""
    from vidsr.engines.openvino import _core
    from vidsr.zoo import find

    core = _core()
    compiled = core.compile_model(core.read_model(str(find("live-x2"))), "CPU", {"PERF_COUNT": True})
    request = compiled.create_infer_request()
    request.infer([np.zeros((1, 1, 64, 64), np.float32)])
    return sorted({node.exec_type for node in request.profiling_info if node.exec_type})
