"""Every head equals a plain computation of its published formula, in logits, gradients and number of parameters."""

import math

import pytest
import torch
from torch import nn

from frame_expressions.fusion.dropout import Dropout
from frame_expressions.fusion.heads import HEADS

V, A, H = 5, 3, 16
YES, NO = torch.ones(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool)

PUBLISHED_PARAMETERS = {
    "linear": 16_392,
    "mlp": 1_053_192,
    "bilinear": 1_317_384,
    "weighting": 2_104_842,
    "gate": 2_366_472,
    "cross_attention": 6_313_480,
    "moe": 227_716_620,
    "visual": 8_200,
    "audio": 8_200,
}


def _head(name, dropout=0.0, train=False):
    torch.manual_seed(0)
    return HEADS[name](V, A, 8, num_fused=H, dropout=dropout).train(train)


def _inputs(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, V, generator=generator), torch.randn(6, A, generator=generator)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_has_the_published_number_of_parameters(name, monkeypatch):
    monkeypatch.setattr(nn.Linear, "reset_parameters", lambda layer: None)  # memory that is never written costs nothing
    head = HEADS[name](1024, 1024, 8, num_fused=512, dropout=0.2)
    assert sum(parameter.numel() for parameter in head.parameters()) == PUBLISHED_PARAMETERS[name]


def _linear(layer, x):
    return x @ layer.weight.T + layer.bias


def _norm(layer, x):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(dim=-1, keepdim=True) + 1e-5) * layer.weight + layer.bias


def _sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def _softmax(x):
    return torch.exp(x) / torch.exp(x).sum(dim=-1, keepdim=True)


def _relu(x):
    return x.clamp(min=0)


def _gelu(x):
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def _plain_linear(head, v, a, drop):
    return _linear(head.fc, torch.cat([v, a], dim=1))


def _plain_mlp(head, v, a, drop):
    first, _, _, last = head.net
    return _linear(last, drop(_relu(_linear(first, torch.cat([v, a], dim=1)))))


def _plain_bilinear(head, v, a, drop):
    norm, _, _, hidden, _, _, last = head.post
    product = _linear(head.vis_proj, v) * _linear(head.aud_proj, a)
    first = drop(_relu(_norm(norm, product)))
    return _linear(last, drop(_relu(_linear(hidden, first))))


def _plain_classifier(cls, x, drop):
    norm, _, last = cls
    return _linear(last, drop(_norm(norm, x)))


def _plain_weighting(head, v, a, drop):
    first, _, _, last = head.weight_net
    p, q = _softmax(_linear(last, drop(_relu(_linear(first, torch.cat([v, a], dim=1)))))).split(1, dim=1)
    return _plain_classifier(head.cls, p * _linear(head.vis_proj, v) + q * _linear(head.aud_proj, a), drop)


def _plain_gate(head, v, a, drop):
    first, _, _, last = head.gate
    g = _sigmoid(_linear(last, drop(_relu(_linear(first, torch.cat([v, a], dim=1))))))
    return _plain_classifier(head.cls, g * _linear(head.vis_proj, v) + (1 - g) * _linear(head.aud_proj, a), drop)


