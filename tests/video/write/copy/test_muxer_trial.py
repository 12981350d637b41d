"""What a container holds is what its muxer writes and a demuxer reads back."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.videos import codes_of, make_video, messages_of, resize_video
from vidsr.context import Code
from vidsr.io.cache import cache_folder
from vidsr.verify import verify_video
from vidsr.video.metadata import codec_of
from vidsr.video.write.copy import muxer_trial
from vidsr.video.write.copy.added_stream import add_copy
from vidsr.video.write.copy.containers import Muxer


def with_sound(
    path: Path, codec: str, *, rate: int = 48000, layout: str = "stereo", options: dict[str, str] | None = None
) -> Path:
    """Write a short video with noise in an audio codec."""
    with av.open(str(path), "w", container_options=options or {}) as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream(codec, rate=rate)
        sound.codec_context.layout, sound.codec_context.bit_rate = layout, 128000
        for index in range(8):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 30 * index, np.uint8), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            out.mux(video.encode(picture.reformat(format="yuv420p")))
        out.mux(video.encode(None))
        channels, format = sound.codec_context.layout.nb_channels, sound.codec_context.format.name
        noise = np.random.default_rng(1).integers(-20000, 20000, (1, channels * rate // 4), dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        size = sound.codec_context.frame_size or 1000
        for part in av.AudioResampler(format=format, layout=layout, rate=rate, frame_size=size).resample(frame):
            out.mux(sound.encode(part))
        out.mux(sound.encode(None))
    return path


def samples_in(path: Path) -> bytes:
    """The decoded sound of a file, as one row of interleaved samples."""
    with av.open(str(path)) as video:
        return b"".join(frame.to_ndarray().tobytes() for frame in video.decode(audio=0))


def codecs_in(path: Path) -> list[str]:
    with av.open(str(path)) as video:
        return [stream.codec_context.name for stream in video.streams if stream.codec_context is not None]


@pytest.mark.parametrize(
    ("codec", "rate", "layout", "source", "target"),
    [
        ("wmav2", 44100, "stereo", "wmv", "mkv"),
        ("adpcm_ima_wav", 48000, "stereo", "avi", "mkv"),
        ("pcm_alaw", 8000, "mono", "avi", "mkv"),
        ("pcm_mulaw", 8000, "mono", "avi", "mkv"),
        ("pcm_mulaw", 8000, "mono", "avi", "flv"),
        ("pcm_u8", 11025, "mono", "mkv", "flv"),
        ("pcm_bluray", 48000, "stereo", "m2ts", "m2ts"),
    ],
)
def test_sound_is_copied_wherever_the_muxer_takes_it(
    codec: str, rate: int, layout: str, source: str, target: str, tmp_path: Path
) -> None:
    options = {"mpegts_m2ts_mode": "1"} if source == "m2ts" else {}
    video = with_sound(tmp_path / f"a.{source}", codec, rate=rate, layout=layout, options=options)
    notices = resize_video(video, tmp_path / f"b.{target}", preset="ultrafast")
    assert Code.STREAM not in codes_of(notices) and Code.CODEC not in codes_of(notices)
    assert codecs_in(tmp_path / f"b.{target}") == ["h264", codec]
    assert samples_in(tmp_path / f"b.{target}") == samples_in(video) != b""


def test_a_rate_that_a_container_does_not_state_is_left_out(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.avi", "pcm_mulaw", rate=16000, layout="mono")
    (notice,) = resize_video(video, tmp_path / "b.flv", preset="ultrafast")
    assert (notice.codes, notice.streams) == ((Code.STREAM,), (1,))
    video = with_sound(tmp_path / "c.avi", "pcm_mulaw", rate=44100)
    (notice,) = resize_video(video, tmp_path / "d.flv", preset="ultrafast")
    assert (notice.codes, codecs_in(tmp_path / "d.flv")) == ((Code.CODEC,), ["h264", "pcm_s16le"])
    assert verify_video(video, tmp_path / "d.flv", notices=[notice]).faithful


def test_pcm_of_64_bits_is_copied(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.nut", "pcm_s64le", rate=8000)
    notices = resize_video(video, tmp_path / "b.mkv", preset="ultrafast")
    assert codecs_in(tmp_path / "b.mkv") == ["h264", "pcm_s64le"]
    assert verify_video(video, tmp_path / "b.mkv", notices=notices).faithful


def test_adpcm_whose_blocks_nut_does_not_state_is_copied_and_announced(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.avi", "adpcm_ima_wav")
    notices = resize_video(video, tmp_path / "b.nut", preset="ultrafast")
    assert [(notice.codes, notice.streams) for notice in notices] == [((Code.CODEC,), (1,))]
    assert codecs_in(tmp_path / "b.nut") == ["h264", "adpcm_ima_wav"]
    found = verify_video(video, tmp_path / "b.nut", notices=notices)
    assert found.faithful
    assert [finding.holds for finding in found.findings if finding.code is Code.PAYLOAD] == [True]


def test_adpcm_whose_samples_a_mov_cannot_count_is_left_out(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.avi", "adpcm_ima_wav", rate=48000, layout="stereo")
    (notice,) = resize_video(video, tmp_path / "b.mov", preset="ultrafast")
    assert (notice.codes, notice.streams) == ((Code.STREAM,), (1,))
    assert codecs_in(tmp_path / "b.mov") == ["h264"]


@pytest.mark.parametrize(
    ("codec", "pixel_format", "after", "kept"),
    [
        ("libx264", "yuv420p", "avi", True),  # whose units must begin with start codes there
        ("libx265", "yuv420p", "avi", False),
        ("rawvideo", "rgb24", "mov", True),
        ("rawvideo", "rgb24", "mkv", False),  # which would come back without a pixel format
        ("rawvideo", "bgr24", "avi", False),  # with frames of no bytes
        ("rawvideo", "yuyv422", "mkv", True),
    ],
)
def test_a_second_video_is_copied_where_it_comes_back_as_it_was(
    codec: str, pixel_format: str, after: str, kept: bool, tmp_path: Path
) -> None:
    parts = [make_video(tmp_path / "a.nut", pts=range(3))]
    parts.append(make_video(tmp_path / "b.nut", pts=range(3), size=(32, 32), codec=codec, pixel_format=pixel_format))
    video, target = tmp_path / ("c.mkv" if codec.startswith("lib") else "c.nut"), tmp_path / f"d.{after}"
    with av.open(str(parts[0])) as first, av.open(str(parts[1])) as second, av.open(str(video), "w") as out:
        copies = [add_copy(out, each.streams[0], same_tag=codec == "rawvideo") for each in (first, second)]
        for each, copy in zip((first, second), copies, strict=True):
            for packet in each.demux():
                if packet.size:
                    packet.stream = copy
                    out.mux(packet)
    notices = resize_video(video, target, preset="ultrafast")
    assert (Code.STREAM in codes_of(notices)) == (not kept)
    assert len(codecs_in(target)) == 1 + kept
    assert verify_video(video, target, notices=notices).faithful
    if kept:
        with av.open(str(video)) as before, av.open(str(target)) as written:
            pictures = [
                [frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(container.streams[1])]
                for container in (before, written)
            ]
        assert pictures[0] == pictures[1] and len(pictures[0]) == 3


def test_m2ts_has_packets_of_192_bytes(tmp_path: Path) -> None:
    resize_video(make_video(tmp_path / "a.mp4", sound="ac3"), tmp_path / "b.m2ts")
    data = (tmp_path / "b.m2ts").read_bytes()
    assert set(data[4::192]) == {0x47} and len(data) % 192 == 0
    assert codecs_in(tmp_path / "b.m2ts") == ["h264", "ac3"]


@pytest.mark.parametrize(("sound", "told"), [("ac3", False), ("aac", True)])
def test_m2ts_reports_what_has_no_stream_type(sound: str, told: bool, tmp_path: Path) -> None:
    notices = resize_video(make_video(tmp_path / "a.mp4", sound=sound), tmp_path / "b.m2ts")
    assert [sound in notice.message for notice in notices] == [True] * told
    assert codecs_in(tmp_path / "b.m2ts") == ["h264", sound]


def test_ts_reports_what_no_player_would_recognise(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.m2ts", "pcm_bluray", options={"mpegts_m2ts_mode": "1"})
    (notice,) = resize_video(video, tmp_path / "b.ts")
    assert notice.message == "stream 1 (audio, pcm_bluray) is left out: mpegts cannot hold pcm_bluray audio; .mkv can"
    assert (notice.codes, notice.streams) == ((Code.STREAM,), (1,))


@pytest.mark.parametrize(
    ("codec", "layout", "source", "target", "becomes"),
    [
        ("pcm_bluray", "stereo", "m2ts", "mkv", "pcm_s16le"),
        ("pcm_bluray", "5.1(side)", "m2ts", "mp4", "pcm_s16le"),
        ("pcm_s24le", "stereo", "mkv", "m2ts", "pcm_bluray"),
        ("pcm_u8", "mono", "mkv", "mp4", "pcm_s16le"),
        ("pcm_s24be", "stereo", "mov", "avi", "pcm_s24le"),
    ],
)
def test_pcm_is_repacked_without_loss(
    codec: str, layout: str, source: str, target: str, becomes: str, tmp_path: Path
) -> None:
    options = {"mpegts_m2ts_mode": "1"} if source == "m2ts" else {}
    video = with_sound(tmp_path / f"a.{source}", codec, layout=layout, options=options)
    notices = resize_video(video, tmp_path / f"b.{target}", preset="ultrafast")
    (repacked,) = [notice for notice in notices if Code.CODEC in notice.codes]
    assert (repacked.codes, repacked.streams) == ((Code.CODEC,), (1,)) and becomes in repacked.message
    assert codecs_in(tmp_path / f"b.{target}") == ["h264", becomes]
    found = verify_video(video, tmp_path / f"b.{target}", notices=notices)
    assert found.faithful, found.differences
    assert [finding.holds for finding in found.findings if finding.code is Code.PAYLOAD] == [True]


@pytest.mark.parametrize(
    ("codec", "after", "told"), [("pcm_s24le", "mp4", True), ("pcm_s24le", "mov", False), ("pcm_s16le", "mp4", False)]
)
def test_pcm_that_older_players_take_for_16_bits_is_reported(
    codec: str, after: str, told: bool, tmp_path: Path
) -> None:
    video = with_sound(tmp_path / "a.mkv", codec)
    notices = resize_video(video, tmp_path / f"b.{after}", preset="ultrafast")
    assert [codec in notice.message for notice in notices] == [True] * told
    assert samples_in(tmp_path / f"b.{after}") == samples_in(video)


def test_a_sample_that_changes_is_found(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.m2ts", "pcm_bluray", options={"mpegts_m2ts_mode": "1"})
    notices = resize_video(video, tmp_path / "b.mkv")
    data = bytearray((tmp_path / "b.mkv").read_bytes())
    samples = samples_in(video)
    place = data.index(samples[400:420])
    data[place] ^= 1
    (tmp_path / "b.mkv").write_bytes(data)
    found = verify_video(video, tmp_path / "b.mkv", notices=notices)
    assert Code.PAYLOAD in [finding.code for finding in found.differences]


def test_a_muxer_that_aborts_is_noticed_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    muxer_trial._survives.cache_clear()
    # FLV's muxer asserts that FLAC has a header; in raw AAC's place PyAV gives none.
    with av.open(str(with_sound(tmp_path / "a.mkv", "flac"))) as video:
        stream = video.streams.audio[0]
        assert not muxer_trial._kills(Muxer("flv"), stream)
        stream.codec_context.extradata = None
        assert muxer_trial._kills(Muxer("flv"), stream)
    assert sorted(path.read_text() for path in cache_folder("muxers").iterdir()) == ["false", "true"]
    muxer_trial._survives.cache_clear()


def test_telemetry_of_a_camera_is_copied(tmp_path: Path) -> None:
    with av.open(str(make_video(tmp_path / "plain.mp4"))) as inp, av.open(str(tmp_path / "a.mp4"), "w") as out:
        copy, text = out.add_stream_from_template(inp.streams.video[0], opaque=True), out.add_mux_stream("mov_text")
        for packet in inp.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
        measured = av.Packet(b"DEVC\0\1\2\3")
        measured.stream, measured.pts, measured.dts, measured.duration = text, 0, 0, 100
        measured.time_base = Fraction(1, 1000)
        out.mux(measured)
    # PyAV writes no such track: give one of text the handler and the tag of GoPro's.
    data = (tmp_path / "a.mp4").read_bytes().replace(b"sbtl", b"meta").replace(b"tx3g", b"gpmd")
    (tmp_path / "a.mp4").write_bytes(data)
    for target in ("b.mp4", "b.mov"):
        assert resize_video(tmp_path / "a.mp4", tmp_path / target) == []
        with av.open(str(tmp_path / target)) as video:
            assert [bytes(packet) for packet in video.demux(video.streams.data[0]) if packet.size][:1] == [
                b"DEVC\0\1\2\3"
            ]
        assert b"gpmd" in (tmp_path / target).read_bytes()


def test_a_subtitle_that_never_ends_does_not_end_the_run(tmp_path: Path) -> None:
    with av.open(str(make_video(tmp_path / "plain.mkv"))) as inp, av.open(str(tmp_path / "a.mkv"), "w") as out:
        copy, pictures = out.add_stream_from_template(inp.streams.video[0]), out.add_mux_stream("dvdsub")
        for packet in inp.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
        for pts, duration in ((0, 1 << 33), (300, 100)):
            shown = av.Packet(b"\0\10\0\4\0\0\0\4")
            shown.stream, shown.pts, shown.dts, shown.duration = pictures, pts, pts, duration
            shown.time_base = Fraction(1, 1000)
            out.mux(shown)
    notices = resize_video(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert codecs_in(tmp_path / "b.mp4") == ["h264", "dvdsub"], messages_of(notices)


def test_pictures_of_subtitles_that_come_in_segments_are_kept_whole(tmp_path: Path) -> None:
    composition, window, end = b"\x16\0\x0b\0\x40\0\x30\x10\0\1\x80\0\0\0", b"\x17\0\1\0", b"\x80\0\0"
    options = {"mpegts_m2ts_mode": "1"}
    with (
        av.open(str(make_video(tmp_path / "plain.mkv"))) as inp,
        av.open(str(tmp_path / "a.m2ts"), "w", format="mpegts", container_options=options) as out,
    ):
        copy, pictures = out.add_stream_from_template(inp.streams.video[0]), out.add_mux_stream("pgssub")
        for packet in inp.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
        for pts in (100, 300):
            for segment in (composition, window, end):
                part = av.Packet(segment)
                part.stream, part.pts, part.dts, part.time_base = pictures, pts, pts, Fraction(1, 1000)
                out.mux(part)
    notices = resize_video(tmp_path / "a.m2ts", tmp_path / "b.mkv")
    with av.open(str(tmp_path / "b.mkv")) as video:
        packets = [bytes(packet) for packet in video.demux(video.streams.subtitles[0]) if packet.size]
    assert packets == [composition + window + end] * 2
    assert verify_video(tmp_path / "a.m2ts", tmp_path / "b.mkv", notices=notices).faithful


def test_av1_beside_the_video_is_the_same_with_and_without_delimiters(tmp_path: Path) -> None:
    second = make_video(tmp_path / "second.nut", codec="libsvtav1")
    with (
        av.open(str(make_video(tmp_path / "first.mkv", size=(96, 64)))) as first,
        av.open(str(second)) as other,
        av.open(str(tmp_path / "a.nut"), "w") as out,
    ):
        for inp in (first, other):
            inp.streams.video[0].metadata.clear()
        copies = [out.add_stream_from_template(inp.streams.video[0], opaque=True) for inp in (first, other)]
        for copy, inp in zip(copies, (first, other), strict=True):
            for packet in inp.demux():
                if packet.size:
                    packet.stream = copy
                    out.mux(packet)
    notices = resize_video(tmp_path / "a.nut", tmp_path / "b.mkv")
    found = verify_video(tmp_path / "a.nut", tmp_path / "b.mkv", notices=notices)
    assert codecs_in(tmp_path / "b.mkv") == ["h264", "libdav1d"]
    assert found.faithful, found.differences


def test_m2ts_gets_its_own_pids_with_a_warning_and_keeps_those_of_another_m2ts(tmp_path: Path) -> None:
    plain = make_video(tmp_path / "a.ts", sound="ac3")
    notices = resize_video(plain, tmp_path / "b.m2ts")
    assert codes_of(notices).count(Code.PROGRAM) == 2
    assert verify_video(plain, tmp_path / "b.m2ts", notices=notices).faithful
    notices = resize_video(tmp_path / "b.m2ts", tmp_path / "c.m2ts", factor=1)
    assert Code.PROGRAM not in codes_of(notices)
    assert verify_video(tmp_path / "b.m2ts", tmp_path / "c.m2ts", notices=notices).faithful


def test_what_has_no_decoder_is_copied_and_named(tmp_path: Path) -> None:
    with av.open(str(make_video(tmp_path / "plain.mkv"))) as inp, av.open(str(tmp_path / "a.ts"), "w") as out:
        copy, text = out.add_stream_from_template(inp.streams.video[0]), out.add_mux_stream("dvb_teletext")
        for packet in inp.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
        page = av.Packet(b"\x10\x02" + bytes(44))
        page.stream, page.pts, page.dts, page.time_base = text, 100, 100, Fraction(1, 1000)
        out.mux(page)
    assert resize_video(tmp_path / "a.ts", tmp_path / "b.ts") == []
    with av.open(str(tmp_path / "b.ts")) as video:
        assert [codec_of(stream) for stream in video.streams] == ["h264", "dvb_teletext"]
    (notice,) = [each for each in resize_video(tmp_path / "a.ts", tmp_path / "b.mp4") if each.streams]
    assert notice.message == (
        "stream 1 (subtitle, dvb_teletext) is left out: mp4 cannot hold dvb_teletext subtitle; .ts can"
    )


def test_ordinary_pairs_start_no_process(tmp_path: Path) -> None:
    muxer_trial._survives.cache_clear()
    resize_video(make_video(tmp_path / "a.mp4", sound="aac"), tmp_path / "b.mkv")
    resize_video(make_video(tmp_path / "a.mkv", sound="ac3"), tmp_path / "b.ts")
    assert muxer_trial._survives.cache_info().misses == 0


def test_a_codec_that_a_container_has_no_tag_for_keeps_its_tag(tmp_path: Path) -> None:
    with (
        av.open(str(make_video(tmp_path / "first.mkv", size=(96, 64)))) as first,
        av.open(str(make_video(tmp_path / "second.mov", codec="prores_ks", pixel_format="yuv422p10le"))) as second,
        av.open(str(tmp_path / "a.mov"), "w") as out,
    ):
        for inp in (first, second):
            copy = out.add_stream_from_template(inp.streams.video[0], opaque=True)
            packets = [packet for packet in inp.demux() if packet.size]
            for packet in packets:
                packet.stream = copy
            if inp is first:
                waiting = packets
            else:
                out.mux(waiting + packets)
    resize_video(tmp_path / "a.mov", tmp_path / "b.nut")
    assert codecs_in(tmp_path / "b.nut") == ["h264", "prores"]
