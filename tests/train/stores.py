"""Small stores for the tests of training, and what came of them."""

from tests.data.drawings import draw_photo
from vidsr.data.degradation import Degradation
from vidsr.data.prepare import prepare
from vidsr.data.store import StoreSettings
from vidsr.runs import is_validation, read_log


def make_store(folder, **settings):
    """Colour pairs of three drawn photos at scale 2, side 16."""
    for i in range(3):
        draw_photo(folder / "photos" / f"{i}.png", height=96, width=128, seed=i)
    plan = {"scale": 2, "pairs": 48, "side": 16, "channels": 3, "degradation": Degradation(coded=0.2, av1=0, x265=0)}
    return prepare([folder / "photos"], folder / "store", StoreSettings(**{**plan, **settings})).folder


def losses(run):
    """What a run logged of its losses, by step."""
    return {line["step"]: line for line in read_log(run) if not is_validation(line)}
