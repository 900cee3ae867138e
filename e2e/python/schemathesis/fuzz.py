"""Sends a service what its document allows and what it does not, and looks at each answer.

fuzz.py BASE_URL HEADER=KEY MAX_EXAMPLES [OPTION]..

The document is BASE_URL/api/openapi.json. The same seed each time: what fails fails again. The options are
schemathesis's own.
"""

import os
import sys

base_url, key, examples, *options = sys.argv[1:]
header, _, value = key.partition("=")
here = os.path.dirname(os.path.abspath(__file__))
os.environ["SCHEMATHESIS_HOOKS"] = "hooks"
os.environ["PYTHONPATH"] = here
os.execv(
    sys.executable,
    [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{base_url}/api/openapi.json",
        "--checks=all",
        "--seed=1",
        "--generation-deterministic",
        "--no-color",
        f"--max-examples={examples}",
        f"--header={header}: {value}",
        *options,
    ],
)
