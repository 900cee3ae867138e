"""What our own formats mean: values whose check digits are right, in every way of writing them."""

from urllib.parse import unquote

import jsonschema_rs
import schemathesis
from hypothesis import strategies as st

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def check_digit(characters, highest):
    """Modulo 11, the weights 2 to `highest` from the right and again from 2."""
    weights = range(2, highest + 1)
    total = sum(
        (ord(c) - 48) * weights[at % len(weights)] for at, c in enumerate(reversed(characters))
    )
    rest = total % 11
    return "0" if rest < 2 else str(11 - rest)


def with_check_digits(base, highest):
    base += check_digit(base, highest)
    return base + check_digit(base, highest)


def of_base(alphabet, length, highest, written):
    """The numbers over `alphabet`, half of them with the punctuation that `written` puts there."""
    bases = st.text(alphabet, min_size=length, max_size=length).filter(lambda base: len(set(base)) > 1)
    numbers = bases.map(lambda base: with_check_digits(base, highest))
    return st.one_of(numbers, numbers.map(written))


def written_cnpj(n):
    return f"{n[:2]}.{n[2:5]}.{n[5:8]}/{n[8:12]}-{n[12:]}"


def written_cpf(n):
    return f"{n[:3]}.{n[3:6]}.{n[6:9]}-{n[9:]}"


def cpf_digits(base):
    for length in (9, 10):
        total = sum(int(c) * (length + 1 - at) for at, c in enumerate(base))
        base += str(total * 10 % 11 % 10)
    return base


cpfs = (
    st.text("0123456789", min_size=9, max_size=9)
    .filter(lambda base: len(set(base)) > 1)
    .map(cpf_digits)
)
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)

schemathesis.openapi.format("cnpj", of_base(LETTERS, 12, 9, written_cnpj))
schemathesis.openapi.format("cpf", st.one_of(cpfs, cpfs.map(written_cpf)))
names = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=80)

# A letter or a digit is in it, and blanks around it do not count.
schemathesis.openapi.format("name", names.map(lambda text: (text + "7").strip()))
schemathesis.openapi.format("slug", st.lists(words, min_size=1, max_size=4).map("-".join))


def sorted_once(order):
    """The order with each field in one direction: a rule that the document says in words."""
    fields = order.split(",") if isinstance(order, str) else order
    if not isinstance(fields, list):
        return order
    once = list({str(field).removeprefix("-"): field for field in reversed(fields)}.values())[::-1]
    return ",".join(once) if isinstance(order, str) else once


@schemathesis.hook
def before_call(context, case, kwargs):
    """Rules that no schema can say: what a body repeats of the path is the same there, an order has each
    field once, and a precondition names a version that the service knows."""
    valid = case.meta is None or case.meta.generation.mode == schemathesis.GenerationMode.POSITIVE
    if valid and isinstance(case.body, dict):
        for name, value in (case.path_parameters or {}).items():
            if isinstance(case.body.get(name), str):
                case.body[name] = unquote(value)
    if valid and case.query and case.query.get("sort"):
        case.query["sort"] = sorted_once(case.query["sort"])
    if valid and case.headers:
        for name in ("If-Match", "If-None-Match"):
            case.headers.pop(name, None)


def is_allowed(case):
    """Whether the body is what the document allows."""
    content = case.operation.definition.raw.get("requestBody", {}).get("content", {})
    schema = content.get(case.media_type, {}).get("schema")
    if schema is None:
        return False
    whole = {"allOf": [schema], "components": case.operation.schema.raw_schema.get("components", {})}
    try:
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=False).is_valid(case.body)
    except ValueError:  # it is not JSON
        return False


@schemathesis.hook
def filter_case(context, case):
    """Meant to be wrong, and not: a list's items were spoiled, and then there was no list."""
    if case.meta is None or case.meta.generation.mode == schemathesis.GenerationMode.POSITIVE:
        return True
    wrong = [
        place.value
        for place, component in case.meta.components.items()
        if component.mode == schemathesis.GenerationMode.NEGATIVE
    ]
    return wrong != ["body"] or not is_allowed(case)
