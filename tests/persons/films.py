"""Films cut from real clips, with the truth of who is where: cuts, fades, close-ups, and what is not a cut."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from frame_expressions.media.video import read_video

FPS = 25
SIZE = (640, 360)
CLIPS = {
    "anton": ("media/faces/single_face.mp4", (200, 50, 390, 310)),
    "bruno": ("media/cremad/1001_DFA_SAD_XX.flv", (220, 40, 370, 230)),
    "clara": ("media/faces/WolfgangLanger_Pexels.mp4", (300, 0, 600, 360)),
}
"""Of each person a clip below shared/ and where the middle of the face is in it, in a frame of SIZE."""
GROUP = "media/faces/multi_face.jpg"
GROUP_FACES = {"dora": (313, 229, 409, 360), "emil": (218, 66, 310, 174), "fay": (683, 290, 790, 423)}
"""Boxes of three faces of a photograph."""

Shot = list[tuple[np.ndarray, dict[str, tuple[float, float, float, float]]]]
"""Frames, uint8 [H, W, 3], each with the persons in it: the box in which the middle of the face is."""


@dataclass(frozen=True)
class Film:
    """frames: of one size. main: whom `auto` is to follow; the person is absent where no frame shows them."""

    name: str
    frames: Shot
    main: str

    def right_share(self, boxes: list[np.ndarray | None]) -> float:
        """Share of frames whose box is the main person's, or in which neither is there."""
        found = [_who(persons, box) for (_, persons), box in zip(self.frames, boxes, strict=True)]
        wanted = [self.main if self.main in persons else None for _, persons in self.frames]
        return float(np.mean([who == main for who, main in zip(found, wanted, strict=True)]))

    def mixed_share(self, boxes: list[np.ndarray | None]) -> float:
        """Share of frames with a box that is not on the person whom most of these boxes show."""
        found = [_who(persons, box) for (_, persons), box in zip(self.frames, boxes, strict=True) if box is not None]
        return 1 - max(map(found.count, found)) / len(found) if found else 0.0

    def write(self, path: Path) -> None:
        """Encode the film as H.264."""
        height, width = self.frames[0][0].shape[:2]
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "23"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for rgb, _ in self.frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")))
            container.mux(stream.encode(None))


def cut_films(shared: Path) -> list[Film]:
    """Films with cuts. In those of A and B, two men are shown in turn; the main person is the one shown for longer."""
    a, b, c = (_shot(shared, name) for name in CLIPS)
    group = {name: _portrait(shared, name, 2 * FPS) for name in GROUP_FACES}
    small = _portrait(shared, "emil", 60, side_px=140, at=(490, 40))
    same_place = {name: _portrait(shared, name, 2 * FPS, side_px=200, at=(220, 80)) for name in GROUP_FACES}
    quick = [
        part for k in range(4) for part in (a[12 * k : 12 * k + 12], b[12 * k : 12 * k + 12], c[12 * k : 12 * k + 12])
    ]
    return [
        Film("A | B", a + b[:40], "anton"),
        Film("B | A, who is nearer", b + a[:40], "anton"),
        Film("B | A, both as near", _in_place(b) + _in_place(a[:40]), "bruno"),
        Film("A | B | A", a[:35] + b[:50] + a[35:], "anton"),
        Film("A | B for 4 s, one in the other's place", a[:70] + _in_place(b)[:50] + _in_place(b)[::-1][:50], "bruno"),
        Film("A with a bystander | B", _with(a[:60], small) + b[:45], "anton"),
        Film("same place and size", _in_place(a[:60]) + _in_place(b[:40]), "anton"),
        Film("same place, size and background", same_place["dora"] + same_place["fay"][:30], "dora"),
        Film("same place and background, flipped scene", group["dora"] + _flipped(group["emil"][:35]), "dora"),
        Film("fade to black between A and B", _faded(a[:60], 12, out=True) + _faded(_in_place(b)[:45], 12), "anton"),
        Film("cut within a fade", _dipped(a[:60] + _in_place(b)[:45], 60, 15), "anton"),
        Film("cross-fade of 0.6 s", _crossed(_in_place(a)[:65], _in_place(b)[:55], 15), "anton"),
        Film("quick cuts of 0.5 s, C nearest", [seen for part in quick for seen in part], "clara"),
        Film(
            "quick cuts of 0.5 s, A first for 1.6 s", a[:40] + [seen for part in quick[1:6] for seen in part], "anton"
        ),
        Film("jump cut of one person, closer", a[:35] + _closer(a[45:]), "anton"),
        Film("jump cuts of one person", b[:20] + b[30:45] + b[5:25], "bruno"),
    ]


