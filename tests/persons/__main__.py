"""Print how often the right person is followed, in films cut from real clips with SCRFD; needs ../shared.

python -m tests.persons
"""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from frame_expressions.faces.boxes import read_boxes
from tests.conftest import ROOT
from tests.media import extract_timeline
from tests.persons.films import Film, calm_films, close_up, cut_films
from tests.persons.scene import FOLLOWING
from workflow_scripts import detect_faces, select_subject

SHARED = ROOT.parent / "shared"
DETECTOR = {
    "name": "insightface",
    "min_side_px": 30,
    "min_side_of": "longer",
    "input_px": [640, 320],
    "min_score": 0.5,
    "device": "cpu",
}
MOST_PERSONS = 4
HEIGHT_SHARES = (0.6, 0.8, 0.9, 1.2, 1.4)


def follow(film: Film, shared: Path, folder: Path) -> tuple[float, float]:
    """Share of frames in which `auto` is right, and the largest `Film.mixed_share` of the film's persons."""
    video, timeline, faces, subject = (folder / name for name in ("film.mp4", "t.parquet", "f.parquet", "s.parquet"))
    film.write(video)
    extract_timeline(video, timeline)
    model = shared / "models/scrfd_500m.onnx"
    detect_faces.run(videos=[video], timelines=[timeline], faces=[faces], detector=DETECTOR, model=model, num_threads=1)

    def boxes(person: str) -> list:
        files = {"faces": faces, "timeline": timeline, "subject": subject}
        select_subject.run(**files, person=person, overrides=[], settings=FOLLOWING)
        return read_boxes(subject)

    persons = [boxes(f"person@{place}") for place in range(1, MOST_PERSONS + 1)]
    return film.right_share(boxes("auto")), max(film.mixed_share(found) for found in persons)


def films(shared: Path) -> Iterator[Film]:
    """All films of the table."""
    yield from (close_up(shared, share) for share in HEIGHT_SHARES)
    yield from cut_films(shared)
    yield from calm_films(shared)


def main() -> None:
    """Print the table."""
    if not SHARED.is_dir():
        print("the folder ../shared with real clips is not on this machine")
        return
    logging.basicConfig(level=logging.ERROR)
    print(
        "Share of frames in which `auto` is right (on the main person, or absent with them), and the largest share of"
    )
    print("frames in which one of the numbered persons is somebody else\n")
    with tempfile.TemporaryDirectory() as name:
        for film in films(SHARED):
            right, mixed = follow(film, SHARED, Path(name))
            print(f"{film.name:44} {len(film.frames):4} frames  {right:6.1%}  {mixed:6.1%}", flush=True)


if __name__ == "__main__":
    main()
