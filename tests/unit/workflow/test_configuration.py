import copy
import re
from pathlib import Path

import pytest
import yaml

from frame_expressions.fusion.heads import CrossAttentionFusion
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.configuration import (
    CROSS_ATTENTION_HEADS,
    check_ablation,
    check_config,
    check_keys,
    restore_texts,
)
from frame_expressions.workflow.input_files import image_set_files, missing_given_files
from tests.conftest import ROOT

SCHEMA = ROOT / "config.schema.yaml"


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def _merged(base, over):
    merged = copy.deepcopy(base)
    for key, value in over.items():
        merged[key] = _merged(merged[key], value) if isinstance(value, dict) else value
    return merged


def _paths_of(node, place=()):
    if isinstance(node, dict):
        yield place
        for key, value in node.items():
            yield from _paths_of(value, (*place, key))


def test_the_defaults_are_valid(config):
    check_config(config, SCHEMA)


def test_an_unknown_key_is_named_at_every_level(config):
    free = {("encoders", "visual", "architecture"), ("encoders", "audio", "architecture")}
    free.add(("encoders", "audio", "feature_extractor"))
    tried = 0
    for path in set(_paths_of(config)) - free:
        broken = copy.deepcopy(config)
        node = broken
        for key in path:
            node = node[key]
        node["mistyped"] = 1
        with pytest.raises(InputError, match=r"unknown key '" + ".".join((*path, "mistyped")) + "'"):
            check_config(broken, SCHEMA)
        tried += 1
    assert tried > 20


def test_a_typo_gets_a_suggestion(config):
    config["crops"]["scals"] = [1.0]
    with pytest.raises(InputError, match=r"unknown key 'crops.scals'; did you mean 'scales'\?"):
        check_config(config, SCHEMA)


