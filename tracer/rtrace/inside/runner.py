"""What the traced child runs: ``python runner.py FOLDER`` calls the function that the folder holds.

It is run by its path and imports nothing of rtrace, so that a trace holds what the function needs and no more.

    call.pickle     a dictionary: sys.path, the sources to read; and behind it what to call, which may need these
    result.pickle   whether it succeeded, the value or exception as a pickle of its own, and the traceback
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import sys
import traceback
import types
from typing import Any

CALL, RESULT = "call.pickle", "result.pickle"


def main(folder: str) -> int:
    """Call the function and write its result, whole or not at all."""
    with open(os.path.join(folder, CALL), "rb") as file:
        head = pickle.load(file)  # noqa: S301 -- of the program that started this one, in a folder of its own
        sys.path[:] = head["path"]
        for source in head[
            "sources"
        ]:  # what was defined there comes as a pickle: the trace has to hold the text as well
            read(source)
        if head["by_value"]:
            importlib.import_module("cloudpickle")
        call = pickle.load(file)  # noqa: S301
    try:
        value = find(call["function"])(*call["arguments"], **call["keywords"])
        answer = {"succeeded": True, "value": dump(value), "traceback": ""}
    except Exception as error:  # noqa: BLE001 -- it is raised again where the function was called
        answer = {"succeeded": False, "value": dump_error(error), "traceback": traceback.format_exc()}
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    incomplete = os.path.join(folder, RESULT + ".incomplete")
    with open(incomplete, "xb") as file:
        pickle.dump(answer, file)
    os.rename(incomplete, os.path.join(folder, RESULT))
    return 0 if answer["succeeded"] else 1


def read(path: str) -> None:
    """Read a file, if it is there."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        file.read()


def run_source(path: str, values: dict[str, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    """Run the file of a cell as a main program that has some variables already; return those that are wanted."""
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), path, "exec")
    main = types.ModuleType("__main__")
    main.__dict__.update(values, __file__=path)
    sys.modules["__main__"] = main  # where classes of the cell are looked for
    exec(code, main.__dict__)  # noqa: S102 -- what the user typed into the cell
    return {name: main.__dict__[name] for name in wanted}


def find(function: Any) -> Any:  # noqa: ANN401 -- whatever was captured
    """Return what to call: a function, the one below its decorator in a module, or what runs a cell."""
    if function == "cell":
        return run_source
    if not isinstance(function, tuple):
        return function
    module, name = function
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found.__wrapped__


def dump(value: object) -> bytes:
    """Return a pickle; cloudpickle, where the call came with it, knows classes of scripts and notebooks as well."""
    data: bytes = getattr(sys.modules.get("cloudpickle"), "dumps", pickle.dumps)(value)
    return data


def dump_error(error: Exception) -> bytes | None:
    """Return an exception as a pickle; None where that is impossible."""
    try:
        data = dump(error)
        pickle.loads(data)  # noqa: S301
    except Exception:  # noqa: BLE001 -- a class may raise anything
        return None
    return data


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
