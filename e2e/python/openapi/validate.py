"""Says whether a file is an OpenAPI document: validate.py FILE. Exit code 1 and why, if it is not."""

import json
import sys

from openapi_spec_validator import OpenAPIV31SpecValidator

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
errors = list(OpenAPIV31SpecValidator(document).iter_errors())
for error in errors:
    print(error)
sys.exit(bool(errors))
