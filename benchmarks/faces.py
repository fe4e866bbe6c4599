"""Figure 1: from a video to faces to crops at three scales, one worker on one core.

    python -m benchmarks.faces --model SCRFD.onnx [--video VIDEO]

Without a video it draws one: 60 s at 720p, with a face of about a third of the frame's height. Ours is the code of the
rules, from extract_frames to crop_faces. The peer is the common implementation with OpenCV and InsightFace.
"""

import argparse
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.measuring import Row, compared, limited, on_cores, paper_config, seconds_in_turns, show
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.demo.clip import draw_audio, draw_frames, plan_clips
from frame_expressions.demo.clip_writer import write_video
from frame_expressions.demo.plan import plan_videos
from frame_expressions.faces.boxes import iou
from frame_expressions.faces.crops import CropSettings
from frame_expressions.faces.detectors import filled
from frame_expressions.faces.tracking import SubjectSettings
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from frame_expressions.workflow.input_files import detector_settings
from workflow_scripts import crop_faces, detect_faces, extract_frames, select_subject

FOLDER = Path("results/bench/faces")
CONFIG = paper_config()
(INPUT_PX,), MIN_SCORE = (CONFIG["detector"]["insightface"][name] for name in ("input_px", "min_score"))
SCALES, QUALITY = (CONFIG["crops"][name] for name in ("scales", "jpeg_quality"))
SIZE_PX = CONFIG["encoders"]["visual"]["resize_px"]
PEER_FRAMES = 400
"""The peer's cost per frame is the same at the start of a video as over the whole video."""


def draw_video(seconds: int) -> Path:
    """A drawn video of that length: 1280 x 720 px, 23.976 frames per second, one person speaking."""
    path = FOLDER / f"drawn-{seconds}.mp4"
    if not path.exists():
        film = plan_clips(plan_videos(4, 2, 1, seconds, 720, edge_every=5), 0.3, 0.3, seed=3407)[2]
        video = replace(film.video, audio="full")
        size_px = (video.width_px, video.height_px)
        samples = draw_audio(replace(film, video=video))
        write_video(path, draw_frames(film), video.fps, size_px, samples, video.sample_rate_hz)
    return path


def ours(video: Path, model: Path, folder: Path, config: dict = CONFIG) -> None:
    """Run the rules in order, with the paper's settings."""
    timeline, faces, chosen = (folder / f"{name}.parquet" for name in ("timeline", "faces", "subject"))
    extract_frames.run(
        video=video,
        timeline=timeline,
        frames=folder / "frames.parquet",
        settings=FrameSettings(**config["frames"]),
        on_bad_video="stop",
        limits=Limits(**config["execution"]["limits"]),
    )
    detect_faces.run(
        videos=[video],
        timelines=[timeline],
        faces=[faces],
        detector=detector_settings(config),
        model=model,
        num_threads=1,
    )
    select_subject.run(
        faces=faces,
        timeline=timeline,
        subject=chosen,
        person="auto",
        overrides=[],
        settings=SubjectSettings(**config["subject"]),
    )
    crop_faces.run(
        video=video,
        subject=chosen,
        crops=folder / "crops.parquet",
        settings=CropSettings(**config["crops"]),
        size_px=config["encoders"]["visual"]["resize_px"],
        num_threads=1,
    )


def _detector(model: Path):
    import onnxruntime
    from insightface.model_zoo import model_zoo

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # SCRFD warns about every input that is not square
    detector = model_zoo.get_model(str(model), providers=["CPUExecutionProvider"], sess_options=options)
    detector.prepare(ctx_id=0, input_size=(INPUT_PX, INPUT_PX), det_thresh=MIN_SCORE)
    return detector


