import pytest

from plan3d.planner.models import from_text
from plan3d.simulator.errors import InputError
from plan3d.simulator.parameters import total_params


def test_gpt() -> None:
    model, seq = from_text("h=12288,l=96,a=96,v=51200,s=2048")
    assert (model.hidden, model.layers, model.heads, model.kv_heads) == (12288, 96, 96, 96)
    assert (model.ffn, model.head_dim, model.tied, model.norm) == (49152, 128, True, "layernorm")
    assert seq == model.max_positions == 2048


def test_llama_2_70b() -> None:
    """Published: 68,976,648,192."""
    model, seq = from_text(" H=8192, l=80 ,a=64,kv=8,v=32000,ffn=28672,gated=1, ")
    assert total_params(model) == 68_976_648_192
    assert seq is None


def test_defaults_of_a_gated_mlp() -> None:
    """LLaMA-7B: 2/3 of 4 h, rounded up to 256 (arXiv:2302.13971, section 2.2)."""
    assert from_text("h=4096,l=32,a=32,gated=1")[0].ffn == 11008
    assert from_text("h=4096,l=32,a=32,gated=1,tied=1")[0].tied


def test_mixtral() -> None:
    """Published: 46,702,792,704."""
    model, _ = from_text("h=4096,l=32,a=32,kv=8,v=32000,ffn=14336,gated=1,e=8,k=2")
    assert total_params(model) == 46_702_792_704
    assert model.window == 0


def test_experts_of_their_own_width() -> None:
    model, _ = from_text("h=64,l=2,a=4,e=1,effn=32,shared=16,w=128,d=32")
    assert model.experts is not None
    assert (model.experts.top_k, model.experts.ffn, model.experts.shared_ffn) == (1, 32, 16)
    assert (model.window, model.head_dim) == (128, 32)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h=12288,a=96", r"l is missing; at least h=\.\.\.,l=\.\.\.,a=\.\.\. is needed"),
        ("=", "'' is unknown; there are: h .width"),
        ("h=4096,l=32,a=32,q=1", "'q' is unknown; there are: h .width"),
        ("h=4096,l=32,a=32,l=3", "l is given twice"),
        ("h=4096,l=32,a=33", "hidden is 4,096, which 33 heads do not divide"),
        ("h=4096,l=32,a=32,kv=5", "32 heads do not divide into 5 key-value heads"),
        ("h=4096,l=3.5,a=32", "l is '3.5', but must be a whole number"),
        ("h=4096,l=-3,a=32", "l is '-3'"),
        ("h=4096,l=0,a=32", "l is 0, but must be a whole number from 1"),
        ("h=4096,l=,a=32", "l is ''"),
        ("h=4096,l=nan,a=32", "l is 'nan'"),
        ("h=4096,l=1e400,a=32", "l is '1e400'"),
        ("h=99999999999,l=2,a=1", "h is 99999999999, but must be a whole number from 1 to 1,"),
        (f"h={'9' * 4400},l=2,a=1", "h is '999"),
        ("h=4096,l=٣,a=32", "l is '٣'"),
        ("h=4096,l=32,a=32,k=2", "experts need their number, e="),
        ("h=4096,l=32,a=32,e=2,k=3", "top_k is 3, but must be between 1 and the 2 experts"),
    ],
)
def test_bad_lines(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_text(text)