def test_values_out_of_range_are_named(config):
    for section, key, value in (
        ("smoothing", "windows", [4]),
        ("crops", "scales", []),
        ("corpus", "layout", "afwild2"),
        ("compute", "num_threads", 0),
    ):
        with pytest.raises(InputError, match=rf"configuration: {section}\.{key}"):
            check_config(_merged(config, {section: {key: value}}), SCHEMA)


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"crops": {"scales": 1.2}}, "crops.scales: 1.2 is not a list; write crops.scales: [1.2]."),
        ({"smoothing": {"kinds": "mean"}}, "smoothing.kinds: 'mean' is not a list; write smoothing.kinds: [mean]."),
        ({"crops": {"scales": None}}, "crops.scales: null is not a list; see config.yaml for an example."),
        ({"crops": 1.2}, "crops: 1.2 is not a block of keys; see config.yaml for an example."),
        ({"crops": {"scales": [1.2, "big"]}}, "crops.scales.1: 'big' is not a number; see config.yaml for an example."),
        (
            {"compute": {"num_threads": "4"}},
            "compute.num_threads: '4' is not a whole number; write 4 without quotes, in a --configfile",
        ),
        (
            {"fusion": {"training": {"lr": "1e-3"}}},
            "fusion.training.lr: '1e-3' is not a number; write 0.001 (YAML reads 1e-3 as text, and",
        ),
        ({"compute": {"device": ["cuda"]}}, "['cuda'] is not one of auto, cpu, cuda"),
        ({"compute": {"device": "gpu"}}, "'gpu' is not one of auto, cpu, cuda; did you mean 'cuda'"),
        ({"fusion": {"head": "gates"}}, "fusion.head: 'gates' is not one of gate, linear, mlp,"),
        ({"fusion": {"head": "gates"}}, "visual, audio; did you mean 'gate'?"),
        ({"smoothing": {"kinds": ["gausian"]}}, "'gausian' is not one of mean, median, gaussian, vote; did you mean"),
        ({"compute": {"device": "tpu9"}}, "compute.device: 'tpu9' is not one of auto, cpu, cuda; choose one of these."),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_how_to_be_written(config, over, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        check_keys(_merged(config, over), SCHEMA)


def test_sizes_that_do_not_fit_each_other(config):
    over = {"encoders": {"visual": {"image_px": 224}}}
    with pytest.raises(
        InputError, match=r"encoders\.visual\.resize_px: crops of 128 px are smaller than the encoder's input of 224 px"
    ):
        check_keys(_merged(config, over), SCHEMA)
    over = {"fusion": {"head": "cross_attention", "head_settings": {"num_fused": 100}}}
    with pytest.raises(InputError, match=r"fusion\.head_settings\.num_fused: 100 is not a multiple of 8"):
        check_keys(_merged(config, over), SCHEMA)
    assert CROSS_ATTENTION_HEADS == CrossAttentionFusion.NUM_HEADS
    over["fusion"]["head"] = "gate"
    check_keys(_merged(config, over), SCHEMA)
    check_ablation(config)
    with pytest.raises(
        InputError, match=r"num_fused: 100 is not a multiple of 8, which the ablation's head cross_attention"
    ):
        check_ablation(_merged(config, over))
    config["ablation"]["heads"]["cross_attention"]["head_settings"] = {"num_fused": 64}
    check_ablation(_merged(config, over))
    config["ablation"]["heads"]["cross_attention"]["head_settings"] = {"num_fused": 60}
    with pytest.raises(
        InputError, match=r"configuration: ablation\.heads\.cross_attention\.head_settings\.num_fused: 60 is not"
    ):
        check_ablation(config)


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"crossattention": {}}, "unknown key 'ablation.heads.crossattention'; did you mean 'cross_attention'?"),
        ({"moe": {"trainin": {}}}, "unknown key 'ablation.heads.moe.trainin'; did you mean 'training'?"),
        (
            {"moe": {"training": {"epoch": 1}}},
            "unknown key 'ablation.heads.moe.training.epoch'; did you mean 'epochs'?",
        ),
        ({"moe": {"training": {"seed": 1}}}, "unknown key 'ablation.heads.moe.training.seed'; the known keys are"),
        ({"moe": {"training": {"lr": 0}}}, "ablation.heads.moe.training.lr: "),
        ({"moe": {"head_settings": {"dropout": 60}}}, "ablation.heads.moe.head_settings.dropout: "),
        ({"mlp": None}, "ablation.heads.mlp: null is not a block of keys"),
    ],
)
def test_settings_of_the_ablations_heads_are_checked(config, over, sentence):
    for head, block in over.items():
        config["ablation"]["heads"][head] = block
    with pytest.raises(InputError, match=re.escape(sentence)):
        check_keys(config, SCHEMA)


def test_a_schedule_is_one_of_two(config):
    with pytest.raises(InputError, match=r"schedule: 'per_step' is not one of per_batch, per_epoch"):
        check_keys(_merged(config, {"fusion": {"training": {"schedule": "per_step"}}}), SCHEMA)
    check_keys(_merged(config, {"fusion": {"training": {"schedule": "per_epoch", "dtype": "float16"}}}), SCHEMA)


def test_numbers_of_stage1_that_do_not_fit_each_other(config):
    over = {"stage1": {"num_processes": 3, "training": {"batch_size": 32}}}
    with pytest.raises(InputError, match=r"stage1.num_processes: 3 processes cannot share batches of 32"):
        check_config(_merged(config, over), SCHEMA)
    check_config(_merged(config, {"stage1": {"num_processes": 4, "moe": {"top_k": 4}}}), SCHEMA)
    with pytest.raises(InputError, match=r"stage1.moe.top_k: an image cannot be sent to 5 of 4 experts"):
        check_config(_merged(config, {"stage1": {"moe": {"top_k": 5}}}), SCHEMA)


def test_two_image_sets_need_two_names(config):
    item = {"name": "mine", "layout": "table", "root": "results/demo/a.csv"}
    over = {"stage1": {"image_sets": [item, item | {"root": "results/demo/b.csv"}]}}
    with pytest.raises(InputError, match=r"stage1\.image_sets: two sets have the name 'mine'; rename one of them"):
        check_config(_merged(config, over), SCHEMA)
    over["stage1"]["image_sets"][1] = item | {"name": "other"}
    check_config(_merged(config, over), SCHEMA)


