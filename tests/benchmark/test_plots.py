"""Plots: which are drawn, what their curves go through, and that nobody needs matplotlib to measure."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from bench_rows import case, embedding, results

from imuge_cli.benchmark.plots import Plot, links, strengths, write_plots
from imuge_cli.image.read import read_picture

CASES = (
    *(case(attack=f"jpeg:{quality}", local_psnr=psnr) for quality, psnr in ((90, 26.0), (70, 24.0), (90, 28.0))),
    case(attack="jpeg:80+crop:0.7", local_psnr=3.0),
    case(attack="jpeg:50", share=0.25, local_psnr=20.0),
    case(attack="none", share=0.25, local_psnr=None),
    case(attack="crop:0.9"),
)


def test_strengths_rise_and_leave_out_chains() -> None:
    found = strengths([row for row in CASES if row.share == 0.1], "jpeg")
    assert list(found) == [70, 90]
    assert [summary.local_psnr.mean for summary in found.values() if summary.local_psnr] == [24.0, 27.0]
    assert [summary.cases for summary in found.values()] == [1, 2]


def test_every_plot_that_the_rows_allow(tmp_path: Path) -> None:
    made = write_plots(results(cases=CASES, embedding=(embedding(), embedding(picture="b.png"))), tmp_path)
    # One strength of crop is no curve.
    assert [plot.name for plot in made] == ["jpeg-256.png", "shares-256.png", "embedding.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(plot.name for plot in made)
    for plot in made:
        pixels = read_picture(tmp_path / plot.name).pixels
        assert pixels.shape[1] > 900
        assert (pixels.min(2) < 200).mean() > 0.005


def spied(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[list[float], list[float]]]:
    """What is drawn from now on, by its label."""
    from matplotlib.axes import Axes

    drawn: dict[str, tuple[list[float], list[float]]] = {}
    plot = Axes.plot

    def spy(self: Axes, x: list[float], y: list[float], *rest: object, **options: object) -> object:
        drawn[str(options["label"])] = (list(x), list(y))
        return plot(self, x, y, *rest, **options)

    monkeypatch.setattr(Axes, "plot", spy)
    return drawn


def test_curves_go_through_the_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = spied(monkeypatch)
    write_plots(results(cases=CASES[:4]), tmp_path)
    assert drawn["recovered"] == ([70, 90], [24.0, 27.0])
    assert drawn["inpainting (Telea), true mask"] == ([70, 90], [18.0, 18.0])
    assert drawn["paper"] == ([70, 90], [23.85, 26.11])
    assert drawn["to reach"] == ([70, 90], [25.5, 27.0])
    assert drawn["mask"] == ([70, 90], [0.85, 0.85])


def test_the_exact_layers_curve_has_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = spied(monkeypatch)
    found = {"attack": "none", "layer": "exact", "tile_recall": 1.0}
    rows = (
        case(share=0.1, published_local_psnr=math.inf, exact=True, bound_local_psnr=math.inf, **found),
        case(share=0.1, published_local_psnr=40.0, bound_local_psnr=50.0, **found),
        case(share=0.5, published_local_psnr=30.0, bound_local_psnr=41.0, **found),
        case(share=0.5, attack="none"),
    )
    made = write_plots(results(cases=rows), tmp_path)
    assert [plot.name for plot in made] == ["shares-256.png", "exact-256.png"]
    assert drawn["mean"] == ([10, 50], [50.0, 30.0])
    assert drawn["codec with all the bits"] == ([10, 50], [55.0, 41.0])
    assert drawn["to reach"] == ([50], [37.0])
    assert drawn["share of cases bit for bit"] == ([10, 50], [0.5, 0.0])


def test_too_few_rows_give_no_plot(tmp_path: Path) -> None:
    assert write_plots(results(cases=CASES[:1], embedding=(embedding(),)), tmp_path) == ()
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert write_plots(results(cases=CASES), tmp_path) == ()


def test_the_page_shows_them() -> None:
    assert links([Plot("a.png", "Tampered share")]) == "\n## Tampered share\n\n![Tampered share](a.png)\n"