def calm_films(shared: Path) -> list[Film]:
    """Films of one person without a cut, but with something that looks like one."""
    a, b, c = (_shot(shared, name) for name in CLIPS)
    rng = np.random.default_rng(0)

    def changed(shot: Shot, change: Callable[[np.ndarray, int], np.ndarray]) -> Shot:
        return [
            (np.clip(change(rgb.astype(float), k), 0, 255).astype(np.uint8), who) for k, (rgb, who) in enumerate(shot)
        ]

    def smeared(rgb: np.ndarray, number: int) -> np.ndarray:
        rgb = rgb.copy()
        if number in (30, 31):
            rgb[180:] = rgb[180]
        return rgb

    return [
        Film("plain", a, "anton"),
        Film("hand before the face", c, "clara"),
        Film("flashes", changed(b, lambda rgb, k: rgb + 150 * (k in (20, 21, 40))), "bruno"),
        Film("exposure x 0.5 at once", changed(a, lambda rgb, k: rgb * (0.5 if k >= 30 else 1)), "anton"),
        Film("exposure x 1.6 at once", changed(b, lambda rgb, k: rgb * (1.6 if k >= 30 else 1)), "bruno"),
        Film(
            "gamma and white balance at once",
            changed(a, lambda rgb, k: 255 * (rgb / 255) ** ([1.6, 1.8, 2] if k >= 30 else 1)),
            "anton",
        ),
        Film("two damaged frames", changed(b, smeared), "bruno"),
        Film("fade in and out", _faded(_faded(a, 15), 15, out=True), "anton"),
        Film("camera pan", _panned(a, 4), "anton"),
        Film("shaking camera", [(np.roll(rgb, tuple(rng.integers(-6, 7, 2)), (0, 1)), who) for rgb, who in b], "bruno"),
    ]


def close_up(shared: Path, height_share: float) -> Film:
    """A real face, 148 px high around (217, 136) in the clip, that is `height_share` of the frame's height."""
    side_px = 148 / height_share
    frames = []
    for frame in read_video(shared / "media/cremad/1001_DFA_HAP_XX.flv"):
        x, y = (int(middle - side_px / 2) for middle in (217, 136))
        side = int(side_px)
        padded = np.pad(frame.rgb, ((200, 200), (200, 200), (0, 0)))[y + 200 : y + 200 + side, x + 200 : x + 200 + side]
        frames.append((cv2.resize(padded, (480, 480)), {"bruno": (120, 120, 360, 360)}))
    return Film(f"close-up, {height_share:g} of the height", frames, "bruno")


def _who(persons: dict, box: np.ndarray | None) -> str | None:
    """Whose face the box is on; `somebody` if it is on none."""
    if box is None:
        return None
    x, y = (box[:2] + box[2:]) / 2
    return next((name for name, (x1, y1, x2, y2) in persons.items() if x1 <= x <= x2 and y1 <= y <= y2), "somebody")


@cache
def _shot(shared: Path, name: str) -> Shot:
    clip, box = CLIPS[name]
    return [(cv2.resize(frame.rgb, SIZE), {name: box}) for frame in islice(read_video(shared / clip), 72)]


