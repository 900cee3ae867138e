//! A client of the ASHIRT backend: signed requests, their answers as types.
