"""The table of refused files: from what artifacts say, and from the jobs that stop a run."""

import pytest

from frame_expressions.media.audio import read_audio
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from frame_expressions.media.quarantine import Refusal, read_refusals, record_refusals, write_refusals
from frame_expressions.runtime.errors import InputError, MediaError
from tests.media import H264, LIMITS, make_flash_and_beep, make_video
from workflow_scripts import extract_frames, resample_audio
from workflow_scripts.list_refused import run

IMAGES = {"settings": FrameSettings("none", 0, 0)}


def prepare(folder, video, limits=LIMITS, on_bad_video="skip"):
    timeline, audio = folder / f"{video.stem}.parquet", folder / f"{video.stem}.flac"
    refusing = {"on_bad_video": on_bad_video, "limits": Limits(**limits)}
    extract_frames.run(video=video, timeline=timeline, frames=folder / "frames.parquet", **IMAGES, **refusing)
    resample_audio.run(stream="auto", video=video, timeline=timeline, audio=audio, **refusing)
    return timeline, audio


def config_of(on_bad_video, limits=LIMITS):
    return {"execution": {"on_bad_video": on_bad_video, "limits": limits}}


def test_skipped_videos_and_left_out_audio_are_listed_and_good_files_are_not(tmp_path):
    good, bad, odd = tmp_path / "good.mkv", tmp_path / "bad\tname.mkv", tmp_path / "odd.mkv"
    make_flash_and_beep(good, 25, [*H264, "-c:a", "libopus"])
    bad.write_text("no video")
    odd.write_bytes(good.read_bytes().replace(b"A_OPUS", b"A_MINE"))
    made = [prepare(tmp_path, video) for video in (good, bad, odd)]
    files = [str(video) for video in (good, bad, odd)]
    tsv = tmp_path / "quarantine.tsv"
    listing = {"quarantine": tsv, "config": config_of("skip")}
    run(files=files, timelines=[pair[0] for pair in made], audio=[pair[1] for pair in made], **listing)
    skipped, left_out = read_refusals(tsv)
    assert (skipped.file, skipped.stage) == (str(bad), "extract_frames")
    assert skipped.reason.startswith("bad name.mkv cannot be opened") and str(tmp_path) not in skipped.reason
    assert skipped.ffmpeg == "Invalid data found when processing input"
    assert (left_out.file, left_out.stage, left_out.ffmpeg) == (str(odd), "resample_audio", "")
    assert left_out.reason.startswith("The audio of odd.mkv is left out: no decoder knows its format; ")
    lock = tmp_path / ".quarantine.tsv.lock"
    lock.touch()  # of a run that stopped
    run(files=files[:1], timelines=[made[0][0]], audio=[made[0][1]], **listing)
    assert tsv.read_text() == "file\tstage\treason\tffmpeg\n" and not lock.exists()


def test_audio_that_exceeds_a_limit_stops_or_is_left_out(tmp_path):
    video = tmp_path / "v.mkv"
    make_flash_and_beep(video, 25, [*H264, "-c:a", "aac"])
    timeline, audio = prepare(tmp_path, video)
    tight = {
        "video": video,
        "timeline": timeline,
        "audio": audio,
        "limits": Limits(**LIMITS | {"frame_timeout_s": 0.0}),
    }
    with pytest.raises(MediaError, match=r"v\.mkv .*, or set execution\.on_bad_video to skip\."):
        resample_audio.run(stream="auto", on_bad_video="stop", **tight)
    assert read_audio(audio)[1] == "audible"  # of the run before
    resample_audio.run(stream="auto", on_bad_video="skip", **tight)
    samples, state = read_audio(audio)
    assert state == "no_audio" and len(samples) == 32000 and not samples.any()


