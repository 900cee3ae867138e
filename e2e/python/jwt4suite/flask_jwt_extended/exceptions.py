"""The exceptions that tests of version 4 name."""

from piton_tokens import CSRFError, JWTDecodeError, JWTExtendedException

__all__ = ["CSRFError", "JWTDecodeError", "JWTExtendedException"]
