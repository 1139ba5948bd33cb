"""Folders of rtrace whose names are functions of its public API as well: ``rtrace.trace([...])``, ``@rtrace.capture``.

A folder is the attribute of that name as soon as somebody imports from it, so it is the module that has to be callable.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A module that passes calls on to a function, which is imported at the first one."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 -- what the function takes and returns
        """Call the function."""
        module, _, name = str(self.__dict__["__calls__"]).partition(":")
        return getattr(import_module(module), name)(*arguments, **keywords)


def make_callable(name: str, function: str) -> None:
    """Make a module that is being imported callable; ``function`` is its module and name, with a colon between them."""
    module = sys.modules[name]
    module.__dict__["__calls__"] = function
    module.__class__ = CallableModule
