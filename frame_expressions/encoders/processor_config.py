"""preprocessor_config.json of an encoder: how transformers' own classes prepare an image or waveform for it.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]


def preprocessor_config(encoder: dict) -> dict:
    """The file's content for a configured encoder: a visual one has image_px, an audio one a feature_extractor."""
    if "image_px" in encoder:
        return image_processor(resize_px=encoder["resize_px"], image_px=encoder["image_px"])
    return encoder["feature_extractor"]


def image_processor(*, resize_px: int, image_px: int) -> dict:
    """The settings with which transformers' own image processor prepares a crop as this project does."""
    return {
        "image_processor_type": "BitImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": resize_px},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": image_px, "width": image_px},
        "do_convert_rgb": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
    }
