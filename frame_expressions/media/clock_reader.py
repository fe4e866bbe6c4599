"""Finds where the time stamps of a file start again, jump back or mean nothing."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from frame_expressions.media.child_process import decode_in_child
from frame_expressions.media.clock import Clock
from frame_expressions.media.container import open_media
from frame_expressions.media.limits import Limits

JOINT_S = 0.05
"""A decoding time before the last one, by more than this before the expected one, begins another recording."""

LONGEST_GLITCH = 10
"""The most packets in a row that may have wrong time stamps without being a recording of their own."""

_PACKETS_PER_SIGN = 1000  # after which the reader shows that it is alive


def clocked_packets(container: InputContainer, stream: Stream, clock: Clock) -> Iterator[Packet]:
    """The packets of a stream with the stamps of a clock; the last one is empty and flushes the decoder."""
    shifts, wrong = clock.shifts.get(stream.index, []), frozenset(clock.wrong.get(stream.index, []))
    firsts = [first for first, _ in shifts]
    number = 0
    for packet in container.demux(stream):
        if packet.size:
            part = bisect_right(firsts, number) - 1
            if number in wrong:
                packet.pts = packet.dts = None
            elif part >= 0:
                ticks = round(shifts[part][1] / stream.time_base)
                packet.pts = None if packet.pts is None else packet.pts + ticks
                packet.dts = None if packet.dts is None else packet.dts + ticks
            number += 1
        yield packet


def read_clock(path: Path, limits: Limits) -> Clock:
    """The clock of a file's video and audio streams. Reads all packets and decodes none, in a child process.

    Raises as `open_media` and `decode_in_child` do.
    """
    *_, clock = decode_in_child(partial(read_stamps, path), path, limits)
    return clock


@dataclass(frozen=True)
class Stamps:
    """The packets of a stream, in order: position in the file, presentation time, decoding time and end in s, [N].

    NaN where a packet has no stamp.
    """

    position: np.ndarray
    pts_s: np.ndarray
    dts_s: np.ndarray
    end_s: np.ndarray


def read_stamps(path: Path) -> Iterator[Clock | None]:
    """Yield None now and then, as a sign of life, and at last the clock; raises as `open_media` does."""
    rows: dict[int, list[tuple[float, float, float, float]]] = {}
    with open_media(path) as container:
        try:
            streams = [*container.streams.video, *container.streams.audio]
            for number, packet in enumerate(container.demux(streams)):
                if packet.size:
                    base = float(packet.time_base)
                    pts_s, dts_s = (np.nan if ticks is None else ticks * base for ticks in (packet.pts, packet.dts))
                    of_stream = rows.setdefault(packet.stream.index, [])
                    # The demuxer does not know where a packet begins that follows another in one block.
                    position = packet.pos if packet.pos is not None else of_stream[-1][0] if of_stream else 0
                    of_stream.append((position, pts_s, dts_s, pts_s + (packet.duration or 0) * base))
                if number % _PACKETS_PER_SIGN == 0:
                    yield None
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            pass  # decoding ends at the same place, with a warning
    yield clock_of({index: Stamps(*np.array(found).T) for index, found in rows.items()})


def clock_of(stamps: dict[int, Stamps]) -> Clock:
    """The clock of streams with these time stamps."""
    wrong, jumps = {}, {}
    for index, of in stamps.items():
        numbers, jumps[index] = _jumps(of.dts_s)
        if numbers:
            wrong[index] = numbers
    ordered = {index: np.maximum.accumulate(of.position) for index, of in stamps.items()}
    shifts: dict[int, list[tuple[int, float]]] = {}
    joints_s: list[float] = []
    for position, cause in sorted((float(stamps[i].position[n]), i) for i, numbers in jumps.items() for n in numbers):
        first = {index: int(np.searchsorted(places, position)) for index, places in ordered.items()}
        if shifts.get(cause) and first[cause] <= shifts[cause][-1][0]:
            continue  # shifted already, at the jump of another stream
        moved = [index for index in stamps if _jumps_too(stamps, first, index, cause, jumps[index])]
        _join(stamps, {index: first[index] for index in moved}, shifts, joints_s)
    return Clock(shifts, wrong, joints_s)


def _jumps_too(stamps: dict[int, Stamps], first: dict[int, int], index: int, cause: int, jumps: list[int]) -> bool:
    """Whether the stamps of a stream jump where those of stream `cause` do. jumps: its own, of the right kind.

    A stream whose stamps go on as before keeps its clock: frames and audio belong together as they are stored.
    """
    dts_s, jumped_s = stamps[index].dts_s, stamps[cause].dts_s
    if first[index] == len(dts_s):
        return False
    new_s, old_s = jumped_s[first[cause]], np.nanmax(jumped_s[: first[cause]][-32:])
    return first[index] in jumps or abs(dts_s[first[index]] - new_s) < abs(dts_s[first[index]] - old_s)


def _join(
    stamps: dict[int, Stamps],
    first: dict[int, int],
    shifts: dict[int, list[tuple[int, float]]],
    joints_s: list[float],
) -> None:
    """Add a joint before the packet `first` of each stream that jumps there, at the end of what came before."""
    starts, ends = [], []
    for index, number in first.items():
        begins, shift_s = shifts[index][-1] if index in shifts else (0, 0.0)
        starts.append(np.nanmin(stamps[index].pts_s[number : number + 32], initial=np.inf))
        ends.append(np.nanmax(stamps[index].end_s[begins:number], initial=-np.inf) + shift_s)
    joint_s = float(max(ends))
    for index, number in first.items():
        shifts.setdefault(index, []).append((number, joint_s - float(min(starts))))
    joints_s.append(joint_s)


def _jumps(dts_s: np.ndarray) -> tuple[list[int], list[int]]:
    """Numbers of the packets with wrong stamps, and of those at which the stamps jump back for good. dts_s: [N]."""
    known = np.flatnonzero(~np.isnan(dts_s)).tolist()
    step_s = float(np.median(np.diff(dts_s[known]))) if len(known) > 1 else 0.0
    wrong: list[int] = []
    backward: list[int] = []
    right: list[int] = []  # of this part
    for place, number in enumerate(known):
        last_s = dts_s[right[-1]] if right else -np.inf
        if dts_s[number] < min(last_s, last_s + step_s - JOINT_S):
            following = dts_s[known[place : place + LONGEST_GLITCH + 1]]
            if _returns(following, last_s, step_s):
                wrong.append(number)
                continue
            num_early = _strayed(dts_s[right[-LONGEST_GLITCH - 1 :]], dts_s[number], step_s)
            if num_early:
                wrong += right[-num_early:]
                del right[-num_early:]
            else:
                backward.append(number)
                right.clear()
        right.append(number)
    return sorted(wrong), backward


def _returns(following_s: np.ndarray, last_s: float, step_s: float) -> bool:
    """Whether stamps that jumped back to before `last_s` soon leap to after it again."""
    later = np.flatnonzero(following_s > last_s)
    return len(later) > 0 and following_s[later[0]] - following_s[: later[0]].max() > step_s + JOINT_S


def _strayed(before_s: np.ndarray, stamp_s: float, step_s: float) -> int:
    """How many of the last stamps leapt ahead, if `stamp_s` goes on where they left; 0 if they did not leap."""
    for count in range(1, len(before_s)):
        leapt = before_s[-count] - before_s[-count - 1] > step_s + JOINT_S
        if leapt and 0 < stamp_s - before_s[-count - 1] <= (count + 1) * step_s + JOINT_S:
            return count
    return 0