def test_missing_weights_folder_and_images_are_found_at_once(config, tmp_path):
    lost = str(tmp_path / "lost")
    with pytest.raises(InputError, match=rf"encoders.audio.path: {lost} has no config.json"):
        check_config(_merged(config, {"encoders": {"audio": {"source": "path", "path": lost}}}), SCHEMA)
    detector = {"name": "insightface", "insightface": {"model": lost + ".onnx"}}
    with pytest.raises(InputError, match=rf"detector.insightface.model: {lost}.onnx does not exist"):
        check_config(_merged(config, {"detector": detector}), SCHEMA)
    sets = [{"name": "mine", "layout": "table", "root": lost}]
    over = {"corpus": {"layout": "table"}, "stage1": {"image_sets": sets}}
    with pytest.raises(InputError, match=rf"stage1.image_sets: {lost} does not exist"):
        check_config(_merged(config, over), SCHEMA)


def test_other_corpora_do_not_take_the_demonstrations_faces(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for images in config["stage1"]["image_sets"]:
        for path in image_set_files({"stage1": {"image_sets": [images]}}):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
    check_config(config, SCHEMA)
    with pytest.raises(InputError, match=r"stage1.image_sets: results/demo/affectnet holds the demonstration's drawn"):
        check_config(_merged(config, {"corpus": {"layout": "table"}}), SCHEMA)


def test_image_lists_are_looked_for_too(config, tmp_path):
    sets = [{"name": "mine", "layout": "rafdb", "root": str(tmp_path)}]
    over = {"corpus": {"layout": "table"}, "stage1": {"image_sets": sets}}
    with pytest.raises(InputError, match=r"list_patition_label\.txt does not exist; correct the root, or the layout"):
        check_config(_merged(config, over), SCHEMA)


@pytest.mark.parametrize("folder", ["", "RAF/basic/Image", "RAF/basic/EmoLabel"])
def test_a_root_one_level_off_is_told_where_the_lists_lie(config, tmp_path, folder):
    (tmp_path / "RAF/basic/EmoLabel").mkdir(parents=True)
    (tmp_path / "RAF/basic/Image").mkdir()
    (tmp_path / "RAF/basic/EmoLabel/list_patition_label.txt").touch()
    sets = [{"name": "mine", "layout": "rafdb", "root": str(tmp_path / folder)}]
    over = {"corpus": {"layout": "table"}, "stage1": {"image_sets": sets}}
    meant = tmp_path / ("RAF/basic" if folder else "RAF")
    with pytest.raises(InputError, match=rf"does not exist; set the root of 'mine' to {meant}\."):
        check_config(_merged(config, over), SCHEMA)
    sets[0]["root"] = str(meant)
    check_config(_merged(config, over), SCHEMA)


def test_an_image_table_is_a_file(config, tmp_path):
    over = {"corpus": {"layout": "table"}}
    over["stage1"] = {"image_sets": [{"name": "mine", "layout": "table", "root": str(tmp_path)}]}
    with pytest.raises(InputError, match=r"is a folder; set the root of 'mine' to the \.csv or \.tsv file"):
        check_config(_merged(config, over), SCHEMA)


def test_all_that_is_missing_is_listed(config, tmp_path):
    lost = str(tmp_path / "lost")
    over = {
        "corpus": {"layout": "table"},
        "encoders": {"audio": {"source": "path", "path": lost}},
        "stage1": {"image_sets": [{"name": name, "layout": "table", "root": lost} for name in ("a", "b")]},
    }
    errors = list(missing_given_files(_merged(config, over)))
    assert all(error.remedy for error in errors)
    assert [error.what.split(":")[0] for error in errors] == [
        *["encoders.audio.path"] * 2,
        *["stage1.image_sets"] * 2,
    ]
    check_keys(_merged(config, over), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"limits": {"num_frames": 9}}, "limits is now execution.limits"),
        ({"corpus": {"on_bad_video": "skip"}}, "corpus.on_bad_video is now execution.on_bad_video"),
        ({"stage1": {"training": {"num_workers": 2}}}, "stage1.training.num_workers is now execution.num_workers"),
        ({"subject": {"overrides": "o.tsv"}}, "subject.overrides is now corpus.overrides"),
        ({"encoders": {"speech": {"source": "hub"}}}, "encoders.speech is now encoders.audio"),
        ({"contact_sheets": {"picture_px": 9}}, "contact_sheets.picture_px is now contact_sheets.frame_width_px"),
        ({"execution": {"limits": {"picture_s": 9}}}, "is now execution.limits.frame_timeout_s"),
    ],
)
def test_a_setting_that_moved_is_named_with_its_new_place(config, old, new):
    merged = copy.deepcopy(config)
    _add(merged, old)
    with pytest.raises(InputError, match=f"configuration: .*{re.escape(new)}; rename it"):
        check_keys(merged, SCHEMA)