def test_what_other_settings_have_refused_is_to_be_tried_again(tmp_path):
    good, long = make_video(tmp_path / "good.mkv", [0, 4]), make_video(tmp_path / "long.mkv", [0, 4, 8])
    limits = LIMITS | {"num_frames": 2}
    made = [prepare(tmp_path / "batch", video, limits) for video in (good, long)]

    def listing(videos, config):
        artifacts = {"timelines": [made[k][0] for k in videos], "audio": [made[k][1] for k in videos]}
        run(files=["f"] * len(videos), **artifacts, config=config, quarantine=tmp_path / "quarantine.tsv")

    listing([0, 1], config_of("skip", limits))
    assert len(read_refusals(tmp_path / "quarantine.tsv")) == 1
    listing([0, 1], config_of("skip", limits | {"video_s": 9}))  # refuses no more and no less
    remedy = rf"; delete {tmp_path}/batch and run the same command again\."
    with pytest.raises(InputError, match=rf"long\.parquet .*\.limits\.num_frames: 2, which is now 3{remedy}"):
        listing([0, 1], config_of("skip", limits | {"num_frames": 3}))
    with pytest.raises(InputError, match=rf"long\.parquet .*\.on_bad_video: skip, which is now stop{remedy}"):
        listing([0, 1], config_of("stop", limits))
    listing([0], config_of("stop"))


def test_audio_that_no_decoder_knows_is_left_out_under_any_settings(tmp_path):
    video = tmp_path / "odd.mkv"
    make_flash_and_beep(video, 25, [*H264, "-c:a", "libopus"])
    video.write_bytes(video.read_bytes().replace(b"A_OPUS", b"A_MINE"))
    timeline, audio = prepare(tmp_path, video)
    files = {"files": ["odd.mkv"], "timelines": [timeline], "audio": [audio], "quarantine": tmp_path / "q.tsv"}
    run(**files, config=config_of("stop", LIMITS | {"memory_mb": 5}))
    assert len(read_refusals(tmp_path / "q.tsv")) == 1


def test_a_file_that_changes_between_stages_is_told(tmp_path):
    video = make_video(tmp_path / "v.mkv", [0, 4])
    timeline, audio = prepare(tmp_path, video)
    make_video(video, [0, 4, 8])
    with pytest.raises(InputError, match=r"v\.mkv has changed since .*v\.parquet was made from it; run"):
        resample_audio.run(
            stream="auto", video=video, timeline=timeline, audio=audio, on_bad_video="skip", limits=Limits(**LIMITS)
        )


def test_a_job_that_passes_adds_nothing_to_a_finished_run(tmp_path):
    tsv = tmp_path / "quarantine.tsv"
    write_refusals([Refusal("/data/a.mp4", "extract_frames", "a.mp4 is bad.", "")], tsv)
    with record_refusals(tsv, "/data/a.mp4", "resample_audio"):
        pass
    assert list(tmp_path.iterdir()) == [tsv]


def test_a_job_that_stops_leaves_its_row_until_the_file_passes(tmp_path):
    tsv = tmp_path / "results/quarantine.tsv"
    with record_refusals(tsv, "good.mp4", "extract_frames"):
        pass
    assert not tsv.parent.exists()
    for stage in ("extract_frames", "extract_frames", "resample_audio"):
        with pytest.raises(MediaError), record_refusals(tsv, "/data/a.mp4", stage):
            raise MediaError("/data/a.mp4 is\nbad", "fix it", "last line")
    refused = Refusal("/data/a.mp4", "extract_frames", "a.mp4 is bad; fix it.", "last line")
    assert read_refusals(tsv)[0] == refused and len(read_refusals(tsv)) == 2
    assert tsv.stat().st_mtime == 1  # list_refused is to write it anew, and Snakemake takes 0 for no time
    with pytest.raises(InputError), record_refusals(tsv, "b.mp4", "extract_frames"):
        raise InputError("ffmpeg is missing", "install it")
    with record_refusals(tsv, "/data/a.mp4", "resample_audio"):
        pass
    assert read_refusals(tsv) == [refused]


@pytest.mark.parametrize(("limit", "value"), [("frame_pixels", 3071), ("num_frames", 2), ("video_s", 0.05)])
def test_a_video_beyond_a_limit_is_refused_and_one_at_the_limit_is_not(tmp_path, limit, value):
    video = make_video(tmp_path / "v.mkv", [0, 4, 8])
    refusing = {"on_bad_video": "stop", "timeline": tmp_path / "t", "frames": tmp_path / "f"} | IMAGES
    with pytest.raises(MediaError, match=rf"v\.mkv has .*, and execution\.limits\.{limit} is {value}; raise the limit"):
        extract_frames.run(video=video, limits=Limits(**LIMITS | {limit: value}), **refusing)
    allowed = {"frame_pixels": 64 * 48, "num_frames": 3, "video_s": 0.08}
    extract_frames.run(video=video, limits=Limits(**LIMITS | allowed), **refusing)
