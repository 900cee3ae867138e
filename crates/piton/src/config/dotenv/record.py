"""Records in corpus.json how python-dotenv reads each text.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install python-dotenv==1.2.4
    /tmp/venv/bin/python crates/piton/src/config/dotenv/record.py

`values` is what `load_dotenv(override=False)` would set beside ENVIRONMENT, `errors` the number of
statements that it warns of and skips.
"""

import json
import os
import pathlib

from dotenv.main import DotEnv
from dotenv.parser import parse_stream

ENVIRONMENT = {"HOME": "/home/me", "APP": "environment", "EMPTY": ""}

TEXTS = [
    "A=1", "A = 1 ", " A=1", "\tA=1", "A=", "A= ", "A", "A ", "export A", "export A=1", "export\tA=1",
    "export  \t A=1", "export", "export=1", "exportA=1", "Export A=1", "'A'=1", "'A B'=1", "\"A\"=1",
    "MY-VAR=1", "my.var=1", "1A=1", "A/B=1", "A:B=1", "é=1", "FOO\nB=2", "FOO BAR=1", "FOO BAR", "=1", "= 1",
    "A==1", "A=b=c", "#A=1", "  # A=1", "A=1#x", "A=1 #x", "A=1 # x", "A=1\t#x", "A=#x", "A= #x", "A=\t# x",
    "A='x' # y", "A='x'# y", "A='x # y'", "A='x' y", "A='x'y", "A=\"x\" y", "A=\"x\"y\nB=2", "A=x 'y'", "A=it's",
    "A=x\"y\"", "A=two words", "A=  two words  ", "A='  two words  '", "A=\" x \"",
    r"A='a\nb'", r"A='a\'b'", r"A='a\\b'", r"A='a\\'", r"A='\\\''", r"A='a\"b'", r"A='a\'", "A='a\\'\nB=2",
    r'A="a\nb"', r'A="a\tb"', r'A="a\rb"', r'A="a\"b"', r'A="a\\b"', r'A="a\\"', r"""A="a\'b" """, r'A="\a\b\f\v"',
    r'A="a\$b"', r'A="a\xb"', r'A="\\n"', r'A="\\\n"', r'A="\u00e9"', r'A="\0"', r"A=a\nb", r"A=a\\b", r"A=a\ b",
    "A='a\nb'\nB=2", "A=\"a\nb\"\nB=2", "A=\"a\r\nb\"\r\nB=2", "A='open\nB=2", "A=\"open\nB=2", "A='", "A=\"",
    "A=1\r\nB=2\r\n", "A=1\rB=2", "A=1\n\n\nB=2", "\n\nA=1", "", "\n", "#", "\ufeffA=1",
    "A=1\nB=${A}", "A=1\nB=\"${A}\"", "A=1\nB='${A}'", "A=1\nB=$A", "A=1\nB=${A}${A}", "A=1\nB=x${A}y", "B=${A}\nA=1",
    "A=${NOPE}", "A=${NOPE:-d}", "A=${NOPE:-}", "A=${NOPE:-two words}", "A=${NOPE:-a:-b}", "A=${NOPE:-${HOME}}",
    "A=${NOPE-d}", "A=${NOPE:=d}", "A=${NOPE:?d}", "A=${HOME}", "A=${HOME:-d}", "A=${EMPTY}", "A=${EMPTY:-d}",
    "APP=file\nA=${APP}", "APP=file\nA=${APP:-d}", "A=1\nA=2\nB=${A}", "A=1\nA=${A}2", "A=${A}", "FOO\nA=${FOO:-d}",
    "A=${}", "A=${:-d}", "A=${HOME", "A=$HOME}", "A={HOME}", "A=$${HOME}", r"A=\${HOME}", r'A="\${HOME}"', r"A='\${HOME}'",
    "A=${ HOME }", "A=${HO ME}", "A=${home}", "A=$", "A=pa$$word", "A=a${HOME}#b", "A=a${HOME} #b", "A='${HOME} # x'",
    "A=${NOPE:-#x}", "A=${NOPE:- #x}", "A='$'", "A=`date`", "A=$(date)", "A=${A:-${B}}",
    "A=postgres://me:p@ss#word@db/x", "A='{\"a\": [1, 2]}'", "A={\"a\": \"b\"}", "A=a,b , c", "A=é ü", "A=\u00a0x\u00a0",
    "A=x\u00a0#y", "A=x\x0c", "A=x\x1c#y", "A\u00a0=1", "A=1;B=2", "A=1 export B=2", "set A=1", "A: 1",
]


def recorded(text):
    path = pathlib.Path("/tmp/piton-recorded.env")
    path.write_bytes(text.encode())
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    values = DotEnv(path, override=False, encoding="utf-8").dict()
    with open(path, encoding="utf-8") as stream:
        errors = sum(binding.error for binding in parse_stream(stream))
    values = {name: value for name, value in values.items() if value is not None}
    return {"text": text, "values": values, "errors": errors}


corpus = {"environment": ENVIRONMENT, "cases": [recorded(text) for text in TEXTS]}
target = pathlib.Path(__file__).with_name("corpus.json")
lines = ",\n".join("    " + json.dumps(case) for case in corpus["cases"])
target.write_text(
    f'{{\n  "environment": {json.dumps(ENVIRONMENT)},\n  "cases": [\n{lines}\n  ]\n}}\n'
)
print(len(TEXTS), "texts")
