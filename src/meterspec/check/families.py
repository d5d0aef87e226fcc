"""Families: the fields of an event, their types, bounds and roles."""

from __future__ import annotations

from dataclasses import fields, replace

from meterspec.check.names import sql_name
from meterspec.check.tightening import compliance, statements
from meterspec.check.units import check_field
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import Family, Field, FieldType, Statement
from meterspec.source import Place
from meterspec.spec import shape

__all__ = ["add_dimension", "family", "require_customer", "short_family"]

ROLE_TYPE = Rule(
    code="MS210",
    slug="role-type",
    title="A field whose role asks for another type",
    message="`{field}` is the {role} of family `{family}`, so its type is {wanted}, not {found}",
    why="Events are told apart by a text, ordered by an instant and billed to a text; other types differ by engine.",
    bad="""
        [[families]]
        name = "api.call"
        event_id_field = "id"
        schema.id = { type = "integer" }
    """,
    good="""
        [[families]]
        name = "api.call"
        event_id_field = "id"
        schema.id = { type = "string" }
    """,
)
ROLE_SHARED = Rule(
    code="MS211",
    slug="role-shared",
    title="One field in two roles",
    message="`{field}` of family `{family}` cannot be both its {first} and its {second}",
    why="The id, the time, the arrival and the customer of an event are four different facts.",
    bad="""
        [[families]]
        name = "api.call"
        event_time_field = "at"
        ingest_time_field = "at"
    """,
    good="""
        [[families]]
        name = "api.call"
        event_time_field = "at"
        ingest_time_field = "received_at"
    """,
)
FIELD_OPTION = Rule(
    code="MS212",
    slug="field-option",
    title="An option that a field's type does not have",
    message="`{option}` says nothing about a field of type {type}",
    why="An option that has no effect would promise a check that never happens.",
    bad="""
        [[families]]
        name = "api.call"
        schema.path = { type = "string", max = 100 }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.bytes = { type = "integer", max = 100 }
    """,
)
BOUNDS = Rule(
    code="MS213",
    slug="bad-bounds",
    title="Bounds that no value can keep",
    message="{message}",
    why="Bounds reject events and prove that sums fit; bounds that exclude every value, or that the type cannot reach, "
    "are a slip.",
    bad="""
        [[families]]
        name = "api.call"
        schema.bytes = { type = "integer", min = 10, max = 1 }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.bytes = { type = "integer", min = 1, max = 10 }
    """,
)
REPEATED_VALUE = Rule(
    code="MS214",
    slug="repeated-value",
    title="A value that a closed set names twice",
    message="`{value}` stands twice in the values of `{field}`",
    why="A repeated value is usually a misspelling of another one that is now missing.",
    bad="""
        [[families]]
        name = "api.call"
        schema.status = { type = "string", values = ["ok", "ok"] }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.status = { type = "string", values = ["ok", "failed"] }
    """,
)
BAD_TABLE = Rule(
    code="MS215",
    slug="bad-table",
    title="A table name of more than three parts, or with an empty one",
    message="`{table}` is not the name of a table",
    why="A table is named by itself, or with its schema, or with its catalogue and schema, joined by dots.",
    bad="""
        [[families]]
        name = "api.call"
        table = "raw..calls"
    """,
    good="""
        [[families]]
        name = "api.call"
        table = "raw.calls"
    """,
)
RESERVED_FIELD = Rule(
    code="MS216",
    slug="reserved-field",
    title="A field name that a view could not tell apart",
    message="`{field}` cannot be a field of family `{family}`: {reason}",
    why="Some engines ignore the case of a name, and names that begin with `meterspec_` are the compiler's own; either "
    "would make a view mean another column.",
    bad="""
        [[families]]
        name = "api.call"
        schema.size = { type = "integer" }
        schema.Size = { type = "integer" }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.size = { type = "integer" }
        schema.full_size = { type = "integer" }
    """,
)

_OPTIONS = {
    **dict.fromkeys(("min", "max", "unit"), "numbers"),
    "values": "fields of type string",
    "precision": "decimals",
    "scale": "decimals and floats",
}
"""What the options of a field are for."""
_SHORT_ROLES = {"at": "event time", "customer_id": "customer", "qty": "quantity"}


