"""One picture of an interlaced frame, without the comb that two fields of different times leave.

The field that is shown first is kept; the lines of the other are made from it and from the frames before and after, by
FFmpeg's filter bwdif. What does not move keeps all its lines.
"""

from fractions import Fraction

import av
from av.filter import Graph

LEAST_PX = 4  # of a side, for bwdif


def needs_deinterlacing(frame: av.VideoFrame, codec: str) -> bool:
    """Whether a frame holds two fields. A frame of HEVC that is flagged as interlaced is one field by itself."""
    return frame.interlaced_frame and codec != "hevc" and min(frame.width, frame.height) >= LEAST_PX


def deinterlaced(frame: av.VideoFrame, before: av.VideoFrame | None, after: av.VideoFrame | None) -> av.VideoFrame:
    """The picture of an interlaced frame at the time of its first field, in the frame's format, if it is planar.

    before, after: its neighbours in display order; None at an end of the video. A neighbour of another size or format
    counts as none. The three are not changed, and nothing else is: frame k is the same wherever reading begins.
    """
    neighbours = [one if one is not None and _is_alike(one, frame) else None for one in (before, after)]
    shown = [one for one in (neighbours[0], frame, neighbours[1]) if one is not None]
    if len(shown) == 1:
        shown.append(frame)  # bwdif passes on a single frame as it is, but makes the first of two from itself
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=Fraction(1, 25)
    )
    bwdif = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    stamps = [(one, one.pts, one.time_base) for one in shown]
    try:
        for number, one in enumerate(shown):
            one.pts, one.time_base = number, Fraction(1, 25)
            graph.push(one)
    finally:
        for one, pts, time_base in stamps:
            one.pts, one.time_base = pts, time_base or one.time_base
    graph.push(None)
    pictures = [graph.pull() for _ in shown]
    return pictures[0 if neighbours[0] is None else 1]


def _is_alike(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    return (one.width, one.height, one.format.name) == (other.width, other.height, other.format.name)
