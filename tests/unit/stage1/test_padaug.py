import pytest
import torch

from frame_expressions.runtime.errors import InputError
from frame_expressions.stage1.padaug import PATTERNS, PadAug, PadAugSettings


def _settings(**changes):
    paper = {"probability": 0.6, "bar_width": (0.03, 0.20), "max_l_area": 0.20, "max_shift": 0.02}
    return PadAugSettings(**(paper | changes))


def _run(images, seed=0, **settings):
    return PadAug(_settings(**settings))(images, torch.Generator().manual_seed(seed))


def _black_sides(image):
    """The sides whose whole edge row or column is black, and the black share of the image."""
    black = (image == 0).all(dim=0)
    edges = {"left": black[:, 0], "right": black[:, -1], "top": black[0], "bottom": black[-1]}
    return {side for side, edge in edges.items() if edge.all()}, float(black.float().mean())


def test_probability_zero_changes_nothing():
    images = torch.rand(4, 3, 32, 32)
    assert torch.equal(_run(images, probability=0.0), images)


def test_patterns_areas_and_frequencies_over_ten_thousand_draws():
    images = torch.full((10_000, 1, 100, 100), 0.5)
    counts = dict.fromkeys(PATTERNS, 0)
    untouched = 0
    for image in _run(images, seed=1):
        sides, area = _black_sides(image)
        if not sides:
            assert area == 0
            untouched += 1
            continue
        pattern = next(pattern for pattern in PATTERNS if set(pattern) == sides)
        counts[pattern] += 1
        # Bars are rounded to whole pixels, here 1 % of the side.
        if len(pattern) == 1:
            assert 0.03 - 0.006 <= area <= 0.20 + 0.006
        else:
            assert area <= 0.20 + 0.011
    assert untouched == pytest.approx(4000, abs=200)
    for count in counts.values():
        assert count == pytest.approx(750, abs=110)  # four standard deviations


def test_content_moves_away_from_the_bar_and_no_edge_pixel_repeats_beside_it():
    ramp = torch.arange(1.0, 65.0).expand(1, 1, 64, 64) / 64
    for seed in range(50):
        moved = _run(ramp, seed=seed, probability=1.0)[0, 0]
        sides, _ = _black_sides(moved[None])
        row = moved[32]
        if sides == {"left"}:
            visible = row[row > 0]
            assert visible[-1] < 1.0  # the right end has left the image
            assert torch.unique(visible).numel() == visible.numel()
            return
    raise AssertionError("no draw had a bar on the left alone")


def test_the_same_generator_gives_the_same_images():
    images = torch.rand(16, 3, 48, 40)
    assert torch.equal(_run(images, seed=3), _run(images, seed=3))
    assert not torch.equal(_run(images, seed=3), _run(images, seed=4))


def test_bars_of_which_no_l_is_small_enough_are_refused():
    with pytest.raises(InputError, match=r"two bars of 0\.2 cover 0\.36 .* max_l_area of 0\.2"):
        PadAug(_settings(bar_width=(0.2, 0.3), max_l_area=0.2))
