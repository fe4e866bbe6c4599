import pytest
import torch
import torch.nn.functional as F

from workflow_scripts.lib.stage1.moe import DropPath, MoEHead


def _head(**settings):
    torch.manual_seed(0)
    return MoEHead(12, 8, num_experts=3, depth=2, router_features=5, **settings).eval()


def _norm(x, layer):
    return F.layer_norm(x, x.shape, layer.weight, layer.bias)


def test_equals_a_loop_over_samples_and_experts():
    head = _head()
    features = torch.randn(6, 12)
    expected = []
    for feature in features:
        x = _norm(feature, head.norm)
        first, norm, _, second = head.router
        hidden = _norm(first.weight @ x + first.bias, norm)
        weights = torch.softmax(second.weight @ F.gelu(hidden) + second.bias, dim=0)
        mixed = torch.zeros(12)
        for expert, weight in zip(head.experts, weights, strict=True):
            y = x
            for layer_norm, feed_forward in zip(expert.norms, expert.feed_forwards, strict=True):
                both = feed_forward.gate_and_value.weight @ _norm(y, layer_norm) + feed_forward.gate_and_value.bias
                gate, value = both[:24], both[24:]
                swish = gate * torch.sigmoid(gate)
                y = y + feed_forward.output.weight @ (swish * value) + feed_forward.output.bias
            mixed = mixed + weight * y
        layer_norm, _, linear = head.classifier
        expected.append(linear.weight @ _norm(mixed, layer_norm) + linear.bias)
    assert torch.allclose(head(features), torch.stack(expected), atol=1e-5)


def test_one_expert_is_that_expert():
    torch.manual_seed(0)
    head = MoEHead(6, 8, num_experts=1, depth=1, router_features=4).eval()
    features = torch.randn(3, 6)
    assert torch.allclose(head(features), head.classifier(head.experts[0](head.norm(features))), atol=1e-6)


def test_every_expert_gets_a_gradient():
    head = _head().train()
    head(torch.randn(4, 12)).sum().backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = DropPath(0.25).train()(torch.ones(20_000, 2))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(dropped[:, 0], dropped[:, 1])
    assert abs(dropped.mean() - 1) < 0.02
    assert torch.equal(DropPath(0.25).eval()(torch.ones(3, 2)), torch.ones(3, 2))
