"""Blocks come back bit for bit, lossy layers near enough, and records never depend on what lies around them."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imuge_cli.exact.contexts import base_groups, base_rows, fine_groups, fine_rows, remainder_groups, remainder_rows
from imuge_cli.exact.lossy import compressed
from imuge_cli.exact.models import CLASSES_OF_STEPS, FAMILIES, STEP_CLASSES, WEIGHT_SHIFT, load_tables, step_class
from imuge_cli.exact.rans import TOTAL
from imuge_cli.exact.remainder import FRACTION
from imuge_cli.exact.tilecode import LONGEST, Records, TileCode

Content = NDArray[np.int64]


def bases_of(*numbers: int) -> NDArray[np.int64]:
    return np.broadcast_to(np.array(numbers).reshape(-1, 1, 1), (len(numbers), 16, 16))


def photograph(depth: int = 8) -> NDArray[np.float64]:
    """Samples of blocks of a photograph, n x 3 x 16 x 16."""
    from skimage.data import astronaut

    picture = astronaut()[:256, 96:352].astype(np.float64)
    if depth == 16:
        picture = np.clip(picture * 257 + np.random.default_rng(0).normal(0, 60, picture.shape), 0, 65535)
    return picture.reshape(16, 16, 16, 16, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, 16, 16)


def content_of(samples: NDArray[np.float64], bases: NDArray[np.int64], depth: int) -> Content:
    return np.minimum(samples[:, : len(bases)].astype(np.int64), (1 << depth) - 1) // bases


def synthetic(bases: NDArray[np.int64], depth: int, seed: int = 0) -> Content:
    """Flat, black, white, ramps, edges, noise of all strengths: n x C x 16 x 16."""
    rng = np.random.default_rng(seed)
    top = (1 << depth) - 1
    row, column = np.mgrid[:16, :16] / 15
    shapes = [np.zeros((16, 16)), np.ones((16, 16)), row, column * row, (row > column) * 1.0, (row + column) % 0.4]
    blocks = [np.broadcast_to(shape, (len(bases), 16, 16)) for shape in shapes]
    blocks += [np.clip(0.4 + rng.normal(0, s, (len(bases), 16, 16)), 0, 1) for s in (0.001, 0.01, 0.05, 0.2, 3)]
    blocks += [rng.random((len(bases), 1, 1)) * shape for shape in shapes]
    return (np.stack(blocks) * top).astype(np.int64) // bases


CASES = [
    ((2, 2, 2), 8, 160),
    ((2, 2, 2), 8, 24),
    ((2, 3, 3), 8, 231),
    ((2,), 8, 80),
    ((3,), 8, 640),
    ((16, 16, 16), 16, 160),
    ((16,), 16, 40),
    ((2, 2, 2), 16, 100),
]
CASE = pytest.mark.parametrize(("numbers", "depth", "step"), CASES)


def layers(records: Records) -> list[list[bytes]]:
    return [records.base, records.refinement, records.remainder]


@CASE
def test_blocks_come_back_bit_for_bit(numbers: tuple[int, ...], depth: int, step: int) -> None:
    bases = bases_of(*numbers)
    content = np.concatenate([synthetic(bases, depth), content_of(photograph(depth), bases, depth)])
    code = TileCode(bases, depth, step)
    records = code.encode(content)
    assert all(len(record) % 2 == 0 and len(record) <= LONGEST[depth] for layer in layers(records) for record in layer)
    there = np.array([bool(record) for record in records.remainder])
    decoded = code.decode(*layers(records))
    assert decoded.content is not None and (decoded.complete == there).all()
    assert (decoded.content[there] == content[there]).all()
    # Three channels of fifteen bits each hold too much noise for the last layer.
    assert there[-200:].mean() > (-1 if (depth, numbers) == (16, (2, 2, 2)) else 0.9)
    assert decoded.samples.dtype == np.float32 and decoded.content.dtype == np.int64


@given(st.data())
@settings(max_examples=25)
def test_any_content_comes_back(data: st.DataObject) -> None:
    channels, depth = data.draw(st.sampled_from([1, 3])), data.draw(st.sampled_from([8, 16]))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    # Bases may differ from sample to sample.
    bases = rng.choice(data.draw(st.sampled_from([[2], [2, 3], [16, 255]])), (channels, 16, 16))
    spread, middle = data.draw(st.sampled_from([0.0, 0.02, 0.1, 1.0])), data.draw(st.floats(0, 1))
    top = (1 << depth) - 1
    samples = np.clip((middle + spread * rng.normal(size=(3, channels, 16, 16))) * top, 0, top)
    content = samples.astype(np.int64) // bases
    code = TileCode(bases, depth, data.draw(st.integers(8, 1600)))
    records = code.encode(content)
    decoded = code.decode(*layers(records))
    assert decoded.content is not None
    for block, record in enumerate(records.remainder):
        assert decoded.complete[block] == bool(record)
        assert not record or (decoded.content[block] == content[block]).all()


def test_records_do_not_depend_on_other_blocks() -> None:
    bases = bases_of(2, 2, 3)
    content = np.concatenate([synthetic(bases, 8), content_of(photograph(), bases, 8)[::16]])
    code = TileCode(bases, 8, 120)
    together = layers(code.encode(content))
    order = np.random.default_rng(0).permutation(len(content))
    for layer, mixed in zip(together, layers(code.encode(content[order])), strict=True):
        assert [layer[n] for n in order] == mixed
    for n in range(0, len(content), 5):
        assert [layer[n : n + 1] for layer in together] == layers(code.encode(content[n : n + 1]))
    # More blocks than are worked on at a time.
    many = layers(code.encode(np.tile(content, (70, 1, 1, 1))))
    assert all(layer * 70 == repeated for layer, repeated in zip(together, many, strict=True))


GOLDEN = {
    ((2, 2, 2), 8, 160): "30b16941acf4ef7d29a23fdd0aa25e2c",
    ((2,), 8, 80): "77bde873791f02c521a20d98250858b0",
    ((2, 3, 3), 8, 60): "42f8ebfb6ae7ed3f6d652879da2abee0",
    ((16, 16, 16), 16, 160): "580560531337eba7fb435c20032ba692",
}


def digest(numbers: tuple[int, ...], depth: int, step: int) -> str:
    """Of all records of a picture made of whole numbers: from flat to noise, 64 blocks."""
    row, column = np.indices((16, 16))
    n, channel = np.arange(64).reshape(-1, 1, 1, 1), np.arange(len(numbers)).reshape(-1, 1, 1)
    smooth = row * (n % 7) * 2 + column * (n % 5) + channel * 9 + 20
    noise = (n * 7919 + channel * 104729 + row * 1299709 + column * 15485863) * 2654435761 % 2**32 >> 16
    samples = (smooth << (depth - 8)) + (noise % (1 + n**2 // 16) << (depth - 8) // 2)
    bases = bases_of(*numbers)
    content = np.minimum(samples, (1 << depth) - 1) // bases
    found = hashlib.sha256()
    for record in itertools.chain(*layers(TileCode(bases, depth, step).encode(content))):
        found.update(len(record).to_bytes(2, "little") + record)
    return found.hexdigest()[:32]


@pytest.mark.parametrize(("numbers", "depth", "step"), GOLDEN)
def test_the_format_stays_as_it_is(numbers: tuple[int, ...], depth: int, step: int) -> None:
    """Should this fail, pictures written before cannot be repaired any more: that takes a new format version."""
    assert digest(numbers, depth, step) == GOLDEN[numbers, depth, step]


@pytest.mark.parametrize(
    "setting", ["OMP_NUM_THREADS=2", "OPENBLAS_CORETYPE=Prescott", "NPY_DISABLE_CPU_FEATURES=AVX2,FMA3,AVX512F"]
)
def test_threads_and_processors_make_no_difference(setting: str) -> None:
    """The libraries' other ways of adding give the same records; settings that do not apply are ignored."""
    name, value = setting.split("=")
    script = "from test_tilecode import GOLDEN, digest; print(*(digest(*case) for case in GOLDEN))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), name: value},
    )
    assert done.stdout.split() == list(GOLDEN.values())


