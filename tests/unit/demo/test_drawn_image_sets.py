import numpy as np

from frame_expressions.demo.drawn_image_sets import (
    AFFECTNET_IDS,
    AFFECTNET_UNUSABLE,
    IMAGES_PER_PERSON,
    RAFDB_IDS,
    plan_batches,
)


def test_ids_are_the_inverse_of_the_challenges_map():
    assert [(0, 4, 5, 6, 3, 2, 1, 7)[label] for label in AFFECTNET_IDS] == list(range(8))
    assert [(6, 3, 2, 4, 5, 1, 0)[label - 1] for label in RAFDB_IDS] == list(range(7))


def test_batches_hold_each_class_as_often_and_number_images_from_one():
    batches = plan_batches({"train": 20, "validation": 3}, AFFECTNET_IDS, 0, AFFECTNET_UNUSABLE)
    for split, count in (("train", 20), ("validation", 3)):
        part = [batch for batch in batches if batch.split == split]
        ids = np.concatenate([batch.ids for batch in part])
        assert (np.bincount(ids)[:8] == count).all()
        assert sum(ids > 7) == (len(AFFECTNET_UNUSABLE) if split == "train" else 0)
        assert np.concatenate([batch.numbers for batch in part]).tolist() == list(range(1, len(ids) + 1))
    assert [batch.place for batch in batches] == list(range(len(batches)))
    assert max(len(batch.ids) for batch in batches) == IMAGES_PER_PERSON
