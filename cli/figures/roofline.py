"""The kernels of a block below the GPU's roof."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from plan3d.cli.figures.style import ACCENT, INK, MUTED, PAPER, THIRD, canvas, styled
from plan3d.simulator.hardware import Gpu
from plan3d.simulator.roofline import Kernel, attainable_flop_per_s

HEIGHT = 3.8
TFLOP = 1e12
MARKS = "osD^vPX<>hdp"


@styled
def draw(kernels: Sequence[Kernel], gpu: Gpu) -> Figure:
    """Draw the roof, and a mark per kernel at the rate that it runs at."""
    figure, (axes,) = canvas(HEIGHT)
    peak = max(kernel.peak_flop_per_s for kernel in kernels)
    ridge = peak / gpu.hbm_bytes_per_s
    ends = (
        min(ridge / 8, *(k.intensity / 2 for k in kernels)),
        max(ridge * 8, *(k.intensity * 2 for k in kernels)),
    )
    slowest = min(peak / 4, *(kernel.flop_per_s for kernel in kernels))
    across = np.geomspace(*ends, 200)
    roof = attainable_flop_per_s(across, peak, gpu.hbm_bytes_per_s)
    axes.plot(across, np.asarray(roof) / TFLOP, color=INK, linewidth=1.4)
    for mark, kernel in zip(MARKS, kernels, strict=False):
        core = kernel.name == "attention core"
        (point,) = axes.plot(
            kernel.intensity, kernel.flop_per_s / TFLOP, mark, markersize=7,
            color=THIRD if core else ACCENT, markeredgecolor=PAPER, label=kernel.name,
        )  # fmt: skip
        point.set_gid(f"kernel-{kernel.name.replace(' ', '-').replace(',', '')}")
    axes.annotate(
        f"{peak / TFLOP:,.0f} TFLOP/s", (ends[1], peak / TFLOP), xytext=(-2, 4),
        textcoords="offset points", ha="right", fontsize=8.5,
    )  # fmt: skip
    axes.annotate(
        f"{gpu.hbm_bytes_per_s / 1e12:,.2f} TB/s", (ridge / 1.6, peak / 1.6 / TFLOP),
        xytext=(-4, 4), textcoords="offset points", ha="right", fontsize=8.5, color=MUTED,
    )  # fmt: skip
    axes.grid(visible=True)
    axes.set(
        xscale="log", yscale="log", xlim=ends, ylim=(slowest / 2 / TFLOP, peak * 1.6 / TFLOP),
        xlabel="arithmetic intensity [FLOP/byte]", ylabel="rate [TFLOP/s]",
    )  # fmt: skip
    for axis, subs in ((axes.xaxis, (1, 3)), (axes.yaxis, (1, 2, 5))):
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:,g}")
    figure.legend(loc="outside lower left", ncols=3)
    return figure
