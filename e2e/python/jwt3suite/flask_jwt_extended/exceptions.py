"""The exceptions that tests of version 3 name."""

from piton_tokens import CSRFError, JWTDecodeError, JWTExtendedException

__all__ = ["CSRFError", "JWTDecodeError", "JWTExtendedException"]
