"""What the packages `flask_jwt_extended` of jwt3suite and jwt4suite have in common.

Flask-JWT-Extended's own tests run against these packages. Every decision about a token is made by a
live `token-service`, a Piton service: a protected view sends it the request as it came, and takes
its response; a token is made, read, and put into cookies by it.

This file itself does no more than:
- translate `app.config["JWT_.."]` into the variables of the same names (`variables`). A name that Piton
  does not know fails the test with `NotSpoken`. There is one service for each distinct configuration.
- run the loaders of a test when a hook of Piton asks for them, and send back what they return (`Loaders`).
- name the Python exception for the words of a refusal (`exception_for`).
- keep what Piton has said of the request in `flask.g`, where the accessors find it.
"""

import atexit
import http.client
import json
import os
import re
import select
import socket
import subprocess
import tempfile
import time
from datetime import datetime, timedelta

import jwt
from flask import Response, current_app, g, request

PROGRAM = os.environ["TOKEN_SERVICE"]
START_TIMEOUT = 30.0
CONNECTION_HEADERS = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}

LISTENER = socket.create_server(("127.0.0.1", 0), backlog=8)


class NotSpoken(Exception):
    """Piton has nothing of this name or kind."""


# Configuration ------------------------------------------------------------------------------------


def seconds(delta):
    """The seconds of a timedelta, a relativedelta or a number."""
    if isinstance(delta, (int, float)):
        return delta
    start = datetime(2020, 1, 1)
    return (start + delta - start).total_seconds()


def text(name, value):
    """The value of a variable."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return json.dumps(list(value))
    if isinstance(value, dict):
        return json.dumps(value)
    try:
        return str(int(seconds(value)))
    except TypeError:
        raise NotSpoken(f"{name} = {value!r}")


def spoken():
    """Flask-JWT-Extended's names of settings, with Piton's."""
    if not hasattr(spoken, "names"):
        command = [PROGRAM, "config", "jwt", "--json"]
        listed = subprocess.run(command, env={}, capture_output=True, check=True).stdout
        spoken.names = {
            alias: setting["key"] for setting in json.loads(listed) for alias in setting["aliases"]
        }
    return spoken.names


def variables(app, profile, elsewhere):
    """The environment of the service for this configuration. `elsewhere` are names for which a service
    of Piton does something else than set a variable."""
    found = {"RUST_BACKTRACE": "0"}
    given = {name: value for name, value in app.config.items() if name.startswith("JWT_")}
    if not given.get("JWT_SECRET_KEY") and app.config.get("SECRET_KEY"):
        given["JWT_SECRET_KEY"] = app.config["SECRET_KEY"]
    for name, value in {**profile, **given}.items():
        if value is None or name in elsewhere:
            continue
        if name.startswith("JWT_") and name not in spoken():
            raise NotSpoken(name)
        if value == "":
            # By the name of another program an empty variable counts as not set.
            name = "PITON_" + spoken()[name].upper().replace(".", "_")
        found[name] = text(name, value)
    return found


# The service --------------------------------------------------------------------------------------


class Service:
    """A running `token-service`."""

    running = {}

    @classmethod
    def of(cls, variables, hooks):
        key = (tuple(sorted(variables.items())), hooks)
        if key not in cls.running:
            cls.running[key] = cls(variables, hooks)
        return cls.running[key]

    def __init__(self, variables, hooks):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory()
        self.log = os.path.join(self.folder.name, "log")
        environment = {
            **variables,
            "TOKEN_SERVICE_HOOKS": ",".join(hooks),
            "TOKEN_SERVICE_PORT": str(LISTENER.getsockname()[1]),
        }
        command = [PROGRAM, "--production", "--host", "127.0.0.1", "--port", str(self.port)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.folder.name,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        atexit.register(self.stop)
        self.wait()

    def stop(self):
        # It has nothing to finish; a graceful stop takes its time.
        self.process.kill()
        self.process.wait()

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait(self):
        end = time.monotonic() + START_TIMEOUT
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"exit code {self.process.returncode}: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert time.monotonic() < end, self.said()
                time.sleep(0.003)

    def exchange(self, method, target, headers, body, loaders):
        """Sends a request, and answers the hooks that ask before the response comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            if name.lower() not in CONNECTION_HEADERS:
                connection.putheader(name, value.encode("utf-8"))
        if body or method in ("POST", "PUT", "PATCH"):
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)
        raised = None
        while True:
            ready, _, _ = select.select([connection.sock, LISTENER], [], [], START_TIMEOUT)
            assert ready, f"no answer to {method} {target}: {self.said()}"
            if LISTENER not in ready:
                break
            asking, _ = LISTENER.accept()
            with asking, asking.makefile("rw", encoding="utf-8") as stream:
                try:
                    answer = loaders.answer(json.loads(stream.readline()))
                    stream.write(json.dumps(answer) + "\n")
                except Exception as error:  # It is the test's: it goes on below, in the view.
                    raised = error
        response = connection.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read())
        connection.close()
        if raised is not None:
            raise raised
        return answer


