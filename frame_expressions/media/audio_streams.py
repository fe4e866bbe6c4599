"""The audio streams of a file, and which of them is used."""

from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition

from frame_expressions.media.avi import audio_delay_s
from frame_expressions.runtime.errors import MediaError


@dataclass(frozen=True)
class AudioStream:
    """An audio stream of a file.

    number: among its audio streams, from 0. index: among all its streams. delay_s: of the decoded audio, where the file
    does not state it. fault: why it cannot be decoded, or empty.
    """

    number: int
    index: int
    language: str
    title: str
    is_default: bool
    delay_s: float
    fault: str

    def __str__(self) -> str:
        words = ", ".join(filter(None, (self.language, self.title)))
        return f"{self.number} ({words})" if words else str(self.number)


def audio_streams(container: InputContainer) -> list[AudioStream]:
    """The audio streams of an open file, in their order."""
    found = []
    for number, stream in enumerate(container.streams.audio):
        fault = ""
        if stream.codec_context is None:
            fault = "no decoder knows its format"
        elif stream.codec_context.sample_rate == 0:  # a little of such a stream would decode
            fault = "none of it can be decoded"
        title = stream.metadata.get("title", "")
        is_default = bool(stream.disposition & Disposition.default)
        delay_s = float(audio_delay_s(container, number))
        found.append(AudioStream(number, stream.index, stream.language or "", title, is_default, delay_s, fault))
    return found


def by_preference(streams: list[AudioStream], wanted: int | str, video: Path) -> list[AudioStream]:
    """The streams to try, best first; raises MediaError if the wanted one, see `audio.AudioSettings`, is not there."""
    if wanted == "auto" or not streams:
        return sorted(streams, key=lambda stream: not stream.is_default)
    names = [(stream.number, stream.language.casefold(), stream.title.casefold()) for stream in streams]
    name = wanted.casefold() if isinstance(wanted, str) else wanted
    matching = [stream for stream, own in zip(streams, names, strict=True) if name in own]
    if not matching:
        there = ", ".join(map(str, streams))
        raise MediaError(f"{video} has no audio stream {wanted!r}, only {there}", "correct audio.stream")
    return matching