def _add(block, part):
    for key, value in part.items():
        if isinstance(value, dict) and isinstance(block.get(key), dict):
            _add(block[key], value)
        else:
            block[key] = value


def test_a_backbone_to_import_is_there(config, tmp_path):
    given = str(tmp_path / "given.pt")
    with pytest.raises(InputError, match=rf"imported.backbone: {given} does not exist"):
        check_config(_merged(config, {"imported": {"backbone": given}}), SCHEMA)
    Path(given).touch()
    check_config(_merged(config, {"imported": {"backbone": given}}), SCHEMA)


def test_gates_to_import_are_there_and_complete_and_all_faults_are_said_at_once(config, tmp_path):
    folders = [tmp_path / f"fold_{number}" for number in range(1, 4)]
    given = {"imported": {"gates": [str(folder) for folder in folders]}}
    folders[1].mkdir()
    (folders[1] / "best.pt").touch()
    sentence = (
        rf"imported\.gates: {folders[0]} does not exist; {folders[2]} does not exist; give folders that each hold"
    )
    with pytest.raises(InputError, match=sentence):
        check_config(_merged(config, given), SCHEMA)
    for folder in folders:
        folder.mkdir(exist_ok=True)
        (folder / "best.pt").touch()
        for name in ("vis_mean", "vis_std", "aud_mean", "aud_std"):
            (folder / f"train_{name}.npy").touch()
    check_config(_merged(config, given), SCHEMA)
    check_config(_merged(config, {"imported": {"gates": str(folders[0])}}), SCHEMA)
    (folders[0] / "train_aud_std.npy").unlink()
    (folders[2] / "best.pt").unlink()
    sentence = rf"{folders[0]} lacks train_aud_std\.npy; {folders[2]} has no weights \(\.pt, .*\); give"
    with pytest.raises(InputError, match=sentence):
        check_config(_merged(config, given), SCHEMA)


@pytest.mark.parametrize("gates", [[], ["a", "a"], 3, [3], ""])
def test_gates_are_folders(config, gates):
    with pytest.raises(InputError, match=r"^configuration: imported\.gates"):
        check_keys(_merged(config, {"imported": {"gates": gates}}), SCHEMA)


@pytest.mark.parametrize("old", [{"weights": "gate.pt"}, dict.fromkeys(("weights", "visual_mean"))])
def test_the_former_keys_of_a_gate_say_what_to_do_now(config, old):
    config["imported"]["fusion"] = old
    sentence = (
        r"imported\.fusion was replaced by imported\.gates; put the weights and train_vis_mean\.npy, .* one folder"
    )
    with pytest.raises(InputError, match=sentence):
        check_keys(config, SCHEMA)


def test_a_table_of_folds_that_does_not_exist_is_refused(config, tmp_path):
    for folds in ("publshed", str(tmp_path)):
        over = {"cross_validation": {"paper": {"folds": folds}}}
        with pytest.raises(InputError, match=rf"paper\.folds: {folds} does not exist; write grouped, published, or"):
            check_config(_merged(config, over), SCHEMA)
    for folds in ("grouped", "published"):
        check_config(_merged(config, {"cross_validation": {"paper": {"folds": folds}}}), SCHEMA)


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"cross_validation": {"paper": {"smoothing": {"window_frames": 30}}}}, "30 is not an odd number"),
        ({"cross_validation": {"paper": {"smoothing": {"kind": "none"}}}}, "'none' is not one of mean, median"),
        ({"cross_validation": {"protocol": "tuned"}}, "'tuned' is not one of nested, paper"),
        ({"evaluation": {"label_shift_frames": 2}}, "2 is not one of 0, 1"),
    ],
)
def test_protocols_are_checked(config, over, sentence):
    with pytest.raises(InputError, match=sentence):
        check_keys(_merged(config, over), SCHEMA)


