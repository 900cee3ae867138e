"""What is of version 3 alone, and its `config`."""

import inspect
import warnings

import piton_tokens as piton
from flask import current_app


class Version:
    """Version 3.25."""

    # What a service sets that takes the place of one with Flask-JWT-Extended 3.
    PROFILE = {
        "JWT_COOKIE_SAMESITE": "unset",
        "JWT_COOKIE_SECURE": "false",
        "JWT_ERROR_MESSAGE_KEY": "msg",
        "JWT_IDENTITY_CLAIM": "identity",
        "JWT_USER_CLAIMS": "user_claims",
        "PITON_JWT_FLASK_VERSION": "3",
        "PITON_JWT_ALLOW_SHORT_SECRET": "true",
        "PITON_JWT_RENEW": "false",
        "PITON_JWT_REQUIRED_CLAIMS": "[]",
    }
    # These say which hook is registered, and which guards ask it.
    ELSEWHERE = ("JWT_BLACKLIST_ENABLED", "JWT_BLACKLIST_TOKEN_CHECKS")

    @staticmethod
    def hooks(app, registered):
        """A service has a deny-list, or none: it is not switched off by a setting."""
        others = [hook for hook in registered if hook != "revoked"]
        return tuple(others + ["revoked"] * bool(app.config.get("JWT_BLACKLIST_ENABLED")))

    @staticmethod
    def arguments(hook, question):
        if hook == "verified":
            return (question["claims"].get(config.user_claims_key, {}),)
        if hook == "user":
            return (question["identity"],)
        return (question["claims"],)

    @staticmethod
    def refusal_arguments(question):
        kind = question["kind"]
        if kind in ("missing", "csrf", "invalid"):
            return (question["words"],)
        if kind == "expired":
            return (question["claims"],)
        return (question["identity"],) if kind == "user" else ()

    @staticmethod
    def call(loader, given):
        """Loaders of expired tokens took nothing once."""
        if given and not inspect.signature(loader).parameters:
            warnings.warn("the loader takes the token", DeprecationWarning)
            return loader()
        return loader(*given)

    @staticmethod
    def decoded(token):
        found = {"jti": token["jti"], "type": token["type"], **token["claims"]}
        if found["type"] == "access":
            found.setdefault("fresh", token["fresh"])
        found.setdefault(config.user_claims_key, {})
        return found


class Config(piton.Config):
    """The settings of version 3 that version 4 has not, or calls otherwise."""

    json_encoder = property(lambda self: current_app.json_encoder)
    user_claims_key = property(lambda self: self.of("JWT_USER_CLAIMS"))
    user_claims_in_refresh_token = property(
        lambda self: bool(self.of("JWT_CLAIMS_IN_REFRESH_TOKEN"))
    )
    csrf_protect = property(
        lambda self: self.jwt_in_cookies and self.of("JWT_COOKIE_CSRF_PROTECT")
    )
    blacklist_enabled = property(
        lambda self: current_app.config.get("JWT_BLACKLIST_ENABLED", False)
    )
    blacklist_access_tokens = property(lambda self: "access" in self.blacklist_checks)
    blacklist_refresh_tokens = property(lambda self: "refresh" in self.blacklist_checks)

    @property
    def blacklist_checks(self):
        checks = current_app.config.get("JWT_BLACKLIST_TOKEN_CHECKS", ("access", "refresh"))
        return (checks,) if isinstance(checks, str) else checks


version = Version()
config = Config(version)
