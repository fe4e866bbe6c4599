import numpy as np
import torch

from frame_expressions.encoders.dinov2_inference import ClassTokenBlock, GeluLinear, optimise_for_inference
from frame_expressions.encoders.preprocessing import decode, to_input
from tests.unit.encoders.networks import (
    DEEPER,
    LARGER,
    VIT,
    noise_jpeg,
    plain_class_tokens,
    plain_network,
    visual_encoder,
)


def test_what_a_gpu_would_run_points_where_the_plain_network_does():
    encoder = plain_network(LARGER)
    optimise_for_inference(encoder, 28, torch.device("cuda"), torch.bfloat16)
    assert sum(isinstance(module, GeluLinear) for module in encoder.modules()) == LARGER["num_hidden_layers"]
    jpegs = [noise_jpeg(seed) for seed in range(5)]
    crops = to_input(torch.tensor(np.stack([decode(jpeg) for jpeg in jpegs])), 28)
    with torch.inference_mode():
        found = encoder.to(torch.bfloat16)(pixel_values=crops.to(torch.bfloat16)).last_hidden_state[:, 0].float()
    assert torch.cosine_similarity(found, torch.from_numpy(plain_class_tokens(LARGER, jpegs))).min() > 0.999


def test_scales_stay_apart_where_their_products_with_weights_would_not_be_normal_numbers():
    scales = [name for name, _ in visual_encoder(DEEPER, torch.float16).encoder.named_parameters() if "lambda1" in name]
    assert len(scales) == 2 * DEEPER["num_hidden_layers"]


def test_only_dinov2_is_optimised():
    assert isinstance(visual_encoder(DEEPER).encoder.encoder.layer[-1], ClassTokenBlock)
    assert visual_encoder(DEEPER, torch.bfloat16).encoder.config._attn_implementation == "by_crop"
    assert not any(isinstance(module, ClassTokenBlock) for module in visual_encoder(VIT).encoder.modules())
