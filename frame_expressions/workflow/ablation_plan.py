"""The paper's comparisons: the configurations that are trained, and the paths of their artifacts.

Each configuration changes the method in one respect and reuses the method's other artifacts. The method's first run is
that of the main pipeline. Imported whenever the Snakefile is parsed, so it must import only the standard library.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

HEADS = ("gate", "linear", "mlp", "bilinear", "weighting", "cross_attention", "moe")
MODALITIES = ("visual", "audio")
METHOD = "method"
WITHOUT_PADAUG = "without_padaug"
PLAIN_HEAD = "plain_head"
ALL_SCALES = "all"


@dataclass(frozen=True)
class Configuration:
    """One row: its name, what it varies, and the Stage I, crop scales and fusion head it is trained with."""

    name: str
    varies: str
    stage1: str
    scales: str
    head: str


class Ablation:
    """The configurations of a workflow configuration, each run `num_seeds` times, and their files."""

    def __init__(self, config: dict):
        settings, own_head = config["ablation"], config["fusion"]["head"]
        self.folds: list[str] = settings["folds"]
        self.runs = range(settings["num_seeds"])
        self.first_seed: int = config["fusion"]["training"]["seed"]
        self._stage1, self._fusion, self._scales = config["stage1"], config["fusion"], config["crops"]["scales"]
        self._heads: dict[str, dict] = settings["heads"]
        # Named with all their digits, so no two scales share a name.
        self._scale_of = {str(scale): scale for scale in self._scales}
        self._imported = config["imported"]["backbone"] is not None
        rows = [Configuration(METHOD, "nothing", METHOD, ALL_SCALES, own_head)]
        rows += [Configuration(f"{name}_only", "modality", METHOD, ALL_SCALES, name) for name in MODALITIES]
        if len(self._scales) > 1:
            rows += [
                Configuration(f"scale_{scale}", "crop scales", METHOD, scale, own_head) for scale in self._scale_of
            ]
        if not self._imported:
            rows += [
                Configuration(name, "Stage I", name, ALL_SCALES, own_head) for name in (WITHOUT_PADAUG, PLAIN_HEAD)
            ]
        rows += [
            Configuration(f"head_{head}", "fusion head", METHOD, ALL_SCALES, head) for head in HEADS if head != own_head
        ]
        self.configurations = {row.name: row for row in rows}

    def stage1_settings(self, stage1: str, run: int | str) -> dict:
        """The block `stage1` of a variant of Stage I, in one of its runs."""
        settings = self._stage1 | {"training": with_seed_offset(self._stage1["training"], run)}
        if stage1 == PLAIN_HEAD:
            settings["head"] = "linear"
        if stage1 == WITHOUT_PADAUG:
            settings["padaug"] = settings["padaug"] | {"probability": 0.0}
        return settings

    def fusion_settings(self, name: str, run: int | str) -> dict:
        """The block `fusion` of a configuration, in one of its runs."""
        settings = settings_of_head(self._fusion, self._heads, self.configurations[name].head)
        return settings | {"training": with_seed_offset(settings["training"], run)}

    def scales(self, name: str) -> list[float]:
        """The crop scales that a name stands for."""
        return self._scales if name == ALL_SCALES else [self._scale_of[name]]

    def backbone(self, stage1: str, run: int | str) -> str:
        """Folder of an adapted encoder; an imported one is the same in every run."""
        if self._imported:
            return "results/imported/backbone"
        if stage1 == METHOD and int(run) == 0:
            return "results/stage1/backbone"
        return f"results/ablation/stage1/{stage1}-{run}/backbone"

    def visual_features(self, stage1: str, scales: str, run: int) -> str:
        """Folder of the visual shards that an encoder makes from some of the scales."""
        if scales == ALL_SCALES and (self._imported or (stage1 == METHOD and run == 0)):
            return "results/features/visual"
        return f"results/ablation/features/{stage1}-{scales}-{0 if self._imported else run}"

    def visual_shards(self, name: str, run: int | str, shards: list[str]) -> list[str]:
        """Files of a configuration's visual shards. shards: the corresponding files of the main pipeline."""
        row = self.configurations[name]
        folder = self.visual_features(row.stage1, row.scales, int(run))
        return [f"{folder}/{PurePosixPath(path).name}" for path in shards]

    def fusion(self, name: str, run: int, fold: str) -> str:
        """Folder of a configuration's fusion model."""
        if name == METHOD and run == 0:
            return f"results/fusion/{fold}"
        return f"results/ablation/fusion/{name}-{run}/{fold}"

    @property
    def rows(self) -> list[dict]:
        """Each configuration and run: configuration, varies, seed, and the logits of its folds."""
        return [
            {
                "configuration": row.name,
                "varies": row.varies,
                "seed": self.first_seed + run,
                "logits": [f"{self.fusion(row.name, run, fold)}/val_logits.parquet" for fold in self.folds],
            }
            for row in self.configurations.values()
            for run in self.runs
        ]


def settings_of_head(fusion: dict, overlays: dict[str, dict], head: str) -> dict:
    """The block `fusion` with which the ablation trains a head: unchanged for its own, with an overlay for another.

    overlays: the block `ablation.heads`.
    """
    if head == fusion["head"]:
        return fusion
    return fusion | {"head": head} | {part: fusion[part] | changes for part, changes in overlays.get(head, {}).items()}


def with_seed_offset(training: dict, run: int | str) -> dict:
    """Training settings of a run: the configured seed for run 0, one more for each further run."""
    return training | {"seed": training["seed"] + int(run)}
