"""Stores that tests write themselves, with known contents."""

import json
from pathlib import Path

import numpy as np

from vidsr.data.store import INDEX, MANIFEST, Store, StoreSettings, read_store, shapes, to_manifest

KINDS = (("clean", np.nan, ""), ("libx264", 28, "soft+noisy"), ("jpeg", 60, "resized"), ("libx265", 33, ""))
COUNTS = {"train": 40, "validation": 6, "test": 0}


def write_store(folder: Path, *, brightness: int = 120, **settings: int) -> Store:
    """Two sources, one a split; the truth is `brightness` with one line of 16, the small picture flat."""
    made = StoreSettings(**{"scale": 2, "side": 16, **settings})  # type: ignore[arg-type]
    for number, (split, count) in enumerate(COUNTS.items()):
        (folder / split).mkdir(parents=True)
        arrays = {name: np.zeros(shape, kind) for name, (shape, kind) in shapes(made, count).items()}
        arrays["low"][:] = arrays["high"][:] = brightness
        arrays["high"][:, :, 3] = 16
        for i in range(count):
            kind, crf, looks = KINDS[i % len(KINDS)]
            arrays["index"][i] = np.array((number, kind, crf, looks), INDEX)
            arrays["qp"][i] = 0 if kind == "clean" else 30
        for name, array in arrays.items():
            np.save(folder / split / f"{name}.npy", array)
    sources = [
        {"file": file, "sha256": "0", "licence": licence, "split": split, "width": 640, "height": 360, "frames": 1}
        | {"crops": COUNTS[split]}
        for file, licence, split in (("a & b.png", "CC0", "train"), ("film.mp4", "", "validation"))
    ]
    skipped = [{"file": "torn.png", "reason": "image file is truncated"}]
    (folder / MANIFEST).write_text(json.dumps(to_manifest(made, sources, skipped, "0")))
    return read_store(folder)
