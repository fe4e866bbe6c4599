from dataclasses import asdict

import pytest
import yaml

from frame_expressions.fusion.training import FusionSettings
from frame_expressions.workflow.ablation_plan import Ablation, with_seed_offset
from tests.conftest import ROOT


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def test_the_papers_comparisons_are_all_there(config):
    names = list(Ablation(config).configurations)
    assert names == [
        "method",
        "visual_only",
        "audio_only",
        "scale_0.9",
        "scale_1.2",
        "scale_1.5",
        "without_padaug",
        "plain_head",
        "head_linear",
        "head_mlp",
        "head_bilinear",
        "head_weighting",
        "head_cross_attention",
        "head_moe",
    ]
    rows = Ablation(config).rows
    assert len(rows) == 14 * config["ablation"]["num_seeds"]
    assert len({(row["configuration"], row["seed"]) for row in rows}) == len(rows)


def test_what_a_configuration_does_not_change_is_the_main_chains(config):
    plan = Ablation(config)
    assert plan.fusion("method", 0, "official") == "results/fusion/official"
    assert plan.visual_shards("head_mlp", 0, ["results/features/visual/train-000.npy"]) == [
        "results/features/visual/train-000.npy"
    ]
    assert plan.backbone("method", 0) == "results/stage1/backbone"
    # Of the method's other runs all that a configuration does not change is shared, too.
    assert plan.visual_shards("head_mlp", 1, ["x/a.npy"]) == plan.visual_shards("visual_only", 1, ["x/a.npy"])
    others = {
        plan.visual_shards(name, run, ["x/a.npy"])[0]
        for name in ("method", "scale_0.9", "scale_1.2", "scale_1.5", "without_padaug", "plain_head")
        for run in (0, 1)
    }
    assert len(others) == 12
    backbones = {plan.backbone(stage1, run) for stage1 in ("method", "without_padaug", "plain_head") for run in (0, 1)}
    assert len(backbones) == 6


def test_each_configuration_changes_one_thing(config):
    plan = Ablation(config)
    stage1 = config["stage1"]
    without = plan.stage1_settings("without_padaug", 0)
    assert without == stage1 | {"padaug": stage1["padaug"] | {"probability": 0.0}}
    assert plan.stage1_settings("plain_head", 0) == stage1 | {"head": "linear"}
    assert plan.stage1_settings("method", "2")["training"]["seed"] == stage1["training"]["seed"] + 2
    fusion = plan.fusion_settings("head_mlp", "1")
    assert (fusion["head"], fusion["training"]["seed"]) == ("mlp", config["fusion"]["training"]["seed"] + 1)
    assert fusion["head_settings"] == config["fusion"]["head_settings"]
    assert plan.scales("1.2") == [1.2] and plan.scales("all") == config["crops"]["scales"]
    assert plan.configurations["visual_only"].head == "visual"
    assert with_seed_offset({"seed": 7, "lr": 1.0}, "2") == {"seed": 9, "lr": 1.0}


def test_scales_are_told_apart_and_given_back_whatever_their_digits(config):
    scales = [0.9, 1.3333333, 1.3333334, 2]
    config["crops"]["scales"] = scales
    plan = Ablation(config)
    names = [row.scales for row in plan.configurations.values() if row.varies == "crop scales"]
    assert [plan.scales(name) for name in names] == [[scale] for scale in scales]
    folders = {plan.visual_features("method", name, 0) for name in names}
    assert len(folders) == 4 and "results/ablation/features/method-1.3333333-0" in folders


def test_with_an_imported_backbone_stage1_is_not_compared(config):
    config["imported"]["backbone"] = "dinov2.pth"
    plan = Ablation(config)
    assert not {"without_padaug", "plain_head"} & set(plan.configurations)
    assert plan.visual_features("method", "all", 2) == "results/features/visual"
    assert plan.visual_features("method", "0.9", 0) == plan.visual_features("method", "0.9", 2)
    assert plan.fusion("method", 1, "cv0") != plan.fusion("method", 2, "cv0")


