"""The logits of whole tracks, with a model that shows which features it was given."""

import numpy as np
import pytest
import torch
from torch import nn

from frame_expressions.artifacts.feature_shards import FeatureShards, write_shard
from frame_expressions.artifacts.schemas import AUDIO_INDEX
from frame_expressions.fusion.inference import frame_logits, predict_logits, presence, track_logits

FACE = np.array([1, 1, 0, 0, 0, 1, 0], bool)
AUDIO = np.array([0, 1, 1, 0, 0, 1, 1], bool)


class _Mirror(nn.Module):
    """Logits [B, 2]: the visual and the audio feature, or 0 for one that is missing."""

    def __init__(self):
        super().__init__()
        self.settings = {"num_classes": 2}
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, visual, audio, visual_present, audio_present):
        shown = [part[:, 0].float() * there for part, there in ((visual, visual_present), (audio, audio_present))]
        return torch.stack(shown, dim=1)


def _track(face, audio):
    """Frame k, from 1, has the visual feature k and the audio feature 10 k; -99 where it is missing."""
    numbers = np.arange(1, len(face) + 1)
    visual = np.where(face, numbers, -99)[:, None].astype(np.float16)
    heard = np.where(audio, 10 * numbers, -99)[:, None].astype(np.float16)
    return visual, heard, face, audio


@pytest.mark.parametrize(
    ("filling", "visual", "audio"),
    [
        # 4 and 5 have neither: 4 takes from 3, 5 from 6.
        ("alone", [1, 2, 0, 0, 6, 6, 0], [0, 20, 30, 30, 60, 60, 70]),
        # 2 and 6 are complete, 4 is equally near to both.
        ("nearest_frame", [2, 2, 2, 2, 6, 6, 6], [20, 20, 20, 20, 60, 60, 60]),
        # The face of 4 is equally near in 2 and 6.
        ("nearest_feature", [1, 2, 2, 6, 6, 6, 6], [20, 20, 30, 30, 60, 60, 70]),
    ],
)
def test_an_incomplete_frame_takes_what_the_setting_says(filling, visual, audio):
    found = frame_logits(_Mirror(), *_track(FACE, AUDIO), filling)
    assert found[:, 0].tolist() == visual
    assert found[:, 1].tolist() == audio


@pytest.mark.parametrize(
    ("filling", "visual", "audio"),
    [
        ("alone", [1, 0, 0, 0], [0, 20, 20, 40]),
        ("nearest_frame", [1, 0, 0, 0], [0, 20, 20, 40]),
        ("nearest_feature", [1, 1, 1, 1], [20, 20, 40, 40]),
    ],
)
def test_a_track_without_a_complete_frame(filling, visual, audio):
    face, heard = np.array([1, 0, 0, 0], bool), np.array([0, 1, 0, 1], bool)
    found = frame_logits(_Mirror(), *_track(face, heard), filling)
    assert found[:, 0].tolist() == visual
    assert found[:, 1].tolist() == audio


@pytest.mark.parametrize("filling", ["alone", "nearest_frame", "nearest_feature"])
def test_a_modality_that_a_track_never_has_stays_missing(filling):
    audio = np.array([0, 1, 0, 0], bool)
    assert frame_logits(_Mirror(), *_track(np.zeros(4, bool), audio), filling).tolist() == [[0, 20]] * 4
    assert frame_logits(_Mirror(), *_track(np.zeros(4, bool), np.zeros(4, bool)), filling).tolist() == [[0, 0]] * 4
    assert frame_logits(_Mirror(), *_track(np.zeros(0, bool), np.zeros(0, bool)), filling).shape == (0, 2)


def _shard(path, tracks):
    """Write features and presence by track as a shard."""
    features, present = (np.concatenate(parts) for parts in zip(*tracks.values(), strict=True))
    names = [track for track, (values, _) in tracks.items() for _ in values]
    columns = {"track": names, "frame": np.arange(len(names)), "present": present}
    paths = path.with_suffix(".npy"), path.with_suffix(".parquet")
    write_shard(*paths, features, AUDIO_INDEX, columns, {})
    return paths


@pytest.mark.parametrize("filling", ["alone", "nearest_frame", "nearest_feature"])
def test_features_are_filled_on_disk_as_they_are_in_memory(tmp_path, filling):
    visual, audio, face, heard = _track(FACE, AUDIO)
    shards = {
        name: FeatureShards([_shard(tmp_path / name, {"b": (features[:2], there[:2]), "a": (features, there)})])
        for name, features, there in (("visual", visual, face), ("audio", audio, heard))
    }
    found = track_logits(_Mirror(), shards, ["a", "b"], filling)
    assert found["a"].tolist() == frame_logits(_Mirror(), visual, audio, face, heard, filling).tolist()
    imputed = {"alone": [0, 0, 0, 1, 1, 0, 0], "nearest_frame": [1, 0, 1, 1, 1, 0, 1]}
    columns = presence(shards, ["b", "a"], filling)
    expected = imputed.get(filling, imputed["nearest_frame"])
    assert columns["imputed"].tolist() == [*expected[:2], *expected]
    assert columns["face_present"].tolist() == [1, 1, *FACE] and columns["audio_present"].tolist() == [0, 1, *AUDIO]


def test_filled_features_are_read_batch_by_batch():
    asked = []

    class Watched(np.ndarray):
        def __getitem__(self, rows):
            asked.append(np.size(rows))
            return np.asarray(self)[rows]

    features = np.zeros((20_000, 1), np.float16).view(Watched)
    face, heard = np.arange(20_000) % 3 == 0, np.ones(20_000, bool)
    frame_logits(_Mirror(), features, features, face, heard, "nearest_feature")
    assert asked == [8192, 8192, 8192, 8192, 3616, 3616]


def test_a_frame_with_nothing_is_seen_by_predict_logits_as_it_is():
    assert predict_logits(_Mirror(), *_track(FACE, AUDIO))[3].tolist() == [0, 0]
