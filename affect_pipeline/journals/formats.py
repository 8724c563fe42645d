"""What kind of audio a file holds, judged by its first bytes and never by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from affect_pipeline.errors import DecodeError

SNIFFED_BYTES = 4096
"""How much of a file `audio_format` wants to see."""

FFMPEG_FORMATS = frozenset({"m4a", "webm"})
"""Formats that libsndfile does not read; the ffmpeg demuxer of the same family does."""

FORMATS = ("wav", "flac", "opus", "ogg", "mp3", "m4a", "webm")
"""Formats that journals come in (``ogg`` stands for Ogg/Vorbis and Ogg/FLAC)."""


def audio_format(head: bytes) -> str | None:
    """Name the format of a file from its first bytes.

    Parameters
    ----------
    head : bytes
        The first 4096 bytes, or the whole file if it is shorter.

    Returns
    -------
    str or None
        One of `FORMATS`, or None if the bytes begin none of them.
    """
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"OggS":
        return _ogg_format(head)
    if head[4:8] == b"ftyp":
        return "m4a"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "webm" if b"webm" in head[:64] else None
    if head[:4] == b"fLaC":
        return "flac"
    return "mp3" if head[:3] == b"ID3" or _is_mp3_frame(head) else None


def check_complete(path: Path, format_name: str) -> None:
    """Refuse a file whose own headers promise more bytes than there are.

    Decoders read what they find and say nothing about the rest, so a recording that lost its end
    on the way would pass as a short one.

    Parameters
    ----------
    path : Path
        The file.
    format_name : str
        What `audio_format` said of it.

    Raises
    ------
    DecodeError
        With reason ``truncated``.
    """
    check = _CHECKS.get(format_name)
    missing = check(path) if check else 0
    if missing > 0:
        raise DecodeError("truncated", f"the {format_name} headers promise {missing} more bytes than the file has")


def _ogg_format(head: bytes) -> str | None:
    if b"OpusHead" in head[:100]:
        return "opus"
    return "ogg" if b"\x01vorbis" in head[:100] or b"\x7fFLAC" in head[:100] else None


def _is_mp3_frame(head: bytes) -> bool:
    """Tell an MPEG audio layer III frame header from other bytes that begin with eleven ones."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bitrate not in (0, 15) and rate != 3


def _missing_in_wav(path: Path) -> int:
    """Walk the RIFF chunks to the data chunk. Sizes 0 and 2^32-1 mean "unknown" (streamed WAV)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) == b"RF64":
            return 0  # its sizes are 64 bits long and stand elsewhere; libsndfile checks them
        position = 12
        while position + 8 <= size:
            file.seek(position)
            header = file.read(8)
            length = int.from_bytes(header[4:], "little")
            if header[:4] == b"data":
                return 0 if length in (0, 0xFFFF_FFFF) else max(position + 8 + length - size, 0)
            position += 8 + length + length % 2
    return max(position - size, 0)


def _missing_in_mp4(path: Path) -> int:
    """Walk the top-level boxes; the last one must end where the file ends."""
    size = path.stat().st_size
    position = 0
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            header = file.read(16)
            length = int.from_bytes(header[:4], "big")
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            if length == 0:
                return 0  # this box goes to the end of the file, whatever that is
            if length < 8:
                return 0  # not a box: the decoder will say so
            position += length
    return max(position - size, 0)


def _missing_in_ogg(path: Path) -> int:
    """Find the last page and ask whether all its segments are there (RFC 3533, section 6)."""
    size = path.stat().st_size
    tail_start = max(size - 2 * 65_307, 0)  # no page is longer than 65,307 bytes
    with path.open("rb") as file:
        file.seek(tail_start)
        tail = file.read()
    last = tail.rfind(b"OggS\x00")
    if last < 0:
        return 1
    table = tail[last + 26 : last + 27]
    if not table:
        return 27
    lengths = tail[last + 27 : last + 27 + table[0]]
    return max(27 + table[0] + sum(lengths) - (len(tail) - last), 0)


def _missing_in_webm(path: Path) -> int:
    """Read how long the segment behind the EBML header says it is (RFC 8794); it may be "unknown"."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    header_bytes, position = _ebml_size(head, 4)
    if header_bytes is None or head[position + header_bytes : position + header_bytes + 4] != b"\x18\x53\x80\x67":
        return 0  # not a segment: the decoder will say so
    segment_bytes, start = _ebml_size(head, position + header_bytes + 4)
    return 0 if segment_bytes is None else max(start + segment_bytes - size, 0)


def _ebml_size(data: bytes, position: int) -> tuple[int | None, int]:
    """Return an EBML variable-length size, None if it is unknown, and where it ends."""
    first = data[position] if position < len(data) else 0
    length = 9 - first.bit_length()
    if not 1 <= length <= 8 or position + length > len(data):
        return None, position
    value = int.from_bytes(data[position : position + length], "big") & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else value, position + length


_CHECKS: dict[str, Callable[[Path], int]] = {
    "wav": _missing_in_wav,
    "m4a": _missing_in_mp4,
    "webm": _missing_in_webm,
    "opus": _missing_in_ogg,
    "ogg": _missing_in_ogg,
}
