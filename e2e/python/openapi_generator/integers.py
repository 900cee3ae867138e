"""Looks at the integers of clients in Go, Kotlin and C#, whose compilers need not be there.

integers.py DOCUMENT

Fails if a number of 64 bits is kept in 32, or if a literal fits into no integer of 64 bits, which does not
compile. The last line is JSON: how many integers were looked at by language.
"""
import json
import os
import re
import sys
import tempfile

from generate import generate

MAXIMUM, MINIMUM = 2**63 - 1, -(2**63)

# How a language names a field of a model and the type of 64 bits.
LANGUAGES = {
    'go': (r'^\s*{name} (?:\*|Nullable)?(\w+) `json', lambda name: camel(name, True), {'int64', 'Int64'}),
    'kotlin': (r'\bval {name}: kotlin\.(\w+)', lambda name: camel(name, False), {'Long'}),
    'csharp': (r'public (\w+)\?? {name} \{{ get;', lambda name: camel(name, True), {'long'}),
}


def camel(name, capital):
    first, *rest = name.split('_')
    return (first.capitalize() if capital else first) + ''.join(word.capitalize() for word in rest)


def wide(schema):
    """Whether the values of a schema can need 64 bits."""
    kinds = schema.get('type', [])
    if 'integer' not in ([kinds] if isinstance(kinds, str) else kinds):
        return False
    return not (schema.get('format') == 'int32' or schema.get('maximum', MAXIMUM) <= 2**31 - 1)


def wide_members(document):
    """Model and member of each."""
    schemas = document['components']['schemas'].items()
    return [(model, member)
            for model, schema in schemas
            for member, inner in schema.get('properties', {}).items()
            if wide(inner)]


def literals(text):
    """The integers in the code that fit into no integer of 64 bits."""
    return [found for found in re.findall(r'(?<![\w.])-?\d{18,}(?!\w)', text)
            if not MINIMUM <= int(found) <= MAXIMUM]


def sources(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith(('.go', '.kt', '.cs')):
                with open(os.path.join(path, name), encoding='utf-8') as file:
                    yield name, file.read()


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        document = json.load(file)
    members, problems, counts = wide_members(document), [], {}
    for language, (pattern, spelled, types) in LANGUAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            generate(language, sys.argv[1], folder)
            code = list(sources(folder))
        assert code, f'{language}: no code was generated'
        for name, text in code:
            problems += [f'{language} {name}: {literal}' for literal in literals(text)]
        for model, member in members:
            files = {'go': f'model_{re.sub("(?<!^)(?=[A-Z])", "_", model).lower()}.go', 'kotlin': f'{model}.kt',
                     'csharp': f'{model}.cs'}
            text = next(text for name, text in code if name == files[language])
            found = re.search(pattern.format(name=spelled(member)), text, re.MULTILINE)
            if found is None or found[1] not in types:
                problems.append(f'{language} {model}.{member}: {found and found[1]}')
            counts[language] = counts.get(language, 0) + 1
    print('\n'.join(problems))
    print(json.dumps(counts))
    sys.exit(bool(problems))


main()
