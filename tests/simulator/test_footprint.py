import pytest

from plan3d.simulator.economics import KWH_J, energy_j
from plan3d.simulator.errors import InputError
from plan3d.simulator.footprint import (
    SOURCES,
    Site,
    electricity_usd,
    emissions_kg,
    site_energy_j,
)


def test_by_hand() -> None:
    """10 kWh of GPUs, half as much for hosts, a tenth on top: 16.5 kWh at 400 g and 10 cents."""
    site_j = site_energy_j(10 * KWH_J, 0.5, 1.1)
    assert site_j == pytest.approx(16.5 * KWH_J)
    assert emissions_kg(site_j, 0.4 / KWH_J) == pytest.approx(6.6)
    assert electricity_usd(site_j, 0.1 / KWH_J) == pytest.approx(1.65)


def test_the_table_of_the_llama_paper() -> None:
    """65B: 1,022,362 GPU hours at 400 W and a PUE of 1.1 are 449 MWh, and 173 t at 0.385 kg/kWh."""
    site_j = site_energy_j(energy_j(1_022_362 * 3600.0, 1, 400), 0.0, 1.1)
    assert site_j / KWH_J == pytest.approx(449e3, rel=0.002)
    assert emissions_kg(site_j, 0.385 / KWH_J) == pytest.approx(173e3, rel=0.002)


def test_every_default_has_its_source() -> None:
    assert set(SOURCES) == set(Site.__dataclass_fields__)


@pytest.mark.parametrize(
    "wrong", [{"pue": 0.9}, {"host_share": -1}, {"co2_kg_per_j": float("nan")}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))} is .* a number from"):
        Site(**wrong)
