"""Records what Python's own logging.Formatter makes of formats, for the tests of `log.format`.

Run `python3 record.py > recorded.json` in this folder.
"""

import json
import logging
import os
import time

os.environ["TZ"] = "UTC"
time.tzset()

GNAR = "%(asctime)s %(levelname)-8s %(name)s:%(lineno)d   %(message)s"
MSEC = "%s.%03d"

FORMATS = [GNAR] + [
    f"%(message)s|{conversion}"
    for conversion in """
    %(asctime)s %(asctime)30s %(asctime)-30s| %(asctime).10s
    %(created)s %(created)d %(created)f %(created).3f %(created)20.1f %(created)020.2f %(created)-20.0f| %(created)#.0f
    %(msecs)s %(msecs)d %(msecs)03d %(msecs)3d %(msecs).0f %(msecs)+d %(msecs).5d %(msecs)08.5d %(msecs)-8d|
    %(relativeCreated)s %(relativeCreated)d %(relativeCreated).1f %(relativeCreated)012.3f %(relativeCreated)+.2f
    %(levelname)s %(levelname)-8s %(levelname)8s %(levelname)08s %(levelname).3s %(levelname)-8.2s| %(levelname)+8s
    %(levelno)s %(levelno)d %(levelno)i %(levelno)04d %(levelno)-4d| %(levelno)+d %(levelno).1f %(levelno)4s %(levelno)-+5d|
    %(name)s %(name)30s %(name)-30s| %(name).4s %(module)s %(module)-10s| %(filename)s %(filename)20s
    %(pathname)s %(lineno)d %(lineno)s %(lineno)5d %(lineno)-5d| %(lineno)05d %(lineno)+05d %(lineno).3f %(lineno).6d %(lineno)#d
    %(funcName)s %(processName)s %(processName)-15s| %(message)s %(message)40s %(message)-40s| %(message).5s %(message)10.5s
    %% 100%% %%(x)s %(levelname)s%% {asctime} $name
    """.split()
] + ["%(message)s|[%(lineno) d]", "%(message)s|[%(lineno)+ d] é %(lineno)d→", "%(message)s|[%(lineno)- 6d]", "no message: %(levelname)s"]

MSEC_FORMATS = ["%s,%03d", "%s.%d", "%s %06.1f", "%sZ%s", "%30s|%-5d|", "%s%%%03d", ""]

LEVELS = {5: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR"}
logging.addLevelName(5, "TRACE")


def output(text, msec, level, millis, message):
    created = 1531150906 + millis / 1000
    record = logging.LogRecord(
        "gear.gnar_app", level, "/srv/gear/gnar_app.rs", 75, message, None, None, "run")
    record.created = created
    # As the record's own constructor does where milliseconds do not round (Python 3.13).
    record.msecs = millis + 0.0
    record.relativeCreated = (created - 1531150900) * 1000
    formatter = logging.Formatter(text)
    formatter.default_msec_format = msec
    return formatter.format(record)


cases = []
for text in FORMATS:
    cases.append((text, MSEC, 20, 420, "Logging at INFO"))
for level in LEVELS:
    cases.append((GNAR, MSEC, level, 42, "grüße → 🦀"))
for msec in MSEC_FORMATS:
    cases.append((GNAR, msec, 20, 7, "hi"))
for millis in (0, 1, 7, 999):
    cases.append(("%(asctime)s %(created)s %(created).3f %(msecs)s %(message)s", MSEC, 20, millis, ""))

print(json.dumps([
    {"format": text, "msec": msec, "level": LEVELS[level], "millis": millis, "message": message,
     "output": output(text, msec, level, millis, message)}
    for text, msec, level, millis, message in cases
], indent=1))
