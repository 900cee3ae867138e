"""What is of version 4 alone, and its `config`."""

import piton_tokens as piton

from .internal_utils import JSONEncoder


class Version:
    """Version 4.7."""

    # What a service sets that takes the place of one with Flask-JWT-Extended 4.
    PROFILE = {
        "JWT_COOKIE_SAMESITE": "unset",
        "JWT_COOKIE_SECURE": "false",
        "JWT_ERROR_MESSAGE_KEY": "msg",
        "JWT_IDENTITY_CLAIM": "sub",
        "JWT_VERIFY_SUB": "true",
        "PITON_JWT_ALLOW_SHORT_SECRET": "true",
        "PITON_JWT_RENEW": "false",
        "PITON_JWT_REQUIRED_CLAIMS": "[]",
    }
    ELSEWHERE = ()

    @staticmethod
    def hooks(app, registered):
        return registered

    @staticmethod
    def arguments(hook, question):
        return question["header"], question["claims"]

    @staticmethod
    def refusal_arguments(question):
        if question["kind"] in ("missing", "csrf", "invalid"):
            return (question["words"],)
        return question["header"], question["claims"]

    @staticmethod
    def call(loader, given):
        return loader(*given)

    @staticmethod
    def decoded(token):
        return {"jti": token["jti"], "type": token["type"], "fresh": token["fresh"], **token["claims"]}

    @staticmethod
    def context():
        import flask_jwt_extended

        return {"current_user": flask_jwt_extended.get_current_user()}


version = Version()
config = piton.Config(version)
config.json_encoder = JSONEncoder
