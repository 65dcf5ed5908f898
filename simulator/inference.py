r"""From training to inference: the memory of a conversation, and what limits decoding.

References
----------
.. [1] R. Pope et al., "Efficiently Scaling Transformer Inference", MLSys 2023, section 2.
   arXiv:2211.05102
.. [2] S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4), 2009.
   doi:10.1145/1498765.1498785
.. [3] DeepSeek-AI, "DeepSeek-V2", 2024, section 2.1. arXiv:2405.04434
"""

import numpy as np

from plan3d.simulator.model import ModelSpec
from plan3d.simulator.numeric import Numeric


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
