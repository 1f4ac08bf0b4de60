"""Photos on their way in: manifests, decoding, views, copies, splits."""
