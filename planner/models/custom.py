"""A model given on one line, in the symbols of the literature: "h=12288,l=96,a=96,v=51200"."""

from collections.abc import Mapping
from typing import Any, Final

from plan3d.planner.models.fields import model_spec, whole
from plan3d.simulator.errors import InputError
from plan3d.simulator.model import ModelSpec

SYMBOLS: Final[Mapping[str, tuple[str, str]]] = {
    "h": ("hidden", "width of the residual stream"),
    "l": ("layers", "transformer blocks"),
    "a": ("heads", "query heads"),
    "v": ("vocab", "vocabulary (51200)"),
    "s": ("seq", "tokens of a sequence (2048)"),
    "kv": ("kv_heads", "key-value heads (a)"),
    "d": ("head_dim", "width of a head (h / a)"),
    "ffn": ("ffn", "width of the MLP (4 h; gated: 8/3 h, rounded up to 256)"),
    "gated": ("gated", "1 is LLaMA's block: SwiGLU, RMSNorm, rotary, no biases, untied (0)"),
    "tied": ("tied", "1 ties the output to the embedding"),
    "w": ("window", "sliding attention window"),
    "e": ("experts.count", "routed experts"),
    "k": ("experts.top_k", "routed experts that a token visits (2)"),
    "effn": ("experts.ffn", "width of an expert (ffn)"),
    "shared": ("experts.shared_ffn", "width of all shared experts (0)"),
}
"""Symbol -> field, and what it means (its default)."""

GPT_VOCAB = 51200
"""GPT-2's vocabulary as Megatron-LM pads it."""

_LLAMA = {"gated": True, "norm": "rmsnorm", "positions": "rotary", "tied": False} | dict.fromkeys(
    ("qkv_bias", "out_bias", "mlp_bias"), False
)


def from_text(text: str) -> tuple[ModelSpec, int | None]:
    """Return the model that a line describes, and its sequence if the line has one.

    Raises
    ------
    InputError
        If a symbol is unknown, given twice or missing, or its value is not a whole number.

    Examples
    --------
    >>> model, seq = from_text("h=4096, l=32, a=32, v=32000, ffn=11008, gated=1, s=4096")
    >>> model.head_dim, model.norm, seq
    (128, 'rmsnorm', 4096)
    """
    given = _numbers(text)
    missing = [s for s in ("h", "l", "a") if SYMBOLS[s][0] not in given]
    if missing:
        raise InputError(
            f"model {text!r}: {', '.join(missing)} is missing; at least h=...,l=...,a=... is needed"
        )
    seq = given.pop("seq", None)
    experts = {k.split(".")[1]: given.pop(k) for k in list(given) if k.startswith("experts.")}
    values: dict[str, Any] = {"vocab": GPT_VOCAB, "max_positions": seq or 2048}
    if given.pop("gated", 0):
        values |= _LLAMA | {"ffn": -(-8 * given["hidden"] // 3 // 256) * 256}
    values |= given
    if "tied" in given:
        values["tied"] = bool(given["tied"])
    if experts:
        if "count" not in experts:
            raise InputError(f"model {text!r}: experts need their number, e=...")
        width = values.get("ffn", 4 * given["hidden"])
        values["experts"] = {"top_k": min(2, experts["count"]), "ffn": width} | experts
    return model_spec(values, f"model {text!r}"), seq


def _numbers(text: str) -> dict[str, int]:
    """Return the numbers of a line by field."""
    given: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        symbol, _, value = (part.strip() for part in item.partition("="))
        symbol = symbol.lower()
        if symbol not in SYMBOLS:
            known = ", ".join(f"{s} ({meaning})" for s, (_, meaning) in SYMBOLS.items())
            raise InputError(f"model {text!r}: {symbol!r} is unknown; there are: {known}")
        field = SYMBOLS[symbol][0]
        if field in given:
            raise InputError(f"model {text!r}: {symbol} is given twice")
        if not (value.isascii() and value.isdecimal() and len(value) < 12):
            raise InputError(
                f"model {text!r}: {symbol} is {value!r:.40}, but must be a whole number"
            )
        least = 0 if symbol in ("gated", "tied", "shared", "w") else 1
        given[field] = whole(int(value), f"model {text!r}: {symbol}", least=least)
    return given
