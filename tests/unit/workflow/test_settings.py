"""A setting has three places: config.yaml, the schema, and the dataclass of the stage that uses it."""

import dataclasses
import importlib
from functools import reduce

import pytest
import yaml

from tests.conftest import ROOT

DATACLASSES = {
    "frames": "media.frame_images:FrameSettings",
    "subject": "faces.tracking:SubjectSettings",
    "crops": "faces.crops:CropSettings",
    "contact_sheets": "report.contact_sheet:ContactSheetSettings",
    "audio": "media.audio:AudioSettings",
    "stage1": "stage1.settings:Stage1Settings",
    "stage1.holdout": "corpora.image_sets:HoldoutSettings",
    "stage1.moe": "stage1.moe:MoESettings",
    "stage1.padaug": "stage1.padaug:PadAugSettings",
    "stage1.augmentation": "stage1.augmentation:AugmentationSettings",
    "stage1.training": "stage1.training:TrainingSettings",
    "features.visual": "encoders.visual:VisualFeatureSettings",
    "features.audio": "encoders.audio:AudioFeatureSettings",
    "fusion": "fusion.training:FusionSettings",
    "fusion.head_settings": "fusion.model:HeadSettings",
    "fusion.training": "fusion.training:TrainingSettings",
    "fusion.missing": "fusion.missing:MissingSettings",
    "smoothing": "smoothing.search:SmoothingSearchSettings",
    "cross_validation.paper.smoothing": "smoothing.search:FixedSmoothingSettings",
    "evaluation": "smoothing.evaluation:EvaluationSettings",
    "execution.limits": "media.limits:Limits",
}
FROM_ELSEWHERE = {
    # Sizes of crops and the scales are settings of other blocks.
    "stage1": {"stored_px", "image_px"},
    "features.visual": {"scales", "image_px"},
}


def _fields(name):
    module, _, kind = name.partition(":")
    found = getattr(importlib.import_module(f"frame_expressions.{module}"), kind)
    assert found.__dataclass_params__.frozen, f"{name} can be changed"
    return {field.name for field in dataclasses.fields(found)}


@pytest.mark.parametrize("block", DATACLASSES)
def test_a_blocks_keys_are_the_fields_of_its_dataclass_and_those_of_the_schema(block):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    schema = yaml.safe_load((ROOT / "config.schema.yaml").read_text())
    keys = set(reduce(lambda node, key: node[key], block.split("."), config))
    rules = reduce(lambda node, key: node["properties"][key], block.split("."), schema)
    assert keys == set(rules["required"]) == set(rules["properties"])
    assert _fields(DATACLASSES[block]) - FROM_ELSEWHERE.get(block, set()) == keys


@pytest.mark.parametrize("name", ["insightface", "cascade"])
def test_a_detectors_keys_are_the_fields_of_its_dataclass(name):
    detector = yaml.safe_load((ROOT / "config.yaml").read_text())["detector"]
    kind = {"insightface": "InsightFaceSettings", "cascade": "CascadeSettings"}[name]
    assert _fields(f"faces.detectors:{kind}") == set(detector[name]) - {"model"} | {"min_side_px"}
