"""The rows of a sharded head on disk: written by some processes, read by others."""

from contextlib import suppress

import pytest
import torch
from torch import nn

from saree_cosface.heads import CosFace, ShardedHead
from saree_cosface.heads.ranks import place
from saree_cosface.training import rows
from tests.helpers.ranks import joined

CLASSES, DIM = 10, 6
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.5, momentum=0.9, weight_decay=0.01),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.1),
}


def new(name):
    head = ShardedHead(CosFace(DIM, CLASSES, scale=20.0))
    head.spread(4)
    head.double()
    return head, OPTIMIZERS[name](head.parameters())


def steps(head, optimizer, first, count):
    """Steps of a training whose batches of 8 are shared by the ranks."""
    ranks, rank = place()
    for number in range(first, first + count):
        generator = torch.Generator().manual_seed(number)
        embeddings = torch.randn(8, DIM, generator=generator, dtype=torch.float64).chunk(ranks)[rank]
        labels = torch.randint(CLASSES, (8,), generator=generator).chunk(ranks)[rank]
        optimizer.zero_grad()
        head(embeddings, labels).backward()
        optimizer.step()


def checkpoint_of(head, optimizer, step):
    """What Lightning would write, of a module that has no more than a head."""
    state = {rows.WEIGHT: head.weight.detach(), "head.step": head.step}
    average = {"steps": 3, "tensors": {rows.WEIGHT: 2 * head.weight.detach(), "other": torch.ones(1)}}
    whole = {
        "global_step": step,
        "state_dict": state,
        "optimizer_states": [optimizer.state_dict()],
        "average": average,
    }
    rows.take_out(whole, head, optimizer)
    return whole


def begin(folder, name):
    head, optimizer = new(name)
    steps(head, optimizer, 0, 3)
    rows.save(folder, 3, head, optimizer, {rows.WEIGHT: 2 * head.weight.detach()})
    return checkpoint_of(head, optimizer, 3)


def go_on(folder, name, file, until):
    """From another number of ranks' rows."""
    checkpoint = torch.load(file, weights_only=True)
    head, optimizer = new(name)
    rows.put_in(checkpoint, folder, head)
    optimizer.load_state_dict(checkpoint["optimizer_states"][0])
    with torch.no_grad():
        head.weight.copy_(checkpoint["state_dict"][rows.WEIGHT])
    read = head.weight.detach().clone()
    average = checkpoint["average"]["tensors"][rows.WEIGHT]
    steps(head, optimizer, checkpoint["global_step"], until - checkpoint["global_step"])
    rows.save(folder, until, head, optimizer, {rows.WEIGHT: 2 * head.weight.detach()})
    return {
        "read": read,
        "average": average,
        "ended": head.weight.detach(),
        "then": checkpoint_of(head, optimizer, until),
    }


def alone(name, count):
    head, optimizer = new(name)
    steps(head, optimizer, 0, count)
    return head.weight.detach()


def begin_all(folder):
    return {name: begin(folder / name, name) for name in OPTIMIZERS}


def go_on_all(folder, until):
    return {name: go_on(folder / name, name, folder / name / "last.ckpt", until) for name in OPTIMIZERS}


@pytest.fixture(scope="module")
def handed_on(tmp_path_factory):
    """What four processes wrote, what two found and wrote, and what one found."""
    folder = tmp_path_factory.mktemp("shards")
    four = joined(begin_all, 4, folder / "four", folder)
    for name in OPTIMIZERS:
        torch.save(four[0][name], folder / name / "last.ckpt")
    two = joined(go_on_all, 2, folder / "two", folder, 5)
    for name in OPTIMIZERS:
        torch.save(two[0][name]["then"], folder / name / "last.ckpt")
    return four, two, go_on_all(folder, 7)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_four_wrote_two_and_one_go_on_with(handed_on, name):
    four, two, one = handed_on
    first, two, one = four[0][name], [each[name] for each in two], one[name]
    assert rows.WEIGHT not in first["state_dict"]
    assert first["shards"] == {"step": 3, "ranks": 4, "parameter": 0}
    assert all(value.ndim == 0 for value in first["optimizer_states"][0]["state"][0].values() if value is not None)
    assert [value.tolist() for value in first["average"]["tensors"].values()] == [[1]]
    for found, expected in (
        (torch.cat([each["read"] for each in two]), alone(name, 3)),
        (torch.cat([each["average"] for each in two]), 2 * alone(name, 3)),
        (torch.cat([each["ended"] for each in two]), alone(name, 5)),
        (one["read"], alone(name, 5)),
        (one["ended"], alone(name, 7)),
    ):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(one["read"], torch.cat([each["ended"] for each in two]))


def written(folder):
    head, optimizer = new("sgd")
    steps(head, optimizer, 0, 1)
    rows.save(folder, 1, head, optimizer)
    return head


def test_no_more_than_the_rows_asked_for(tmp_path):
    head = written(tmp_path)
    found = rows.load(tmp_path, 1, CLASSES, 1, range(3, 7))
    assert sorted(found) == ["optimizer/momentum_buffer", "weight"]
    assert torch.equal(found["weight"], head.weight[3:7])


def test_a_missing_or_damaged_file_is_named(tmp_path):
    written(tmp_path)
    path = rows.shard_file(tmp_path, 1, range(CLASSES))
    assert path.name == "1-0-10.safetensors"
    with pytest.raises(rows.RowsError, match="1-0-5.safetensors: cannot be read.*delete the checkpoint"):
        rows.load(tmp_path, 1, CLASSES, 2, range(CLASSES))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(rows.RowsError, match="1-0-10.safetensors: cannot be read"):
        rows.load(tmp_path, 1, CLASSES, 1, range(CLASSES))


def test_a_disk_that_is_full_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    def full(tensors, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rows, "save_file", full)
    with suppress(OSError):
        written(tmp_path)
    assert list((tmp_path / rows.FOLDER).iterdir()) == []


def test_other_steps_are_deleted(tmp_path):
    written(tmp_path)
    folder = tmp_path / rows.FOLDER
    for name in ("10-0-10.safetensors", "11-0-5.safetensors", ".1-0-10-x.safetensors"):
        (folder / name).write_bytes(b"")
    rows.delete_others(tmp_path, 1)
    assert [path.name for path in folder.iterdir()] == ["1-0-10.safetensors"]


def test_prototypes_that_learn_nothing_yet_have_no_state(tmp_path):
    head, optimizer = new("sgd")
    assert isinstance(head.weight, nn.Parameter)
    rows.save(tmp_path, 0, head, optimizer)
    assert list(rows.load(tmp_path, 0, CLASSES, 1, range(2))) == ["weight"]
