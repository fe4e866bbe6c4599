"""Audio samples that are not finite or far too large become valid samples, and the others are unchanged."""

import subprocess
from fractions import Fraction

import imageio_ffmpeg
import numpy as np
import pytest

from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.media.audio import read_audio
from frame_expressions.media.clock import UNSHIFTED
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import FrameRow, write_timeline
from tests.media import LIMITS, make_video
from workflow_scripts.resample_audio import run


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_not_finite(tmp_path, value):
    samples = (0.5 * np.sin(np.arange(16000) / 10)).astype(np.float32)
    samples[4000:4100] = value
    samples.tofile(tmp_path / "samples.f32")
    make_video(tmp_path / "frames.mkv", range(0, 100, 4))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", tmp_path / "frames.mkv"]
    command += ["-f", "f32le", "-ar", "16000", "-ac", "1", "-i", tmp_path / "samples.f32"]
    subprocess.run([*command, "-c:v", "copy", "-c:a", "pcm_f32le", tmp_path / "v.mkv"], check=True)
    rows = [FrameRow(Fraction(number, 25), 1 / 25, True, 64, 48) for number in range(25)]
    write_timeline(rows, UNSHIFTED, tmp_path / "t.parquet", provenance_of({}, [tmp_path / "v.mkv"]))
    files = {"video": tmp_path / "v.mkv", "timeline": tmp_path / "t.parquet", "audio": tmp_path / "a.flac"}
    run(**files, stream="auto", on_bad_video="stop", limits=Limits(**LIMITS))
    found, state = read_audio(tmp_path / "a.flac")
    assert state == "audible" and np.isfinite(found).all() and np.abs(found).max() <= 1
    others = np.r_[0:3999, 4101:16000]
    assert np.abs(found[others] - samples[others]).max() < 1e-3
