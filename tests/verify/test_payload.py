"""What containers add to packets does not count, and nothing else is passed over."""

import av

from vidsr.verify.payload import is_filler, payload


def of(data: bytes, codec: str, config: bytes = b"") -> bytes:
    return payload(av.Packet(data), codec, config)


def test_the_header_that_mpeg_ts_puts_before_aac_does_not_count() -> None:
    short, long = bytes.fromhex("fff15080023ffc"), bytes.fromhex("fff05080023ffc0000")
    assert of(short + b"sound", "aac") == of(long + b"sound", "aac") == of(b"sound", "aac") == b"sound"


def test_the_header_that_mpeg_ts_puts_before_opus_does_not_count() -> None:
    assert of(b"\x7f\xe0\x05sound", "opus") == b"sound"
    assert of(b"\x7f\xe0\xff\x05" + b"s" * 260, "opus") == b"s" * 260
    assert of(b"\x7f\xf8\x05\0\1\0\2sound", "opus") == b"sound", "trimmed at both ends"
    assert of(b"\x7f\xe4\x05\x02xysound", "opus") == b"sound", "extended"


def test_h264_is_the_same_with_lengths_or_start_codes_and_with_or_without_parameter_sets() -> None:
    avcc = b"\1\x64\0\x1f\xff"
    slices = [b"\x65slice", b"\x06sei"]
    sized = b"".join(len(unit).to_bytes(4, "big") + unit for unit in slices)
    started = b"\0\0\0\1\x09\xf0\0\0\0\1\x67sps\0\0\1\x68pps\0\0\1" + slices[0] + b"\0\0\0\1" + slices[1]
    assert of(sized, "h264", avcc) == of(started, "h264") == b"".join(slices)
    assert of(sized, "h264", avcc) != of(sized.replace(b"slice", b"slyce"), "h264", avcc)


def test_hevc_is_the_same_with_lengths_or_start_codes() -> None:
    hvcc = b"\1" + bytes(20) + b"\xff"
    assert of(b"\0\0\0\5\x26\1abc", "hevc", hvcc) == of(b"\0\0\0\1\x40\1vps\0\0\1\x26\1abc", "hevc") == b"\x26\1abc"


def test_other_packets_count_as_they_are() -> None:
    assert of(b"\xff\xf1anything", "mp3") == b"\xff\xf1anything"
    assert of(b"", "aac") == b"" and of(b"\xff", "aac") == b"\xff"


def test_an_empty_subtitle_between_two_is_filler() -> None:
    assert is_filler(av.Packet(b"\0\0"), "mov_text") and not is_filler(av.Packet(b"\0\1x"), "mov_text")
    assert not is_filler(av.Packet(b"\0\0"), "pcm_s16le")
