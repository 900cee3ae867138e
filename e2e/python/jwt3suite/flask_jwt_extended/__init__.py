"""Stands in for Flask-JWT-Extended 3.25 in its own tests; see `piton_tokens`."""

from functools import wraps

import piton_tokens as piton
from werkzeug.local import LocalProxy

from .config import config, version


class JWTManager(piton.Manager):
    version = version

    def _loader(name):
        return lambda self, callback: self.register(name, callback)

    additional_headers_loader = _loader("headers")
    claims_verification_failed_loader = _loader("verification_failed")
    claims_verification_loader = _loader("verified")
    expired_token_loader = _loader("expired_token")
    invalid_token_loader = _loader("invalid_token")
    needs_fresh_token_loader = _loader("needs_fresh_token")
    revoked_token_loader = _loader("revoked_token")
    token_in_blacklist_loader = _loader("revoked")
    unauthorized_loader = _loader("unauthorized")
    user_claims_loader = _loader("claims")
    user_identity_loader = _loader("identity")
    user_loader_callback_loader = _loader("user")
    user_loader_error_loader = _loader("user_error")

    def encode_key_loader(self, callback):
        raise piton.NotSpoken("a key for each identity")

    def decode_key_loader(self, callback):
        raise piton.NotSpoken("a key for each token")


def verify(**options):
    kind = "refresh" if options.get("refresh") else "access"
    piton.guard(skip_revocation_check=kind not in config.blacklist_checks, **options)


def verify_jwt_in_request():
    verify()


def verify_jwt_in_request_optional():
    verify(optional=True)


def verify_fresh_jwt_in_request():
    verify(fresh=True)


def verify_jwt_refresh_token_in_request():
    verify(refresh=True)


def _decorator(check):
    def decorator(view):
        @wraps(view)
        def wrapper(*args, **kwargs):
            check()
            return view(*args, **kwargs)

        return wrapper

    return decorator


jwt_required = _decorator(verify_jwt_in_request)
jwt_optional = _decorator(verify_jwt_in_request_optional)
fresh_jwt_required = _decorator(verify_fresh_jwt_in_request)
jwt_refresh_token_required = _decorator(verify_jwt_refresh_token_in_request)


def get_raw_jwt():
    return (piton.current_token() or {}).get("claims", {})


def get_raw_jwt_header():
    return (piton.current_token() or {}).get("header", {})


def get_jwt_identity():
    return (piton.current_token() or {}).get("identity")


def get_jwt_claims():
    return get_raw_jwt().get(config.user_claims_key, {})


def get_current_user():
    user = (piton.current_token() or {}).get("user")
    return None if user is None else piton.manager().loaders.users[user]


current_user = LocalProxy(get_current_user)


def create_access_token(
    identity, fresh=False, expires_delta=None, user_claims=None, headers=None
):
    return piton.make("access", identity, fresh, expires_delta, user_claims, headers)


def create_refresh_token(identity, expires_delta=None, user_claims=None, headers=None):
    return piton.make("refresh", identity, False, expires_delta, user_claims, headers)


def decode_token(encoded_token, csrf_value=None, allow_expired=False):
    return version.decoded(piton.read(encoded_token, csrf_value, allow_expired))


def get_unverified_jwt_headers(encoded_token):
    return piton.read(encoded_token)["header"]


def get_jti(encoded_token):
    return piton.read(encoded_token)["jti"]


def get_csrf_token(encoded_token):
    return piton.read(encoded_token)["claims"]["csrf"]


def set_access_cookies(response, encoded_access_token, max_age=None):
    piton.add_cookies(response, "/cookies", token=encoded_access_token, max_age=max_age)


set_refresh_cookies = set_access_cookies


def unset_jwt_cookies(response):
    piton.add_cookies(response, "/no-cookies", of="both")


def unset_access_cookies(response):
    piton.add_cookies(response, "/no-cookies", of="access")


def unset_refresh_cookies(response):
    piton.add_cookies(response, "/no-cookies", of="refresh")
