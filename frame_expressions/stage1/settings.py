"""Stage I's settings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from frame_expressions.corpora.image_sets import HoldoutSettings
from frame_expressions.stage1.augmentation import AugmentationSettings
from frame_expressions.stage1.moe import MoESettings
from frame_expressions.stage1.padaug import PadAugSettings
from frame_expressions.stage1.training import TrainingSettings


@dataclass(frozen=True)
class Stage1Settings:
    """The block `stage1`, and the sides in pixels of stored images and of the encoder's input.

    image_sets: as `corpora.image_sets.read_image_sets` takes them. frozen_embeddings and frozen_blocks: see
    `layer_decay.freeze`. head: `moe` or `linear`.
    """

    stored_px: int
    image_px: int
    image_sets: Sequence[dict]
    holdout: HoldoutSettings
    frozen_embeddings: str
    frozen_blocks: int
    head: str
    moe: MoESettings
    padaug: PadAugSettings
    augmentation: AugmentationSettings
    training: TrainingSettings
    num_processes: int

    @classmethod
    def from_config(cls, block: dict, *, stored_px: int, image_px: int) -> "Stage1Settings":
        """The settings of the block `stage1` of a configuration."""
        nested = {
            "holdout": HoldoutSettings(**block["holdout"]),
            "moe": MoESettings(**block["moe"]),
            "padaug": PadAugSettings(**block["padaug"]),
            "augmentation": AugmentationSettings(**block["augmentation"]),
            "training": TrainingSettings(**block["training"]),
        }
        return cls(stored_px=stored_px, image_px=image_px, **block | nested)

    def as_provenance(self) -> dict:
        """JSON-ready settings; image sets have their layout and name only, never a path."""
        names = [{"layout": item["layout"], "name": item["name"]} for item in self.image_sets]
        return asdict(self) | {"image_sets": names}
