"""Options that several commands share, and the one place where the engine is made from them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from imuge_cli.api import Imuge
    from imuge_cli.keys import Secret


class Strength(str, Enum):
    """How strong the immunization is, against how visible."""

    subtle = "subtle"
    balanced = "balanced"
    strong = "strong"


class Repair(str, Enum):
    """How much the exact layer can restore, against how visible it is."""

    light = "light"
    normal = "normal"
    strong = "strong"


class Device(str, Enum):
    """Where the networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Format(str, Enum):
    """What pictures are written as."""

    bmp = "bmp"
    png = "png"
    tiff = "tiff"
    webp = "webp"
    jpeg = "jpeg"


_LOOKS, _BETWEEN = 5, 0.01
_ENGINE, _FILES, _TELLING = "Key, model and device", "Files", "What is told"

KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        envvar="IMUGE_KEY_FILE",
        help="Secret made by 'imuge keygen'. Without one the published key is used: anybody can verify, and forge.",
        rich_help_panel=_ENGINE,
    ),
]
ModelOption = Annotated[
    str,
    typer.Option("--model", envvar="IMUGE_MODEL", help="Family of networks.", rich_help_panel=_ENGINE),
]
StrengthOption = Annotated[
    Strength,
    typer.Option(
        "--strength",
        envvar="IMUGE_STRENGTH",
        help="Robustness against visibility.",
        rich_help_panel=_ENGINE,
    ),
]
ExactOption = Annotated[
    bool,
    typer.Option(
        "--exact/--no-exact",
        envvar="IMUGE_EXACT",
        help="Also write seals and parity into the last bits, which repair files that are never recompressed.",
        rich_help_panel=_ENGINE,
    ),
]
RepairOption = Annotated[
    Repair,
    typer.Option(
        "--repair",
        envvar="IMUGE_REPAIR",
        help="How much the exact layer can restore (8-bit colour), against how visible it is.",
        rich_help_panel=_ENGINE,
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option(
        "--device",
        envvar="IMUGE_DEVICE",
        help="auto says what it took; cuda never falls back to the CPU in silence.",
        rich_help_panel=_ENGINE,
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        help="Folder with a manifest.json, or one safetensors file. Else IMUGE_WEIGHTS, else the bundled ones.",
        rich_help_panel=_ENGINE,
    ),
]
FilesFromOption = Annotated[
    Path | None,
    typer.Option(
        "--files-from",
        help="File with the names of pictures, one a line ('-' is stdin), or ended by NUL as find -print0 does.",
        rich_help_panel=_FILES,
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="File ('-' is stdout), or folder: the inputs' tree is kept below it. Default: beside each input.",
        rich_help_panel=_FILES,
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        envvar="IMUGE_FORMAT",
        help="Format of pictures written. Default: from the output's name, else bmp. png keeps metadata too.",
        rich_help_panel=_FILES,
    ),
]
StripOption = Annotated[
    bool,
    typer.Option(
        "--strip",
        help="Leave EXIF (place, time, camera), XMP and resolution out of pictures written; the colour profile stays.",
        rich_help_panel=_FILES,
    ),
]
RecursiveOption = Annotated[
    bool, typer.Option("--recursive", "-r", help="Go into folders' subfolders.", rich_help_panel=_FILES)
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.", rich_help_panel=_FILES)]
SkipExistingOption = Annotated[
    bool,
    typer.Option("--skip-existing", help="Leave out inputs whose outputs exist already.", rich_help_panel=_FILES),
]
MaskOutOption = Annotated[
    bool,
    typer.Option("--mask-out", help="Write <stem>.mask.png: 255 = tampered, 0 = genuine.", rich_help_panel=_FILES),
]
HeatmapOutOption = Annotated[
    bool,
    typer.Option(
        "--heatmap-out",
        help="Write <stem>.heatmap.png: the probability of tampering over the suspect.",
        rich_help_panel=_FILES,
    ),
]
ReplacedOutOption = Annotated[
    bool,
    typer.Option(
        "--replaced-out",
        help="Write <stem>.replaced.png: 255 = the suspect's pixel was replaced, 0 = it was left as it is.",
        rich_help_panel=_FILES,
    ),
]
JobsOption = Annotated[
    int,
    typer.Option(
        "--jobs",
        envvar="IMUGE_JOBS",
        min=1,
        max=64,
        help="Files worked on at a time; on the CPU in processes of their own, each with memory of its own.",
        rich_help_panel=_FILES,
    ),
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        help="The pristine original of a single suspect: adds PSNR, SSIM and L-PSNR.",
        rich_help_panel=_TELLING,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", help="Write one self-contained HTML page.", rich_help_panel=_TELLING),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="One JSON object per file on stdout (JSON Lines).", rich_help_panel=_TELLING),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No notes or warnings, only results and errors.", rich_help_panel=_TELLING),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="More details; tracebacks.", rich_help_panel=_TELLING)
]
ExitZeroOption = Annotated[
    bool,
    typer.Option(
        "--exit-zero",
        help="Exit code 0 whatever the verdict (errors stay 2): for pipelines.",
        rich_help_panel=_TELLING,
    ),
]


