"""Whatever a user may write for a model."""

from pathlib import Path

from plan3d.planner.models.catalogue import is_known, load
from plan3d.planner.models.custom import from_text
from plan3d.planner.models.huggingface import from_config
from plan3d.planner.models.preset import Preset, assumed


def resolve(text: str) -> Preset:
    """Return a model by what the user wrote.

    A name or alias of the catalogue; a `config.json`, or a directory that holds one; or a line of
    symbols such as "h=4096,l=32,a=32,v=32000". For the last two, `assumed` says what the training
    settings are.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if is_known(text):
        return load(text)
    if text.endswith(".json") or _exists(text):
        return assumed(from_config(text), source=text)
    if "=" in text:
        model, seq = from_text(text)
        return assumed(model, source="the command line", seq=seq)
    return load(text)


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except OSError:
        return False
