"""Networks: what turns pixels into features, and the embedder that turns a photo into a unit vector."""

from saree_cosface.networks.timm_alone import import_timm

import_timm()  # before a module of this room does, with whatever else that would bring