class Answer:
    """The service's response."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), None)

    def json(self):
        return json.loads(self.body)

    def words(self):
        """Why a token is refused."""
        return self.header("x-refusal") or self.body.decode()

    def response(self):
        """The same for Flask."""
        headers = [
            (key, value)
            for key, value in self.headers
            if key.lower() not in CONNECTION_HEADERS and not key.lower().startswith("x-")
        ]
        return Response(self.body, self.status, headers)


# Refusals -----------------------------------------------------------------------------------------


class JWTExtendedException(Exception):
    """A refusal; `response` is Piton's."""

    response = None


class JWTDecodeError(JWTExtendedException):
    pass


class CSRFError(JWTExtendedException):
    pass


class GuardRefusal(JWTExtendedException):
    """What a guard has answered instead of the view."""


def exception_for(words):
    """The exception that Python programs know for these words."""
    for pattern, kind in [
        ("has expired", jwt.ExpiredSignatureError),
        ("not yet valid", jwt.ImmatureSignatureError),
        ("Signature verification failed", jwt.InvalidSignatureError),
        ('Token is missing the "aud"', MISSING_AUDIENCE),
        ("udience", jwt.InvalidAudienceError),
        ('Token is missing the "', jwt.exceptions.MissingRequiredClaimError),
        ("issuer", jwt.InvalidIssuerError),
        ("Subject", SUBJECT),
        ("CSRF", CSRFError),
        ("[Cc]laim: ", JWTDecodeError),
    ]:
        if re.search(pattern, words):
            return kind(words)
    return jwt.DecodeError(words)


SUBJECT = getattr(jwt.exceptions, "InvalidSubjectError", jwt.InvalidTokenError)
MISSING_AUDIENCE = jwt.exceptions.MissingRequiredClaimError


# The manager --------------------------------------------------------------------------------------


class Loaders:
    """The loaders that a test has registered, and how Piton's hooks call them. `arguments` gives what
    a loader of this version takes."""

    # A refusal is answered by the loader of its kind.
    REFUSALS = {
        "missing": "unauthorized",
        "csrf": "unauthorized",
        "invalid": "invalid_token",
        "expired": "expired_token",
        "not_fresh": "needs_fresh_token",
        "revoked": "revoked_token",
        "verification": "verification_failed",
        "user": "user_error",
    }

    def __init__(self, version):
        self.version = version
        self.registered = {}
        self.users = []
        self.subject = None

    def hooks(self):
        of = {name: "refused" for name in self.REFUSALS.values()}
        of.update(claims="claims", headers="headers", user="user")
        of.update(revoked="revoked", verified="verified")
        return tuple(sorted({of[name] for name in self.registered if name in of}))

    def answer(self, question):
        hook = question["hook"]
        if "claims" in question:
            remember(question)
        if hook in ("claims", "headers"):
            return self.registered[hook](self.subject) if hook in self.registered else None
        if hook == "refused":
            loader = self.registered.get(self.REFUSALS.get(question["kind"]))
            if loader is None:
                return None
            given = self.version.refusal_arguments(question)
            response = current_app.make_response(self.version.call(loader, given))
            return {
                "status": response.status_code,
                "type": response.headers.get("content-type"),
                "body": response.get_data(as_text=True),
            }
        found = self.registered[hook](*self.version.arguments(hook, question))
        if hook != "user":
            return bool(found)
        # The object stays here; Piton carries its number.
        self.users.append(found)
        return None if found is None else len(self.users) - 1


def remember(token):
    """Keeps what Piton has said of the token of this request."""
    g.piton = token


class Manager:
    """`JWTManager`, apart from the names of its loaders, which each version adds."""

    def __init__(self, app=None, add_context_processor=False):
        self.loaders = Loaders(self.version)
        if app is not None:
            self.init_app(app, add_context_processor)

    def init_app(self, app, add_context_processor=False):
        app.extensions["flask-jwt-extended"] = self
        if add_context_processor:
            app.context_processor(self.version.context)
        for kind in (JWTExtendedException, jwt.InvalidTokenError):
            app.register_error_handler(kind, refused)

    def register(self, name, callback):
        self.loaders.registered[name] = callback
        return callback


def refused(error):
    """The response of a refusal is Piton's."""
    if getattr(error, "response", None) is None:
        raise error
    return error.response


