"""Folders of drawn "faces": aligned squares whose pattern tells the person. Quick to make and easy to learn."""

import numpy as np
from PIL import Image

from saree_cosface.options import HeadOptions, ModelOptions, OptimOptions, Recipe

QUICK = Recipe(
    model=ModelOptions("laptop10", embedding_dim=16, dropout=0.0, trainable_stages=4, precision="fp32"),
    head=HeadOptions(scale=16.0, margin=0.2),
    optim=OptimOptions("sgd", epochs=2, batch_size=8, lr=0.02, backbone_lr=0.02, layer_decay=1.0),
)
"""A training of seconds, on faces that are as easy as these."""


def face(person, photo, side=112):
    """A smooth pattern of the person with a little noise of the photo, ``(side, side, 3)``."""
    own, noise = np.random.default_rng(person), np.random.default_rng([person, photo])
    coarse = own.integers(40, 215, (7, 7, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)).astype(int)
    return (smooth + noise.integers(-25, 26, (side, side, 3))).clip(0, 255).astype(np.uint8)


def people(folder, count, photos):
    """``photos`` each of ``count`` people, named as in Labeled Faces in the Wild."""
    for person in range(count):
        name = f"Person_{person}"
        (folder / name).mkdir(parents=True)
        for photo in range(1, photos + 1):
            Image.fromarray(face(person, photo)).save(folder / name / f"{name}_{photo:04d}.jpg", quality=95)
    return folder


def pairs_file(path, people, photos, folds=2, each=3):
    """A list like LFW's View 2 over such a folder."""
    rows = [f"{folds}\t{each}"]
    for fold in range(folds):
        for row in range(each):
            rows.append(f"Person_{(fold * each + row) % people}\t1\t{2 + row % (photos - 1)}")
        for row in range(each):
            one = (fold + row) % people
            rows.append(f"Person_{one}\t1\tPerson_{(one + 1 + fold) % people}\t1")
    path.write_text("\n".join(rows) + "\n")
    return path
