"""Cuts between shots, in frames made by hand: a drawn room in front of which a head moves."""

from types import SimpleNamespace

import numpy as np
import pytest

from frame_expressions.faces.boxes import NO_FACES, Cut, Faces
from frame_expressions.faces.cuts import MOST, CutFinder

SIZE = (180, 320)
AT_S = 1 / 25


def room(seed):
    """A coarse random picture, uint8 [H, W, 3]."""
    blocks = np.random.default_rng(seed).integers(40, 216, (3, 5, 3))
    return np.kron(blocks, np.ones((60, 64, 1))).astype(np.uint8)


def shot(seed, num_frames, head=None, x=130, side=80, step=1):
    """A head that moves `step` px a frame, drawn over a room of another seed; with grain."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(num_frames):
        frame = room(seed).astype(float)
        if head is not None:
            cells = np.random.default_rng(head).integers(40, 216, (8, 8, 3))
            left = x + round(step * number)
            frame[60 : 60 + side, left : left + side] = np.kron(cells, np.ones((side // 8, side // 8, 1)))
        frames.append(np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8))
    return frames


def cuts(frames, step_s=AT_S, damaged=(), boxes=None):
    """The cuts; boxes: of the faces of each frame."""
    finder = CutFinder()
    for number, rgb in enumerate(frames, start=1):
        faces = NO_FACES
        if boxes:
            xyxy_px = np.array(boxes[number - 1], np.float32).reshape(-1, 4)
            faces = Faces(xyxy_px, np.ones(len(xyxy_px), np.float32))
        frame = SimpleNamespace(rgb=rgb, number=number, decoded=number not in damaged)
        finder.add(frame, (number - 1) * step_s, faces)
    return finder.finish()


def starts(frames, **how):
    return [cut.frame for cut in cuts(frames, **how)]


def test_another_scene_is_a_cut_at_its_first_frame():
    assert starts(shot(1, 20) + shot(2, 20)) == [21]
    assert starts(shot(1, 12) + shot(2, 12) + shot(1, 12)) == [13, 25]  # shots of half a second
    assert starts(shot(1, 20) + shot(2, 2)) == [21] and starts(shot(1, 2) + shot(2, 20)) == [3]


def test_a_long_video_gives_the_same_cuts_as_its_parts():
    frames = [frame for seed in range(12) for frame in shot(seed, 5 + seed)]
    lengths = [5 + seed for seed in range(12)]
    assert starts(frames) == (np.cumsum(lengths)[:-1] + 1).tolist()
    assert max(lengths) > 2 * MOST - 1 and min(lengths) < MOST


def test_another_face_in_the_same_place_in_front_of_the_same_room_is_a_cut():
    assert starts(shot(1, 20, head=5) + shot(1, 20, head=6, x=150)) == [21]


@pytest.mark.parametrize("rate", [5, 10, 60])
def test_cuts_at_other_frame_rates(rate):
    assert starts(shot(1, 15, head=5) + shot(2, 15, head=6), step_s=1 / rate) == [16]


def test_flashes_damage_and_frames_without_content_are_not_cuts():
    still = shot(1, 30, head=5)
    assert starts(still) == []
    for bad in (
        [np.clip(frame.astype(int) + 150, 0, 255).astype(np.uint8) for frame in still],
        [np.full_like(frame, 128) for frame in still],
        [np.vstack([frame[:60], np.repeat(frame[60:61], 120, axis=0)]) for frame in still],
        shot(9, 30),
    ):
        for count in (1, 2, 3):
            assert starts(still[:15] + bad[15 : 15 + count] + still[15 + count :]) == []
    # However long: marked as damaged by the decoder, or black.
    assert starts(still[:10] + shot(9, 10) + still[20:], damaged=range(11, 21)) == []
    assert starts(still[:10] + [np.zeros((*SIZE, 3), np.uint8)] * 10 + still[20:]) == []


def test_changes_of_light_are_not_cuts():
    still = shot(1, 30, head=5)
    for light in (
        lambda frame: 0.4 * frame,
        lambda frame: 1.15 * frame,
        lambda frame: 255 * (frame / 255) ** 2,
        lambda frame: frame * [1.1, 1, 0.7],
        lambda frame: frame + 30,
    ):
        changed = [np.clip(light(frame.astype(float)), 0, 255).astype(np.uint8) for frame in still]
        assert starts(still[:15] + changed[15:]) == []


def test_motion_is_not_a_cut_but_a_cut_to_or_from_motion_is():
    wide = np.hstack([room(1), room(2), room(3)])
    for step in (2, 4, 8):
        pan = [wide[:, step * number : step * number + 320] for number in range(24)]
        assert starts([pan[0]] * 10 + pan) == []
        assert starts(shot(7, 12) + pan) == [13] and starts(pan + shot(7, 12)) == [25]
    assert starts(shot(1, 30, head=5, x=10, step=7)) == []


def test_a_pan_so_fast_that_each_frame_is_much_of_another_scene_is_not_a_cut():
    wide = np.hstack([room(seed) for seed in range(6)])
    assert starts([wide[:, 48 * number : 48 * number + 320] for number in range(30)]) == []


def test_a_fade_through_black_is_a_cut_where_the_next_scene_appears():
    down = np.linspace(1, 0, 12)
    before = [(frame * light).astype(np.uint8) for frame, light in zip(shot(1, 12), down, strict=True)]
    after = [(frame * light).astype(np.uint8) for frame, light in zip(shot(2, 12), down[::-1], strict=True)]
    (found,) = starts(shot(1, 10) + before + after + shot(2, 10))
    assert 23 <= found <= 25
    back = [(frame * light).astype(np.uint8) for frame, light in zip(shot(1, 12), down[::-1], strict=True)]
    assert starts(shot(1, 10) + before + back + shot(1, 10)) == []


def test_faces_that_look_the_same_across_a_cut_are_paired_wherever_they_are():
    # Two heads change places with the scene; then a third one comes, and the first shot again.
    def scene(seed, heads):
        frames = shot(seed, 10)
        for frame in frames:
            for head, x in heads.items():
                frame[40:140, x : x + 100] = np.kron(
                    np.random.default_rng(head).integers(40, 216, (10, 10, 3)), np.ones((10, 10, 1))
                )
        return frames, [[[x + 20, 60, x + 80, 120] for x in heads.values()]] * 10

    parts = [scene(1, {5: 20, 6: 200}), scene(2, {6: 30, 5: 210}), scene(3, {7: 20}), scene(1, {5: 20, 6: 200})]
    frames, boxes = [frame for part, _ in parts for frame in part], [box for _, part in parts for box in part]
    found = cuts(frames, boxes=boxes)
    assert [cut.frame for cut in found] == [11, 21, 31]
    assert sorted(found[0].same) == [(10, 0, 11, 1), (10, 1, 11, 0)]
    assert found[1].same == []
    assert sorted((face, later) for frame, face, _, later in found[2].same if frame == 10) == [(0, 0), (1, 1)]
    # Without faces there is nothing to pair.
    assert cuts(frames) == [Cut(11, []), Cut(21, []), Cut(31, [])]


def test_a_face_that_resembles_another_is_not_taken_for_it():
    cells = np.random.default_rng(5).integers(40, 216, (10, 10, 3))
    alike = 0.6 * cells + 0.4 * np.random.default_rng(6).integers(40, 216, (10, 10, 3))
    films = []
    for seed, face in ((1, cells), (2, cells), (3, alike)):
        films.append(shot(seed, 10))
        for frame in films[-1]:
            frame[40:140, 20:120] = np.kron(face, np.ones((10, 10, 1)))
    found = cuts([frame for film in films for frame in film], boxes=[[[40, 60, 100, 120]]] * 30)
    assert [len(cut.same) for cut in found] == [1, 0]


def test_frames_of_any_size_and_none_at_all():
    assert cuts([]) == [] and starts([room(1)]) == []
    tiny = [np.random.default_rng(1).integers(0, 255, (3, 5, 3)).astype(np.uint8)] * 4
    assert starts(tiny) == []
    assert starts([np.zeros((1, 1, 3), np.uint8)] * 4) == []
