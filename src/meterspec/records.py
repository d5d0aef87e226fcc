"""Records: dataclasses that nobody changes, kept from it by the type checker rather than while the program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass
    from operator import attrgetter

    def record(*, frozen: bool, slots: bool, kw_only: bool = False):
        """What `dataclass` gives, at less cost.

        `frozen` is taken on trust: enforcing it sets every field through a call of its own. A record would take five
        times as long to make, and a large spec makes half a million of them. `==`, `hash` and `repr` read the fields by
        name: a dataclass compiles a function for each of them, which is most of the time that importing it takes.
        """

        def made(plain: type) -> type:
            own = set(plain.__dict__)
            cls = dataclass(slots=slots, eq=False, repr=False, kw_only=kw_only)(plain)
            fields = cls.__dataclass_fields__.values()
            values = _values([one.name for one in fields if one.compare])
            shown = [one.name for one in fields if one.repr]

            def equal(self: object, other: object) -> bool:
                return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

            def hashed(self: object) -> int:
                return hash(values(self))

            def written(self: object) -> str:
                return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

            for name, method in (("__eq__", equal), ("__hash__", hashed if frozen else None), ("__repr__", written)):
                if name not in own:
                    setattr(cls, name, method)
            return cls

        return made

    def _values(names: list[str]):
        """What reads these attributes of an object as a tuple."""
        if len(names) > 1:
            return attrgetter(*names)
        return lambda one: tuple(getattr(one, name) for name in names)
