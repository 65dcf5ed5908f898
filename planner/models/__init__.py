"""Models: by name, from a Hugging Face config.json, or from a line such as "h=4096,l=32,a=32"."""

from plan3d.planner.models.catalogue import load as load
from plan3d.planner.models.catalogue import names as names
from plan3d.planner.models.custom import from_text as from_text
from plan3d.planner.models.huggingface import from_config as from_config
from plan3d.planner.models.preset import Preset as Preset
from plan3d.planner.models.resolver import resolve as resolve
