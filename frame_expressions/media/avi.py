"""What AVI cannot say: how late its sound is, and how ffmpeg makes up for it.

An encoder and its decoder together delay the sound. Other containers state by how much, or their time stamps allow
for it. ffmpeg's AVI writer, given sound that starts before zero by the delay, moves all pictures but the first by as
many whole ticks as that takes: the first one is held, and the rest come too late.
"""

from fractions import Fraction
from math import ceil

from av.container import InputContainer
from av.video.stream import VideoStream

# A codec's decoders all add the same, encoders differ. For MP3 this is LAME's figure, with its 576 samples; sound from
# FhG's encoder, with 1160, stays 13 ms late at 44.1 kHz. Source: LAME's technical FAQ, question 2; others measured.
DELAY_SAMPLES = {"mp3": 1105, "mp2": 481, "aac": 1024, "ac3": 256}
WRITER = "Lavf"  # how ffmpeg names itself


def sound_delay_s(container: InputContainer) -> Fraction:
    """How late the first audio stream of an AVI file is, in s; 0 in other containers and without sound."""
    codec = container.streams.audio[0].codec_context if container.streams.audio else None
    if container.format.name != "avi" or codec is None or codec.sample_rate == 0:
        return Fraction(0)
    return Fraction(DELAY_SAMPLES.get(codec.codec.canonical_name, 0), codec.sample_rate)


def first_picture_hold_s(container: InputContainer, stream: VideoStream) -> Fraction:
    """How much longer ffmpeg's AVI writer shows the first picture to make up for the sound's delay, in s."""
    delay_s = sound_delay_s(container)
    if delay_s == 0 or not container.metadata.get("software", "").startswith(WRITER):
        return Fraction(0)
    packet_s = container.streams.audio[0].time_base  # a time stamp in AVI is a whole number of packets
    return ceil(round(delay_s / packet_s) * packet_s / stream.time_base) * stream.time_base
