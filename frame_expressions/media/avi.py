"""The audio delay that an AVI file does not state, and how ffmpeg's AVI writer compensates for it.

An encoder and its decoder together delay the audio. Other containers state the delay, or their time stamps allow for
it. When ffmpeg's AVI writer gets audio that starts before zero by the delay, it shifts all frames but the first by the
delay, rounded up to whole ticks: the first frame is held, and the others are late.
"""

from fractions import Fraction
from math import ceil

from av.container import InputContainer
from av.video.stream import VideoStream

# All decoders of a codec add the same delay; encoders differ. The figure for MP3 is LAME's, whose encoder adds 576
# samples; audio from FhG's encoder, which adds 1160, stays 13 ms late at 44.1 kHz. Source: LAME's technical FAQ,
# question 2; the other figures were measured.
DELAY_SAMPLES = {"mp3": 1105, "mp2": 481, "aac": 1024, "ac3": 256}
WRITER = "Lavf"
"""The name by which ffmpeg signs its files."""


def audio_delay_s(container: InputContainer, number: int = 0) -> Fraction:
    """The delay of an audio stream of an AVI file, in s; 0 in other containers and without audio.

    number: of the stream among the audio streams, from 0.
    """
    codec = container.streams.audio[number].codec_context if container.streams.audio else None
    if container.format.name != "avi" or codec is None or codec.sample_rate == 0:
        return Fraction(0)
    return Fraction(DELAY_SAMPLES.get(codec.codec.canonical_name, 0), codec.sample_rate)


def first_frame_hold_s(container: InputContainer, stream: VideoStream) -> Fraction:
    """How much longer ffmpeg's AVI writer shows the first frame to compensate for the audio delay, in s."""
    delay_s = audio_delay_s(container)
    if delay_s == 0 or not container.metadata.get("software", "").startswith(WRITER):
        return Fraction(0)
    packet_s = container.streams.audio[0].time_base  # a time stamp in AVI is a whole number of packets
    return ceil(round(delay_s / packet_s) * packet_s / stream.time_base) * stream.time_base
