"""Pickles as plain data. Nothing is imported, called or built: what a pickle names becomes a node with its name.

A pickle is a program, and unpickling runs it. Here its instructions, as `pickletools` lists them, make lists,
dictionaries and `Node`s: a class is its name, a call is the name with the arguments, an instance a name with a state.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from rtrace.record.foreign.source.problem import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_STEPS = 20_000_000
_MOST_BITS = 64


@dataclass
class Node:
    """What a pickle would have made of something it names: ``module.name`` called with arguments, then given a state.

    ``items`` and ``pairs`` are what was put into it as into a list, a set or a dictionary.
    """

    name: str
    arguments: object = ()
    state: object = None
    items: list[object] = field(default_factory=list)
    pairs: list[tuple[object, object]] = field(default_factory=list)


class _Mark:
    """Where on the stack a group of items begins."""


_MARK = _Mark()
_CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_PLAIN = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_IGNORED = {"PROTO", "FRAME", "READONLY_BUFFER"}
_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


def read_pickle(data: bytes) -> object:
    """Return what a pickle holds. Raises Unreadable for what is no pickle, or one of a kind that is not needed here."""
    machine = _Machine()
    try:
        return _run(machine, data)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError) as error:
        raise Unreadable(f"its pickle is damaged ({str(error)[:80]})") from None


def _run(machine: _Machine, data: bytes) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `pickletools` warns of what it finds in a damaged one
        for number, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(data))):
            if number > MOST_STEPS:
                raise Unreadable("its pickle has too many instructions")
            if machine.step(opcode.name, argument):
                return machine.pop()
    raise Unreadable("its pickle does not end")


class _Machine:
    """The stack and the memo of the pickle machine, with nodes in the place of objects."""

    def __init__(self) -> None:
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}
        self._handlers: dict[str, Callable[[], None]] = {
            "MARK": lambda: self._stack.append(_MARK),
            "POP": self._pop_one,
            "POP_MARK": lambda: self._ignore(self._pop_group()),
            "DUP": lambda: self._stack.append(self._stack[-1]),
            "EMPTY_LIST": lambda: self._stack.append([]),
            "EMPTY_DICT": lambda: self._stack.append({}),
            "EMPTY_TUPLE": lambda: self._stack.append(()),
            "EMPTY_SET": lambda: self._stack.append(Node("builtins.set")),
            "LIST": lambda: self._stack.append(self._pop_group()),
            "TUPLE": lambda: self._stack.append(tuple(self._pop_group())),
            "TUPLE1": lambda: self._tuple(1),
            "TUPLE2": lambda: self._tuple(2),
            "TUPLE3": lambda: self._tuple(3),
            "FROZENSET": lambda: self._stack.append(Node("builtins.frozenset", items=self._pop_group())),
            "DICT": self._make_dictionary,
            "APPEND": lambda: self._add_items([self.pop()]),
            "APPENDS": lambda: self._add_items(self._pop_group()),
            "ADDITEMS": lambda: self._add_items(self._pop_group()),
            "SETITEM": lambda: self._add_pairs(self._pop_two()),
            "SETITEMS": lambda: self._add_pairs(self._pop_group()),
            "STACK_GLOBAL": self._name,
            "REDUCE": self._call,
            "NEWOBJ": self._call,
            "NEWOBJ_EX": self._call_with_names,
            "OBJ": self._make_instance,
            "BUILD": self._build,
            "MEMOIZE": lambda: self._memo.__setitem__(len(self._memo), self._stack[-1]),
        }

    def step(self, name: str, argument: object) -> bool:
        """Carry out an instruction; return whether it was the last one."""
        if name == "STOP":
            return True
        if name in _PLAIN:
            self._stack.append(_plain(argument))
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in {"PUT", "BINPUT", "LONG_BINPUT"}:
            self._memo[_index(argument)] = self._stack[-1]
        elif name in {"GET", "BINGET", "LONG_BINGET"}:
            self._stack.append(self._memo[_index(argument)])
        elif name == "GLOBAL":
            module, _, called = str(argument).partition(" ")
            self._stack.append(Node(f"{_NAMES.get(module, module)}.{called}"))
        elif name == "INST":
            self._stack.append(Node(str(argument).replace(" ", "."), tuple(self._pop_group())))
        elif name in self._handlers:
            self._handlers[name]()
        elif name not in _IGNORED:
            _refuse(name)
        return False

    def pop(self) -> object:
        """Return what is on top of the stack, and take it off."""
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value should be")
        return value

    def _pop_one(self) -> None:
        self._stack.pop()

    def _ignore(self, _group: list[object]) -> None:
        """Forget a group."""

    def _pop_two(self) -> list[object]:
        last = self.pop()
        return [self.pop(), last]

    def _pop_group(self) -> list[object]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                group = self._stack[place + 1 :]
                del self._stack[place:]
                return group
        raise ValueError("no mark")

    def _tuple(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self._stack.append(tuple(reversed(items)))

    def _make_dictionary(self) -> None:
        group = self._pop_group()
        self._stack.append({})
        self._add_pairs(group)

    def _add_items(self, items: list[object]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Node):
            target.items.extend(items)
        else:
            raise TypeError("items for what holds none")

    def _add_pairs(self, group: list[object]) -> None:
        target = self._stack[-1]
        pairs = list(zip(group[::2], group[1::2], strict=True))
        if isinstance(target, dict):
            target.update((key if isinstance(key, (str, int, float, bytes)) else repr(type(key)), value)
                          for key, value in pairs)  # fmt: skip
        elif isinstance(target, Node):
            target.pairs.extend(pairs)
        else:
            raise TypeError("pairs for what holds none")

    def _name(self) -> None:
        module, called = self._pop_two()
        self._stack.append(Node(f"{_NAMES.get(str(module), module)}.{called}"))

    def _call(self) -> None:
        called, arguments = self._pop_two()
        self._stack.append(_make_node(called, arguments))

    def _call_with_names(self) -> None:
        names = self.pop()
        called, arguments = self._pop_two()
        node = _make_node(called, arguments)
        node.pairs.extend(names.items() if isinstance(names, dict) else ())
        self._stack.append(node)

    def _make_instance(self) -> None:
        called, *arguments = self._pop_group()
        self._stack.append(_make_node(called, tuple(arguments)))

    def _build(self) -> None:
        state = self.pop()
        target = self._stack[-1]
        if not isinstance(target, Node):
            raise TypeError("a state for what has none")
        target.state = state


def _make_node(called: object, arguments: object) -> Node:
    """Return the node of a call, or of an instance that an old protocol makes by calling `copyreg`."""
    if not isinstance(called, Node):
        raise TypeError("a call of what has no name")
    if called.name in {"copyreg._reconstructor", "copyreg.__newobj__"} and isinstance(arguments, tuple) and arguments:
        called = arguments[0] if isinstance(arguments[0], Node) else called
        arguments = ()
    return Node(called.name, arguments)


def _plain(value: object) -> object:
    """Return a value of an instruction: an integer beyond 64 bits is of no use to a record, and slow as text."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise ValueError("an integer of more than 64 bits")
    return value


def _index(argument: object) -> int:
    if not isinstance(argument, int):
        raise TypeError("a place in the memo that is none")
    return argument


def _refuse(name: str) -> NoReturn:
    raise Unreadable(f"its pickle has the instruction {name}, which no record of a run needs")
