r"""From training to inference: the memory of a conversation, and what limits decoding.

References
----------
.. [1] R. Pope et al., "Efficiently Scaling Transformer Inference", MLSys 2023, section 2.
   arXiv:2211.05102
.. [2] S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4), 2009.
   doi:10.1145/1498765.1498785
.. [3] DeepSeek-AI, "DeepSeek-V2", 2024, section 2.1. arXiv:2405.04434
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from plan3d.simulator.hardware import Gpu
from plan3d.simulator.kernels import peak
from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Numeric
from plan3d.simulator.parameters import active_params, total_params

SERVED: Final = "bf16"
"""Type of the weights and of the cache that are served: 2 bytes."""


def kv_cache_bytes(
    model: ModelSpec, batch: Numeric, seq: Numeric, number_bytes: Numeric = 2.0
) -> Numeric:
    r"""Keys and values (or the latents of MLA, [3]_) kept for decoding ([1]_) [bytes].

    .. math:: b\,s\,l\,w \times (2\,a_{kv}\,d, \ \text{or with MLA}\ r_{kv} + d_{rope})

    Parameters
    ----------
    model
        Layers *l*, key-value heads and their width.
    batch
        Conversations, *b*. [sequences] Scalar or (n,).
    seq
        Tokens of each so far, *s*; those outside a sliding window are dropped. [tokens]
    number_bytes
        *w*. [bytes]
    """
    latent = model.latent
    width = latent.kv_rank + latent.rope_dim if latent else 2 * model.kv_heads * model.head_dim
    kept = np.minimum(seq, model.window or np.inf)
    return batch * kept * model.layers * width * number_bytes


def decode_step_s(
    active_params: Numeric,
    batch: Numeric,
    cache_bytes: Numeric,
    peak_flop_per_s: Numeric,
    hbm_bytes_per_s: Numeric,
    *,
    number_bytes: Numeric = 2.0,
) -> Numeric:
    r"""Lower bound of the time to decode one token for each conversation ([1]_, [2]_) [s].

    .. math:: \max\left(\frac{2\,P\,b}{F}, \frac{w\,P + S_{kv}}{B}\right)

    All weights and the whole cache are read for one token, so memory bandwidth rules until the
    batch is large. Several GPUs: give the sums of their peaks and bandwidths.

    Parameters
    ----------
    active_params
        Parameters that a token visits, *P*. [1] Scalar or (n,).
    batch
        Conversations, *b*. [sequences]
    cache_bytes
        `kv_cache_bytes` of all of them. [bytes]
    peak_flop_per_s
        *F*. [FLOP/s]
    hbm_bytes_per_s
        *B*. [bytes/s]
    number_bytes
        *w* of a weight. [bytes]
    """
    compute_s = 2 * active_params * batch / peak_flop_per_s
    memory_s = (number_bytes * active_params + cache_bytes) / hbm_bytes_per_s
    return np.maximum(compute_s, memory_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """The roofline of one number of conversations on one copy of a model: no time is shorter."""

    batch: int
    """Conversations. [1]"""
    gpus: int
    """GPUs of the copy. [1]"""
    cache_bytes: float
    """Keys and values of all conversations. [bytes]"""
    weights_s: float
    """Reading the weights once. [s]"""
    cache_s: float
    """Reading the keys and values once. [s]"""
    compute_s: float
    """Matrix products of one token for each conversation. [s]"""
    step_s: float
    """One token for each conversation. [s]"""

    @property
    def limit(self) -> str:
        """What limits it: arithmetic, reading weights, or reading keys and values."""
        if self.compute_s >= self.weights_s + self.cache_s:
            return "arithmetic"
        return "reading weights" if self.weights_s >= self.cache_s else "reading keys and values"

    @property
    def tokens_per_s_per_gpu(self) -> float:
        """Tokens that one GPU decodes at most [1/s]."""
        return self.batch / self.step_s / self.gpus


def decoding(model: ModelSpec, gpu: Gpu, seq: int, *, number_bytes: float = 2.0) -> list[Decoding]:
    """Return the rooflines of the fewest GPUs that hold the model: one conversation, and most.

    The weights and the cache of one conversation of `seq` tokens must fit; what is left of the
    memory is for more conversations. Communication between the GPUs is left out.

    Parameters
    ----------
    model
        Weights and width of the cache.
    gpu
        Memory, bandwidth and peak.
    seq
        Tokens of each conversation, *s*. [tokens]
    number_bytes
        *w*, of weights and cache. [bytes]
    """
    weights = number_bytes * total_params(model)
    one = float(kv_cache_bytes(model, 1, seq, number_bytes))
    room = gpu.memory_bytes - gpu.context_bytes
    gpus = ceil((weights + one) / room)
    most = int((gpus * room - weights) // one)
    return [_roofline(model, gpu, gpus, batch, batch * one, number_bytes) for batch in (1, most)]


def _roofline(
    model: ModelSpec, gpu: Gpu, gpus: int, batch: int, cache: float, number_bytes: float
) -> Decoding:
    """Return what each limit takes."""
    active = float(active_params(model))
    rate, bandwidth = gpus * peak(gpu.peaks, SERVED), gpus * gpu.hbm_bytes_per_s
    step_s = decode_step_s(active, batch, cache, rate, bandwidth, number_bytes=number_bytes)
    return Decoding(
        batch=batch,
        gpus=gpus,
        cache_bytes=cache,
        weights_s=number_bytes * active / bandwidth,
        cache_s=cache / bandwidth,
        compute_s=2 * active * batch / rate,
        step_s=float(step_s),
    )
