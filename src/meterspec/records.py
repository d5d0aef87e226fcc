"""Records: dataclasses that nobody changes, kept from it by the type checker rather than while the program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen: bool, slots: bool, kw_only: bool = False):
        """What `dataclass` gives, but `frozen` is taken on trust.

        Enforcing it sets every field through a call of its own, and a record would take five times as long to make:
        a large spec makes half a million of them.
        """
        return dataclass(slots=slots, unsafe_hash=frozen, kw_only=kw_only)
