"""Images as Stage I decodes them."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from frame_expressions.faces.resizing import resize
from frame_expressions.stage1.dataset import ImageDataset, RandomCropDataset, batches, image_loader
from frame_expressions.stage1.random_crop import draw_window

SCALE = (0.2, 0.3)


@pytest.fixture(scope="module")
def portrait(tmp_path_factory):
    """A photo of 420 x 240 px and its file."""
    rgb = skimage.data.astronaut()[50:290, 20:440]
    path = tmp_path_factory.mktemp("images") / "portrait.png"
    Image.fromarray(rgb).save(path)
    return rgb, path


def test_validation_images_are_the_resized_middle_square(portrait):
    rgb, path = portrait
    image, label = ImageDataset([path], np.array([3]), 128)[0]
    assert image.shape == (128, 128, 3) and image.dtype == torch.uint8 and label == 3
    # The same as the shorter side resized to 128 px, once the middle 112 px are cut out.
    whole = Image.fromarray(rgb).resize((224, 128), Image.Resampling.BICUBIC)
    left, top = (whole.width - 112) // 2, (whole.height - 112) // 2
    expected = np.asarray(whole.crop((left, top, left + 112, top + 112))).astype(int)
    difference = np.abs(image.numpy()[8:120, 8:120].astype(int) - expected)
    assert difference.mean() < 1.0 and np.quantile(difference, 0.99) <= 6


def test_training_images_are_windows_of_the_whole_image_resized_once(portrait):
    rgb, path = portrait
    images = RandomCropDataset([path] * 3, np.array([0, 1, 2]), 112, SCALE)
    lefts = []
    for epoch in (1, 2, 3):
        images.start_epoch(7, epoch)
        for index in range(3):
            rows, columns = draw_window(240, 420, SCALE, np.random.default_rng([7, epoch, 3, index]))
            image, label = images[index]
            assert image.shape == (112, 112, 3) and label == index
            window = Image.fromarray(rgb[rows, columns]).resize((112, 112), Image.Resampling.BICUBIC)
            difference = np.abs(image.numpy().astype(int) - np.asarray(window).astype(int))[4:-4, 4:-4]
            assert difference.max() <= 6 and difference.mean() < 0.5
            assert np.array_equal(image, resize(rgb[rows, columns], 112))
            lefts.append(columns.start)
    assert len(set(lefts)) == 9  # every image and every epoch draws for itself
    assert min(lefts) < 90  # left of the middle square


def test_neither_the_seed_nor_the_epoch_is_left_out(portrait):
    images = RandomCropDataset([portrait[1]], np.array([0]), 28, SCALE)
    found = []
    for seed, epoch in ((7, 1), (7, 2), (8, 1), (7, 1)):
        images.start_epoch(seed, epoch)
        found.append(images[0][0].numpy().tobytes())
    assert len(set(found)) == 3 and found[0] == found[3]


def _windows(path, num_workers):
    """Two epochs' training images, as `num_workers` processes decode them."""
    images = RandomCropDataset([path] * 12, np.arange(12) % 8, 28, SCALE)
    shuffler = torch.Generator()
    loader = image_loader(images, 4, num_workers, shuffler)
    found = []
    for epoch in (1, 2):
        shuffler.manual_seed(epoch)
        images.start_epoch(7, epoch)
        found += [pixels.numpy() for pixels, _ in batches(loader)]
    return np.concatenate(found)


def test_windows_do_not_depend_on_the_number_of_decoding_processes(portrait):
    # In a process of its own: where kornia-rs has resized an image, it hangs in forked processes.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        one, three, none = fresh.map(_windows, [portrait[1]] * 3, [1, 3, 0])
    assert one.shape == (24, 28, 28, 3)
    assert np.array_equal(one, three) and np.array_equal(one, none)
    assert len({image.tobytes() for image in one}) == 24
