"""Shorter floating-point numbers, where the hardware computes faster with them."""

from __future__ import annotations

import torch


def short_floats(device: torch.device) -> torch.autocast:
    """bfloat16 where the device computes with it: CUDA, and CPUs of recent years (others are slower with it)."""
    # Older releases of torch cannot tell what the CPU has.
    able: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    native = device.type == "cuda" or bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.autocast(device.type, torch.bfloat16, enabled=native)
