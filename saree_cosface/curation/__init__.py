"""Curation: decisions of curators on photos, that last; and the manifests that follow from them."""
