# SPDX-License-Identifier: Apache-2.0
"""What AWS takes, by botocore's own service models: inputs of operations, words of the aws command line, answers.

Asks nobody. Where this botocore is older than what it is asked about (Debian 12 has 1.29), what it cannot know is named.
"""
import functools

import botocore
import botocore.session
import botocore.stub
import botocore.validate
from botocore import xform_name

# Members that came after botocore 1.29.
NEWER_OPERATIONS = {"ecs": {"DescribeServiceRevisions"}}
NEWER = {"restartPolicy", "advancedConfiguration", "strategy", "bakeTimeInMinutes", "lifecycleHooks"}


@functools.lru_cache(maxsize=None)
def session():
    return botocore.session.get_session()


@functools.lru_cache(maxsize=None)
def service(name):
    return session().get_service_model(name)


def complaints(name, operation, value):
    """What is wrong with the input of an operation; [] if nothing is."""
    report = botocore.validate.ParamValidator().validate(value, service(name).operation_model(operation).input_shape)
    return [line for line in report.generate_report().splitlines()
            if line and not any("Unknown parameter" in line and f'"{word}"' in line for word in NEWER)]


def client(name):
    """A client that reaches nobody: to be stubbed."""
    return session().create_client(name, region_name="us-east-1", aws_access_key_id="x",
                                                        aws_secret_access_key="x")


def has_operation(name, operation):
    return operation in service(name).operation_names or operation in NEWER_OPERATIONS.get(name, ())


def answer(made, stub, operation, said, parameters):
    """The client's answer to an operation, checked by the service's model, where this botocore knows it."""
    if hasattr(made, operation):
        stub.add_response(operation, said, parameters)
        return

    def asked(**words):
        if words != parameters:
            raise AssertionError(f"{operation}: {words}, and not {parameters}")
        return said
    setattr(made, operation, asked)


def operation_of(name, command):
    """"swap-environment-cnames" is SwapEnvironmentCNAMEs; None: there is no such operation."""
    for operation in service(name).operation_names:
        if xform_name(operation, "-") == command:
            return operation
    return None


# Of the command line itself, for every operation.
GLOBAL = {"--output", "--query", "--region", "--cli-input-json"}
HIGH_LEVEL = {("s3", "cp"), ("ecr", "get-login-password")}


def command_faults(words):
    """What is wrong with the words behind `aws`: unknown operations, options that it does not have, required ones that are missing."""
    if tuple(words[:2]) in HIGH_LEVEL:
        return []
    name, command, *rest = words
    if command == "wait":
        model = session().get_waiter_model(name)
        waiters = {xform_name(waiter, "-"): waiter for waiter in model.waiter_names}
        if rest[0] not in waiters:
            return [f"no waiter {rest[0]}"]
        operation = model.get_waiter(waiters[rest[0]]).operation
        rest = rest[1:]
    else:
        operation = operation_of(name, command)
    if operation is None:
        return [f"no operation {name} {command}"]
    shape = service(name).operation_model(operation).input_shape
    options = {"--" + xform_name(member, "-"): member for member in shape.members}
    given = {word for word in rest if word.startswith("--")}
    missing = {o for o, member in options.items() if member in shape.required_members} - given
    return [f"{operation} has no {o}" for o in sorted(given - set(options) - GLOBAL)] + [f"{operation} needs {o}" for o in sorted(missing)]
