"""The card of an exported model, in the Hugging Face hub's format."""

from huggingface_hub import EvalResult, ModelCardData

from frame_expressions.artifacts.vocabulary import EXPRESSIONS

PAPER = "https://arxiv.org/abs/2603.12221"

_TEXT = """---
{data}
---

# Facial expressions, frame by frame

{summary}

## Use

With the workflow that made it, on a folder of videos:

```
snakemake --cores 8 predict --config predict_videos=FOLDER predict_model=THIS_FOLDER
```

In Python, with the workflow's repository on the path:

```python
from frame_expressions.prediction.predictor import predict_video

frames = predict_video("clip.mp4", model="THIS_FOLDER")    # a pandas table, one row per frame
print(frames[["time_s", "expression"]])
```

`visual` and `audio` are encoders in Hugging Face layout and load by themselves:
`transformers.AutoModel.from_pretrained("THIS_FOLDER/visual")`.

## How it works

A face is cut out of each frame at the scales {scales}, resized to {resize_px} px, of which the middle {image_px} px
are seen; `visual` embeds the crops, and the class tokens of a frame are averaged. `audio` embeds the sound (16 kHz,
mono) from {half_width_s:g} s before to {half_width_s:g} s after the frame, layers {layers}. `fusion` normalises both,
with statistics that it holds, and joins them; {smoothing}. Source: [{paper}]({paper}).

## How it was trained and scored

{trained}

All settings and scores are in `config.json`.

## Limits

It tells posed or shown expressions in the manner of its training data, not what a person feels. Its scores say nothing
about faces, languages, cameras or sounds unlike that data. Do not use it to judge people. Weights inherit the terms of
the data and encoders that they were trained with; most such data are for research only.

## Versions

{versions}
"""


def model_card(content: dict) -> str:
    """README.md from what config.json holds."""
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
    unit = "frames" if fps is None else f"frames at {fps:g} a second, as long in every video"
    return _TEXT.format(
        data=data.to_yaml().strip(),
        summary=f"One of {len(EXPRESSIONS)} expressions ({', '.join(EXPRESSIONS)}) for every frame of a video, from "
        "the face and the sound around it.",
        scales=", ".join(f"{scale:g}" for scale in settings["crops"]["scales"]),
        **settings["encoders"]["visual"],
        half_width_s=settings["audio"]["half_width_s"],
        layers=settings["features"]["audio"]["layers"],
        smoothing="predictions are not smoothed" if kind == "none" else f"{kind} over {window} {unit} smooths them",
        trained=_trained(content["trained"]),
        versions="\n".join(f"- {name} {version}" for name, version in content["versions"].items()),
        paper=PAPER,
    )


def _trained(trained: dict) -> str:
    rows = []
    if trained["stage1"]:
        found = trained["stage1"]
        images = f"{found['num_train_images']:,} images"
        rows.append(("Stage I (visual encoder)", images, f"{found['val_macro_f1']:.4f}"))
    else:
        rows.append(("Stage I (visual encoder)", "weights from elsewhere", "-"))
    for fold, found in trained["fusion"].items():
        head = found["settings"]["head"]
        rows.append((f"Stage II, fold {fold}", f"head {head}", f"{found['val_macro_f1']:.4f}"))
    scores = trained["smoothing"]
    rows.append(("the same without smoothing", "", f"{scores['macro_f1_unsmoothed']:.4f}"))
    rows.append(("smoothed", "", f"{scores['macro_f1']:.4f}"))
    head = "| part | trained on / as | validation macro-F1 |\n|---|---|---|\n"
    return head + "\n".join(f"| {' | '.join(row)} |" for row in rows)