def test_an_imported_backbone_needs_no_images(config, tmp_path):
    sets = [{"name": "mine", "layout": "table", "root": str(tmp_path / "lost")}]
    over = {"corpus": {"layout": "table"}, "stage1": {"image_sets": sets}}
    with pytest.raises(InputError, match=r"stage1\.image_sets"):
        check_config(_merged(config, over), SCHEMA)
    (tmp_path / "given.pt").touch()
    check_config(_merged(config, over | {"imported": {"backbone": str(tmp_path / "given.pt")}}), SCHEMA)


def test_the_full_size_overlay_holds_the_papers_settings(config, tmp_path):
    over = yaml.safe_load((ROOT / "config.affwild2.yaml").read_text())
    for images in over["stage1"]["image_sets"]:
        images["root"] = str(tmp_path)
    full = _merged(config, over)
    for path in map(Path, image_set_files(full)):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    check_config(full, SCHEMA)
    assert full["crops"]["scales"] == [0.9, 1.2, 1.5]
    assert full["smoothing"]["windows"] == list(range(3, 206, 2))
    assert (full["encoders"]["visual"]["hub"], full["encoders"]["visual"]["image_px"]) == (
        "facebook/dinov2-large",
        224,
    )
    assert full["cross_validation"]["paper"] == {
        "folds": "published",
        "smoothing": {"kind": "median", "window_frames": 101, "imputed": "include"},
    }
    # Whatever describes the method stands in the overlay, so that a change of the demo cannot reach the paper's run.
    for section in ("crops", "audio", "fusion", "smoothing", "subject"):
        assert over[section] == full[section], section
    assert over["ablation"]["heads"] == full["ablation"]["heads"]
    assert over["detector"]["insightface"] == full["detector"]["insightface"]
    for part in ("moe", "padaug", "augmentation", "training"):
        assert over["stage1"][part] == full["stage1"][part], part


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"corpus": {"root": "a/{x}"}}, r"corpus\.root: 'a/\{x\}' has a brace"),
        (
            {"stage1": {"image_sets": [{"name": "a", "layout": "rafdb", "root": "a\nb"}]}},
            r"stage1\.image_sets\.0\.root: ",
        ),
        ({"predict_videos": "a/\x1b[2J"}, "predict_videos: .* a control character"),
    ],
)
def test_paths_that_snakemake_or_a_terminal_would_read_otherwise(config, over, sentence):
    with pytest.raises(InputError, match=sentence) as refusal:
        check_keys(_merged(config, over), SCHEMA)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("arguments", "parsed", "kept"),
    [
        (["--config", "predict_videos=001"], 1, "001"),
        (["predict", "--config", "predict_model=m", "predict_videos=1_2", "--cores", "2"], 12, "1_2"),
        (["--config=predict_videos=1e3"], 1000.0, "1e3"),
        (["-Cpredict_videos=true"], True, "true"),
        (["--config", "predict_videos=my videos"], "my videos", "my videos"),
        (["--config", "predict_videos="], None, None),
    ],
)
def test_a_path_on_the_command_line_is_text_whatever_it_looks_like(arguments, parsed, kept):
    config = {"predict_videos": parsed}
    restore_texts(config, arguments)
    assert config["predict_videos"] == kept


def test_the_home_folder_is_written_in_full_wherever_it_is_named(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    config = {"predict_videos": "~/clips", "stage1": {"image_sets": [{"root": "~"}]}, "name": "a~/b", "lr": 1.0}
    restore_texts(config, [])
    images = {"image_sets": [{"root": "/home/me"}]}
    assert config == {"predict_videos": "/home/me/clips", "stage1": images, "name": "a~/b", "lr": 1.0}
