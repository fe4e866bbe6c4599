import numpy as np
import pytest

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.demo.expression import (
    FACE_CENTRE,
    FACES,
    LANDMARKS,
    POINTS,
    SPREADS,
    displacement,
    express,
    landmark_moves,
)
from frame_expressions.demo.face_images import draw_face, draw_without_face
from frame_expressions.demo.portrait import Person, make_person, show_expression
from frame_expressions.demo.scene import Light, Pose, draw_frame, landmarks_in_frame

PLAIN = Light((1.0, 1.0, 1.0), 0.0, 0.0)


@pytest.fixture(scope="module")
def person() -> Person:
    return make_person(np.random.default_rng(0))


def full(name: str) -> np.ndarray:
    return np.eye(len(EXPRESSIONS))[EXPRESSIONS.index(name)]


def test_displacement_at_a_moved_landmark_is_minus_its_move():
    points = np.array([[10.0, 10.0], [20.0, 12.0]])
    moves = np.array([[3.0, -2.0], [0.0, 4.0]])
    dx, dy = displacement(points, moves, np.full((2, 2), 6.0), np.arange(40.0), np.arange(40.0))
    for (x, y), move in zip(points + moves, moves, strict=True):
        assert (dx[int(y), int(x)], dy[int(y), int(x)]) == pytest.approx(tuple(-move), abs=1e-4)


def test_every_move_names_a_landmark():
    assert set(FACES) == set(EXPRESSIONS)
    assert all(set(face.moves) <= set(LANDMARKS) for face in FACES.values())


def test_no_blend_of_expressions_makes_the_lids_cross():
    xs, ys = np.arange(164.0, 282.0, dtype=np.float32), np.arange(62.0, 220.0, dtype=np.float32)
    for main in range(8):
        for second in range(8):
            weights = 1.15 * np.eye(8)[main] + 0.12 * np.eye(8)[second]
            moves = landmark_moves(weights)
            moved = dict(zip(LANDMARKS, POINTS + moves, strict=True))
            for side in ("left", "right"):
                assert moved[f"lower_lid_{side}"][1] - moved[f"upper_lid_{side}"][1] > 1.0
            dx, dy = displacement(POINTS, moves, SPREADS, xs, ys)
            assert max(np.abs(dx).max(), np.abs(dy).max()) < 25


def test_neutral_changes_nothing():
    texture = np.random.default_rng(1).integers(0, 255, (158, 118, 3), dtype=np.uint8)
    xs, ys = np.arange(164.0, 282.0, dtype=np.float32), np.arange(62.0, 220.0, dtype=np.float32)
    np.testing.assert_array_equal(express(texture, POINTS, full("Neutral"), xs, ys), texture)


def test_expressions_differ_clearly_from_each_other(person):
    shown = [show_expression(person, full(name))[..., :3].astype(float) for name in EXPRESSIONS]
    face = np.ptp(np.stack(shown), axis=0).max(axis=-1) > 0
    for first in range(8):
        for second in range(first):
            assert np.abs(shown[first] - shown[second])[face].mean() > 3


def test_an_expression_stays_within_the_face(person):
    changed = (show_expression(person, full("Surprise")) != person.rgba).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert rows.min() >= 62 * 1.5 and rows.max() < 220 * 1.5
    assert columns.min() >= 164 * 1.5 and columns.max() < 282 * 1.5


def test_surprise_opens_the_mouth(person):
    x, y = person.points[list(LANDMARKS).index("mouth_centre")]
    below = round((y + 12) * 1.5), round(x * 1.5)
    assert person.rgba[below][:3].mean() > show_expression(person, full("Surprise"))[below][:3].mean() + 30


def test_persons_follow_from_the_generator():
    first, again, other = (make_person(np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.rgba, again.rgba)
    assert (first.rgba != other.rgba).any()


def test_a_face_lies_where_its_pose_says(person):
    centred = Person(person.rgba, np.array([FACE_CENTRE], np.float32), False)
    for mirrored in (False, True):
        placed = landmarks_in_frame(Person(centred.rgba, centred.points, mirrored), Pose(70.0, 50.0, 40.0, 8.0))
        assert placed[0].tolist() == pytest.approx([70.0, 50.0])


def test_a_mirrored_face_swaps_its_sides(person):
    left, right = (list(LANDMARKS).index(f"mouth_{side}") for side in ("left", "right"))
    for mirrored in (False, True):
        placed = landmarks_in_frame(Person(person.rgba, person.points, mirrored), Pose(70.0, 50.0, 40.0, 0.0))
        assert (placed[left, 0] > placed[right, 0]) == mirrored


def test_a_frame_shows_the_person_before_the_background(person):
    background = np.full((160, 160, 3), (0, 0, 255), np.uint8)
    frame = draw_frame(background, [(person, Pose(80.0, 80.0, 60.0, 0.0), full("Neutral"))], PLAIN)
    assert frame.dtype == np.uint8 and frame.shape == (160, 160, 3)
    assert frame[2, 2].tolist() == [0, 0, 255]
    red, _, blue = frame[80, 80].astype(int)
    assert red > blue  # skin, in RGB


def test_light_dims_and_tints(person):
    background = np.full((60, 80, 3), 100, np.uint8)
    frame = draw_frame(background, [], Light((1.0, 0.5, 0.25), 0.5, 0.0))
    assert frame[30, 0].tolist() == [50, 25, 12]
    assert frame[30, -1].tolist() == [150, 75, 37]


def test_images_have_their_size_and_sometimes_borders(person):
    rng = np.random.default_rng(6)
    bordered = draw_face(person, 3, 96, (1.0, 1.2), 1.0, rng)
    plain = draw_face(person, None, 96, (1.0, 1.2), 0.0, rng)
    black = [edge.max() == 0 for edge in (bordered.rgb[0], bordered.rgb[-1], bordered.rgb[:, 0], bordered.rgb[:, -1])]
    assert sum(black) == 1
    assert plain.rgb.shape == (96, 96, 3)
    assert 96 / 1.2 <= plain.pose.side_px <= 96
    assert draw_without_face(50, rng).shape == (50, 50, 3)


def test_the_cascade_finds_every_expression(person):
    cascade = pytest.importorskip("skimage.feature").Cascade(
        pytest.importorskip("skimage.data").lbp_frontal_face_cascade_filename()
    )
    for name in EXPRESSIONS:
        background = np.full((240, 240, 3), 120, np.uint8)
        frame = draw_frame(background, [(person, Pose(120.0, 115.0, 110.0, 0.0), full(name))], PLAIN)
        found = cascade.detect_multi_scale(frame, 1.2, 1, (90, 90), (160, 160), min_neighbor_number=2)
        assert [
            hit
            for hit in found
            if abs(hit["c"] + hit["width"] / 2 - 120) < 20 and abs(hit["r"] + hit["height"] / 2 - 115) < 20
        ], name
