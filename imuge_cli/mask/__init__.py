"""From the verifying network's probability map to a mask of tampered pixels, and to a list of regions.

`threshold.binarize` -> `cleanup.clean` -> `regions.regions`. Masks are H x W bool, True = tampered.
"""
