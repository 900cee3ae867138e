from uuid import uuid4

from piste.app.main import app


def find_user(email):
    return app.db.one('SELECT * FROM users WHERE email = %(email)s', {'email': email})


def add_user(email, password, name):
    return app.db.one(
        'INSERT INTO users (email, password_hash, name, activation_token)'
        ' VALUES (%(email)s, %(hash)s, %(name)s, %(token)s)'
        ' ON CONFLICT (email) DO NOTHING RETURNING email',
        {'email': email, 'hash': app.generate_password_hash(password), 'name': name, 'token': str(uuid4())})


def activate_user(token):
    return app.db.one(
        'UPDATE users SET active = TRUE, activation_token = NULL'
        ' WHERE activation_token = %(token)s RETURNING email',
        {'token': token})
