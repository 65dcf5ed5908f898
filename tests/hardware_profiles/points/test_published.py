from pathlib import Path

import pytest

from plan3d.hardware_profiles.points import Point, Shape, read_points
from plan3d.simulator.errors import InputError

GEMM = """gpu,dtype,layout,m,n,k,time_us,tflops,n_runs,source
h100-80g-sxm,bf16,NT,512,256,128,10.5,3.2,1,some+lab:folder/file.parquet
h100-80g-sxm,fp8(per-tensor),TN,16,32,64,4,1,6,another+lab:x
h100-80g-sxm,bf16,NN,16,32,64,,1,6,no time
"""
ATTENTION = """gpu,impl,b,heads,kv_heads,seq,head_dim,causal,pass,tflops,time_us,source
a100-80g-sxm,FlashAttention-2,2,16,4,1024,128,1.0,fwd+bwd,100,250,lab:chart.png
a100-80g-sxm,FlashAttention-2,2,16,,1024,64,0.0,bwd,100,250,lab:chart.png
a100-80g-sxm,TE,2,16,16,1024,192/128,1.0,fwd,100,250,two widths
a100-80g-sxm,TE,2,16,16,1024,128,,fwd,100,250,a mask that is not stated
"""
COLLECTIVES = """gpu,system,op,ranks,nodes,bytes,time_us,algbw_GBs,busbw_GBs,algo,source,notes
x,8 of x,alltoall,4,1,1024,9,1,1,,lab:file,nccl-tests
x,rack 7,all_reduce,16,2,2048,99,1,1,,lab:file,nccl-tests
"""


def read(tmp_path: Path, text: str) -> tuple[Point, ...]:
    path = tmp_path / "published.csv"
    path.write_text(text)
    return read_points(path).points


def test_matrix_products(tmp_path: Path) -> None:
    weight, cast = read(tmp_path, GEMM)
    assert weight.shape == Shape(kind="gemm", op="wgrad", m=512, n=256, k=128)
    assert (weight.time_s, weight.gpu) == (pytest.approx(10.5e-6), "h100-80g-sxm")
    assert weight.site == "some+lab"
    assert (cast.shape.dtype, cast.shape.op) == ("fp8", "forward+cast")


def test_attention(tmp_path: Path) -> None:
    grouped, plain = read(tmp_path, ATTENTION)
    assert grouped.shape == Shape(
        kind="attention", op="FlashAttention-2", direction="both", batch=2, heads=16, kv_heads=4,
        seq=1024, head_dim=128, causal=1,
    )  # fmt: skip
    assert (plain.shape.kv_heads, plain.shape.causal, plain.shape.direction) == (16, 0, "backward")


def test_collectives(tmp_path: Path) -> None:
    inside, between = read(tmp_path, COLLECTIVES)
    assert inside.shape == Shape(
        kind="collective", op="all_to_all", dtype="", size_bytes=1024, ranks=4, nodes=1
    )
    assert (inside.site, between.site) == ("lab nccl-tests", "lab rack 7")


def test_a_published_line_that_is_broken(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2: time_us is 'inf'"):
        read(tmp_path, GEMM.replace("10.5", "inf"))
    with pytest.raises(InputError, match=r"line 2: .*'wide'"):
        read(tmp_path, GEMM.replace("512", "wide"))
