"""Encrypted input is said to be encrypted, and refused."""

import shutil
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from tests.video.videos import make_video
from vidsr.errors import InputError
from vidsr.video.read.source import open_source

KEYS = ["-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"]


def read(path: Path) -> None:
    with open_source(path) as source:
        for _ in source:
            pass


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg command, which encrypts")
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_common_encryption_is_refused(tmp_path, name):
    clear = make_video(tmp_path / "clear.mp4", sound="aac")
    command = ["ffmpeg", "-v", "error", "-i", clear, "-c", "copy", "-encryption_scheme", "cenc-aes-ctr", *KEYS]
    subprocess.run([*command, tmp_path / name], check=True)
    with pytest.raises(InputError, match="encrypted") as caught:
        read(tmp_path / name)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("guid", ["298ae614-2622-4c17-b935-dae07ee9289c", "2211b3fb-bd23-11d2-b4b7-00a0c955fc6e"])
def test_windows_media_drm_is_refused(tmp_path, guid):
    path = make_video(tmp_path / "a.wmv", codec="wmv2", format="asf")
    whole = path.read_bytes()
    # An object in the place of the padding that FFmpeg's header has none of: appended to the header object.
    size, count = int.from_bytes(whole[16:24], "little"), int.from_bytes(whole[24:28], "little")
    added = UUID(guid).bytes_le + (24 + 16).to_bytes(8, "little") + bytes(16)
    header = whole[:16] + (size + len(added)).to_bytes(8, "little") + (count + 1).to_bytes(4, "little")
    path.write_bytes(header + whole[28:size] + added + whole[size:])
    with pytest.raises(InputError, match="encrypted"):
        read(path)
    assert not path.samefile(make_video(tmp_path / "b.wmv", codec="wmv2", format="asf"))
    read(tmp_path / "b.wmv")
