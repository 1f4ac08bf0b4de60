"""From files to features and unit vectors: decode, cut views, run the network, remember."""