def peer(video: Path, detector, folder: Path) -> list[np.ndarray]:
    """OpenCV decodes, InsightFace detects on the square input, OpenCV writes three files. Boxes by frame."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    capture, boxes = cv2.VideoCapture(str(video)), []
    while len(boxes) < PEER_FRAMES and (read := capture.read())[0]:
        frame = read[1]
        found, _ = detector.detect(frame)
        boxes.append(found[:, :4])
        if len(found) == 0:
            continue
        x1, y1, x2, y2 = max(found[:, :4], key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
        for scale in SCALES:
            side = int(scale * max(x2 - x1, y2 - y1))
            left, top = int((x1 + x2 - side) / 2), int((y1 + y2 - side) / 2)
            square = np.zeros((side, side, 3), np.uint8)
            inside = frame[max(top, 0) : top + side, max(left, 0) : left + side]
            square[max(-top, 0) :, max(-left, 0) :][: inside.shape[0], : inside.shape[1]] = inside
            crop = cv2.resize(square, (SIZE_PX, SIZE_PX))
            name = f"{len(boxes):05d}_{scale}.jpg"
            cv2.imwrite(str(folder / name), crop, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    capture.release()
    return boxes


def decode_only(video: Path) -> None:
    """ffmpeg decodes the video in one thread and discards the frames."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-threads", "1", "-i", str(video)]
    subprocess.run([*command, "-f", "null", "-"], check=True)


def overlaps(theirs: list[np.ndarray], faces: Path) -> np.ndarray:
    """Highest IoU of each of the peer's boxes with one of ours; 0 if there is none."""
    table = read_parquet(faces, columns=["frame", "xyxy_px"]).to_pandas()
    mine = {frame: np.stack(list(rows["xyxy_px"])) for frame, rows in table.groupby("frame")}
    best = [
        iou(boxes, mine.get(frame, np.zeros((0, 4)))).max(axis=1, initial=0.0)
        for frame, boxes in enumerate(theirs, start=1)
    ]
    return np.concatenate(best)


def rows(model: Path, video: Path | None = None) -> list[Row]:
    """Ours, the peer and the reference per frame, and the agreement of the boxes."""
    import cv2

    on_cores(1)
    cv2.setNumThreads(1)
    video, detector, out = video or draw_video(60), _detector(model), FOLDER / "ours"
    ours(video, model, out)
    agreement = overlaps(peer(video, detector, FOLDER / "peer"), out / "faces.parquet")
    timeline = read_parquet(out / "timeline.parquet")
    num_frames, sides = len(timeline), (timeline["height_px"][0].as_py(), timeline["width_px"][0].as_py())
    fitted = [filled(int(side * INPUT_PX / max(sides)), INPUT_PX) for side in sides]
    (entry,) = detector.session.get_inputs()
    prepared = {
        name: {entry.name: np.random.default_rng(0).standard_normal((1, 3, *shape), np.float32)}
        for name, shape in {"fitted": fitted, "square": (INPUT_PX, INPUT_PX)}.items()
    }
    seconds = seconds_in_turns(
        {
            "ours": (lambda: ours(video, model, out), num_frames),
            "peer": (lambda: peer(video, detector, FOLDER / "peer"), min(PEER_FRAMES, num_frames)),
            "decoding": (lambda: decode_only(video), num_frames),
            "fitted": (lambda: [detector.session.run(None, prepared["fitted"]) for _ in range(100)], 100),
            "square": (lambda: [detector.session.run(None, prepared["square"]) for _ in range(100)], 100),
        }
    )
    bare = {name: seconds["decoding"] + seconds[name] for name in prepared}
    return [
        compared(
            "1 video to crops", seconds | {"reference": bare["fitted"]}, "frame", times_peer=1.5, of_reference=0.8
        ),
        compared(
            "1 reference on the square input",
            seconds | {"reference": bare["square"]},
            "frame",
            times_peer=1.5,
            of_reference=0.8,
        ),
        limited("1 lowest IoU of a box", float(agreement.min()), "IoU", at_least=0.99),
        limited("1 boxes with IoU >= 0.99", float((agreement >= 0.99).mean()), "share", at_least=0.99),
    ]


def growth_work(scale: int, model: Path) -> Callable[[], object]:
    """The rules on a video of 15 s times `scale`."""
    on_cores(1)
    video = draw_video(15 * scale)
    return lambda: ours(video, model, FOLDER / f"ours-{scale}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--video", type=Path)
    arguments = parser.parse_args()
    show(rows(arguments.model, arguments.video))