def manager():
    return current_app.extensions["flask-jwt-extended"]


def service(hooks=None):
    this = manager()
    hooks = this.loaders.hooks() if hooks is None else hooks
    hooks = this.version.hooks(current_app, hooks)
    found = variables(current_app, this.version.PROFILE, this.version.ELSEWHERE)
    return Service.of(found, hooks)


def ask(path, **question):
    """Sends a question of this module, not a request of a client."""
    body = json.dumps(question).encode()
    headers = [("content-type", "application/json")]
    return service().exchange("POST", path, headers, body, manager().loaders)


# What views and tests call ------------------------------------------------------------------------


def guard(locations=None, **options):
    """Lets the request of the client pass a guard of Piton's, or raises what it has answered."""
    names = ["any"] + [name for name in sorted(options) if options[name]]
    if isinstance(locations, str):
        locations = [locations]
    target = f"/guard/{'+'.join(names)}/{'+'.join(locations or ['any'])}"
    if request.query_string:
        # Flask's test client leaves blanks as they are, which no client may send.
        target += "?" + request.query_string.decode("ascii").replace(" ", "%20")
    loaders = manager().loaders
    body = request.get_data(cache=True)
    answer = service().exchange(request.method, target, request.headers.items(), body, loaders)
    if request.method == "OPTIONS" and answer.status < 300:
        return None
    if answer.header("x-passed") is None:
        if answer.status == 404 and answer.header("x-refusal") is None:
            raise RuntimeError(f"no such guard: {target}")
        error = GuardRefusal(answer.body)
        error.response = answer.response()
        raise error
    remember(answer.json()["token"] or {"claims": {}, "header": {}})
    return g.piton


def make(kind, identity, fresh=False, expires=None, claims=None, headers=None):
    this = manager()
    this.loaders.subject = identity
    identify = this.loaders.registered.get("identity", lambda identity: identity)
    answer = ask(
        "/make",
        type=kind,
        identity=identify(identity),
        fresh=fresh if isinstance(fresh, bool) else seconds(fresh),
        expires=expires if expires is None or expires is False else seconds(expires),
        claims=claims or {},
        headers=headers or {},
    )
    if answer.status != 200:
        raise RuntimeError(answer.body)
    return answer.body.decode()


def read(token, csrf_value=None, allow_expired=False):
    answer = ask("/read", token=token, csrf=csrf_value, allow_expired=allow_expired)
    if answer.header("x-passed") is None:
        error = exception_for(answer.words())
        error.response = answer.response()
        raise error
    return answer.json()


def add_cookies(response, path, **question):
    answer = ask(path, **question)
    if answer.status >= 300:
        raise RuntimeWarning(answer.body)
    for name, value in answer.headers:
        if name.lower() == "set-cookie":
            response.headers.add("Set-Cookie", value)


def current_token():
    """What Piton has said of the token of this request; None before a guard has been asked."""
    return g.get("piton", None)


# The configuration as Piton reads it ----------------------------------------------------------------

UNITS = {"s": 1, "m": 60, "h": 3600, "day": 86400, "month": 2630016, "year": 31557600}


def duration(value):
    """A duration in Piton's words, such as `1h 30m`, as a timedelta."""
    if value == "never":
        return False
    found = re.findall(r"(\d+)(year|month|day|h|m|s)s?", value)
    return timedelta(seconds=sum(int(number) * UNITS[unit] for number, unit in found))


