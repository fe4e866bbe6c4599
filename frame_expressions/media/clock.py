"""One clock for the frames and the audio of a file, whose time stamps may start again, jump back or stand still.

A file joined from several recordings (with `cat`; VOB; transport streams of cameras and of HLS) has a joint wherever
its time stamps jump back. All streams that jump there are shifted by one amount, so the parts follow each other and
each part keeps its audio at its frames.
"""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Clock:
    """How the time stamps of a file's packets become times on one clock.

    shifts: for each stream, by its index, pairs of a packet's number and the seconds that are added to the stamps from
    that packet on. wrong: for each stream the numbers of the packets whose stamps mean nothing. joints_s: where parts
    meet, on this clock. Packets are numbered from 0 within their stream; empty ones do not count.
    """

    shifts: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    wrong: dict[int, list[int]] = field(default_factory=dict)
    joints_s: list[float] = field(default_factory=list)

    @property
    def num_discontinuities(self) -> int:
        """The number of joints and of packets with wrong stamps."""
        return len(self.joints_s) + sum(map(len, self.wrong.values()))

    def describe(self, start_s: float) -> str:
        """The discontinuities in words, at seconds after the first frame, which is at `start_s`."""
        joints = ", ".join(f"{joint_s - start_s:.2f} s" for joint_s in self.joints_s[:5])
        more = f" and {len(self.joints_s) - 5} more places" if len(self.joints_s) > 5 else ""
        parts = f"its time stamps jump back at {joints}{more}, where the parts are joined" if joints else ""
        num_wrong = sum(map(len, self.wrong.values()))
        wrong = f"{num_wrong} packets have time stamps out of order, which are ignored" if num_wrong else ""
        return "; ".join(filter(None, (parts, wrong)))

    def as_dict(self) -> dict:
        """The clock as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict) -> "Clock":
        """The clock that `as_dict` gave to JSON."""
        shifts = {int(index): [tuple(pair) for pair in pairs] for index, pairs in stored["shifts"].items()}
        wrong = {int(index): numbers for index, numbers in stored["wrong"].items()}
        return cls(shifts, wrong, stored["joints_s"])


UNSHIFTED = Clock()
"""The clock that leaves all stamps as they are stored."""
