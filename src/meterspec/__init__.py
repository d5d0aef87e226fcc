"""The compiler for usage metering.

A `meterspec.toml` goes through the phases in this order: `spec` reads the text and gives its shape, `cel` parses and
types the expressions in it, `check` turns shape into meaning (`ir.Program`), `backends` turn meaning into artefacts,
`run` computes numbers from events with them, `pricing` turns a number into invoice lines, and `diff` compares two
programs. `pipeline` knows the order; `cli` is arguments in and words out.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
