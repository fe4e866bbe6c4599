"""The content of a planned demo video: what the people in it do, its frames, its audio and the resulting labels.

T: number of frames; G: grid points of the story; N: audio samples.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from frame_expressions.demo.plan import LATE_AUDIO_S, DemoVideo
from frame_expressions.demo.portrait import make_person
from frame_expressions.demo.scene import Pose, draw_background, draw_frame, draw_light
from frame_expressions.demo.story import GRID_HZ, Story, deal_expressions, draw_informative, grid_points, tell_story
from frame_expressions.demo.voice import synthesise

FACE_SHARE = (0.32, 0.45)
"""Side of the face's square as a share of the frame's height."""

EDGE_TIME = (0.3, 0.75)
"""Part of the clip during which the frame's edge cuts the face of a person planned `at_edge`."""

EDGE_HIDES = 0.2
"""Share of the face hidden by the edge during that time; small enough that detectors find the face and the expression
stays visible."""


@dataclass(frozen=True)
class TrackTruth:
    """Ground truth of one person per frame [T]: expression, int8; whether face and audio show it, bool."""

    expression: np.ndarray
    visual_informative: np.ndarray
    audio_informative: np.ndarray


@dataclass(frozen=True)
class Clip:
    """What happens in one video: the story of each person, and [G] who speaks and whether the voice is audible."""

    video: DemoVideo
    stories: tuple[Story, ...]
    speaker: np.ndarray
    audible: np.ndarray
    seed: int


def plan_clips(videos: Sequence[DemoVideo], visual_gap_share: float, audio_gap_share: float, seed: int) -> list[Clip]:
    """Decide what happens in each video. The shares are the fractions of time during which each cue is missing."""
    rng = np.random.default_rng(seed)
    persons = [person for video in videos for person in video.persons]
    clip_s = {person.track: float(video.num_frames / video.fps) for video in videos for person in video.persons}
    dealt = {}
    for split in ("train", "validation", "test"):
        tracks = [person.track for person in persons if person.split == split]
        dealt |= zip(tracks, deal_expressions(len(tracks), clip_s[tracks[0]], rng), strict=True)
    clips = []
    for video in videos:
        own = _generator(seed, video, 1)
        stories = tuple(
            tell_story(dealt[person.track], clip_s[person.track], visual_gap_share, own) for person in video.persons
        )
        num_points = len(stories[0].expression)
        # The first person speaks first, the last one last.
        speaker = np.arange(num_points) * len(stories) // num_points
        audible = draw_informative(num_points, audio_gap_share, own)
        clips.append(Clip(video, stories, speaker, audible, seed))
    return clips


def truth_of(clip: Clip, person: int) -> TrackTruth:
    """Labels of one person's frames, and which cues show each label."""
    story = clip.stories[person]
    points = grid_points(frame_times_s(clip.video), len(story.expression))
    heard = clip.audible & (_voiced_expression(clip) == story.expression)
    if clip.video.audio == "none":
        heard = np.zeros_like(heard)
    elif clip.video.audio == "late":
        heard = heard & (np.arange(len(heard)) >= LATE_AUDIO_S * GRID_HZ)
    return TrackTruth(story.expression[points], story.face_informative[points], heard[points])


def frame_times_s(video: DemoVideo) -> np.ndarray:
    """Presentation time of each frame, [T] float64, the first at 0."""
    return np.arange(video.num_frames) * float(1 / video.fps)


def draw_poses(clip: Clip, person: int) -> list[Pose]:
    """The position of one person's face in each frame; entirely inside the frame unless planned at its edge."""
    video = clip.video
    rng = _generator(clip.seed, video, 10 + person)
    times = frame_times_s(video)
    along = times / (video.num_frames / float(video.fps))
    crowd = len(clip.stories)
    height, width = video.height_px, video.width_px
    room = width / crowd
    largest = min(FACE_SHARE[1] * height, 0.5 * room)
    smallest = min(FACE_SHARE[0] * height, 0.9 * largest)
    side = smallest + (largest - smallest) * (0.5 + 0.5 * _wander(times, rng))
    sway = np.maximum(room - 1.15 * side, 0) / 2
    x = room * (person + 0.5) + 0.8 * sway * _wander(times, rng)
    y = 0.47 * height + 0.5 * (0.47 * height - 0.6 * side) * _wander(times, rng)
    if video.persons[person].at_edge:
        start, end = EDGE_TIME
        # 0 outside that time, 1 inside it, with ramps of a tenth of the clip.
        beyond = np.clip(np.minimum(along - start, end - along) / 0.1 + 0.5, 0, 1)
        x = x + beyond * (width - side * (0.5 - EDGE_HIDES) - x)
    tilt = 4.0 * _wander(times, rng)
    return [Pose(*values) for values in zip(x.tolist(), y.tolist(), side.tolist(), tilt.tolist(), strict=True)]


def draw_frames(clip: Clip) -> Iterator[np.ndarray]:
    """The video's frames, each [H, W, 3] uint8 RGB."""
    video = clip.video
    rng = _generator(clip.seed, video, 2)
    background = draw_background(video.height_px, video.width_px, rng)
    light = draw_light(rng)
    persons = [make_person(rng) for _ in clip.stories]
    poses = [draw_poses(clip, place) for place in range(len(persons))]
    points = grid_points(frame_times_s(video), len(clip.speaker))
    for frame, point in enumerate(points):
        figures = [
            (person, poses[place][frame], clip.stories[place].face_weights[point])
            for place, person in enumerate(persons)
        ]
        yield draw_frame(background, figures, light)


def draw_audio(clip: Clip) -> np.ndarray | None:
    """The video's audio, [N] float32 within -1..1, from the video's time 0; None for a video without audio."""
    if clip.video.audio == "none":
        return None
    rng = _generator(clip.seed, clip.video, 3)
    return synthesise(_voiced_expression(clip), clip.audible, clip.video.sample_rate_hz, rng)


def annotation_rows(clip: Clip, person: int) -> np.ndarray:
    """Rows of the annotation, int8: the label of each frame, -1 in a gap, then the extra rows of the plan."""
    rng = _generator(clip.seed, clip.video, 20 + person)
    rows = truth_of(clip, person).expression.copy()
    # Gaps are shorter than half a segment, so no expression disappears from a split.
    for _ in range(2):
        start = rng.integers(0, len(rows))
        rows[start : start + max(1, len(rows) // 40)] = -1
    return np.concatenate([rows, np.repeat(rows[-1:], clip.video.persons[person].extra_rows)])


def _voiced_expression(clip: Clip) -> np.ndarray:
    spoken = np.stack([story.expression for story in clip.stories])
    return spoken[clip.speaker, np.arange(len(clip.speaker))]


def _wander(times_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth random curve [T] within -1..1."""
    course = sum(
        weight * np.sin(2 * np.pi * (times_s / period_s + rng.random()))
        for weight, period_s in zip((0.6, 0.4), rng.uniform((4.0, 1.5), (9.0, 3.5)), strict=True)
    )
    return np.asarray(course)


def _generator(seed: int, video: DemoVideo, stream: int) -> np.random.Generator:
    """A random generator for this video alone, so adding a video changes no other video."""
    return np.random.default_rng([seed, zlib.crc32(video.name.encode()), stream])
