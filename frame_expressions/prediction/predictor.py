"""One video, one call: what the workflow predicts for it, without Snakemake."""

import tempfile
from pathlib import Path

import pandas as pd
import yaml

from frame_expressions.artifacts.logits import mean_logits
from frame_expressions.media.timeline import read_times
from frame_expressions.prediction.exported_model import ExportedModel
from frame_expressions.prediction.frame_table import Prediction, predictions_table
from frame_expressions.smoothing.smoothing import Smoothing
from workflow_scripts import (
    crop_faces,
    detect_faces,
    dump_audio_features,
    dump_visual_features,
    extract_frames,
    predict_logits,
    resample_audio,
    select_subject,
    window_audio,
)

CONFIG = Path(__file__).parents[2] / "config.yaml"
SCRFD_MIN_SIDE_PX = 30
"""What the method asks of SCRFD; the configuration has the cascade's, which takes smaller things for faces."""


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
    """The main person's expression in every frame: the columns of `predictions.COLUMNS`.

    model: a folder that export_model made. detector: an SCRFD .onnx file, or the folder of an InsightFace pack; None
    is the cascade that comes along, for faces that look ahead. min_side_px: least side of a face box; None is
    SCRFD_MIN_SIDE_PX with a detector of your own, and what config.yaml says (90) without. person: see `faces.wanted`.
    Raises InputError for a video or model that cannot be read.
    """
    config = yaml.safe_load(CONFIG.read_text())
    exported = ExportedModel.read(Path(model))
    exported.configure(config)
    refusing = {"on_bad_video": "stop", "limits": config["execution"]["limits"]}
    compute = {"device": device, "num_threads": num_threads}
    with tempfile.TemporaryDirectory() as folder:
        made = {name: Path(folder) / name for name in ("timeline", "frames", "faces", "crops", "windows")}
        subject, audio = Path(folder) / "main.parquet", Path(folder) / "audio.flac"
        name, video = "main", Path(video)
        extract_frames.run(
            video=video,
            timeline=made["timeline"],
            frames=made["frames"],
            **config["frames"] | {"images": "none"},
            **refusing,
        )
        kind = "cascade" if detector is None else "insightface"
        if min_side_px is None:
            min_side_px = config["detector"]["min_side_px"] if detector is None else SCRFD_MIN_SIDE_PX
        detect_faces.run(
            videos=[video],
            timelines=[made["timeline"]],
            faces=[made["faces"]],
            detector=kind,
            settings=config["detector"][kind],
            model=None if detector is None else Path(detector),
            min_side_px=min_side_px,
            num_threads=num_threads,
        )
        following = {key: value for key, value in config["subject"].items() if key != "overrides"}
        select_subject.run(
            faces=made["faces"], timeline=made["timeline"], subject=subject, person=person, overrides=[], **following
        )
        crop_faces.run(
            video=video,
            subject=subject,
            crops=made["crops"],
            **config["crops"],
            size_px=config["encoders"]["visual"]["resize_px"],
            num_threads=num_threads,
        )
        resample_audio.run(video=video, timeline=made["timeline"], audio=audio, **refusing)
        window_audio.run(audio=audio, timeline=made["timeline"], windows=made["windows"], **config["audio"])
        pairs = {kind: (Path(folder) / f"{kind}.npy", Path(folder) / f"{kind}.index") for kind in ("visual", "audio")}
        dump_visual_features.run(
            encoder=exported.folder / "visual",
            tracks=[name],
            crops=[made["crops"]],
            subjects=[subject],
            features=pairs["visual"][0],
            index=pairs["visual"][1],
            scales=config["crops"]["scales"],
            image_px=config["encoders"]["visual"]["image_px"],
            **config["features"]["visual"],
            **compute,
        )
        dump_audio_features.run(
            encoder=exported.folder / "audio",
            tracks=[name],
            audio=[audio],
            windows=[made["windows"]],
            features=pairs["audio"][0],
            index=pairs["audio"][1],
            **config["features"]["audio"],
            **compute,
        )
        logits = [Path(folder) / f"{path.stem}.logits" for path in exported.fusion]
        for weights, path in zip(exported.fusion, logits, strict=True):
            predict_logits.run(
                tracks=[{"track": name, "split": "test", "annotation": "", "label": ""}],
                visual=[pairs["visual"]],
                audio=[pairs["audio"]],
                model=weights,
                logits=path,
                num_threads=num_threads,
            )
        prediction = Prediction(1, mean_logits(logits)[name], subject)
        return predictions_table([prediction], read_times(made["timeline"]), Smoothing(**exported.smoothing))
