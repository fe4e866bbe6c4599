"""Tiny networks and crops for the tests of the encoders."""

import io

import numpy as np
import torch
from PIL import Image

from frame_expressions.encoders.loading import random_encoder
from frame_expressions.encoders.preprocessing import decode, to_input
from frame_expressions.encoders.visual import VisualEncoder

VISUAL = {
    "model_type": "dinov2",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}

WAV2VEC2 = {
    "model_type": "wav2vec2",
    "hidden_size": 16,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}

DEEPER = VISUAL | {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "initializer_range": 0.2}

LARGER = DEEPER | {"image_size": 70}  # positions of 5 x 5 patches, of which the crops have 2 x 2

VIT = {
    "model_type": "vit",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 28,
    "patch_size": 14,
}


def plain_network(architecture):
    """transformers' own network; unlike random weights, its layer scales are not all 1 and its biases not all 0."""
    network = random_encoder(architecture, seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith("lambda1"):
            tensor.uniform_(-0.8, 1.2, generator=generator)
        elif name.endswith("bias"):
            tensor.normal_(0.0, 0.2, generator=generator)
    return network


def visual_encoder(architecture, dtype=torch.float32):
    return VisualEncoder(encoder=plain_network(architecture), image_px=28, device="cpu", dtype=dtype)


def noise_jpeg(seed, side=32):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def plain_class_tokens(architecture, jpegs):
    """The class token of each crop, one forward pass per crop through transformers' own network."""
    encoder = plain_network(architecture)
    with torch.inference_mode():
        crops = [to_input(torch.tensor(decode(jpeg))[None], 28) for jpeg in jpegs]
        return np.concatenate([encoder(pixel_values=crop).last_hidden_state[:, 0].numpy() for crop in crops])
