"""How far the shapes reach: for a calibration, and for a quick run of everything."""

from dataclasses import dataclass
from typing import Final

KB, MB, GB = 2**10, 2**20, 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The sizes that the shapes of each kind run through."""

    widest: int
    """Widths of a model are cut to it: rows, columns and vocabularies alike. [1]"""
    tps: tuple[int, ...]
    micro_batches: tuple[int, ...]
    shortest_seq: int
    longest_seq: int
    """Between these the sequence of the matrix products is clamped. [tokens]"""
    attention_seqs: tuple[int, ...]
    longest_unfused: int
    """Longest sequence of attention that keeps the whole score matrix. [tokens]"""
    most_heads: int
    moved_bytes: tuple[int, ...]
    """What the memory-bound kernels and copies move, about. [bytes]"""
    parameters: tuple[int, ...]
    """What the optimizer steps over. [1]"""
    launches: tuple[int, ...]
    """Kernels of one measurement of the floors. [1]"""
    load: int
    """Rows and columns of the square product of the sustained load. [1]"""
    elapsed_s: tuple[float, ...]
    """When the sustained load is looked at. [s]"""
    message_bytes: tuple[int, ...]
    """Sizes of collectives. [bytes]"""
    beside_bytes: tuple[int, ...]
    """Sizes of the all-reduce that runs beside a matrix product. [bytes]"""
    limits: tuple[int, int, int]
    """At most so many: matrix products of one type, attentions of one kernel, memory-bound."""


FULL: Final = Extent(
    widest=2**18,
    tps=(1, 2, 4, 8),
    micro_batches=(1, 2, 4, 8),
    shortest_seq=2048,
    longest_seq=8192,
    attention_seqs=(512, 1024, 2048, 4096, 8192, 16384),
    longest_unfused=2048,
    most_heads=128,
    moved_bytes=(MB, 4 * MB, 16 * MB, 64 * MB, 256 * MB, GB),
    parameters=(10**6, 10**7, 10**8, 10**9),
    launches=(50, 100, 200),
    load=8192,
    elapsed_s=(0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0),
    message_bytes=tuple(KB * 4**i for i in range(11)),
    beside_bytes=(16 * MB, 256 * MB),
    limits=(600, 300, 300),
)
"""A calibration: some 4,500 shapes, of a few tenths of a second each."""

SMALL: Final = Extent(
    widest=128,
    tps=(1, 2),
    micro_batches=(1,),
    shortest_seq=64,
    longest_seq=64,
    attention_seqs=(32, 64),
    longest_unfused=64,
    most_heads=2,
    moved_bytes=(64 * KB,),
    parameters=(1000, 10_000),
    launches=(10,),
    load=128,
    elapsed_s=(0.02, 0.04),
    message_bytes=(KB, 64 * KB),
    beside_bytes=(64 * KB,),
    limits=(6, 4, 40),
)
"""Tiny sizes of every kind: a test of the harness, not a calibration."""
