"""Predict videos with an exported model, without Snakemake; the results equal the workflow's to the last bit.

Shapes: T frames of a video, N audio samples, D features of one modality, C classes.
"""

import logging
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from frame_expressions.artifacts.feature_shards import as_float16
from frame_expressions.encoders.audio import AudioFeatureSettings, embed_audio, load_audio_encoder
from frame_expressions.encoders.visual import VisualFeatureSettings, embed_crops, load_visual_encoder
from frame_expressions.faces.boxes import FaceTable
from frame_expressions.faces.crops import CropSettings, crop_at_scales
from frame_expressions.faces.cuts import CutFinder
from frame_expressions.faces.detectors import Detector, make_detector
from frame_expressions.faces.person_spec import parse_person_spec
from frame_expressions.faces.subject import find_subject
from frame_expressions.faces.tracking import SubjectSettings
from frame_expressions.fusion.inference import frame_logits
from frame_expressions.fusion.missing import filling_of
from frame_expressions.fusion.model import FusionModel
from frame_expressions.media.audio import SAMPLE_RATE, AudioSettings, UndecodableAudio, aligned_audio, no_audio
from frame_expressions.media.audio_windows import audio_windows, frames_with_audio, window_centres
from frame_expressions.media.child_process import decode_in_child
from frame_expressions.media.clock import Clock
from frame_expressions.media.clock_reader import read_clock
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import frame_times
from frame_expressions.media.video import read_frames, read_video
from frame_expressions.networks.device import start_torch
from frame_expressions.prediction.default_config import default_config
from frame_expressions.prediction.exported_model import ExportedModel
from frame_expressions.prediction.frame_table import PersonPrediction, predictions_table
from frame_expressions.runtime.errors import InputError, MediaError
from frame_expressions.smoothing.smoothing import Smoothing

SCRFD_MIN_SIDE_PX = 30
"""The smallest face that the method takes from SCRFD; config.yaml has the cascade's 90 px, since the cascade takes
smaller structures for faces."""


