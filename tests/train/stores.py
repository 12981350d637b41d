"""Small stores for the tests of training, and what was logged of a run."""

from tests.data.drawings import draw_photo
from vidsr.data.degradation import Degradation
from vidsr.data.prepare import prepare
from vidsr.data.store import StoreSettings
from vidsr.runs import is_validation, read_log
from vidsr.train import loop
from vidsr.train.batches import Inputs


def make_store(folder, **settings):
    """Colour pairs of three drawn photos at scale 2, side 16."""
    for i in range(3):
        draw_photo(folder / "photos" / f"{i}.png", height=96, width=128, seed=i)
    plan = {"scale": 2, "pairs": 48, "side": 16, "channels": 3, "degradation": Degradation(coded=0.2, av1=0, x265=0)}
    return prepare([folder / "photos"], folder / "store", StoreSettings(**{**plan, **settings})).folder


def train(recipe, data, folder, *, stores=None, validation=None, vgg=None, **options):
    """Train on data given as a list of paths; stores lie beside the run unless given."""
    inputs = Inputs(data=data, stores=stores or folder.parent / "stores", validation=validation, vgg=vgg)
    return loop.train(recipe, inputs, folder, **options)


def losses(run):
    """What a run logged of its losses, by step."""
    return {line["step"]: line for line in read_log(run) if not is_validation(line)}