@pytest.mark.parametrize(("step", "coarse", "fine"), [(32, 43.0, 47.0), (80, 37.0, 42.0), (160, 33.5, 38.0)])
def test_lossy_layers_are_near_enough(step: int, coarse: float, fine: float) -> None:
    bases = bases_of(2, 2, 2)
    content = content_of(photograph(), bases, 8)
    code = TileCode(bases, 8, step)
    records = code.encode(content)
    centres = content * 2 + 0.5
    qualities = []
    for number, given_layers in enumerate(([records.base], [records.base, records.refinement])):
        decoded = code.decode(*given_layers)
        assert decoded.complete.all() and decoded.content is None
        errors = ((decoded.samples - centres) ** 2).sum((1, 2, 3))
        np.testing.assert_allclose(errors, code.distortion(content)[:, number], rtol=1e-3)
        qualities.append(10 * np.log10(255**2 / (errors.sum() / centres.size)))
    assert qualities[0] >= coarse and qualities[1] >= fine


@pytest.mark.parametrize(("numbers", "depth", "step"), CASES[:7])
def test_sizes_are_told_beforehand(numbers: tuple[int, ...], depth: int, step: int) -> None:
    bases = bases_of(*numbers)
    content = content_of(photograph(depth), bases, depth)
    code = TileCode(bases, depth, step)
    told, records = code.sizes(content), code.encode(content)
    taken = np.array([[8 * len(record) for record in layer] for layer in layers(records)])
    assert told.shape == (len(content), 3)
    for layer in range(3):
        assert told[:, layer].mean() == pytest.approx(taken[layer].mean(), rel=0.02, abs=6)
    assert told.sum() == pytest.approx(taken.sum(), rel=0.01)


