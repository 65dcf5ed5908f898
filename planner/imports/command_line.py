"""Launch commands and shell scripts: their options by name, and the GPUs that they ask for."""

import re
import shlex
from collections.abc import Iterator

from plan3d.planner.imports.given import Given
from plan3d.simulator.errors import InputError

Options = dict[str, str | bool]

_ASSIGNMENT = re.compile(r"(\w+)(\+?)=(.*)", re.DOTALL | re.ASCII)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:\[[@*]\])?(?::?-([^{}]*))?\})", re.ASCII)
_OPTION = re.compile(r"--[A-Za-z]|-(?:N|n|np)$")
_NUMBER = re.compile(r"-?[\d.]+(?:[eE]-?\d+)?", re.ASCII)
_REDIRECTION = re.compile(r"(?<=\s)[0-9&]?>>?(?:&[0-9]|\s*[^\s;|&]+)", re.ASCII)
_SEPARATORS = (";", ";;", "&", "&&", "|", "||")
_PER_NODE = (
    "--nproc-per-node", "--num-gpus", "--ntasks-per-node", "--gpus-per-node", "--tasks-per-node",
)  # fmt: skip
_NODES = ("--nnodes", "--num-nodes", "--nodes", "-N")
_TASKS = ("--ntasks", "-n", "-np")
_LAUNCHER = (
    "--gres", "--rdzv-backend", "--rdzv-endpoint", "--rdzv-id", "--standalone", "--node-rank",
    "--master-addr", "--master-port", "--hostfile",
)  # fmt: skip
_DEPTH = 8
"""Variables within variables that are followed."""
_LONGEST = 10**6
"""Characters of a launch command: more is something else, or mischief."""


def read_command(text: str) -> tuple[Options, int | None]:
    """Return the options of a command, names with their dashes, and its GPUs where it says so.

    Variables that the text sets are put in, arrays among them; ``_`` in names is read as ``-``.

    Raises
    ------
    InputError
        If a quotation is not closed, or the text is no command.

    Examples
    --------
    >>> read_command("torchrun --nproc_per_node=8 --nnodes 2 pretrain_gpt.py --bf16 --num-layers 8")
    ({'--bf16': True, '--num-layers': '8'}, 16)
    """
    if len(text) > _LONGEST:
        raise InputError("a launch command of more than a million characters is none")
    options: Options = {}
    variables: dict[str, str] = {}
    name = ""
    for word in _words(text, variables):
        if word in _SEPARATORS:
            name = ""
        elif _OPTION.match(word):
            name, equals, value = word.partition("=")
            name = name.replace("_", "-")
            options[name] = value if equals else True
        elif name and options[name] is True:
            options[name] = word
        elif name and _NUMBER.fullmatch(word):
            options[name] = f"{options[name]} {word}"
        else:
            name = ""  # a program
    return _without_launcher(options, variables)


def _words(text: str, variables: dict[str, str]) -> Iterator[str]:
    """Yield the words of a script with variables put in; assignments go to `variables`."""
    queued = re.findall(r"^#SBATCH\s+(.*)$", text, re.MULTILINE)
    plain = _REDIRECTION.sub(" ", text.replace("\\\n", " "))
    lexer = shlex.shlex("\n".join((*queued, plain)), posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    try:
        raw = list(lexer)
    except ValueError as error:
        raise InputError(f"the command cannot be read: {str(error).lower()}") from error
    array: list[str] | None = None
    key = before = ""
    for token in raw:
        if array is not None:
            closed = token.count(")") > token.count("(")
            array += filter(None, [token[:-1] if closed else token])
            if closed:
                variables[key], array = _expand(" ".join((before, *array)), variables), None
            continue
        assigned = _ASSIGNMENT.fullmatch(token)
        if assigned:
            key, value = assigned[1], assigned[3]
            before = variables.get(key, "") if assigned[2] else ""
            if value.startswith("(") and value.count("(") > value.count(")"):
                array = [value[1:]] if value[1:] else []
            else:
                variables[key] = _expand(f"{before} {value.strip('()')}".strip(), variables)
            continue
        yield from _expand(token, variables).split()


def _expand(text: str, variables: dict[str, str]) -> str:
    """Put in the variables that are set, or have a default; others stay as they are."""
    for _ in range(_DEPTH):
        new = _VARIABLE.sub(lambda m: variables.get(m[1] or m[2], m[3] or m[0]), text)
        if new == text or len(new) > _LONGEST:
            break
        text = new
    return text


def _without_launcher(options: Options, variables: dict[str, str]) -> tuple[Options, int | None]:
    """Return the options of the program, and nodes times GPUs of a node."""
    launch = Given(values={k: v for k, v in options.items() if re.fullmatch(r"\d+", str(v))})
    each, nodes, tasks = (launch.whole(*names) for names in (_PER_NODE, _NODES, _TASKS))
    gres = re.fullmatch(r"gpu:(?:\w+:)?(\d{1,4})", str(options.get("--gres", "")))
    if gres and each in (None, 1):
        each = int(gres[1])
    known = {*_PER_NODE, *_NODES, *_TASKS, *_LAUNCHER}
    rest = {name: value for name, value in options.items() if name not in known}
    world = re.fullmatch(r"\d{1,7}", variables.get("WORLD_SIZE", ""))
    if each is not None:
        return rest, each * (nodes or 1)
    if tasks is not None and tasks > 1:
        return rest, tasks
    return rest, int(world[0]) if world else None
