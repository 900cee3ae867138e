"""A Flask app of today, as one has it before a migration: users in SQLite, Flask-JWT-Extended 4, argon2-cffi.

Settings are Flask's own: FLASK_DATABASE (a file), FLASK_JWT_SECRET_KEY.
"""
import sqlite3

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask import Flask, current_app, g, jsonify, request
from flask_jwt_extended import (JWTManager, create_access_token, create_refresh_token, get_jwt_identity,
                                jwt_required)

app = Flask(__name__)
app.config.from_prefixed_env()
JWTManager(app)
hasher = PasswordHasher()

SCHEMA = """CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT,
    password_hash TEXT NOT NULL
)"""


def db():
    if 'db' not in g:
        g.db = sqlite3.connect(current_app.config['DATABASE'])
        g.db.row_factory = sqlite3.Row
    return g.db


@app.teardown_appcontext
def close_db(_error):
    if 'db' in g:
        g.pop('db').close()


def add_user(email, password, name=None):
    db().execute('INSERT INTO users (email, name, password_hash) VALUES (?, ?, ?)',
                 (email, name, hasher.hash(password)))
    db().commit()


def find_user(email):
    return db().execute('SELECT * FROM users WHERE email = ?', (email,)).fetchone()


def password_matches(user, password):
    try:
        return hasher.verify(user['password_hash'], password)
    except VerifyMismatchError:
        return False


@app.get('/user/get')
def user_get():
    return jsonify(status='ok')


@app.post('/user/login')
def user_login():
    user = find_user(request.json['email'])
    if not user or not password_matches(user, request.json['password']):
        return jsonify(msg='Bad email or password'), 401
    return jsonify(access_token=create_access_token(user['email'], fresh=True),
                   refresh_token=create_refresh_token(user['email']))


@app.post('/user/refresh')
@jwt_required(refresh=True)
def user_refresh():
    return jsonify(access_token=create_access_token(get_jwt_identity(), fresh=False))


@app.get('/user/me')
@jwt_required()
def user_me():
    user = find_user(get_jwt_identity())
    if not user:
        return jsonify(msg='User not found'), 404
    return jsonify(email=user['email'], name=user['name'])


with app.app_context():
    db().execute(SCHEMA)
