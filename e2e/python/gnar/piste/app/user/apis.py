from flask import Blueprint, jsonify, request
from flask_jwt_extended import create_access_token, get_jwt_identity, jwt_required

from piste.app.main import app

from .constants import (ACCOUNT_NOT_ACTIVE, EMAIL_AND_PASSWORD_REQUIRED, EMAIL_IS_TAKEN,
                        INVALID_ACTIVATION_TOKEN, INVALID_LOGIN, USER_NOT_FOUND)
from .services import activate_user, add_user, find_user

blueprint = Blueprint('user', __name__, url_prefix='/user')


@blueprint.route('/get', methods=['GET'])
def user_get():
    return jsonify({'status': 'ok'})


@blueprint.route('/signup', methods=['POST'])
def user_signup():
    data = request.get_json()
    if not data.get('email') or not data.get('password'):
        return jsonify({'error': EMAIL_AND_PASSWORD_REQUIRED})
    email = add_user(data['email'], data['password'], data.get('name'))
    return jsonify({'email': email} if email else {'error': EMAIL_IS_TAKEN})


@blueprint.route('/activate/<token>', methods=['GET'])
def user_activate(token):
    email = activate_user(token)
    return jsonify({'email': email} if email else {'error': INVALID_ACTIVATION_TOKEN})


@blueprint.route('/login', methods=['POST'])
def user_login():
    data = request.get_json()
    user = find_user(data['email'])
    if not user or not app.check_password_hash(user.password_hash, data['password']):
        return jsonify({'error': INVALID_LOGIN})
    if not user.active:
        return jsonify({'error': ACCOUNT_NOT_ACTIVE})
    return jsonify({'token': create_access_token(identity=user.email)})


@blueprint.route('/me', methods=['GET'])
@jwt_required
def user_me():
    user = find_user(get_jwt_identity())
    if not user:
        return jsonify({'error': USER_NOT_FOUND})
    return jsonify({'email': user.email, 'name': user.name, 'active': user.active})


@blueprint.route('/identity', methods=['GET'])
@jwt_required
def user_identity():
    return jsonify({'identity': get_jwt_identity()})


@blueprint.route('/echo', methods=['POST'])
def user_echo():
    return jsonify(request.get_json())


@blueprint.route('/fail', methods=['GET'])
def user_fail():
    return jsonify({'result': 1 / 0})
