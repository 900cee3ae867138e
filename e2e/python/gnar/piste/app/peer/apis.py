from flask import Blueprint, jsonify
from flask_jwt_extended import jwt_required

from piste.app.main import app

blueprint = Blueprint('peer', __name__, url_prefix='/peer')


@blueprint.route('/me', methods=['GET'])
@jwt_required
def peer_me():
    return jsonify(app.peer('off-piste').get('user/me', auto_auth=True).json())
