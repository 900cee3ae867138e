"""Tokens of Flask-JWT-Extended 3; the questions are in ../dialogue.py."""
import sys
from pathlib import Path

from flask_jwt_extended import (JWTManager, create_access_token, create_refresh_token, fresh_jwt_required,  # noqa: F401
                                get_jwt_identity, get_raw_jwt, jwt_optional, jwt_refresh_token_required,
                                jwt_required, set_access_cookies, set_refresh_cookies, unset_jwt_cookies)

sys.path.append(str(Path(__file__).parents[1]))
from dialogue import seconds, serve  # noqa: E402


def create(asked):
    more = {'user_claims': asked.get('claims'), 'headers': asked.get('headers'),
            'expires_delta': seconds(asked.get('expires'))}
    if asked.get('type') == 'refresh':
        return create_refresh_token(asked['identity'], **more)
    return create_access_token(asked['identity'], fresh=seconds(asked.get('fresh', False)), **more)


def set_cookies(response, token, kind):
    (set_refresh_cookies if kind == 'refresh' else set_access_cookies)(response, token)


def protect(asked):
    if asked.get('type') == 'refresh':
        return jwt_refresh_token_required
    if asked.get('fresh'):
        return fresh_jwt_required
    return jwt_optional if asked.get('optional') else jwt_required


claims = get_raw_jwt

if __name__ == '__main__':
    serve(sys.modules[__name__])
