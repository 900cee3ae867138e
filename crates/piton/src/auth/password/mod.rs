//! Passwords, hashed as argon2-cffi hashes them.
