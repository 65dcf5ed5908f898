"""What a generation of training software does, as numbers.

Which kernels it runs, what it overlaps, what it keeps. The presets are data files of
`plan3d.hardware_profiles`.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """One generation of one framework."""

    name: str
    attention: tuple[str, ...]
    """Attention kernels it would run, best first: names of `hardware.Gpu.attention`, or
    ``"unfused"``. The first that the GPU has is used."""
    elementwise_traffic: float
    """Bytes its element-wise kernels move over the fewest possible: 1 is fully fused. [1]"""
    dispatch_s: float
    """CPU time to issue the forward pass of one layer, collectives aside: the GPU is never
    faster, and backward is twice as long. [s] (benchmarks/count_operations.py counts both.)"""
    gradient_bytes: float
    """Gradient buffer per parameter. [bytes]"""
    reduce_bytes: float
    """Bytes per parameter that gradient reduction sends. [bytes]"""
    tp_overlap: float
    """Share of tensor-parallel communication that hides behind matrix products. [1]"""
    dp_overlap: float
    """Share of the last backward pass that can hide gradient reduction. [1]"""
    zero3_overlap: float
    """Share of a block's compute that can hide ZeRO-3 gathers and reductions. [1]"""
    pp_overlap: float
    """Share of the transfers between pipeline stages that hides behind compute. [1]"""
    vocab_multiple: int
    """The vocabulary is padded to this times tp. [1]"""
    sp_default: bool
    """Sequence parallelism is on when tp > 1 unless said otherwise."""
    scatter_gather: bool
    """Pipeline transfers are split over the tensor-parallel ranks."""
    zero2_every_micro_batch: bool
    """ZeRO-2/3 reduce gradients in every micro-batch, not only the last: see `reduces_every`."""
    logits_bytes: float
    """Bytes per logit alive at the peak of the loss. [bytes]"""
    memory_margin: float
    """Allocator fragmentation and small buffers, of what comes and goes in a step: activations,
    logits, working sets. [1]"""
    bucket_bytes: float
    """Communication buckets of data parallelism. [bytes]"""
    step_overhead_s: float
    """Fixed cost of a step: data loading, logging, gradient clipping, synchronisation. [s]"""
    contention: float
    """Slow-down of compute while a collective runs beside it. [1]"""
    memory_cached: float = 0.0
    """What the allocator keeps cached beside that margin while there is room, of the same, where
    several micro-batches are in flight. [1]"""
    straggler: float = 0.0
    """Slow-down of compute per doubling of the nodes. [1]"""
    expert_imbalance: float = 1.0
    """Tokens of the busiest expert rank over the mean. [1]"""
    sends_once: bool = False
    """A token goes to a node once, whatever number of its experts are there (DeepEP)."""
    pads_experts: bool = False
    """Experts are padded to as many tokens as the busiest has, which is all at most."""
    keeps_routing: bool = False
    """A router holds on to the graph of a loss of its own: what a replay of its block keeps before
    the experts stays until the next step."""
    selective_matmul: float = 0.0
    """Share of a block's matrix products that selective recompute replays. [1]"""
    selective_operands: float = 0.0
    """Share of what those products keep that selective recompute drops. [1]"""
    selective_tp: float = 0.0
    """Share of tensor-parallel communication that selective recompute replays: a half where
    all-gathers are replayed (their results are not kept), reduce-scatters not. [1]"""
    selective_attention: float = 1.0
    """Share of the attention core that selective recompute replays. [1]"""
    selective_elementwise: float = 0.0
    """Share of the element-wise work that selective recompute replays. [1]"""
    fp32_norms: bool = False
    """Norms run unfused in fp32 and keep a 4-byte copy of their input."""
    fp32_norm_results: bool = False
    """They are weighted in fp32, too: the result before that is kept in 4 bytes, not 2."""
    fp32_softmax: bool = False
    """Unfused attention's softmax runs in fp32 and keeps a 4-byte copy of its result."""
    zero3_copy_bytes_per_s: float = math.inf
    """Rate at which ZeRO-3 copies what it gathers or reduces, before or after the collective."""
    unit_copies: bool = False
    """Among the kernels of ZeRO-3's passes are copies: weights out of what a collective gathered,
    gradients into what one reduces. See `gradient_sync`."""
    zero1_afterwards: bool = False
    """ZeRO-1 and 2 all-reduce the gradients whole, once all are there, and gather the weights after
    the update: every rank has all gradients, and nothing of it is hidden."""
    zero1_owners: bool = False
    """ZeRO-1 and 2 give a tensor of weights to one rank, whole. All replicas all-reduce all
    gradients, as without ZeRO; after the update the owners broadcast their weights, one after
    another, and nothing hides that. Their shares count as even."""
    gather_piece_s: float = 0.0
    """CPU time to gather one rank's part of one tensor of weights under ZeRO-1 and 2, where they
    are sliced and copied one by one. [s]"""
    pipelines_reduce_once: bool = False
    """In pipelines ZeRO-2/3 reduce gradients after the last micro-batch all the same, and weights
    that ZeRO-3 gathered stay so until then."""
    pipelines_reshard: bool = False
    """But forward passes shard them again: see `model_states.gathering_passes`."""
    loss_forward_bytes: float = 16.0
    """Bytes per logit that the softmax of the loss moves. [bytes]"""
    loss_backward_bytes: float = 10.0
    """The same of its gradient. [bytes]"""
    accumulate_bytes: float = 0.0
    """Bytes per parameter moved in every micro-batch to add its gradients to their sum, where that
    is not the epilogue of a product. [bytes]"""
    keeps_gathered: bool = False
    """Inputs gathered for column-parallel layers are kept whole, not gathered again."""
    stops_early: bool = False
    """Full recompute ends with the last input that backward needs: a dense block's last product,
    and what follows it, are not replayed."""
    columns_apart: bool = False
    """Queries, keys, values, and a gate's two factors, are column-parallel each for itself: what
    they send back to their input is reduced five times, not twice."""
    sequence_copies: float = 0.0
    """Copies of the whole stream that a gather or scatter along the sequence makes: the sequence
    is not the outermost dimension in memory. [1]"""
    cp_gathers: bool = False
    """Context parallelism gathers all keys and values at once, repeated for the queries' heads,
    and merges its results in 32 bits, instead of sending them round a ring."""
    late_most: float = 0.0
    """Tensors of a whole group's stream that are freed late, at most: see `late_tensors`. [1]"""
    whole_buffers: float = 0.0
    """Tensors of a whole group's stream that are kept as buffers for gathering. [1]"""
    sharded_loss: bool = True
    """The loss works on vocabulary-parallel logits; otherwise they are gathered first."""
    whole_embedding: bool = False
    """Every tensor-parallel rank has the whole embedding."""
    plain_stages: bool = False
    """Stages of a pipeline have tensor parallelism without sequence parallelism, and the whole
    output projection on every rank of the last."""
    gathering_bytes: float = 0.0
    """What gathering the logits takes or spoils until the loss's peak is past, per logit: its
    pieces and the collective's buffer, and gaps among them. [bytes]"""
    logits_kept: float = 0.0
    """Share of what the loss takes that lives on while blocks work backward. [1]"""
    loss_apart: bool = False
    """With several micro-batches, logits and a block's working set share no memory: what stays of
    one micro-batch, gradients made one by one among it, stands where its logits were."""
    fused_activations: bool = True
    """A gated activation is one kernel: what is between its two factors is not kept."""
    repeats_kv: bool = False
    """Keys and values are repeated for the queries' heads, and kept so."""
    keeps_unrotated: bool = False
    """Queries and keys before rotary positions stay: values are a view of one tensor with them."""
    send_overhead_s: float = 0.0
    """Time that a transfer between pipeline stages takes beside the data: shapes sent ahead,
    waiting for the other side. A stage between two others waits for both. [s]"""
    gradient_copy_bytes: float = 0.0
    """Copies of the gradients that the optimizer's step makes, per parameter that it updates: ZeRO
    shards them with the optimizer's states. [bytes]"""
    reduced_copy_bytes: float = 0.0
    """Beside gradients that ZeRO does not shard, where there are replicas to reduce them over, per
    parameter. [bytes]"""
    frees_gradients: bool = False
    """A step's first backward pass makes the gradients, and the step's end frees them."""
    whole_master: bool = False
    """ZeRO-1 shards the optimizer's states, but every rank holds all full-precision weights."""
    head_in_split: bool = False
    """Layers are divided among pipeline stages by cost, the output projection counted."""
    modules_in_split: bool = False
    """Modules are divided evenly: embedding, final norm and output projection count as layers."""
    blocking: bool = False
    """Every launch waits for its kernel (``CUDA_LAUNCH_BLOCKING=1``): `dispatch_s` comes on top."""
    split_beyond: bool = False
    """That division closes a stage where its cost is beyond its share, not where it reaches it."""
    collective_s: float = 0.0
    """CPU time to issue a collective of tensor or expert parallelism, beside `dispatch_s`. [s]"""
    dtensor_s: float = 0.0
    """CPU time for PyTorch's DTensors under tensor parallelism, as `dispatch_s`, and beside it:
    operators dispatched in Python, local tensors made DTensors and back. Compiled blocks have none.
    [s] (benchmarks/count_dtensor.py)"""
    dtensor_sequence_s: float = 0.0
    """What sequence parallelism adds to it: norms, too, are of DTensors. [s]"""
    routing_s: float = 0.0
    """CPU time to route a layer's tokens to experts, as `dispatch_s`, and beside it: router,
    auxiliary loss, how many go where, permutations. [s] (benchmarks/count_experts.py)"""
    expert_s: float = 0.0
    """The same for each expert of a rank, where grouped products are launched one by one. [s]"""
    expert_cast_s: float = 0.0
    """What 8-bit operands of its products take besides, where each is cast by itself. [s]"""
    ring_step_s: float = 0.0
    """CPU time for each further step of a ring of keys and values, as `dispatch_s`. [s]"""
    issue_s: float = 0.0
    """What a slow host takes for it besides, per rank of its group, in a job of more than one
    node. [s]"""
    reduce_piece_bytes: float = 0.0
    """What one all-reduce of gradients sends at most, a bucket; 0: all at once. [bytes]"""
