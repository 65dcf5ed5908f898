"""Optuna studies that outlive a process: opening, writing trials down, reading them back."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plan3d.planner.searchers.grid import Grid
from plan3d.planner.searchers.ledger import Ledger
from plan3d.planner.searchers.protocols import Trial
from plan3d.simulator.errors import InputError
from plan3d.simulator.layout import FIELDS

if TYPE_CHECKING:
    import optuna


def opened(grid: Grid, storage: str | None, name: str, seed: int) -> "optuna.Study":
    """Return a study of the layouts of a grid, new or begun before.

    Raises
    ------
    InputError
        If the storage cannot be reached or read, or holds a study of other layouts by this name.
    """
    import optuna  # noqa: PLC0415  (heavy)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=_storage(storage), study_name=name, load_if_exists=storage is not None
        )
        begun = len(study.get_trials(deepcopy=False))
        space = study.user_attrs.get("space")
    except Exception as error:  # every backend raises its own kind
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"storage {storage!r} cannot be used: {why}") from error
    if begun and space != fingerprint(grid):
        raise InputError(
            f"study {name!r} in {storage} is of other layouts; use another name or storage"
        )
    if not begun:
        study.set_user_attr("space", fingerprint(grid))
    # Where it goes on, the sampler must not draw again what it drew at first.
    again = int(np.random.default_rng([seed, begun]).integers(2**31))
    study.sampler = optuna.samplers.TPESampler(seed=again)
    return study


def fingerprint(grid: Grid) -> str:
    """Return a text that differs where the layouts of two grids do."""
    columns = np.array([getattr(grid.table, name) for name in FIELDS])
    return sha256(columns.tobytes()).hexdigest()[:16]


def remember(trial: "optuna.Trial", row: int, found: Trial) -> None:
    """Write down what became of a layout. The row comes last: it says that all is there."""
    trial.set_user_attr("layout", str(found.layout))
    trial.set_user_attr("time_s", repr(found.time_s))
    trial.set_user_attr("over_bytes", repr(found.over_bytes))
    trial.set_user_attr("message", found.message)
    trial.set_user_attr("row", row)


def restored(study: "optuna.Study", ledger: Ledger) -> None:
    """Read what became of the layouts of earlier calls."""
    for frozen in study.get_trials(deepcopy=False):
        said = frozen.user_attrs
        if "row" in said:
            ledger.tried[int(said["row"])] = Trial(
                layout=ledger.grid.table.row(int(said["row"])),
                time_s=float(said["time_s"]),
                over_bytes=float(said["over_bytes"]),
                message=str(said["message"]),
            )


def _storage(storage: str | None) -> "str | optuna.storages.JournalStorage | None":
    """Return what Optuna opens."""
    if storage is None or "://" in storage:
        return storage
    from optuna.storages import JournalStorage  # noqa: PLC0415
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

    if not storage or Path(storage).is_dir():
        raise InputError("not the name of a file")
    return JournalStorage(JournalFileBackend(storage))
