"""Which craft is drawn by which grammar."""

from collections.abc import Callable

import numpy as np

from saree_cosface.loom.cloth import Cloth
from saree_cosface.loom.dyes import Taste
from saree_cosface.loom.ikat import patola, pochampally, sambalpuri
from saree_cosface.loom.resist import bandhani, leheriya
from saree_cosface.loom.sheer import chanderi, jamdani, kasavu, kota_doria
from saree_cosface.loom.silk import banarasi, kanjivaram, paithani

Grammar = Callable[[np.random.Generator, Taste], Cloth]

GRAMMARS: dict[str, Grammar] = {
    "banarasi": banarasi,
    "bandhani": bandhani,
    "chanderi": chanderi,
    "jamdani": jamdani,
    "kanjivaram": kanjivaram,
    "kasavu": kasavu,
    "kota_doria": kota_doria,
    "leheriya": leheriya,
    "paithani": paithani,
    "patola": patola,
    "pochampally": pochampally,
    "sambalpuri": sambalpuri,
}
