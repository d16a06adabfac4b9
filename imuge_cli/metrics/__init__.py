"""How good is it: `fidelity` of pictures (PSNR, SSIM, local PSNR), `localization` of tampering (F1, AUC,
...).

Pure functions on numpy arrays. Masks are H x W bool, True = tampered.
"""
