"""The model card of an exported model, in the format of the Hugging Face hub."""

from huggingface_hub import EvalResult, ModelCardData

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.smoothing.smoothing import INCLUDE

PAPER = "https://arxiv.org/abs/2603.12221"

_TEXT = """---
{data}
---

# Facial expressions, frame by frame

{summary}

## Use

With the workflow that trained it, on a folder of videos:

```
snakemake --cores 8 predict --config predict_videos=FOLDER predict_model=THIS_FOLDER
```

In Python, after `pip install .` in a checkout of the workflow:

```python
from frame_expressions import Predictor

predictor = Predictor("THIS_FOLDER")
frames = predictor.predict("clip.mp4")    # a pandas table, one row per frame
print(frames[["time_s", "expression"]])
```

`visual` and `audio` are encoders in Hugging Face layout. They can be loaded on their own:
`transformers.AutoModel.from_pretrained("THIS_FOLDER/visual")`.

## How it works

The face is cropped from each frame at the scales {scales} and resized to {resize_px} px; the encoder sees the central
{image_px} px. `visual` embeds the crops, and the class tokens of a frame are averaged. `audio` embeds the audio
(16 kHz, mono) from {half_width_s:g} s before to {half_width_s:g} s after {centre} (layers {layers}). `fusion`
normalises both features with its own statistics and fuses them. {smoothing} Source: [{paper}]({paper}).

## How it was trained and scored

{trained}

`config.json` has all settings and scores.

## Limits

The model recognises expressions as they are shown or posed in its training data; it does not recognise what a person
feels. Its scores say nothing about faces, languages, cameras or recordings that differ from that data. Do not use it
to judge people. The weights are subject to the terms of the data and encoders that they were trained with; most such
data are for research only.

## Versions

{versions}
"""


def model_card(content: dict) -> str:
    """The text of README.md, from the content of config.json."""
    settings, smoothing = content["settings"], content["smoothing"]
    scored = content["trained"]["smoothing"]
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="video-classification",
        license="other",
        license_name="terms-of-the-training-data",
        tags=["facial-expression-recognition", "affective-computing", "audio-visual", "dinov2", "wav2vec2"],
        model_name="two-stage dual-modality expression model",
        eval_results=[
            EvalResult(
                task_type="video-classification",
                task_name="expression of each frame",
                dataset_type="validation",
                dataset_name="validation videos of the training corpus",
                metric_type="f1",
                metric_name="macro-F1, smoothed",
                metric_value=round(scored["macro_f1"], 4),
            )
        ],
    )
    kind, window, fps = (smoothing[name] for name in ("kind", "window_frames", "windows_at_fps"))
    unit = "frames" if fps is None else f"frames at {fps:g} fps, the same duration in every video"
    left_out = "" if smoothing["imputed"] == INCLUDE else ", leaving out frames that take a feature from another one"
    return _TEXT.format(
        data=data.to_yaml().strip(),
        summary=f"One of {len(EXPRESSIONS)} expressions ({', '.join(EXPRESSIONS)}) for every frame of a video, from "
        "the face and the audio around it.",
        scales=", ".join(f"{scale:g}" for scale in settings["crops"]["scales"]),
        **settings["encoders"]["visual"],
        half_width_s=settings["audio"]["half_width_s"],
        centre={"middle": "the middle of the frame", "start": "the frame's start"}[settings["audio"]["window_centre"]],
        layers=settings["features"]["audio"]["layers"],
        smoothing="Predictions are not smoothed."
        if kind == "none"
        else f"Predictions are smoothed: {kind} over {window} {unit}{left_out}.",
        trained=_trained(content["trained"]),
        versions="\n".join(f"- {name} {version}" for name, version in content["versions"].items()),
        paper=PAPER,
    )


def _trained(trained: dict) -> str:
    rows = []
    if trained["stage1"]:
        found = trained["stage1"]
        num_left_out = sum(found["num_left_out"].values())
        images = f"{found['num_train_images']:,} images" + f" ({num_left_out:,} faulty left out)" * bool(num_left_out)
        rows.append(("Stage I (visual encoder)", images, f"{found['val_macro_f1']:.4f}"))
    else:
        rows.append(("Stage I (visual encoder)", "imported weights", "-"))
    for fold, found in trained["fusion"].items():
        head = found["settings"]["head"]
        rows.append((f"Stage II, fold {fold}", f"head {head}", f"{found['val_macro_f1']:.4f}"))
    scores = trained["smoothing"]
    rows.append(("all folds, not smoothed", "", f"{scores['macro_f1_unsmoothed']:.4f}"))
    rows.append(("all folds, smoothed", "", f"{scores['macro_f1']:.4f}"))
    head = "| part | training | validation macro-F1 |\n|---|---|---|\n"
    return head + "\n".join(f"| {' | '.join(row)} |" for row in rows)
