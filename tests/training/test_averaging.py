import pytest
import torch
from torch import nn

from saree_cosface.training.averaging import WeightAverage


@pytest.fixture
def network():
    torch.manual_seed(0)
    frozen, learning = nn.Linear(2, 3).requires_grad_(False), nn.Linear(3, 2)
    return nn.Sequential(frozen, nn.BatchNorm1d(3).eval().requires_grad_(False), learning, nn.BatchNorm1d(2))


def step(network, seed):
    generator = torch.Generator().manual_seed(seed)
    network(torch.randn(8, 2, generator=generator))  # moves the statistics of the last batch norm
    with torch.no_grad():
        for parameter in network[2].parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))


def test_the_average_follows_its_formula(network):
    average = WeightAverage(network, decay=0.5)
    weight = network[2].weight.detach().clone()
    mean = network[3].running_mean.clone()
    for number in range(30):
        step(network, number)
        average.update(network)
        decay = min(0.5, (1 + number) / (10 + number))
        weight = decay * weight + (1 - decay) * network[2].weight.detach()
        mean = decay * mean + (1 - decay) * network[3].running_mean
    torch.testing.assert_close(average.tensors["2.weight"], weight)
    torch.testing.assert_close(average.tensors["3.running_mean"], mean)


def test_what_does_not_learn_is_left_alone(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    average = WeightAverage(network, decay=0.9)
    for number in range(5):
        step(network, number)
        average.update(network)
    average.swap(network)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"2.weight", "2.bias", "3.running_mean", "3.running_var", "3.num_batches_tracked"}
    assert set(average.tensors) == {"2.weight", "2.bias", "3.weight", "3.bias", "3.running_mean", "3.running_var"}


def test_swapping_twice_changes_nothing(network):
    average = WeightAverage(network, decay=0.9)
    step(network, 0)
    average.update(network)
    step(network, 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    average.swap(network)
    assert not torch.equal(network[2].weight, before["2.weight"])
    average.swap(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_restored_average_goes_on_as_if_never_interrupted(network):
    average = WeightAverage(network, decay=0.9)
    for number in range(3):
        step(network, number)
        average.update(network)
    state = {"steps": average.state()["steps"], "tensors": {k: v.clone() for k, v in average.tensors.items()}}
    other = WeightAverage(network, decay=0.9)
    other.restore(state)
    for number in range(3, 6):
        step(network, number)
        average.update(network)
        other.update(network)
    assert other.steps == 6
    assert all(torch.equal(other.tensors[name], tensor) for name, tensor in average.tensors.items())
