# SPDX-License-Identifier: GPL-2.0-or-later
"""`dataclass(frozen=True, slots=True)` without the price of importing `dataclasses`.

The standard module pulls in inspect, ast, dis and tokenize: more than the rest of an `ipvsadm` run together. Type
checkers see the standard decorator; at run time a class gets the same methods from closures and one generated line,
and `dataclasses.fields`, `replace` and `asdict` work on it, because the field table is made when somebody asks.
"""

from __future__ import annotations

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds too

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - the way to re-export a name
    from typing import TypeVar, dataclass_transform

    Kind = TypeVar("Kind")

    @dataclass_transform(frozen_default=True)
    def record(plain: type[Kind]) -> type[Kind]:
        """What a type checker sees of the decorator below."""
else:
    from collections import namedtuple
    from operator import attrgetter

    def record(plain):
        """A value class that is made by the million: a tuple, which takes a third of the time to make."""
        names = tuple(plain.__annotations__)
        defaults = [vars(plain)[name] for name in names if name in vars(plain)]
        made = namedtuple(  # noqa: PYI024 - typing's form costs the import of typing
            plain.__name__, names, defaults=defaults, module=plain.__module__
        )
        made.__doc__ = plain.__doc__
        return made

    class _Fields:
        """Stands in for `__dataclass_fields__` until the first look at it."""

        def __get__(self, instance, owner):
            import dataclasses

            namespace = {"__annotations__": owner.__annotations__}
            for name, default in owner._defaults.items():  # noqa: SLF001 - this class is a part of owner
                namespace[name] = dataclasses.field(default_factory=lambda value=default: value)
            shadow = dataclasses.dataclass(frozen=True)(type(owner.__name__, (), namespace))
            owner.__dataclass_fields__ = shadow.__dataclass_fields__
            return owner.__dataclass_fields__

    def _refuse(self, name, value=None):  # noqa: ARG001 - called as __setattr__ and as __delattr__
        raise AttributeError(f"{type(self).__name__}.{name} is read-only")

    def _repr(self):
        pairs = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({pairs})"

    def _reduce(self):
        return type(self), tuple(getattr(self, name) for name in self.__match_args__)

    def _compare(names):
        """`__eq__` and `__hash__` over all fields."""
        key = attrgetter(*names)

        def equal(self, other):
            return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

        def hash_all(self):
            return hash(key(self))

        return {"__eq__": equal, "__hash__": hash_all}

    def _initialise(made, names, defaults, post_init):
        """`__init__` as generated code: `_set_x` writes the slot x past the guard, as fast as it gets."""
        arguments = ", ".join(f"{name}=_defaults[{name!r}]" if name in defaults else name for name in names)
        stores = "; ".join(f"_set_{name}(self, {name})" for name in names)
        scope = {"_defaults": defaults, **{f"_set_{name}": vars(made)[name].__set__ for name in names}}
        # The text is made of the field names of a class in our own source.
        source = f"def __init__(self, {arguments}): {stores}{'; self.__post_init__()' if post_init else ''}"
        exec(source, scope)  # noqa: S102 - see above
        return scope["__init__"]

    def dataclass(*, frozen, slots):
        """A decorator for classes of immutable values; both arguments must be True, as in all of bpvs.model."""
        if not (frozen and slots):
            raise ValueError("bpvs.model.value makes frozen classes with slots only")

        def build(plain):
            names = tuple(plain.__annotations__)
            body = {k: v for k, v in vars(plain).items() if k not in ("__dict__", "__weakref__")}
            defaults = {name: body.pop(name) for name in names if name in body}
            body.update(__slots__=names, __match_args__=names, _defaults=defaults, __dataclass_fields__=_Fields())
            body.update(__setattr__=_refuse, __delattr__=_refuse, __repr__=_repr, __reduce__=_reduce)
            made = type(plain.__name__, plain.__bases__, {**_compare(names), **body})
            made.__init__ = _initialise(made, names, defaults, "__post_init__" in body)
            return made

        return build