def family(written: shape.Family, at: Place, out: Diagnostics) -> Family:
    """The meaning of a `[[families]]` table; reports MS210 to MS216."""
    roles = {
        "event id": (written.event_id_field, FieldType.STRING),
        "event time": (written.event_time_field, FieldType.TIMESTAMP),
        "ingest time": (written.ingest_time_field, FieldType.TIMESTAMP),
        "customer": (written.customer_field or "customer_id", FieldType.STRING),
    }
    declared = {name: _field(name, field, at / "schema" / name, out) for name, field in written.schema.items()}
    fields: dict[str, Field] = {}
    taken: dict[str, str] = {}
    for role, (name, kind) in roles.items():
        if name is None:
            continue
        if name in taken:
            place = at / f"{role.replace(' ', '_')}_field"
            hint = "name another field" if role == "event time" else "name another field, or leave it out"
            out.report(
                ROLE_SHARED, at=place, hint=hint, field=name, family=written.name, first=taken[name], second=role
            )
            continue
        taken[name] = role
        field = declared.get(name) or Field(name=name, type=kind, origin=at)
        if field.type is not kind:
            out.report(
                ROLE_TYPE,
                at=at / "schema" / name / "type",
                hint=f'write `type = "{kind.value}"`, or name another field in `{role.replace(" ", "_")}_field`',
                field=name,
                role=role,
                family=written.name,
                wanted=kind.value,
                found=field.type.value,
            )
            field = replace(field, type=kind, minimum=None, maximum=None)
        fields[name] = replace(field, required=field.required or role in {"event id", "event time"})
    for name, field in declared.items():
        fields.setdefault(name, field)
    _report_reserved(written.name, fields, at, out)
    return Family(
        name=written.name,
        sql_name=sql_name(written.name),
        description=written.description,
        event_id=written.event_id_field,
        event_time=written.event_time_field,
        customer=written.customer_field or "customer_id",
        ingest_time=written.ingest_time_field if taken.get(written.ingest_time_field or "") == "ingest time" else None,
        table=_table(written.table, at / "table", out) if written.table else None,
        fields=tuple(fields.values()),
        max_events=written.max_events,
        compliance=compliance(written.compliance, at / "compliance"),
        origin=at,
    )


def _report_reserved(family: str, fields: dict[str, Field], at: Place, out: Diagnostics) -> None:
    folded: dict[str, str] = {}
    for name in fields:
        first = folded.setdefault(name.lower(), name)
        reason = f"it differs from `{first}` only in case" if first != name else ""
        if name.lower().startswith("meterspec_"):
            reason = "names that begin with `meterspec_` are taken"
        if reason:
            out.report(RESERVED_FIELD, at=(at / "schema" / name).key(), field=name, family=family, reason=reason)


def short_family(name: str, written: shape.ShortMeter, at: Place, out: Diagnostics) -> Family:
    """The family that a `[meter.NAME]` table declares; reports MS211 where `dedupe_on` names one of its own fields."""
    if written.dedupe_on in {"at", "customer_id", "qty"}:
        place, second = at / "dedupe_on", _SHORT_ROLES[written.dedupe_on]
        out.report(ROLE_SHARED, at=place, field=written.dedupe_on, family=name, first="event id", second=second)
    roles = [
        Field(name=written.dedupe_on, type=FieldType.STRING, required=True, origin=at),
        Field(name="at", type=FieldType.TIMESTAMP, required=True, origin=at),
        Field(name="customer_id", type=FieldType.STRING, origin=at),
    ]
    quantity = Field(
        name="qty", type=FieldType.DECIMAL, required=True, unit=written.unit, precision=18, scale=9, origin=at
    )
    return Family(
        name=name,
        sql_name=f"{sql_name(name)}_events",
        event_id=written.dedupe_on,
        event_time="at",
        customer="customer_id",
        fields=(*roles, quantity),
        origin=at,
    )


def require_customer(family: Family) -> Family:
    """The family as a billing meter needs it: an event without a customer is rejected."""
    if all(f.required for f in family.fields if f.name == family.customer):
        return family
    if any(f.name == family.customer and f.required for f in family.fields):
        return family
    fields = (replace(f, required=True) if f.name == family.customer else f for f in family.fields)
    return replace(family, fields=tuple(fields))


