"""Launch commands and scripts of Megatron-LM as people write them."""

import pytest

from plan3d.planner.imports import Asked, Imported, read
from plan3d.planner.imports.command_line import read_command
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import Layout, Order, Recompute, Schedule

SCRIPT = r"""#!/bin/bash
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
# Train a GPT: don't forget the data
export CUDA_DEVICE_MAX_CONNECTIONS=1
TP=4
PP=${PP:-2}
MODEL_ARGS=(
    --num-layers 24   # blocks
    --hidden-size 2048
    --num-attention-heads 16
    --swiglu --untie-embeddings-and-output-weights
)
PARALLEL="--tensor-model-parallel-size $TP \
    --pipeline-model-parallel-size ${PP}"
srun python pretrain_gpt.py ${MODEL_ARGS[@]} $PARALLEL --sequence-parallel \
    --micro-batch-size 2 --global-batch-size 256 --seq-length 4096 --bf16 \
    --use-distributed-optimizer --overlap-grad-reduce --lr 3e-4 --weight-decay=0.1 \
    --data-path "$DATA" 2>&1
"""


EXAMPLE = r"""
GPUS_PER_NODE=8; NUM_NODES=16
WORLD_SIZE=$(($GPUS_PER_NODE*$NUM_NODES))
CHECKPOINT_PATH=$1 #<Specify path>
DISTRIBUTED_ARGS=(
    --nproc_per_node $GPUS_PER_NODE
    --nnodes $NUM_NODES
    --master_addr $MASTER_ADDR
)
TRAINING_ARGS=(
    --micro-batch-size 1
    --global-batch-size 1536
    --rampup-batch-size 16 16 5859375
    --fp16
)
MOE_ARGS=(--moe-layer-freq "([0]*3+[1]*58)" --tensor-model-parallel-size 8)
MOE_ARGS+=" --context-parallel-size 1"
MOE_ARGS+=(
    --expert-model-parallel-size 1
)
mkdir -p logs && torchrun ${DISTRIBUTED_ARGS[@]} pretrain_gpt.py "${TRAINING_ARGS[@]}" \
    --pipeline-model-parallel-size 16 ${MOE_ARGS[@]} --sequence-parallel $EXTRA 2>&1 | tee log.txt
"""


def test_the_example_of_a_repository() -> None:
    found = megatron(EXAMPLE, gpus=None)
    assert found.layout == Layout(tp=8, pp=16, sp=1)
    assert (found.global_batch, found.precision) == (1536, "fp16")
    assert "--rampup-batch-size 16 16 5859375" in found.unused
    assert not any("parallel" in text for text in found.unused)


@pytest.mark.parametrize(
    "end", ["", "2>&1 | tee log", "> log 2>&1 &", "; date", "&& date", '"$@"', "$EXTRA"]
)
def test_what_ends_a_command_is_no_value(end: str) -> None:
    assert megatron(f"t.py --tensor-model-parallel-size 8 --sequence-parallel {end}").layout.sp
    assert megatron(f"t.py --bf16 --tensor-model-parallel-size 8 {end}").layout.tp == 8


def megatron(text: str, gpus: int | None = 8) -> Imported:
    return read("megatron", text, Asked(gpus=gpus))


def test_a_script() -> None:
    found = megatron(SCRIPT, gpus=None)
    assert found.layout == Layout(tp=4, pp=2, dp=4, micro_batch=2, sp=1, zero=1, shard=4)
    assert (found.seq, found.global_batch, found.precision) == (4096, 256, "bf16")
    assert found.model == "h=2048,l=24,a=16,gated=1"
    assert found.unused == ("--lr 3e-4", "--weight-decay 0.1", "--data-path $DATA")


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("torchrun --nproc_per_node=8 --nnodes 2 t.py", 16),
        ("NCCL_DEBUG=INFO torchrun --nproc-per-node 4 t.py", 4),
        ("srun -N 4 --ntasks-per-node=8 python t.py", 32),
        ("srun -n 16 python t.py", 16),
        ("srun --nodes 2 --ntasks-per-node 1 --gres=gpu:h100:8 bash t.sh", 16),
        ("mpirun -np 12 python t.py", 12),
        ("deepspeed --num_gpus 8 --num_nodes 3 t.py", 24),
        ("WORLD_SIZE=64 python t.py", 64),
        ("python t.py", None),
        ("torchrun --nproc-per-node gpu t.py", None),
    ],
)
def test_launchers_say_how_many_gpus(text: str, gpus: int | None) -> None:
    assert read_command(f"{text} --bf16") == ({"--bf16": True}, gpus)