def test_too_long_records_are_left_out() -> None:
    bases = bases_of(2, 2, 2)
    content = np.random.default_rng(0).integers(0, 128, (4, 3, 16, 16))
    code = TileCode(bases, 8, 8)
    records = code.encode(content)
    assert layers(records) == [[b""] * 4] * 3 and (code.sizes(content) == 0).all()
    decoded = code.decode(*layers(records))
    assert not decoded.complete.any() and (decoded.samples == 127.5).all()
    # Coarser steps leave the first layer, or two, and then no more.
    shorter = code_lengths(TileCode(bases, 8, 1600), content)
    assert (shorter[0] > 0).all() and (shorter[2] == 0).all()


def code_lengths(code: TileCode, content: Content) -> NDArray[np.int64]:
    return np.array([[len(record) for record in layer] for layer in layers(code.encode(content))])


def test_a_missing_layer_leaves_what_came_before() -> None:
    bases = bases_of(2, 2, 2)
    content = content_of(photograph(), bases, 8)[:12]
    code = TileCode(bases, 8, 100)
    base, fine, last = layers(code.encode(content))
    holes = [b"" if n % 3 == 0 else record for n, record in enumerate(fine)]
    decoded = code.decode(base, holes, last)
    assert (decoded.complete == (np.arange(12) % 3 > 0)).all()
    np.testing.assert_array_equal(decoded.samples[::3], code.decode(base).samples[::3])
    np.testing.assert_array_equal(decoded.samples[1::3], code.decode(base, fine).samples[1::3])


