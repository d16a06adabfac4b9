"""The lossless carrier: tiles under seals, the tile code, erasure codes over the tiles."""
