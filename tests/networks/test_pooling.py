"""Second moments, their square root, and the directions that are kept of them."""

import numpy as np
import pytest
import torch

from saree_cosface.networks.backbone import BackboneError, unit
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.pooling import SecondOrder, square_root


def maps(count=3, channels=(5, 8), sides=(6, 3), seed=0):
    made = torch.Generator().manual_seed(seed)
    return [torch.randn(count, c, side, side, generator=made) for c, side in zip(channels, sides, strict=True)]


def exact_root(moments):
    scaled = moments.double() / moments.double().diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None]
    values, vectors = torch.linalg.eigh(scaled)
    return (vectors * values.clamp_min(0).sqrt()[:, None]) @ vectors.transpose(1, 2)


@pytest.mark.parametrize("rank", [3, 40])
def test_the_root_is_that_of_an_eigendecomposition(rank):
    made = torch.Generator().manual_seed(1)
    cells = torch.randn(4, 20, rank, generator=made) * torch.logspace(0, -1.5, 20)[:, None]
    moments = cells @ cells.transpose(1, 2)
    torch.testing.assert_close(square_root(moments).double(), exact_root(moments), atol=2e-3, rtol=0)
    if rank > 20:  # the inverse of the root, which is computed beside it, has no bounds in directions that are empty
        torch.testing.assert_close(square_root(moments.double(), 25), exact_root(moments), atol=1e-7, rtol=0)


def test_the_root_is_differentiable():
    made = torch.Generator().manual_seed(2)
    cells = torch.randn(2, 4, 9, generator=made, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: square_root(each @ each.transpose(1, 2)), cells)


def test_nothing_has_the_root_nothing():
    assert torch.equal(square_root(torch.zeros(1, 3, 3)), torch.zeros(1, 3, 3))


def test_vectors_are_matrices_with_their_inner_products():
    pooling = SecondOrder((5, 8))
    shown = maps()
    vectors = pooling(shown)
    assert vectors.shape == (3, 15 + 36)
    for depth, (part, each) in enumerate(zip(pooling.split(vectors), shown, strict=True)):
        cells = each.flatten(2)
        moments = torch.einsum("nip,njp->nij", cells, cells) / cells.shape[2]
        torch.testing.assert_close(pooling.unpacked(part, depth), moments)
        torch.testing.assert_close(part[0] @ part[1], (moments[0] * moments[1]).sum())


def test_moments_of_parts_add_up():
    pooling, shown = SecondOrder((8,)), maps(channels=(8,), sides=(4,))
    halves = [pooling([shown[0][..., :2]]), pooling([shown[0][..., 2:]])]
    torch.testing.assert_close(torch.stack(halves).mean(dim=0), pooling(shown))


def test_directions_are_the_principal_ones_of_the_photos():
    wide = SecondOrder((5, 8))
    made = torch.Generator().manual_seed(3)
    plane = torch.linalg.qr(torch.randn(8, 3, generator=made))[0]
    shown = maps(20, seed=4)
    shown[1] = torch.einsum("bkhw,ck->bchw", shown[1][:, :3], plane)  # three directions are all that there is
    features = wide(shown)
    narrow = wide.narrowed(features, 3)
    assert narrow.sizes == (3, 3)
    torch.testing.assert_close(narrow.basis1 @ narrow.basis1.T, plane @ plane.T, atol=1e-4, rtol=0)
    direct = narrow(narrow.local(shown))
    torch.testing.assert_close(wide.moved(features, narrow), direct, atol=1e-4, rtol=1e-4)
    # In all directions there is no loss: cosines of roots are the same.
    whole = wide.narrowed(features, 8)
    one, other = unit(wide.root(features)), unit(whole.root(wide.moved(features, whole)))
    torch.testing.assert_close(one @ one.T, other @ other.T, atol=1e-3, rtol=0)


def test_a_network_is_pooled_at_its_last_depths():
    backbone = create_backbone("test_resnet", pretrained=False, pooling="second_order", depths=2).eval()
    shown = torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        features, found = backbone.features_and_maps(shown)
    assert len(found) == 2
    assert found[0].shape[2] == 2 * found[1].shape[2]
    assert features.shape == (2, backbone.num_features)
    np.testing.assert_allclose(backbone.pooled(found), features)


def test_what_has_no_maps_or_not_so_many_is_said():
    with pytest.raises(BackboneError, match="sphereface4.*flattens its last map.*model.pooling mean"):
        create_backbone("sphereface4", pooling="second_order")
    with pytest.raises(BackboneError, match="test_resnet.*9 maps of local features.*fewer model.depths"):
        create_backbone("test_resnet", pretrained=False, pooling="second_order", depths=9)