@given(st.data())
@settings(max_examples=30)
def test_damaged_records_never_raise(data: st.DataObject) -> None:
    channels, depth = data.draw(st.sampled_from([(3, 8), (1, 8), (1, 16)]))
    bases = bases_of(*[2 if depth == 8 else 16] * channels)
    content = synthetic(bases, depth)[:8]
    code = TileCode(bases, depth, data.draw(st.sampled_from([8, 160, 1600])))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    records = layers(code.encode(content))
    for layer in records:
        for block in range(len(layer)):
            kind = int(rng.integers(0, 5))
            if kind == 0:
                layer[block] = rng.bytes(int(rng.integers(0, 600)))
            elif kind == 1:
                layer[block] = layer[block][: int(rng.integers(0, len(layer[block]) + 1))]
            elif kind == 2 and layer[block]:
                changed = bytearray(layer[block])
                changed[int(rng.integers(0, len(changed)))] ^= 1 << int(rng.integers(0, 8))
                layer[block] = bytes(changed)
    decoded = code.decode(*records)
    assert decoded.content is not None
    assert np.isfinite(decoded.samples).all() and (np.abs(decoded.samples) < 1e6).all()
    assert (decoded.content >= 0).all() and (decoded.content <= ((1 << depth) - 1) // bases).all()


def test_records_of_impossible_lengths_are_none() -> None:
    bases = bases_of(2, 2, 2)
    content = content_of(photograph(), bases, 8)[:8]
    code = TileCode(bases, 8, 100)
    base, fine, last = layers(code.encode(content))
    for change in (lambda r: r + b"\0", lambda r: r + b"\0\1", lambda r: r[:-1], lambda r: r * 9, lambda r: b""):
        assert not code.decode([change(record) for record in base], fine, last).complete.any()
        assert not code.decode(base, fine, [change(record) for record in last]).complete.any()


def test_wrong_questions() -> None:
    for bases, depth, step in [
        (bases_of(2, 2), 8, 100),
        (bases_of(1), 8, 100),
        (bases_of(2), 12, 100),
        (bases_of(2), 8, 7),
        (bases_of(2), 8, 1601),
    ]:
        with pytest.raises(ValueError, match="bases|step"):
            TileCode(bases, depth, step)
    code = TileCode(bases_of(2), 8, 100)
    with pytest.raises(ValueError, match="shape"):
        code.encode(np.zeros((2, 3, 16, 16), np.int64))
    with pytest.raises(ValueError, match="record"):
        code.decode([b""], [b"", b""])
    with pytest.raises(ValueError, match="record"):
        code.decode([b""], None, [b""])
    nothing = code.decode([], [], [])
    assert nothing.samples.shape == (0, 1, 16, 16) and nothing.content is not None
    assert code.encode(np.zeros((0, 1, 16, 16), np.int64)).base == []
    assert code.sizes(np.zeros((0, 1, 16, 16), np.int64)).shape == (0, 3)


def test_frequencies_are_complete() -> None:
    tables = load_tables()
    for alphabet in (tables.base, tables.fine, tables.remainder, tables.escapes):
        table = alphabet.frequencies.reshape(2, -1, alphabet.symbols)[0]
        assert (table.sum(1) == TOTAL).all() and (table >= 0).all()
    assert (tables.escapes.frequencies.reshape(2, -1, tables.escapes.symbols)[0, :-1] > 0).all()
    assert [step_class(step) for step in (8, *STEP_CLASSES)] == list(range(CLASSES_OF_STEPS))


def test_weighted_sums_stay_exact_in_float32() -> None:
    """No partial sum may reach 2^24; contents of 16-bit samples have float64 and 2^53."""
    tables = load_tables()
    loudest = float(compressed(np.array([10**6], np.int32))[0])
    by_row: dict[str, NDArray[np.float64]] = {}
    along = 16 - np.abs(np.arange(31) - 15)
    for name, kinds, rows in (("base", 3, base_rows(3)), ("fine", 6, fine_rows(3))):
        by_row[name] = loudest * np.concatenate([np.ones(kinds * 256), np.tile(along, kinds), [0]])
        assert len(by_row[name]) == rows
    furthest = 255 * FRACTION
    by_row["mean"] = np.full(remainder_rows(3), float(furthest))
    by_row["spread"] = np.full(remainder_rows(3), 512.0)
    by_row["spread"][:768], by_row["spread"][768:1536] = furthest, 4 * furthest
    # A bias grows with the base, up to 256, and was learned with base 2.
    factors = {"base": 1, "fine": 1, "mean": 1, "spread": 128}
    for name, groups in (
        ("base", base_groups(3)),
        ("fine", fine_groups(3)),
        ("mean", [mean for mean, _ in remainder_groups(3, True)]),
        ("spread", [spread for _, spread in remainder_groups(3, True)]),
    ):
        families = range(FAMILIES if name in ("mean", "spread") else 1)
        for group, number, family in itertools.product(groups, range(CLASSES_OF_STEPS), families):
            predict = tables.predictor(name, group, number, np.float64, family)
            largest = (np.abs(predict.weights[:, 0]) * by_row[name][group.rows]).sum(1)
            largest += np.abs(predict.bias[:, 0]) * factors[name]
            assert largest.max() < 2**24, (name, group.channel, number)
    # A prediction is such a sum in contents' units, and the reconstruction.
    assert 2**24 / 2 + (127 * FRACTION << WEIGHT_SHIFT) < 2**24