GATE = {
    "epochs": 20,
    "batch_size": 4096,
    "lr": 1e-4,
    "min_lr": 1e-5,
    "schedule": "per_epoch",
    "weight_decay": 1e-4,
    "seed": 3407,
    "dtype": "float32",
}
HEAD = {"num_fused": 512, "visual_dropout": 0.2, "audio_dropout": 0.25, "dropout": 0.2}
PUBLISHED = {
    "method": ("gate", HEAD, GATE),
    "head_linear": ("linear", HEAD, GATE | {"lr": 3e-4, "min_lr": 3e-5}),
    "head_mlp": ("mlp", HEAD, GATE),
    "head_bilinear": ("bilinear", HEAD | {"dropout": 0.3}, GATE | {"weight_decay": 5e-4}),
    "head_weighting": ("weighting", HEAD, GATE),
    "head_cross_attention": ("cross_attention", HEAD, GATE | {"lr": 8e-5, "min_lr": 8e-6}),
    "head_moe": (
        "moe",
        HEAD | {"dropout": 0.6, "visual_dropout": 0.5},
        GATE | {"lr": 1e-5, "min_lr": 1e-6, "weight_decay": 1e-5, "batch_size": 2048, "epochs": 10},
    ),
    "visual_only": ("visual", HEAD | {"visual_dropout": 0.0}, GATE | {"lr": 1e-3, "min_lr": 1e-4}),
    "audio_only": ("audio", HEAD | {"audio_dropout": 0.0}, GATE | {"lr": 1e-3, "min_lr": 1e-3}),
    "scale_0.9": ("gate", HEAD, GATE),
    "without_padaug": ("gate", HEAD, GATE),
}


def _overlaid(config, *names):
    def merge(block, over):
        for key, value in over.items():
            block[key] = merge(block[key], value) if isinstance(value, dict) else value
        return block

    for name in names:
        merge(config, yaml.safe_load((ROOT / name).read_text()))
    return config


def test_every_head_is_trained_with_its_published_settings(config):
    plan = Ablation(_overlaid(config, "config.affwild2.yaml"))
    for name, (head, head_settings, training) in PUBLISHED.items():
        block = plan.fusion_settings(name, 0)
        missing = {"training": "complete", "prediction": "auto"}
        expected = {"head": head, "head_settings": head_settings, "training": training, "missing": missing}
        assert block == expected, name
        assert asdict(FusionSettings.from_config(block)) == block


def test_the_demonstration_keeps_the_published_ratios(config):
    demo, full = (
        Ablation(config),
        Ablation(_overlaid(yaml.safe_load((ROOT / "config.yaml").read_text()), "config.affwild2.yaml")),
    )
    gates = demo.fusion_settings("method", 0)["training"], full.fusion_settings("method", 0)["training"]
    for name in PUBLISHED:
        blocks = demo.fusion_settings(name, 0), full.fusion_settings(name, 0)
        assert blocks[0]["head_settings"] == blocks[1]["head_settings"]
        ours, theirs = (
            [block["training"][key] / gate[key] for key in ("lr", "weight_decay", "batch_size", "epochs")]
            for block, gate in zip(blocks, gates, strict=True)
        )
        assert ours == pytest.approx(theirs), name


def test_an_overlay_changes_only_the_ablation_of_other_heads(config):
    config["fusion"]["head"] = "moe"
    config["fusion"]["training"]["lr"] = 0.5
    plan = Ablation(config)
    assert plan.fusion_settings("method", 0) == plan.fusion_settings("scale_1.2", 0) == config["fusion"]
    gate = plan.fusion_settings("head_gate", "2")
    assert gate == config["fusion"] | {"head": "gate", "training": config["fusion"]["training"] | {"seed": 3409}}
    config["ablation"]["heads"]["gate"] = {"head_settings": {"num_fused": 8}, "training": {"dtype": "bfloat16"}}
    gate = Ablation(config).fusion_settings("head_gate", 0)
    assert gate["head_settings"] == config["fusion"]["head_settings"] | {"num_fused": 8}
    assert gate["training"] == config["fusion"]["training"] | {"dtype": "bfloat16"}
