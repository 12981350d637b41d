"""4K to 8K in bounded memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.networks import network, save
from vidsr.card import ModelCard

pytest.importorskip("resource", reason="memory is measured by getrusage")

SCRIPT = """
import resource, sys
import numpy as np
from vidsr import ColorSpec, Frame, load_upscaler

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)

planes = tuple(np.full(size, 90, np.uint8) for size in ((2160, 3840), (1080, 1920), (1080, 1920)))
with load_upscaler(sys.argv[1], scale=2, engine="openvino") as upscaler:
    waiting, most = [], []
    for _ in range(5):
        waiting.append(upscaler.submit(Frame(planes, ColorSpec(1, False))))
        if len(waiting) == 2:
            assert waiting.pop(0).result().planes[0].shape == (4320, 7680)
            most.append(used())
print(*most)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["live-x2", "RGB"])
def test_4k_to_8k_takes_no_more_memory_with_every_frame(tmp_path: Path, kind: str) -> None:
    model = kind
    if kind == "RGB":
        card = ModelCard("rgb", 2, 3, 3)
        model = str(save(network(channels=3, width=8, layers=2), tmp_path / "rgb.onnx", card))
    run = subprocess.run([sys.executable, "-c", SCRIPT, model], capture_output=True, text=True, timeout=120, check=True)
    first, *_, last = map(int, run.stdout.split())
    assert last < 1500  # MB: 3 frames of 50, and the layers of bands alone
    assert last - first < 150
