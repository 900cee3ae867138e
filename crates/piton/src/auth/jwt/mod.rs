//! JSON Web Tokens, as Flask-JWT-Extended writes and reads them.
