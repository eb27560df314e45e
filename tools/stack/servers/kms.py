"""An AWS endpoint on this machine: moto_server, with a KMS as strict as AWS's and keys that survive a restart.

moto lets disabled keys and keys pending deletion go on encrypting and decrypting; AWS refuses both, and so does this.
With WEIR_KMS_STATE set, symmetric keys, their aliases and the secrets of Secrets Manager are kept in that file.

usage: kms.py -H 127.0.0.1 -p PORT
"""

import functools
import os
import pickle
import sys
import threading

from moto.core.exceptions import JsonRESTError
from moto.kms import models, responses
from moto.secretsmanager import models as secrets_models, responses as secrets_responses
from moto.server import main


class DisabledException(JsonRESTError):
    code = 400

    def __init__(self, arn):
        super().__init__("DisabledException", f"{arn} is disabled.")


class KMSInvalidStateException(JsonRESTError):
    code = 400

    def __init__(self, arn, state):
        super().__init__("KMSInvalidStateException", f"{arn} is pending deletion." if state == "PendingDeletion" else f"{arn} is {state}.")


def assert_usable(key):
    if key.key_state == "PendingDeletion":
        raise KMSInvalidStateException(key.arn, key.key_state)
    if key.key_state == "Disabled":
        raise DisabledException(key.arn)


# Every symmetric operation goes through these two functions of the module.
lenient_encrypt, lenient_decrypt = models.encrypt, models.decrypt


def encrypt(master_keys, key_id, **rest):
    if key_id in master_keys:
        assert_usable(master_keys[key_id])
    return lenient_encrypt(master_keys=master_keys, key_id=key_id, **rest)


def decrypt(**arguments):
    plaintext, key_id = lenient_decrypt(**arguments)
    assert_usable(arguments["master_keys"][key_id])
    return plaintext, key_id


models.encrypt, models.decrypt = encrypt, decrypt


def strict(method):
    @functools.wraps(method)
    def checked(self, *positional, **named):
        key_id = named.get("key_id", positional[-1] if positional else None)
        key = self.keys.get(self.any_id_to_key_id(key_id)) if key_id else None
        if key:
            assert_usable(key)
        return method(self, *positional, **named)

    return checked


for name in ("sign", "verify", "generate_mac", "verify_mac"):
    if hasattr(models.KmsBackend, name):
        setattr(models.KmsBackend, name, strict(getattr(models.KmsBackend, name)))


# -- Keys and secrets that survive a restart ---------------------------------------------------------------------------------------

STATE = os.environ.get("WEIR_KMS_STATE")
CHANGES = (
    "create_key", "create_alias", "update_alias", "delete_alias", "enable_key", "disable_key", "schedule_key_deletion",
    "cancel_key_deletion", "update_key_description", "put_key_policy", "enable_key_rotation", "disable_key_rotation",
    "rotate_key_on_demand", "create_grant", "revoke_grant", "retire_grant",
)
SECRET_CHANGES = ("create_secret", "put_secret_value", "update_secret", "delete_secret", "restore_secret")


# requests are answered by threads of their own, and there is one file
saves = threading.Lock()


def save():
    kept = {}
    for account, regions in models.kms_backends.items():
        for region, backend in regions.items():
            keys = {}
            for key_id, key in backend.keys.items():
                if key.key_spec == "SYMMETRIC_DEFAULT":
                    # what asymmetric use would need cannot be written down; a symmetric key never asks for it
                    keys[key_id] = {name: value for name, value in key.__dict__.items() if name != "private_key"}
            if keys:
                kept[(account, region)] = keys
    secrets = {
        (account, region): dict(backend.secrets)
        for account, regions in secrets_models.secretsmanager_backends.items()
        for region, backend in regions.items()
        if backend.secrets
    }
    scratch = f"{STATE}.new"
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        pickle.dump({"keys": kept, "secrets": secrets}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, STATE)


def load():
    with open(STATE, "rb") as file:
        state = pickle.load(file)
    # a file of before has the keys alone
    for (account, region), keys in state.get("keys", state).items():
        backend = models.kms_backends[account][region]
        for key_id, attributes in keys.items():
            key = models.Key.__new__(models.Key)
            key.__dict__.update(attributes, private_key=None)
            backend.keys[key_id] = key
    for (account, region), secrets in state.get("secrets", {}).items():
        secrets_models.secretsmanager_backends[account][region].secrets.update(secrets)


def saving(method):
    @functools.wraps(method)
    def saved(self):
        answer = method(self)
        with saves:
            save()
        return answer

    return saved


if STATE:
    if os.path.exists(STATE):
        load()
    for name in CHANGES:
        if hasattr(responses.KmsResponse, name):
            setattr(responses.KmsResponse, name, saving(getattr(responses.KmsResponse, name)))
    for name in SECRET_CHANGES:
        setattr(secrets_responses.SecretsManagerResponse, name, saving(getattr(secrets_responses.SecretsManagerResponse, name)))

main(sys.argv[1:])
