"""What engines have in common whose widest whole number is DECIMAL(38, 0): division without decimals to round."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import NARROW, WIDE, Dialect

__all__ = ["DecimalDialect", "constant_of"]

_LIMB = 10**19


class DecimalDialect(Dialect):
    """An engine whose sums, differences, products and remainders of DECIMAL(38, 0) are exact, or else errors."""

    broad = "DECIMAL(38, 0)"
    quotient_digits: ClassVar[int] = 38
    """The digits before the point that `/` of two DECIMAL(38, 0) has room for."""

    @abstractmethod
    def narrow_quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """Whole-number division of numbers of the narrow type that are not negative."""

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        if magnitude <= NARROW:
            return self.narrow_quotient(dividend, divisor)
        least = constant_of(divisor)
        if magnitude // (least or 1) < 10**self.quotient_digits:
            return self.even_quotient(dividend, divisor)
        if least is not None:
            return self.named_once(lambda one: self._long_quotient(one, divisor), dividend)
        return self.named_once(self._any_quotient, dividend, divisor)

    def named_once(self, function: Callable[..., exp.Expr], *operands: exp.Expr) -> exp.Expr:
        """What a function makes of its operands, which it names many times, written so that each stands there once.

        An engine that has no words for that gets them as often as they are named.
        """
        return function(*operands)

    def _any_quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        small = b.binary(exp.LT, divisor, self.constant(WIDE // 10**self.quotient_digits + 1))
        return b.case([(small, self._long_quotient(dividend, divisor))], self.even_quotient(dividend, divisor))

    def _long_quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """A quotient with more digits than `/` has room for, made of two by long division."""
        limb = self.constant(_LIMB)
        high = self.even_quotient(dividend, limb)
        left = b.multiply(self.remainder(high.copy(), divisor, WIDE), limb)
        rest = b.add(left, self.remainder(dividend, limb, WIDE))
        return b.add(b.multiply(self.even_quotient(high, divisor), limb), self.even_quotient(rest, divisor))

    def even_quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """A quotient that `/` has room for: of the dividend without the rest, so that it has no decimals to round."""
        even = b.binary(exp.Sub, dividend, b.binary(exp.Mod, dividend.copy(), divisor.copy()))
        return self.wide(exp.Div(this=b.wrapped(even), expression=b.wrapped(divisor), typed=True))

    def total(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        return exp.Sum(this=node if magnitude <= NARROW else self.wide(node))

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        kind = self.decimal_type(precision, scale)
        if scale == 0:
            return b.cast(whole, kind)
        step = b.cast(b.text(f"0.{'1'.rjust(scale, '0')}"), self.decimal_type(scale, scale))
        return b.cast(b.multiply(b.cast(whole, self.decimal_type(precision, 0)), step), kind)

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        kind = self.narrow if precision <= 18 else self.broad
        if scale == 0:
            return b.cast(node, kind)
        step = b.cast(b.text(str(10**scale)), self.decimal_type(scale + 1, 0))
        digits = max(precision, scale)
        if digits + scale + 2 <= 38:
            return b.cast(b.multiply(b.cast(node, self.decimal_type(digits, scale)), step), kind)
        # The product would need more than 38 digits: the digits before the point and after it, each on their own.
        rest = b.binary(exp.Mod, node, b.cast(b.number(1), self.decimal_type(1, 0)))
        whole = self.wide(b.binary(exp.Sub, node.copy(), rest))
        part = b.multiply(b.cast(rest.copy(), self.decimal_type(scale, scale)), step.copy())
        return b.add(b.multiply(whole, self.wide(step.copy())), self.wide(part))


def constant_of(node: exp.Expr) -> int | None:
    """The value of a whole constant; None for any other node."""
    inner = node.this if isinstance(node, exp.Cast) else node
    return int(inner.this) if isinstance(inner, exp.Literal) else None