@pytest.mark.parametrize(
    ("flags", "layout"),
    [
        ("", Layout(dp=8, dp_overlap=0)),
        ("--use-torch-fsdp2 --overlap-grad-reduce", Layout(dp=8, zero=3, shard=8)),
        ("--use-megatron-fsdp --data-parallel-sharding-strategy optim_grads "
         "--num-distributed-optimizer-instances 2 --overlap-grad-reduce",
         Layout(dp=8, zero=2, shard=4)),
        ("--pipeline-model-parallel-size 8 --num-layers 32 "
         "--num-layers-per-virtual-pipeline-stage 2",
         Layout(pp=8, vpp=2, schedule=Schedule.INTERLEAVED)),
        ("--context-parallel-size 8 --cp-comm-type a2a --overlap-grad-reduce",
         Layout(cp=8, cp_all_to_all=1)),
        ("--recompute-activations --tensor-model-parallel-size 8",
         Layout(tp=8, recompute=Recompute.SELECTIVE)),
        ("--recompute-granularity full --recompute-method block --recompute-num-layers 3 "
         "--num-layers 32 --pipeline-model-parallel-size 8",
         Layout(pp=8, recompute=Recompute.BLOCK, recompute_layers=3)),
        ("--recompute-granularity full --recompute-method block --recompute-num-layers 4 "
         "--num-layers 32 --pipeline-model-parallel-size 8",
         Layout(pp=8, recompute=Recompute.FULL)),
        ("--use-tp-pp-dp-mapping --tensor-model-parallel-size 8",
         Layout(tp=8, order=Order.TP_CP_EP_PP_DP)),
        ("--num-experts 8 --expert-model-parallel-size 4 --tensor-model-parallel-size 8",
         Layout(tp=8, ep=4, etp=8)),
    ],
)  # fmt: skip
def test_flags_of_megatron(flags: str, layout: Layout) -> None:
    assert megatron(f"pretrain_gpt.py {flags}").layout == layout


def test_a_slip_is_noticed() -> None:
    found = megatron("t.py --tensor-model-paralel-size 8 --exit-interval 5")
    assert found.layout.tp == 1
    assert found.unused == (
        "--tensor-model-paralel-size 8 (did you mean --tensor-model-parallel-size?)",
        "--exit-interval 5",
    )


def test_stages_that_a_layout_does_not_hold_are_said() -> None:
    found = megatron(
        "t.py --pipeline-model-parallel-size 8 --pipeline-model-parallel-layout 'Et|L'"
    )
    assert any("--pipeline-model-parallel-layout Et|L" in text for text in found.assumed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t.py --tensor-model-parallel-size 3", "8 GPUs do not divide by tp=3 = 3; 6 or 9 GPUs do"),
        ("t.py --tensor-model-parallel-size 16", "16 GPUs do"),
        ("t.py --micro-batch-size 3 --global-batch-size 32", "24 does"),
        ("t.py --tensor-model-parallel-size $TP", "a variable that is not set here"),
        ("t.py --tensor-model-parallel-size x", "must be a whole number"),
        ("t.py --tensor-model-parallel-size 0", "from 1 to"),
        ("t.py --tensor-model-parallel-size", "must be a whole number"),
        ("t.py --recompute-granularity ful", "must be one of full, selective"),
        ("t.py 'unclosed", "no closing quotation"),
        ("t.py --num-layers 30 --pipeline-model-parallel-size 8 "
         "--num-layers-per-virtual-pipeline-stage 2", "do not make whole chunks"),
        ("t.py --optimizer-cpu-offload --optimizer-offload-fraction 2", "from 0 to 1"),
        ("A" * 1_000_001, "more than a million characters"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        megatron(text)


def test_without_gpus() -> None:
    with pytest.raises(InputError, match="give --gpus, a multiple of 4"):
        megatron("t.py --tensor-model-parallel-size 4", gpus=None)


def test_variables_in_a_circle_end() -> None:
    assert read_command("A=$B B=$A$A t.py --x $A")[0]["--x"]
