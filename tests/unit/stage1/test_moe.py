import pytest
import torch
import torch.nn.functional as F

from frame_expressions.stage1.heads import LinearHead, make_head
from frame_expressions.stage1.moe import DropPath, MoEHead, MoESettings, SwiGLU, balance_loss


def _head(**settings):
    torch.manual_seed(0)
    return MoEHead(12, 8, _settings(num_experts=3, depth=2, router_features=5, **settings)).eval()


def _settings(**changes):
    paper = {"num_experts": 4, "depth": 3, "router_features": 256, "expansion": 2.0, "dropout": 0.6}
    return MoESettings(**(paper | {"max_drop_path": 0.1, "top_k": None, "balance_weight": 0.0} | changes))


def _norm(x, layer):
    return F.layer_norm(x, x.shape, layer.weight, layer.bias)


@pytest.mark.parametrize("top_k", [None, 1, 2])
def test_equals_a_loop_over_samples_and_experts(top_k):
    head = _head(top_k=top_k)
    features = torch.randn(6, 12)
    expected = []
    for feature in features:
        x = _norm(feature, head.norm)
        first, norm, _, second = head.router
        hidden = _norm(first.weight @ x + first.bias, norm)
        weights = torch.softmax(second.weight @ F.gelu(hidden) + second.bias, dim=0).tolist()
        chosen = sorted(range(3), key=lambda expert, weights=weights: -weights[expert])[: top_k or 3]
        total = sum(weights[expert] for expert in chosen)
        weights = [weights[expert] / total if expert in chosen else 0.0 for expert in range(3)]
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
    logits, auxiliary = head(features)
    assert torch.allclose(logits, torch.stack(expected), atol=1e-5)
    assert auxiliary == 0


def test_one_expert_is_that_expert():
    torch.manual_seed(0)
    head = MoEHead(6, 8, _settings(num_experts=1, depth=1, router_features=4)).eval()
    features = torch.randn(3, 6)
    assert torch.allclose(head(features)[0], head.classifier(head.experts[0](head.norm(features))), atol=1e-6)


def test_every_expert_gets_a_gradient():
    head = _head().train()
    head(torch.randn(4, 12))[0].sum().backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_routing_to_all_experts_is_dense():
    features = torch.randn(5, 12)
    dense, routed = _head()(features)[0], _head(top_k=3)(features)[0]
    assert torch.allclose(dense, routed, atol=1e-6)
    assert not torch.allclose(dense, _head(top_k=2)(features)[0], atol=1e-3)


def test_an_expert_gets_a_gradient_from_the_images_that_chose_it_alone():
    head = _head(top_k=1)
    features = torch.randn(8, 12)
    chosen = head.router(head.norm(features)).argmax(dim=-1).tolist()
    assert len(set(chosen)) > 1
    for feature, best in zip(features, chosen, strict=True):
        head.zero_grad(set_to_none=True)
        head(feature[None])[0].square().sum().backward()
        for number, expert in enumerate(head.experts):
            gradients = [parameter.grad for parameter in expert.parameters()]
            assert all(gradient is not None for gradient in gradients) == (number == best)
            assert all(gradient is None for gradient in gradients) == (number != best)


def test_routing_trains_the_router_where_the_weights_can_change():
    head = _head(top_k=2)
    head(torch.randn(4, 12))[0].square().sum().backward()
    assert head.router[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("top_k", [1, 2])
def test_balance_loss_equals_a_loop(top_k):
    probabilities = torch.randn(7, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    expected = 0.0
    for expert in range(4):
        assigned = sum(expert in sorted(range(4), key=lambda e, row=row: -row[e])[:top_k] for row in probabilities)
        mean = sum(float(row[expert]) for row in probabilities) / 7
        expected += 4 * assigned / (7 * top_k) * mean
    assert balance_loss(probabilities, top_k).item() == pytest.approx(expected, abs=1e-5)


def test_balance_loss_is_1_when_even_and_the_number_of_experts_when_one_takes_all():
    even = torch.eye(4).repeat(3, 1)
    assert balance_loss(even, 1).item() == pytest.approx(1.0)
    assert balance_loss(even.roll(1, dims=0) * 0.6 + 0.1, 1).item() == pytest.approx(1.0)
    assert balance_loss(torch.eye(4)[[2] * 5], 1).item() == pytest.approx(4.0)


@pytest.mark.parametrize("top_k", [None, 2])
def test_the_auxiliary_loss_is_the_weighted_balance_loss_while_training_only(top_k):
    head = _head(top_k=top_k, balance_weight=0.3).train()
    features = torch.randn(6, 12)
    probabilities = head.router(head.norm(features)).softmax(dim=-1)
    auxiliary = head(features)[1]
    assert auxiliary.item() == pytest.approx(0.3 * balance_loss(probabilities, top_k or 1).item(), rel=1e-6)
    auxiliary.backward()
    assert head.router[-1].weight.grad.abs().max() > 0
    assert head.eval()(features)[1] == 0


def test_the_linear_head_is_one_linear_layer_without_an_auxiliary_loss():
    head = make_head("linear", 12, 8, moe=_settings())
    assert isinstance(head, LinearHead) and isinstance(make_head("moe", 12, 8, moe=_settings(num_experts=2)), MoEHead)
    features = torch.randn(3, 12)
    logits, auxiliary = head(features)
    weight, bias = (parameter.detach() for parameter in head.parameters())
    expected = [
        [sum(w * x for w, x in zip(weight[c], feature, strict=True)) + bias[c] for c in range(8)]
        for feature in features
    ]
    assert torch.allclose(logits, torch.tensor(expected), atol=1e-5)
    assert auxiliary == 0
    assert sum(parameter.numel() for parameter in head.parameters()) == 12 * 8 + 8


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = DropPath(0.25).train()(torch.ones(20_000, 2))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(dropped[:, 0], dropped[:, 1])
    assert abs(dropped.mean() - 1) < 0.02
    assert torch.equal(DropPath(0.25).eval()(torch.ones(3, 2)), torch.ones(3, 2))


def test_dropout_acts_on_the_hidden_product_only():
    torch.manual_seed(0)
    layer = SwiGLU(1, expansion=1.0, dropout=0.6).train()
    with torch.no_grad():
        layer.gate_and_value.weight.zero_()
        layer.gate_and_value.bias.copy_(torch.tensor([1.0, 2.0]))  # hidden product: silu(1) * 2
        layer.output.weight.fill_(3.0)
        layer.output.bias.fill_(10.0)
    product = 2 * F.silu(torch.tensor(1.0)).item()
    found = layer(torch.zeros(20_000, 1))
    # The output itself is never dropped: it is its bias, or that and the product over 0.4.
    assert found.unique().tolist() == pytest.approx([10.0, 10.0 + 3 * product / 0.4], rel=1e-6)
    branch = found - 10.0
    assert (branch == 0).float().mean().item() == pytest.approx(0.6, abs=0.02)
    assert (branch.var() / branch.mean() ** 2).item() == pytest.approx(0.6 / 0.4, abs=0.1)
