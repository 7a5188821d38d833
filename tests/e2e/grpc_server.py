# SPDX-License-Identifier: Apache-2.0
"""A real gRPC server (grpcio) with the health service, for the system's python: prints its port and serves.

The service `down` does not serve, `slow` takes its time, `absent` is not known; all others serve.
"""
import concurrent.futures
import sys
import time

import grpc

STATUS = {b"down": b"\x08\x02"}


def check(request, context):
    service = request[2:]  # field 1, and its length in one byte
    if service == b"absent":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
    if service == b"slow":
        time.sleep(5)
    return STATUS.get(service, b"\x08\x01")


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    method = grpc.unary_unary_rpc_method_handler(check)
    if "without" not in sys.argv:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


main()
