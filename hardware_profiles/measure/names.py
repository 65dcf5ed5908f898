"""Which shipped GPU profile a device is, by the name that its driver gives it."""

from typing import Final

PROFILES: Final = {
    "V100-SXM2-16GB": "v100-16g",
    "V100-SXM2-32GB": "v100-32g",
    "V100-SXM3-32GB": "v100-32g",
    "A100-SXM4-40GB": "a100-40g-sxm",
    "A100-SXM4-80GB": "a100-80g-sxm",
    "A100-SXM-80GB": "a100-80g-sxm",
    "A100 80GB PCIe": "a100-80g-pcie",
    "A100-PCIE-80GB": "a100-80g-pcie",
    "A800-SXM4-80GB": "a800-80g-sxm",
    "H100 80GB HBM3": "h100-80g-sxm",
    "H100 SXM5 80GB": "h100-80g-sxm",
    "H100 PCIe": "h100-80g-pcie",
    "H100 SXM5 96GB": "h100-96g-sxm",
    "H800": "h800-80g-sxm",
    "H200": "h200-141g-sxm",
    "B200": "b200-180g-sxm",
    "GB200": "gb200-186g",
}
"""By exact name: an H100 NVL or a GH200 is neither of the H100 here."""
_MAKERS: Final = ("NVIDIA ", "Tesla ")


def profile_name(device_name: str) -> str:
    """Return the shipped profile of a device, or an empty text where none is of that device.

    Examples
    --------
    >>> profile_name("NVIDIA H100 80GB HBM3")
    'h100-80g-sxm'
    >>> profile_name("NVIDIA H100 NVL")
    ''
    """
    name = " ".join(device_name.split())
    for maker in _MAKERS:
        name = name.removeprefix(maker)
    return PROFILES.get(name, "")
