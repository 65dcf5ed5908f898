"""Users' own files, and what is refused."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan3d.hardware_profiles import compose, describe, load, load_path, names, software
from plan3d.hardware_profiles.build import build, key_of
from plan3d.hardware_profiles.parts import shipped
from plan3d.hardware_profiles.tree import annotate, merge
from plan3d.simulator.errors import InputError
from plan3d.simulator.hardware import Cluster, Gpu, NodeFabric
from plan3d.simulator.software import Software

PARTS = """
gpu = "h100-80g-sxm"
gpus_per_node = 8
node = "nvswitch-h100"
network = "ndr-8x400"
"""

NODE = """
latency = "8 us"
step_latency = "1 us"
ramp = "10 us/sqrt(MB)"
all_reduce = "200 GB/s"
all_gather = "200 GB/s"
reduce_scatter = "200 GB/s"
group_loss = 0.5
p2p_latency = "10 us"
p2p = "250 GB/s"
all_to_all_latency = "9 us"
all_to_all_step = "0.5 us"
all_to_all = "150 GB/s"
launch = "15 us"
"""


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(tmp_path: Path, text: str | bytes) -> str:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as error:
        load_path(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_file_of_shipped_parts_is_the_shipped_cluster(tmp_path: Path) -> None:
    mine, shipped = load_path(written(tmp_path, PARTS)), load("dgx-h100")
    assert (mine.gpu, mine.node, mine.network) == (shipped.gpu, shipped.node, shipped.network)
    assert mine.name == "mine"
    assert mine.digest == shipped.digest


def test_a_part_with_a_change(tmp_path: Path) -> None:
    text = PARTS.replace('gpu = "h100-80g-sxm"', "") + '[gpu]\nbase = "h100-80g-sxm"\n'
    cluster = load_path(written(tmp_path, text + 'memory = "70 GiB"\n[gpu.gemm]\ndroop = 0.5\n'))
    assert cluster.gpu.memory_bytes == 70 * 2**30
    assert cluster.gpu.gemm.droop == 0.5
    assert cluster.gpu.gemm.efficiency == load("dgx-h100").gpu.gemm.efficiency
    assert cluster.sources["gpu.memory"] == "70 GiB (given; mine.toml)"
    assert "aiconfigurator" in cluster.sources["gpu.gemm.efficiency"]
    assert cluster.digest != load("dgx-h100").digest


def test_a_cluster_with_a_change(tmp_path: Path) -> None:
    text = 'base = "dgx-h100"\ngpus_per_node = 4\nnetwork = "hdr-8x200"\n[gpu]\nprice = "1 USD/h"\n'
    cluster = load_path(written(tmp_path, text))
    assert cluster.gpus_per_node == 4
    assert cluster.network == load("dgx-a100-80g").network
    assert cluster.gpu.name == "h100-80g-sxm"
    assert cluster.gpu.usd_per_s == pytest.approx(1 / 3600)
    assert cluster.node == load("dgx-h100").node


def test_another_gpu_keeps_nothing_of_the_base_clusters(tmp_path: Path) -> None:
    cluster = load_path(written(tmp_path, 'base = "dgx-h100"\ngpu = "v100-32g"\n'))
    assert not cluster.gpu.attention


def test_a_self_contained_part(tmp_path: Path) -> None:
    cluster = load_path(written(tmp_path, 'base = "dgx-h100"\n[node]\nbase = "nvl72"\n' + NODE))
    assert cluster.node == NodeFabric(
        latency_s=8e-6,
        step_latency_s=1e-6,
        ramp_s_per_sqrt_byte=pytest.approx(1e-8),
        all_reduce_bytes_per_s=2e11,
        all_gather_bytes_per_s=2e11,
        reduce_scatter_bytes_per_s=2e11,
        group_loss=0.5,
        p2p_latency_s=pytest.approx(1e-5),
        p2p_bytes_per_s=2.5e11,
        all_to_all_latency_s=pytest.approx(9e-6),
        all_to_all_step_s=pytest.approx(5e-7),
        all_to_all_bytes_per_s=1.5e11,
        launch_s=pytest.approx(1.5e-5),
    )
    named = PARTS.replace('node = "nvswitch-h100"', "") + "[node]\n" + NODE
    assert load_path(written(tmp_path, named)).node == cluster.node


def test_the_digest_is_of_the_numbers_not_of_their_spelling(tmp_path: Path) -> None:
    gbit = 'base = "dgx-h100"\n[network]\nnic = "400 Gbit/s"\n'
    assert load_path(written(tmp_path, gbit)).digest == load("dgx-h100").digest
    gbyte = gbit.replace("400 Gbit/s", "50 GB/s")
    assert load_path(written(tmp_path, gbyte)).digest == load("dgx-h100").digest
    assert load("selene").digest == load("dgx-a100-80g").digest
    assert len({load(name).digest for name in names()}) == len(names()) - 1


def test_provenance_of_an_inherited_number() -> None:
    # the H800's compute is the H100's by assumption, whatever the H100's own mark
    sources = load("hgx-h800").sources
    assert sources["gpu.gemm.efficiency"].startswith("0.831 (assumed; as h100-80g-sxm, same die")
    # the 40 GB A100 has a data sheet of its own
    assert load("dgx-a100-40g").sources["gpu.hbm"].startswith("1555 GB/s (data sheet; NVIDIA A100")
    # AWS p4de has p4d's network as it is
    assert "measured" in load("aws-p4de").sources["network.efficiency"]


def test_composing() -> None:
    cluster = compose(gpu="h200-141g-sxm", network="ndr-8x400", gpus_per_node=4)
    assert cluster.name == "4 x h200-141g-sxm + ndr-8x400"
    assert (cluster.gpus_per_node, cluster.node) == (4, load("dgx-h200").node)
    assert compose(gpu="a100-80g-sxm").digest == load("dgx-a100-80g").digest
    with pytest.raises(InputError, match="no GPU 'h1000'; did you mean"):
        compose(gpu="h1000")
    with pytest.raises(InputError, match="no network 'ndr'"):
        compose(gpu="h100-80g-sxm", network="ndr")
    with pytest.raises(InputError, match="gpus_per_node: -8, but must be more than 0"):
        compose(gpu="h100-80g-sxm", gpus_per_node=-8)


def test_describing_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'base = "dgx-h100"\n[gpu]\nprice = "1 USD/h"\n')
    rows = {row.path: row for row in describe(str(path))}
    assert rows["gpu.price"] == ("gpu.price", "1 USD/h", "given", "mine.toml")
    assert rows["gpu.attention.flash3.head_dims"].value == "64, 128"


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="no cluster 'dgx-a10080g'; did you mean dgx-a100-80g"):
        load("dgx-a10080g")
    with pytest.raises(InputError, match="no software 'megatron'; did you mean"):
        software("megatron")
    with pytest.raises(InputError, match="no cluster"):
        load("../clusters/dgx-h100")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('[gpu]\nhbm_bandwith = "2 TB/s"', "gpu.hbm_bandwith: unknown key"),
        ('[gpu]\nhmb = "2 TB/s"', "gpu.hmb: unknown key; did you mean gpu.hbm?"),
        ('[gpu]\nhbm = "2 TB"', "gpu.hbm: '2 TB' is in B, but B/s is wanted"),
        ("[gpu]\nhbm = 2e12", 'gpu.hbm: 2000000000000.0 has no unit; write it as "1 B/s"'),
        ('[gpu]\nhbm = "-2 TB/s"', "gpu.hbm: '-2 TB/s', but must be more than 0"),
        ('[gpu]\nhbm = "0 TB/s"', "gpu.hbm: '0 TB/s', but must be more than 0"),
        ('[gpu]\nhbm = "nan TB/s"', "gpu.hbm: 'nan TB/s' is not a number and a unit"),
        ('[gpu]\nhbm = "1e300 TB/s"', "too large"),
        ('[gpu]\nhbm = "1e40 B/s"', "gpu.hbm: '1e40 B/s' is not a sensible number"),
        ("[gpu]\nhbm = {}", "gpu.hbm: a table, but one value is wanted"),
        ("[gpu]\nsms = 108.5", "gpu.sms: 108.5 is not a whole number"),
        ("[gpu]\nsms = 0", "gpu.sms: 0, but must be more than 0"),
        ("[gpu]\nsms = true", "gpu.sms: True is not a number"),
        (f"[gpu]\nsms = {'9' * 400}", "is not a sensible number"),
        ("[gpu.gemm]\nefficiency = nan", "gpu.gemm.efficiency: nan is not a sensible number"),
        ("[gpu.gemm]\nefficiency = inf", "gpu.gemm.efficiency: inf is not a sensible number"),
        ("[gpu.gemm]\nefficiency = 1.2", "must be more than 0 and at most 1"),
        ("[gpu.gemm]\ndroop = -0.1", "gpu.gemm.droop: -0.1, but must be 0 or more"),
        ("[gpu]\ngemm = 3", "gpu.gemm: 3 is not a table [gpu.gemm]"),
        ("[gpu]\nattention = 3", "gpu.attention: 3 is not a table [gpu.attention]"),
        ("[gpu.attention.mine]\nbackward = 0.8", "gpu.attention.mine.head_dims: missing key"),
        ("[gpu.attention.flash2]\nhead_dims = 64", "64 is not a list"),
        ("[gpu.attention.flash2]\nhead_dims = [64]", "must be lists of one length"),
        ("[gpu.attention.flash2]\nhead_dims = [128, 64]", "head_dims must increase"),
        ("[gpu.attention.flash2]\nhalf_seq = [1, [2]]", "half_seq: [2] is not a number"),
        ('[gpu]\nname = "a\\u001b[31m"', "is not a line of text"),
        ('[gpu]\nname = ""', "gpu.name: empty"),
        ('[gpu]\nmark = "guess"', "mark is 'guess', not one of data sheet"),
        ("[gpu]\nsource = 3", "gpu.source: 3 is not a line of text"),
        ('[gpu]\nhbm = {value = "1 TB/s", mark = "x"}', "gpu.hbm: mark is 'x'"),
        ('[gpu]\nhbm = {value = "1 TB/s", unit = "x"}', "gpu.hbm.unit: unknown key beside 'value'"),
        ("[gpu]\nbase = 3", "base: not the name of a shipped GPU"),
        ('[gpu]\nbase = "h1"', "no GPU 'h1'"),
        ('[gpu]\n"k\\u001b" = 3', "gpu.k\\x1b"),
        ("node = 3", "node: 3, but a name in quotes is wanted"),
        ('node = "../gpus/x"', "no node fabric '../gpus/x'"),
        ("gpus = 8", "gpus: unknown key; did you mean gpu?"),
        ('sources = "x"', "sources: unknown key"),
        ("gpu.a.b.c.d.e.f.g.h.i.j.k.l = 1", "nested too deep"),
    ],
)
def test_a_bad_value_is_refused_by_path(tmp_path: Path, change: str, message: str) -> None:
    assert message in refusal(tmp_path, f'base = "dgx-h100"\n{change}\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "gpu: missing; a table [gpu], or the name of one of: a100-40g-sxm"),
        (PARTS.replace("gpus_per_node = 8", ""), "gpus_per_node: missing key"),
        ("base = [1]", "base: [1], but a name in quotes is wanted"),
        ("[base]\nx = 1", "base: a table, but a name in quotes is wanted"),
        ('base = "dgx"', "no cluster 'dgx'"),
        ('base = "dgx-h1', "not valid TOML"),
        (PARTS[:-3], "not valid TOML"),
        (b"\xff\xfe", "not UTF-8 text"),
        ("a = " + "[" * 100_000, "nested too deep"),
        ("# " + "x" * 1_000_001, "larger than 1,000,000 bytes"),
        (f"x = {'9' * 5000}", "not valid TOML"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert message in refusal(tmp_path, text)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml", Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(InputError):
            load_path(path)


@given(cut=st.integers(0, len(PARTS + NODE)), junk=st.text(max_size=30))
def test_any_truncated_or_damaged_file_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: str
) -> None:
    text = (PARTS.replace('node = "nvswitch-h100"', "") + "[node]\n" + NODE)[:cut] + junk
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(InputError):
        assert load_path(path).gpus_per_node >= 1


@pytest.mark.parametrize("cls", [Gpu, NodeFabric, Cluster, Software])
def test_keys_are_unique(cls: type) -> None:
    keys = [key_of(name)[0] for name in cls.__dataclass_fields__]
    assert len(set(keys)) == len(keys)


def test_switches_and_optional_fields() -> None:
    core = shipped("software", "megatron-core")
    changed = merge(core, annotate({"fp32_norms": True, "straggler": 0.5}, "given", "test"))
    assert build(Software, changed).fp32_norms
    assert build(Software, changed).straggler == 0.5
    with pytest.raises(InputError, match="sp_default: 1 is neither true nor false"):
        build(Software, merge(core, annotate({"sp_default": 1}, "given", "test")))
    with pytest.raises(InputError, match="attention: 'unfused' is not a list"):
        build(Software, merge(core, annotate({"attention": "unfused"}, "given", "test")))
