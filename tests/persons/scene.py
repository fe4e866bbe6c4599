"""A drawn video of two persons who change sides while a third passes in front, with the truth of who is where."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from frame_expressions.demo.portrait import make_person
from frame_expressions.demo.scene import Pose, draw_background, draw_frame, draw_light
from frame_expressions.faces.tracking import SubjectSettings

FOLLOWING = SubjectSettings(max_gap_s=0.5, takeover_s=3.0, min_iou=0.3, min_similarity=0.25, memory=0.9)
FPS = 8
SIZE = (640, 320)
NOWHERE = -400.0
LEAST_SEEN_SHARE = 0.75  # of a face's square, neither hidden nor outside the frame: below it, a person may be lost


@dataclass(frozen=True)
class Scene:
    """Poses of the persons `anna`, `bert` and `carl` by name, [T] each; later ones are in front of earlier ones."""

    poses: dict[str, list[Pose]]

    def visible_share(self, name: str) -> np.ndarray:
        """Share [T] of a person's square that can be seen."""
        names = list(self.poses)
        in_front = names[names.index(name) + 1 :]
        width, height = SIZE
        shares = []
        for frame, pose in enumerate(self.poses[name]):
            x1, y1, x2, y2 = pose.xyxy_px()
            x, y = np.meshgrid(np.linspace(x1, x2, 40), np.linspace(y1, y2, 40))
            seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            for other in in_front:
                a1, b1, a2, _ = self.poses[other][frame].xyxy_px()
                # The hair is wider than the square of the face.
                seen &= ~((x > a1 - 10) & (x < a2 + 10) & (y > b1 - 30))
            shares.append(seen.mean())
        return np.array(shares)

    def follows(self, boxes: list[np.ndarray | None], name: str) -> float:
        """Share of frames in which `boxes` follow a person: on the face where it is visible, else on nobody else's."""
        visible = self.visible_share(name) >= LEAST_SEEN_SHARE
        right = []
        for frame, box in enumerate(boxes):
            nearest = box is not None and min(self.poses, key=lambda who: _distance(self.poses[who][frame], box))
            right.append(nearest == name if visible[frame] else box is None or nearest == name)
        return float(np.mean(right))


def two_who_change_sides() -> Scene:
    """30 s: Anna and Bert change sides twice, Anna is away for 2 s, Carl passes in front of both, nearer than they."""
    time_s = np.arange(30 * FPS) / FPS
    wobble = 6 * np.sin(time_s * 1.7)
    anna_x = np.interp(time_s, [5, 8, 25, 28], [170, 470, 470, 170]) + wobble
    anna_x = np.where((time_s >= 12) & (time_s < 14), NOWHERE, anna_x)
    bert_x = np.interp(time_s, [5, 8, 25, 28], [470, 170, 170, 470]) - wobble
    carl_x = np.interp(time_s, [18, 22], [-100, 740], left=NOWHERE, right=NOWHERE)
    # Bert leans towards the camera now and then.
    bert_px = 76 + 60 * np.clip(np.sin(time_s * 0.9), 0, 1) ** 4
    courses = {"anna": (anna_x, 112 + 0 * time_s), "bert": (bert_x, bert_px), "carl": (carl_x, 150 + 0 * time_s)}
    return Scene(
        {
            name: [Pose(float(x), 165.0, float(side), 0.0) for x, side in zip(xs, sides, strict=True)]
            for name, (xs, sides) in courses.items()
        }
    )


def write_scene(scene: Scene, path: Path, seed: int) -> None:
    """Draw the scene with made-up persons as an H.264 video of FPS frames a second."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    background, light = draw_background(height, width, rng), draw_light(rng)
    persons = {name: make_person(rng) for name in scene.poses}
    neutral = np.zeros(8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20"})
        (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
        for poses in zip(*scene.poses.values(), strict=True):
            figures = [
                (persons[name], pose, neutral)
                for name, pose in zip(scene.poses, poses, strict=True)
                if pose.x_px > NOWHERE
            ]
            image = draw_frame(background, figures, light)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def _distance(pose: Pose, xyxy_px: np.ndarray) -> float:
    x, y = (xyxy_px[:2] + xyxy_px[2:]) / 2
    return float(np.hypot(x - pose.x_px, y - pose.y_px))