@dataclass(frozen=True)
class EngineSettings:
    """What decides which engine is made. key: in place of a key file. exact: whether immunize adds the exact layer."""

    key_file: Path | None = None
    model: str = "lattice"
    strength: str = "balanced"
    device: str = "auto"
    weights: Path | None = None
    key: Secret | None = None
    exact: bool = True
    repair: str = "normal"


def on_cpu(device: str, jobs: int) -> bool:
    """Whether several jobs are better off in processes of their own: a CUDA device is one for all."""
    if jobs == 1 or device == Device.cuda.value:
        return False
    if device == Device.cpu.value:
        return True
    import torch

    return not torch.cuda.is_available()


def wait_briefly() -> None:
    """Let threads that wait for each other spin for some 30 microseconds, and then sleep, unless somebody said how.

    By default they spin a hundred times as long, and where another program wants the core, time slices are lost so at
    every small step: recovering 768 x 512 took 40 s beside two busy processes, and 13 s so; 5.2 s on an idle machine,
    where it takes 5.0 by default and 9.3 where threads sleep at once (OMP_WAIT_POLICY).
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        # Before torch is imported, whose OpenMP (GNU's) reads it once.
        os.environ.setdefault("GOMP_SPINCOUNT", "30000")


def multiply_on_one_core() -> None:
    """Let NumPy's matrix products, which are small here, take one thread each, unless somebody said how many.

    The search for a picture's place makes many of them side by side. With OpenBLAS's own threads beneath, 768 x 512
    pixels that were never immunized took 13.5 s instead of 12.2, a screenshot beside two busy processes 108 instead
    of 24.
    """
    # Before NumPy is imported, which reads it once.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def keep_few_kernels() -> None:
    """Let oneDNN, which convolves on CPUs, keep 128 compiled kernels instead of 1,024, unless somebody said how many.

    It compiles one for each layer and size of picture: in a batch of 1,000 pictures of random sizes memory grew by
    150 MB. 128 are those of a few sizes, and as fast; 64 cost a twentieth of the time.
    """
    # Before torch is imported, which reads it once.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")


def leave_busy_cores() -> None:
    """Take no more threads than there are idle cores at this moment, unless somebody said how many.

    Threads that wait for each other at every small step lose a time slice at each of them where others want the cores
    as well: one megapixel took 180 s with two threads beside two busy processes, and 8 s with one.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    busy = _busy_cores()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if busy:
        # Before torch is imported, which reads it once.
        os.environ["OMP_NUM_THREADS"] = str(max(1, cores - busy))


def _busy_cores() -> int:
    """How many threads of others run now, the median of some looks; 0 where the system does not tell. The load average
    would count what ended a moment ago, the last picture of a shell loop say."""
    looks = []
    for _ in range(_LOOKS):
        try:
            # "0.20 0.18 0.12 3/80 11206": three run, this one among them
            running = int(Path("/proc/loadavg").read_text().split()[3].split("/")[0])
            # "11206 (imuge) R ...": libraries' threads may spin for a while after they were loaded
            own = sum(
                Path(task.path, "stat").read_text().rpartition(")")[2].split()[:1] == ["R"]
                for task in os.scandir("/proc/self/task")
            )
        except (OSError, ValueError, IndexError):
            return 0
        looks.append(running - max(1, own))
        time.sleep(_BETWEEN)
    return max(0, sorted(looks)[len(looks) // 2])


def make_engine(settings: EngineSettings) -> Imuge:
    """The library's engine. Raises SecretError, WeightsError, DeviceError, UsageError."""
    from imuge_cli.keys import load_secret

    # first: a wrong path should not take the time that torch needs to load
    key = settings.key or load_secret(settings.key_file)
    leave_busy_cores()
    from imuge_cli.api import Imuge

    return Imuge(
        key=key,
        model=settings.model,
        strength=settings.strength,
        device=settings.device,
        weights=settings.weights,
        exact=settings.exact,
        repair=settings.repair,
    )
