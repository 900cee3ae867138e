"""Stands in for Flask-JWT-Extended 4.7 in its own tests; see `piton_tokens`."""

from functools import wraps

import piton_tokens as piton
from flask import current_app
from werkzeug.local import LocalProxy

from .config import version


class JWTManager(piton.Manager):
    version = version

    def _loader(name):
        return lambda self, callback: self.register(name, callback)

    additional_claims_loader = _loader("claims")
    additional_headers_loader = _loader("headers")
    expired_token_loader = _loader("expired_token")
    invalid_token_loader = _loader("invalid_token")
    needs_fresh_token_loader = _loader("needs_fresh_token")
    revoked_token_loader = _loader("revoked_token")
    token_in_blocklist_loader = _loader("revoked")
    token_verification_failed_loader = _loader("verification_failed")
    token_verification_loader = _loader("verified")
    unauthorized_loader = _loader("unauthorized")
    user_identity_loader = _loader("identity")
    user_lookup_loader = _loader("user")
    user_lookup_error_loader = _loader("user_error")

    def encode_key_loader(self, callback):
        raise piton.NotSpoken("a key for each identity")

    def decode_key_loader(self, callback):
        raise piton.NotSpoken("a key for each token")


def verify_jwt_in_request(
    optional=False,
    fresh=False,
    refresh=False,
    locations=None,
    verify_type=True,
    skip_revocation_check=False,
):
    token = piton.guard(
        locations,
        optional=optional,
        fresh=fresh,
        refresh=refresh,
        any_type=not verify_type,
        skip_revocation_check=skip_revocation_check,
    )
    return token and token["claims"] and (token["header"], token["claims"]) or None


def jwt_required(*arguments, **options):
    def wrapper(view):
        @wraps(view)
        def decorator(*args, **kwargs):
            verify_jwt_in_request(*arguments, **options)
            return current_app.ensure_sync(view)(*args, **kwargs)

        return decorator

    return wrapper


def token_of_request():
    token = piton.current_token()
    if token is None:
        raise RuntimeError("You must call `@jwt_required()` or `verify_jwt_in_request()` before")
    return token


def get_jwt():
    return token_of_request()["claims"]


def get_jwt_header():
    return token_of_request()["header"]


def get_jwt_identity():
    return token_of_request().get("identity")


def get_jwt_request_location():
    return token_of_request().get("location")


def get_current_user():
    token = token_of_request()
    if not token["claims"]:
        return None
    if token.get("user") is None:
        raise RuntimeError(f"No `@jwt.user_lookup_loader`: {token.get('no_user')}")
    return piton.manager().loaders.users[token["user"]]


current_user = LocalProxy(get_current_user)


def create_access_token(
    identity, fresh=False, expires_delta=None, additional_claims=None, additional_headers=None
):
    return piton.make(
        "access", identity, fresh, expires_delta, additional_claims, additional_headers
    )


def create_refresh_token(
    identity, expires_delta=None, additional_claims=None, additional_headers=None
):
    return piton.make(
        "refresh", identity, False, expires_delta, additional_claims, additional_headers
    )


def decode_token(encoded_token, csrf_value=None, allow_expired=False):
    return version.decoded(piton.read(encoded_token, csrf_value, allow_expired))


def get_unverified_jwt_headers(encoded_token):
    return piton.read(encoded_token)["header"]


def get_jti(encoded_token):
    return piton.read(encoded_token)["jti"]


def get_csrf_token(encoded_token):
    return piton.read(encoded_token)["claims"]["csrf"]


def set_access_cookies(response, encoded_access_token, max_age=None, domain=None):
    piton.add_cookies(
        response, "/cookies", token=encoded_access_token, max_age=max_age, domain=domain
    )


set_refresh_cookies = set_access_cookies


def unset_jwt_cookies(response, domain=None):
    piton.add_cookies(response, "/no-cookies", of="both", domain=domain)


def unset_access_cookies(response, domain=None):
    piton.add_cookies(response, "/no-cookies", of="access", domain=domain)


def unset_refresh_cookies(response, domain=None):
    piton.add_cookies(response, "/no-cookies", of="refresh", domain=domain)