def _plain_update(update, x, y, drop):
    q, k, u = _linear(update.query, x), _linear(update.key, y), _linear(update.value, y)
    parts = []
    for start in range(0, H, H // 8):  # head by head
        part = slice(start, start + H // 8)
        s = _sigmoid((q[:, part] * k[:, part]).sum(dim=1, keepdim=True) / math.sqrt(H // 8))
        parts.append(s * u[:, part] + (1 - s) * q[:, part])
    x = _norm(update.attention_norm, x + drop(_linear(update.output, torch.cat(parts, dim=1))))
    widen, _, _, narrow = update.feed_forward
    return _norm(update.norm, x + drop(_linear(narrow, drop(_gelu(_linear(widen, x))))))


def _plain_cross_attention(head, v, a, drop):
    v, a = (_norm(norm, _linear(linear, x)) for (linear, norm), x in ((head.vis_proj, v), (head.aud_proj, a)))
    v = _plain_update(head.visual_by_audio, v, a, drop)
    a = _plain_update(head.audio_by_visual, a, v, drop)
    first, _, _, last = head.gate
    g = _sigmoid(_linear(last, drop(_gelu(_linear(first, torch.cat([v, a], dim=1))))))
    norm, hidden, _, _, *classifier = head.cls
    z = drop(_gelu(_linear(hidden, _norm(norm, g * v + (1 - g) * a))))
    return _plain_classifier(classifier, z, drop)


def _plain_moe(head, v, a, drop):
    x = _norm(head.in_norm, torch.cat([v, a], dim=1))
    first, norm, _, last = head.router
    weights = _softmax(_linear(last, _gelu(_norm(norm, _linear(first, x)))))
    mixed = 0
    for number, expert in enumerate(head.experts):
        h = x
        for block_norm, block, rate in zip(expert.norms, expert.feed_forwards, (0, 0.05, 0.1), strict=True):
            gate, value = _linear(block.gate_and_value, _norm(block_norm, h)).chunk(2, dim=1)
            branch = _linear(block.output, gate * _sigmoid(gate) * value)
            if head.training and rate:
                branch = branch * (torch.rand(len(h), 1) < 1 - rate) / (1 - rate)
            h = h + branch
        mixed = mixed + weights[:, number, None] * h
    return _plain_classifier(head.cls, mixed, drop)


def _plain_visual(head, v, a, drop):
    return _linear(head.fc, v)


def _plain_audio(head, v, a, drop):
    return _linear(head.fc, a)


PLAIN = {name: globals()[f"_plain_{name}"] for name in HEADS}


def _gradients(logits, head):
    return torch.autograd.grad(logits.square().sum(), list(head.parameters()))


def _assert_equal(head, name, dropout):
    visual, audio = _inputs()
    torch.manual_seed(7)
    logits, _ = head(visual, audio, YES, YES)
    torch.manual_seed(7)
    expected = PLAIN[name](head, visual, audio, Dropout(dropout).train(head.training))
    assert torch.allclose(logits, expected, atol=1e-5)
    names = [key for key, _ in head.named_parameters()]
    for key, found, wanted in zip(names, _gradients(logits, head), _gradients(expected, head), strict=True):
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5), key


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_a_head_equals_its_published_formula(name, train):
    _assert_equal(_head(name, train=train), name, dropout=0.0)


@pytest.mark.parametrize("name", [name for name in HEADS if name != "moe"])
def test_dropout_is_where_it_was_published(name):
    _assert_equal(_head(name, dropout=0.3, train=True), name, dropout=0.3)


def test_dropout_of_the_mixture_is_in_every_block_and_before_its_last_layer():
    head = _head("moe", dropout=0.6)
    assert [layer.p for layer in head.modules() if isinstance(layer, nn.Dropout)] == [0.6] * (4 * 3 + 1)
    assert [path.probability for path in head.experts[3].drop_paths] == pytest.approx([0, 0.05, 0.1])
    assert head.experts[0].feed_forwards[2].output.in_features == (V + A) * 3 // 2


def test_the_mixture_with_equal_experts_is_one_expert():
    head = _head("moe")
    for expert in head.experts[1:]:
        expert.load_state_dict(head.experts[0].state_dict())
    visual, audio = _inputs()
    one = head.experts[0](head.in_norm(torch.cat([visual, audio], dim=1)))
    assert torch.allclose(head(visual, audio, YES, YES)[0], head.cls(one), atol=1e-5)


def test_the_balance_loss_by_hand():
    head = _head("moe", train=True)
    last = head.router[3]
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor([0.4, 0.3, 0.2, 0.1]).log())
    _, auxiliary = head(*_inputs(), YES, YES)
    # 0.01 * (0.15^2 + 0.05^2 + 0.05^2 + 0.15^2)
    assert auxiliary.item() == pytest.approx(0.01 * 0.05, abs=1e-8)
    auxiliary.backward()
    assert last.bias.grad.abs().max() > 0
    nn.init.zeros_(last.bias)
    assert head(*_inputs(), YES, YES)[1].item() == pytest.approx(0, abs=1e-12)
    assert head.eval()(*_inputs(), YES, YES)[1].item() == 0


def test_the_balance_loss_is_that_of_the_mean_not_of_each_frame():
    head = _head("moe", train=True)
    visual, audio = _inputs()
    x = head.in_norm(torch.cat([visual, audio], dim=1))
    mean = _softmax(head.router(x)).mean(dim=0)
    expected = 0.01 * sum((share - 0.25) ** 2 for share in mean.tolist())
    assert head(visual, audio, YES, YES)[1].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", [name for name in HEADS if name != "moe"])
def test_only_the_mixture_has_an_auxiliary_loss(name):
    assert _head(name, train=True)(*_inputs(), YES, YES)[1].item() == 0


def test_the_router_learns_at_half_the_rate():
    groups = _head("moe").parameter_groups(1e-5)
    assert [group["lr"] for group in groups] == [1e-5, 5e-6]
    head = _head("moe")
    rest, router = ({id(parameter) for parameter in group["params"]} for group in head.parameter_groups(1.0))
    assert router == {id(parameter) for parameter in head.router.parameters()}
    assert rest | router == {id(parameter) for parameter in head.parameters()} and not rest & router
    for name in set(HEADS) - {"moe"}:
        (group,) = _head(name).parameter_groups(0.1)
        assert group["lr"] == 0.1 and len(group["params"]) == len(list(_head(name).parameters()))


def _logits(head, visual, audio, visual_present, audio_present):
    return head(visual * visual_present[:, None], audio * audio_present[:, None], visual_present, audio_present)[0]


def test_a_gate_selects_the_modality_that_is_present():
    visual, audio = _inputs()
    gate = _head("gate")
    assert torch.allclose(_logits(gate, visual, audio, YES, NO), gate.cls(gate.vis_proj(visual)), atol=1e-6)
    assert torch.allclose(_logits(gate, visual, audio, NO, YES), gate.cls(gate.aud_proj(audio)), atol=1e-6)


def test_weighting_gives_all_the_weight_to_the_modality_that_is_present():
    visual, audio = _inputs()
    head = _head("weighting")
    assert torch.allclose(_logits(head, visual, audio, YES, NO), head.cls(head.vis_proj(visual)), atol=1e-6)
    assert torch.allclose(_logits(head, visual, audio, NO, YES), head.cls(head.aud_proj(audio)), atol=1e-6)


def test_a_missing_factor_of_the_product_counts_as_1():
    visual, audio = _inputs()
    head = _head("bilinear")
    assert torch.allclose(_logits(head, visual, audio, YES, NO), head.post(head.vis_proj(visual)), atol=1e-6)
    assert torch.allclose(_logits(head, visual, audio, NO, YES), head.post(head.aud_proj(audio)), atol=1e-6)


def test_cross_attention_to_a_missing_stream_changes_nothing():
    visual, audio = _inputs()
    head = _head("cross_attention")
    assert torch.allclose(_logits(head, visual, audio, YES, NO), head.cls(head.vis_proj(visual)), atol=1e-6)
    assert torch.allclose(_logits(head, visual, audio, NO, YES), head.cls(head.aud_proj(audio)), atol=1e-6)


@pytest.mark.parametrize("name", ["linear", "mlp", "moe"])
def test_elsewhere_a_missing_modality_is_zeros(name):
    visual, audio = _inputs()
    head = _head(name)
    silent, faceless = _logits(head, visual, audio, YES, NO), _logits(head, visual, audio, NO, YES)
    none = Dropout(0.0)
    assert torch.allclose(silent, PLAIN[name](head, visual, 0 * audio, none), atol=1e-5)
    assert torch.allclose(faceless, PLAIN[name](head, 0 * visual, audio, none), atol=1e-5)


def test_presence_is_decided_frame_by_frame():
    visual, audio = _inputs()
    visual_present = torch.tensor([True, True, False, False, True, False])
    audio_present = torch.tensor([True, False, True, False, True, True])
    for name in HEADS:
        head = _head(name)
        logits = _logits(head, visual, audio, visual_present, audio_present)
        for row in range(6):
            one = slice(row, row + 1)
            alone = _logits(head, visual[one], audio[one], visual_present[one], audio_present[one])
            assert torch.allclose(logits[one], alone, atol=1e-5) and torch.isfinite(alone).all(), name
