import sys

import av

from tests.clips import video
from vidsr.video.convert.qp import EXPORT, mean_qp


def test_a_picture_whose_side_data_was_read_is_freed_with_its_last_reference(tmp_path):
    with av.open(str(video(tmp_path / "film.mp4", sound=False))) as container:
        container.streams.video[0].codec_context.options = dict(EXPORT)
        picture = next(container.decode(video=0))
        before = sys.getrefcount(picture)
        assert mean_qp(picture) is not None
        assert sys.getrefcount(picture) == before, "it is kept by what it keeps, until the garbage collector comes"