def _portrait(shared: Path, name: str, num_frames: int, side_px: int = 360, at: tuple[int, int] = (140, 0)) -> Shot:
    """A face of the photograph that sways, as a square in front of a room."""
    photo = cv2.cvtColor(cv2.imread(str(shared / GROUP)), cv2.COLOR_BGR2RGB)
    room = next(iter(read_video(shared / "media/faces/no_face.mp4"))).rgb
    x1, y1, x2, y2 = GROUP_FACES[name]
    middle, half = np.array([(x1 + x2) / 2, (y1 + y2) / 2]), 0.9 * (y2 - y1)
    shot: Shot = []
    for number in range(num_frames):
        left, top = (middle - half + 3 * np.array([np.sin(number / 6), np.cos(number / 8)])).round().astype(int).clip(0)
        square = cv2.resize(photo[top : top + int(2 * half), left : left + int(2 * half)], (side_px, side_px))
        rgb = cv2.resize(room, SIZE)
        x, y = at
        rgb[y : y + side_px, x : x + side_px] = square
        shot.append((rgb, {name: (x, y, x + side_px, y + side_px)}))
    return shot


def _moved(box: tuple, scale: float, shift: tuple[float, float]) -> tuple:
    return tuple(edge * scale + shift[place % 2] for place, edge in enumerate(box))


def _in_place(shot: Shot) -> Shot:
    """The shot with its face in the middle of the frame, 200 px high."""
    size_px = {"anton": (295, 185, 225), "bruno": (290, 135, 145)}
    moved = []
    for rgb, persons in shot:
        ((name, box),) = persons.items()
        x, y, height = size_px[name]
        scale = 200 / height
        shift = (320 - scale * x, 180 - scale * y)
        picture = cv2.warpAffine(
            rgb, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]), SIZE, borderMode=cv2.BORDER_REPLICATE
        )
        moved.append((picture, {name: _moved(box, scale, shift)}))
    return moved


def _closer(shot: Shot) -> Shot:
    """The shot enlarged by a third around its face."""
    return [
        (
            cv2.resize(rgb[45:315, 80:560], SIZE),
            {name: _moved(box, 4 / 3, (-80 * 4 / 3, -60)) for name, box in who.items()},
        )
        for rgb, who in shot
    ]


def _flipped(shot: Shot) -> Shot:
    return [
        (rgb[:, ::-1], {name: (SIZE[0] - x2, y1, SIZE[0] - x1, y2) for name, (x1, y1, x2, y2) in who.items()})
        for rgb, who in shot
    ]


def _with(shot: Shot, bystander: Shot) -> Shot:
    """The shot with the square of a smaller portrait at its right."""
    joined = []
    for (rgb, who), (other, others) in zip(shot, bystander, strict=False):
        rgb = rgb.copy()
        ((x1, y1, x2, y2),) = others.values()
        rgb[y1:y2, x1:x2] = other[y1:y2, x1:x2]
        joined.append((rgb, who | others))
    return joined


def _dimmed(shot: Shot, light: Iterable[float]) -> Shot:
    """Nobody counts as seen in less than a tenth of the light."""
    return [
        ((rgb * share).astype(np.uint8), who if share >= 0.1 else {})
        for (rgb, who), share in zip(shot, light, strict=True)
    ]


def _faded(shot: Shot, num_frames: int, out: bool = False) -> Shot:
    light = np.clip(np.arange(len(shot)) / num_frames, 0, 1)
    return _dimmed(shot, light[::-1] if out else light)


def _dipped(shot: Shot, cut: int, num_frames: int) -> Shot:
    """The light goes down to a fifth until the cut, and up again."""
    return _dimmed(shot, np.clip(0.2 + np.abs(np.arange(len(shot)) - cut) / num_frames, 0, 1))


def _crossed(before: Shot, after: Shot, num_frames: int) -> Shot:
    """A cross-fade; each person is seen in more than half of the light."""
    mixed = []
    for number in range(num_frames):
        share = (number + 1) / (num_frames + 1)
        (rgb, who), (other, others) = before[number - num_frames], after[number]
        mixed.append((((1 - share) * rgb + share * other).astype(np.uint8), who if share < 0.5 else others))
    return before[:-num_frames] + mixed + after[num_frames:]


def _panned(shot: Shot, step_px: int) -> Shot:
    panned = []
    for number, (rgb, who) in enumerate(shot):
        shift = step_px * abs((number % 50) - 25) - 50
        picture = cv2.warpAffine(rgb, np.array([[1.0, 0, shift], [0, 1, 0]]), SIZE, borderMode=cv2.BORDER_REFLECT)
        panned.append((picture, {name: _moved(box, 1, (shift, 0)) for name, box in who.items()}))
    return panned
