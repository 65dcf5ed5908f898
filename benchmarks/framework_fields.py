"""Record the option names of frameworks, for the tests of the exporters.

Give the folders that packages were unpacked to (``pip download --no-deps NAME``, unzip):
python benchmarks/framework_fields.py DIR... > tests/planner/exports/framework_fields.json
Sources are parsed, not imported: no framework needs to run here.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CLASSES = {
    "megatron-core": {
        "megatron/core/transformer/transformer_config.py": (
            "TransformerConfig",
            "MLATransformerConfig",
        ),
        "megatron/core/model_parallel_config.py": ("ModelParallelConfig",),
        "megatron/core/distributed/distributed_data_parallel_config.py": (
            "DistributedDataParallelConfig",
        ),
        "megatron/core/optimizer/optimizer_config.py": ("OptimizerConfig",),
    },
    "megatron-bridge": {
        "megatron/bridge/training/config.py": (
            "ConfigContainer",
            "DistributedInitConfig",
            "TrainingConfig",
            "CheckpointConfig",
        ),
        "megatron/bridge/training/comm_overlap.py": ("CommOverlapConfig",),
        "megatron/bridge/models/gpt_provider.py": ("GPTModelProvider",),
    },
    "torchtitan": {
        "torchtitan/config/job_config.py": (
            "Model",
            "Training",
            "Parallelism",
            "ActivationCheckpoint",
            "Optimizer",
        ),
        "torchtitan/config/configs.py": ("TrainingConfig", "ParallelismConfig"),
    },
    "deepspeed": {
        "deepspeed/runtime/zero/config.py": ("DeepSpeedZeroConfig",),
        "deepspeed/runtime/zero/offload_config.py": ("DeepSpeedZeroOffloadOptimizerConfig",),
    },
    "nanotron": {
        "nanotron/config/parallelism_config.py": ("ParallelismArgs",),
        "nanotron/config/config.py": ("TokensArgs", "OptimizerArgs", "ModelArgs"),
        "nanotron/config/models_config.py": ("LlamaConfig",),
    },
}
"""Package -> file -> classes whose fields are options."""

CONSTANTS = {"deepspeed": "deepspeed/runtime/constants.py"}
"""Package -> file with the keys of its configuration."""


def record(folder: Path) -> tuple[str, dict[str, list[str]]]:
    """Return name and version of a package, and the fields of its classes."""
    about = next(
        p for pattern in ("*.dist-info/METADATA", "*/PKG-INFO") for p in folder.glob(pattern)
    )
    text = about.read_text(encoding="utf-8")
    name, version = (re.search(rf"^{k}: (.*)$", text, re.M)[1] for k in ("Name", "Version"))
    name = name.lower().replace("_", "-")
    root = about.parent if about.name == "PKG-INFO" else folder
    found = {}
    for path, classes in CLASSES[name].items():
        if (root / path).exists():
            found |= dict(fields(root / path, classes))
    if name in CONSTANTS:
        tree = ast.parse((root / CONSTANTS[name]).read_text(encoding="utf-8"))
        found["keys"] = sorted(
            node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
            and re.fullmatch(r"[a-z0-9_]+", node.value.value)
        )
    return f"{name} {version}", found


def fields(path: Path, classes: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Yield classes of a file, and the names of their annotated fields."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name in classes:
            names = [
                part.target.id
                for part in node.body
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
            ]
            yield node.name, names


if __name__ == "__main__":
    print(json.dumps(dict(record(Path(folder)) for folder in sys.argv[1:]), indent=1))
