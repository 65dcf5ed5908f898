"""Where studies are kept: opening an SQLite file, a journal file or a database for Optuna."""

import random
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from plan3d.simulator.errors import InputError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNALS: Final = (".log", ".journal", ".jsonl")
"""Endings of journal files: for file systems on which SQLite's locks do not work, such as NFS."""
WAIT_S: Final = 10
"""For a server to answer. [s]"""
LOCKED_S: Final = 60
"""For another process to let go of an SQLite file. [s]"""
TRIES: Final = 8
"""Two who make the tables of a new storage at the same time are in each other's way. [1]"""
RACES: Final = ("already exists", "duplicate key", "locked", "unique constraint")


def connected(
    storage: str, name: str, said: Mapping[str, Any]
) -> tuple["BaseStorage", int, Mapping[str, Any]]:
    """Open a storage, and the study of that name in it; a new one is labelled.

    Parameters
    ----------
    storage
        URL, or name of a file.
    name
        Of the study.
    said
        The label of a new study.

    Returns
    -------
    tuple
        The storage, the number of the study in it, and what its label says.

    Raises
    ------
    InputError
        If the storage cannot be reached or read.
    """
    import optuna  # noqa: PLC0415  (heavy)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for tries in range(1, TRIES + 1):
        try:
            backend = _backend(storage)
            study = optuna.create_study(storage=backend, study_name=name, load_if_exists=True)
            if not study.user_attrs and not study.get_trials(deepcopy=False):
                study.set_user_attr("plan3d", dict(said))
            number = backend.get_study_id_from_name(name)
            return backend, number, study.user_attrs.get("plan3d", {})
        except InputError:
            raise
        except Exception as error:  # every backend raises its own kind
            if tries < TRIES and any(word in str(error).lower() for word in RACES):
                time.sleep(0.1 * tries * (1 + random.random()))
                continue
            raise InputError(
                f"storage {shown(storage)} cannot be used: {why(error)}; give the name of a new "
                "file, the URL of a database that runs (postgresql://user@host/name), or use the "
                f"version of Optuna that wrote it, if that is not {optuna.__version__}"
            ) from error
    raise AssertionError  # the last try returns or raises


def why(error: Exception) -> str:
    """Return the first line of what an error says, or what caused it: that is the driver's own."""
    error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def shown(storage: str) -> str:
    """Return a storage as it may be shown: without a password."""
    try:
        password = urlsplit(storage).password
    except ValueError:
        password = None
    return repr(storage.replace(f":{password}@", ":***@") if password else storage)


def _backend(storage: str) -> "BaseStorage":
    """Return what Optuna keeps studies in."""
    from optuna.storages import JournalStorage, RDBStorage  # noqa: PLC0415  (heavy)
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

    if "://" in storage:
        return RDBStorage(_url(storage), engine_kwargs=_settings(storage))
    path = Path(storage)
    if not storage or path.is_dir():
        raise InputError(f"storage {storage!r} cannot be used: it is not the name of a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"storage {storage!r} cannot be used: there is no folder {path.parent}")
    if path.suffix in JOURNALS:
        _check_journal(path)
        return JournalStorage(JournalFileBackend(storage))
    url = f"sqlite:///{storage}"
    return RDBStorage(url, engine_kwargs=_settings(url))


def _check_journal(path: Path) -> None:
    """Refuse a file that is no journal, or a torn one, before Optuna writes into it."""
    content = path.read_bytes() if path.exists() else b""
    if content and b'"op_code"' not in content.partition(b"\n")[0]:
        raise InputError(
            f"storage {str(path)!r} cannot be used: it is no journal of a study; give the name of "
            "a new file"
        )
    if content[-1:] not in (b"", b"\n"):
        raise InputError(
            f"storage {str(path)!r} cannot be used: its last line is torn, as by a full disk; "
            "remove that line"
        )


def _url(storage: str) -> str:
    """Return a URL that names a driver that is installed."""
    scheme, _, rest = storage.partition("://")
    if scheme not in ("postgresql", "postgres"):
        return storage
    drivers = [name for name in ("psycopg", "psycopg2") if find_spec(name)]
    if not drivers:
        raise InputError(
            f"storage {shown(storage)} needs a driver for PostgreSQL; install it: "
            "pip install 'plan3d[postgresql]'"
        )
    return f"postgresql+{drivers[0]}://{rest}"


def _settings(url: str) -> dict[str, Any]:
    """Return how long to wait for whom; connections are not kept: trials take longer than they."""
    from sqlalchemy.pool import NullPool  # noqa: PLC0415  (heavy)

    if url.startswith("sqlite"):
        return {"poolclass": NullPool, "connect_args": {"timeout": LOCKED_S}}
    if url.startswith("postgres"):
        return {"poolclass": NullPool, "connect_args": {"connect_timeout": WAIT_S}}
    return {"poolclass": NullPool}