class Config:
    """`config`: each property is what `token-service config` shows of the setting that has
    Flask-JWT-Extended's name, and raises when Piton refuses to start because of this setting."""

    shown = {}

    def __init__(self, version):
        self.version = version

    def of(self, name):
        found = variables(current_app, self.version.PROFILE, self.version.ELSEWHERE)
        key = tuple(sorted(found.items()))
        if key not in self.shown:
            command = [PROGRAM, "config", "jwt", "--json", "--production"]
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(command, env=found, cwd=folder, capture_output=True)
            values = {it["key"]: it["value"] for it in json.loads(done.stdout or b"[]")}
            wrong = re.findall(r"^  (jwt\.\w+)", done.stderr.decode(), re.MULTILINE)
            self.shown[key] = values, wrong, done.stderr.decode()
        values, wrong, errors = self.shown[key]
        if name not in spoken():
            raise NotSpoken(name)
        if spoken()[name] in wrong:
            raise RuntimeError(errors)
        return values[spoken()[name]]

    def _shown(name, read=lambda value: value):
        return property(lambda self: read(self.of(name)))

    header_name = _shown("JWT_HEADER_NAME")
    header_type = _shown("JWT_HEADER_TYPE")
    query_string_name = _shown("JWT_QUERY_STRING_NAME")
    query_string_value_prefix = _shown("JWT_QUERY_STRING_VALUE_PREFIX")
    json_key = _shown("JWT_JSON_KEY")
    refresh_json_key = _shown("JWT_REFRESH_JSON_KEY")
    access_cookie_name = _shown("JWT_ACCESS_COOKIE_NAME")
    refresh_cookie_name = _shown("JWT_REFRESH_COOKIE_NAME")
    access_cookie_path = _shown("JWT_ACCESS_COOKIE_PATH")
    refresh_cookie_path = _shown("JWT_REFRESH_COOKIE_PATH")
    cookie_secure = _shown("JWT_COOKIE_SECURE")
    cookie_domain = _shown("JWT_COOKIE_DOMAIN")
    session_cookie = _shown("JWT_SESSION_COOKIE")
    cookie_samesite = _shown(
        "JWT_COOKIE_SAMESITE", lambda value: None if value == "unset" else value.capitalize()
    )
    cookie_csrf_protect = _shown("JWT_COOKIE_CSRF_PROTECT")
    csrf_request_methods = _shown("JWT_CSRF_METHODS")
    csrf_in_cookies = _shown("JWT_CSRF_IN_COOKIES")
    csrf_check_form = _shown("JWT_CSRF_CHECK_FORM")
    access_csrf_cookie_name = _shown("JWT_ACCESS_CSRF_COOKIE_NAME")
    refresh_csrf_cookie_name = _shown("JWT_REFRESH_CSRF_COOKIE_NAME")
    access_csrf_cookie_path = _shown("JWT_ACCESS_CSRF_COOKIE_PATH")
    refresh_csrf_cookie_path = _shown("JWT_REFRESH_CSRF_COOKIE_PATH")
    access_csrf_header_name = _shown("JWT_ACCESS_CSRF_HEADER_NAME")
    refresh_csrf_header_name = _shown("JWT_REFRESH_CSRF_HEADER_NAME")
    access_csrf_field_name = _shown("JWT_ACCESS_CSRF_FIELD_NAME")
    refresh_csrf_field_name = _shown("JWT_REFRESH_CSRF_FIELD_NAME")
    access_expires = _shown("JWT_ACCESS_TOKEN_EXPIRES", duration)
    refresh_expires = _shown("JWT_REFRESH_TOKEN_EXPIRES", duration)
    algorithm = _shown("JWT_ALGORITHM")
    identity_claim_key = _shown("JWT_IDENTITY_CLAIM")
    error_msg_key = _shown("JWT_ERROR_MESSAGE_KEY")
    encode_issuer = _shown("JWT_ENCODE_ISSUER")
    decode_issuer = _shown("JWT_DECODE_ISSUER")
    encode_audience = _shown("JWT_ENCODE_AUDIENCE")
    decode_audience = _shown("JWT_DECODE_AUDIENCE")
    leeway = _shown("JWT_DECODE_LEEWAY")
    jwt_in_headers = property(lambda self: "headers" in self.token_location)
    jwt_in_cookies = property(lambda self: "cookies" in self.token_location)
    jwt_in_query_string = property(lambda self: "query_string" in self.token_location)
    jwt_in_json = property(lambda self: "json" in self.token_location)
    is_asymmetric = property(lambda self: not self.algorithm.startswith("HS"))

    @property
    def token_location(self):
        """In the Python type in which it was written."""
        shown = self.of("JWT_TOKEN_LOCATION")
        given = current_app.config.get("JWT_TOKEN_LOCATION")
        if not isinstance(given, (tuple, list, set, frozenset)):
            return tuple(shown)
        return type(given)(shown)

    @property
    def decode_algorithms(self):
        shown = self.of("JWT_DECODE_ALGORITHMS") or []
        return shown if self.algorithm in shown else [*shown, self.algorithm]

    @property
    def cookie_max_age(self):
        """Cookies that outlive the browser end with their token here."""
        if self.session_cookie:
            return None
        raise NotSpoken("cookies that live for a year")

    @property
    def decode_key(self):
        """What `app.config` has, after Piton has started with it: a service never shows its keys."""
        service(())
        names = ("JWT_PUBLIC_KEY",) if self.is_asymmetric else ("JWT_SECRET_KEY", "SECRET_KEY")
        return next(filter(None, map(current_app.config.get, names)))

    @property
    def encode_key(self):
        service(())
        names = ("JWT_PRIVATE_KEY",) if self.is_asymmetric else ("JWT_SECRET_KEY", "SECRET_KEY")
        return next(filter(None, map(current_app.config.get, names)))