def add_dimension(family: Family, name: str, at: Place) -> Family:
    """The family with an optional text that only a `group_by` names."""
    return replace(family, fields=(*family.fields, Field(name=name, type=FieldType.STRING, origin=at)))


def _field(name: str, written: shape.FamilyField, at: Place, out: Diagnostics) -> Field:
    kind = FieldType(written.type)
    numeric = kind in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.FLOAT}
    allowed = {
        "min": numeric,
        "max": numeric,
        "unit": numeric,
        "values": kind is FieldType.STRING,
        "precision": kind is FieldType.DECIMAL,
        "scale": kind in {FieldType.DECIMAL, FieldType.FLOAT},
    }
    for option, fits in allowed.items():
        if not fits and getattr(written, option) is not None:
            hint = f"leave it out: it is for {_OPTIONS[option]}"
            out.report(FIELD_OPTION, at=(at / option).key(), hint=hint, option=option, type=kind.value)
    precision, scale = _digits(kind, written, at, out)
    minimum, maximum = (written.min, written.max) if numeric else (None, None)
    reach = Field(name=name, type=kind, precision=precision, scale=scale).reach
    for option, bound in (("min", minimum), ("max", maximum)):
        if bound is None:
            continue
        if kind is FieldType.INTEGER and bound != bound.to_integral_value():
            out.report(BOUNDS, at=at / option, message=f"`{option}` of an integer field is a whole number, not {bound}")
        elif reach is not None and not reach.copy_negate() <= bound <= reach:
            message = f"`{option}` is {bound}, and a field of type {kind.value} goes from -{reach:f} to {reach:f}"
            digits = "`precision` is for all digits, those of `scale` included" if kind is FieldType.DECIMAL else None
            out.report(BOUNDS, at=at / option, hint=digits, message=message)
    if minimum is not None and maximum is not None and minimum > maximum:
        out.report(BOUNDS, at=at / "max", message=f"`max` is {maximum}, below `min`, which is {minimum}")
    values = tuple(dict.fromkeys(written.values)) if written.values and allowed["values"] else None
    seen: set[str] = set()
    for number, value in enumerate(written.values or ()):
        if value in seen:
            out.report(REPEATED_VALUE, at=at / "values" / number, value=value, field=name)
        seen.add(value)
    field = Field(
        name=name,
        type=kind,
        required=written.required,
        unit=written.unit,
        minimum=minimum,
        maximum=maximum,
        values=values,
        personal=written.personal,
        statements=_statements(written, at),
        precision=precision,
        scale=scale,
        description=written.description,
        origin=at,
    )
    if numeric:
        check_field(field, at, out)
    return field


_EVIDENCE = frozenset(("erase_after_months", "factor"))


def _statements(written: shape.FamilyField, at: Place) -> tuple[Statement, ...]:
    if written.erase_after_months is None and written.factor is None:
        return ()
    others = frozenset(key.name for key in fields(written)) - _EVIDENCE
    return statements(written, at, without=others)


def _digits(kind: FieldType, written: shape.FamilyField, at: Place, out: Diagnostics) -> tuple[int, int]:
    """Precision and scale as LANGUAGE has them: a decimal is (18, 9), a float has 6 decimals."""
    if kind is FieldType.FLOAT:
        scale = 6 if written.scale is None else written.scale
        if scale > 15:
            out.report(
                BOUNDS, at=at / "scale", message="a double has no more than 15 exact digits, so `scale` ends at 15"
            )
        return 0, min(scale, 15)
    if kind is not FieldType.DECIMAL:
        return 0, 0
    precision = 18 if written.precision is None else written.precision
    scale = min(9, precision) if written.scale is None else written.scale
    if scale > precision:
        message = f"`scale` is {scale}, more than the {precision} digits of `precision`"
        out.report(BOUNDS, at=at / "scale", message=message)
    return precision, min(scale, precision)


def _table(text: str, at: Place, out: Diagnostics) -> tuple[str, ...] | None:
    parts = tuple(text.split("."))
    if len(parts) > 3 or not all(part.strip() == part and part.isprintable() and part for part in parts):
        out.report(BAD_TABLE, at=at, table=text, hint='write "table", "schema.table" or "catalogue.schema.table"')
        return None
    return parts