class Predictor:
    """An exported model, loaded once, that predicts any number of videos, one at a time.

    model: a folder that export_model wrote.
    detector: an SCRFD .onnx file, or the folder of an InsightFace model pack; both need the package's extra
        `insightface`. None takes the cascade that scikit-image ships, which finds frontal faces only.
    min_side_px: smallest side of a face box. None takes SCRFD_MIN_SIDE_PX with a detector of your own, else the
        value of config.yaml (90).
    device: auto (a GPU if there is one), cpu or cuda; for the encoders.
    num_threads: threads of each step.

    Raises InputError for a model or detector that cannot be read.
    """

    def __init__(
        self,
        model: Path | str,
        detector: Path | str | None = None,
        min_side_px: float | None = None,
        device: str = "auto",
        num_threads: int = 1,
    ):
        exported = ExportedModel.read(Path(model))
        config = default_config()
        exported.configure(config)
        visual, audio = config["encoders"]["visual"], config["features"]["audio"]
        self._limits = Limits(**config["execution"]["limits"])
        self._following = SubjectSettings(**config["subject"])
        self._crops, self._crop_px = CropSettings(**config["crops"]), visual["resize_px"]
        self._audio_settings = AudioSettings(**config["audio"])
        self._visual_features = VisualFeatureSettings(
            scales=self._crops.scales, image_px=visual["image_px"], **config["features"]["visual"]
        )
        self._audio_features = AudioFeatureSettings(**audio)
        self._num_threads = num_threads
        self._detector = _load_detector(config["detector"], detector, min_side_px, num_threads)
        self._visual = load_visual_encoder(
            exported.folder / "visual",
            self._visual_features,
            start_torch(device, num_threads, self._visual_features.dtype),
        )
        self._audio = load_audio_encoder(
            exported.folder / "audio",
            self._audio_features,
            start_torch(device, num_threads, self._audio_features.dtype),
        )
        self._fusion = [FusionModel.load(path) for path in exported.fusion]
        missing = config["fusion"]["missing"]["prediction"]
        self._fillings = [filling_of(missing, model.settings["trained_on"]) for model in self._fusion]
        self._smoothing = Smoothing(**exported.smoothing)

    def predict(self, video: Path | str, person: str = "auto") -> pd.DataFrame:
        """The expression of one person in every frame: the columns of `schemas.PREDICTIONS`.

        person: whom to predict; auto is the main person. `person_spec.parse_person_spec` lists the other choices.
        Raises InputError for a `person` that cannot be followed and MediaError for a video that cannot be decoded.
        """
        try:
            parse_person_spec(person)
        except InputError as error:
            raise InputError(f"person: {error.what}", error.remedy) from error
        video = Path(video)
        torch.set_num_threads(self._num_threads)  # sums depend on it in their last bits
        time_s, *on_clock = self._frame_times(video)
        subject = find_subject(self._find_faces(video, time_s), time_s, person, [], self._following)
        visual, face_present = self._embed_crops(video, subject.xyxy_px)
        audio, audio_present = self._embed_audio(video, time_s, *on_clock)
        logits = self._logits(visual, face_present, audio, audio_present)
        presence = face_present, audio_present, self._fillings[0]  # the same for every fusion model
        prediction = PersonPrediction(1, logits, subject.xyxy_px, subject.status, *presence)
        return predictions_table([prediction], time_s, self._smoothing)

    def _frame_times(self, video: Path) -> tuple[np.ndarray, Clock, float, float | None]:
        """Time of every frame, float64 [T], the file's clock, the first frame's time on it and the last one's length.

        A child process decodes, which may crash or hang without harm.
        """
        if not video.is_file():
            raise MediaError(f"{video} is missing or is not a file", "correct the path")
        clock = read_clock(video, self._limits)
        with closing(decode_in_child(partial(_stamps, video, self._limits, clock), video, self._limits)) as decoded:
            stamps_s, steps_s, lengths_s = zip(*decoded, strict=True)
        time_s, start_s = frame_times(stamps_s, steps_s[0])
        return time_s, clock, start_s, lengths_s[-1]

    def _find_faces(self, video: Path, time_s: np.ndarray) -> FaceTable:
        cut_finder, found = CutFinder(), []
        for frame in read_frames(video, len(time_s)):
            found.append(self._detector.detect(frame.rgb))
            cut_finder.add(frame, time_s[frame.number - 1], found[-1])
        return FaceTable.of_frames(found, cut_finder.finish())

    def _embed_crops(self, video: Path, xyxy_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Visual features, float16 [T, D], 0 without a face, and presence, bool [T]."""
        present = ~np.isnan(xyxy_px[:, 0])
        values = embed_crops(
            self._visual,
            self._cut_crops(video, xyxy_px, present),
            np.repeat(np.flatnonzero(present), len(self._crops.scales)),
            num_rows=len(present),
            batch_size=self._visual_features.batch_size,
            num_threads=self._num_threads,
        )
        return as_float16(values, f"The visual features of {video}"), present

    def _cut_crops(self, video: Path, xyxy_px: np.ndarray, present: np.ndarray) -> Iterator[bytes]:
        """The crops as JPEG, by frame and within a frame by scale; a video without faces is not opened."""
        for frame in read_frames(video, len(present)) if present.any() else ():
            if present[frame.number - 1]:
                crops = crop_at_scales(frame.rgb, xyxy_px[frame.number - 1], self._crops, self._crop_px)
                yield from (crop.jpeg for crop in crops)

    def _embed_audio(
        self, video: Path, time_s: np.ndarray, clock: Clock, start_s: float, last_s: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Audio features, float16 [T, D], 0 where there is none, and presence, bool [T]."""
        settings = self._audio_settings
        try:
            stream = settings.stream
            samples, state, recorded = aligned_audio(video, time_s, clock, start_s, stream, self._limits, last_s)
        except UndecodableAudio as error:
            logging.warning("%s", error)
            samples, state, recorded = no_audio(time_s, last_s)
        samples = samples.astype(np.float32) / 32768  # as `read_audio` gives them
        centre_s = window_centres(time_s, last_s, settings.window_centre)
        bounds, _, audible = audio_windows(centre_s, samples, SAMPLE_RATE, settings.half_width_s)
        present = frames_with_audio(audible, state, settings.silence)
        rows = np.flatnonzero(present)
        values = embed_audio(
            self._audio,
            [(samples, bounds[rows], rows, recorded)],
            self._audio_features,
            silence=settings.silence,
            num_rows=len(time_s),
            num_threads=self._num_threads,
        )
        return as_float16(values, f"The audio features of {video}"), present

    def _logits(
        self, visual: np.ndarray, visual_present: np.ndarray, audio: np.ndarray, audio_present: np.ndarray
    ) -> np.ndarray:
        """Mean logits of the fusion models, float64 [T, C]."""
        total = 0.0
        for model, filling in zip(self._fusion, self._fillings, strict=True):
            logits = frame_logits(model, visual, audio, visual_present, audio_present, filling)
            total = total + logits.astype(np.float64) / len(self._fusion)
        if not np.isfinite(total).all():
            raise InputError("The logits of the fusion models are not finite", "export the model again")
        return total


def predict_video(
    video: Path | str,
    model: Path | str,
    *,
    detector: Path | str | None = None,
    min_side_px: float | None = None,
    person: str = "auto",
    device: str = "auto",
    num_threads: int = 1,
) -> pd.DataFrame:
    """Load a model and predict one video; `Predictor` explains the arguments and keeps the model for more videos."""
    return Predictor(model, detector, min_side_px, device, num_threads).predict(video, person)


def _load_detector(config: dict, model: Path | str | None, min_side_px: float | None, num_threads: int) -> Detector:
    name, smallest_px = ("cascade", config["min_side_px"]) if model is None else ("insightface", SCRFD_MIN_SIDE_PX)
    settings = {key: value for key, value in config[name].items() if key != "model"}
    settings["min_side_px"] = smallest_px if min_side_px is None else min_side_px
    if model is not None and not Path(model).exists():
        raise InputError(f"The detector {model} does not exist", "correct the argument detector, or leave it out")
    return make_detector(name, settings, None if model is None else Path(model), num_threads)


def _stamps(video: Path, limits: Limits, clock: Clock) -> Iterator[tuple[float | None, float, float | None]]:
    return ((frame.stamp_s, frame.step_s, frame.length_s) for frame in read_video(video, limits, clock))
