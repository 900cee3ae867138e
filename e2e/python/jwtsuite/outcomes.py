"""A pytest plugin: writes the outcome of every case to the file `OUTCOMES`, and refuses to run with the real
Flask-JWT-Extended."""

import json
import os

OUTCOMES = {}


def pytest_sessionstart():
    import flask_jwt_extended

    where = os.path.dirname(os.path.dirname(flask_jwt_extended.__file__))
    assert where in os.environ["PYTHONPATH"].split(":"), f"{where} is not the stand-in"


def pytest_runtest_logreport(report):
    file, _, case = report.nodeid.partition("::")
    name = f"{os.path.basename(file)}::{case}"
    if report.outcome != "passed" or report.when == "call":
        OUTCOMES[name] = "failed" if "failed" in (OUTCOMES.get(name), report.outcome) else report.outcome


def pytest_sessionfinish():
    with open(os.environ["OUTCOMES"], "w", encoding="utf-8") as file:
        json.dump(OUTCOMES, file, indent=1, sort_keys=True)
