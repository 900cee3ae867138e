"""Scans a TLS port with sslyze: `scan.py HOST PORT`. Prints as JSON what is accepted, and what is vulnerable."""

import json
import sys

from sslyze import (
    ScanCommand,
    Scanner,
    ServerNetworkConfiguration,
    ServerNetworkLocation,
    ServerScanRequest,
)

PROTOCOLS = {
    "SSL 2.0": ScanCommand.SSL_2_0_CIPHER_SUITES,
    "SSL 3.0": ScanCommand.SSL_3_0_CIPHER_SUITES,
    "TLS 1.0": ScanCommand.TLS_1_0_CIPHER_SUITES,
    "TLS 1.1": ScanCommand.TLS_1_1_CIPHER_SUITES,
    "TLS 1.2": ScanCommand.TLS_1_2_CIPHER_SUITES,
    "TLS 1.3": ScanCommand.TLS_1_3_CIPHER_SUITES,
}
VULNERABILITIES = {
    ScanCommand.HEARTBLEED: lambda it: it.is_vulnerable_to_heartbleed,
    ScanCommand.OPENSSL_CCS_INJECTION: lambda it: it.is_vulnerable_to_ccs_injection,
    ScanCommand.TLS_COMPRESSION: lambda it: it.supports_compression,
    ScanCommand.SESSION_RENEGOTIATION: lambda it: it.is_vulnerable_to_client_renegotiation_dos,
    ScanCommand.ROBOT: lambda it: it.robot_result.name not in ("NOT_VULNERABLE_NO_ORACLE", "NOT_VULNERABLE_RSA_NOT_SUPPORTED"),
    ScanCommand.TLS_1_3_EARLY_DATA: lambda it: it.supports_early_data,
}

location = ServerNetworkLocation(hostname="localhost", ip_address=sys.argv[1], port=int(sys.argv[2]))
commands = {*PROTOCOLS.values(), *VULNERABILITIES}
request = ServerScanRequest(location, ServerNetworkConfiguration("localhost"), scan_commands=commands)
scanner = Scanner()
scanner.queue_scans([request])
(result,) = scanner.get_results()
if result.scan_result is None:
    sys.exit(f"{result.scan_status}: {result.connectivity_error_trace}")


def of(command):
    attempt = getattr(result.scan_result, command.value)
    if attempt.result is None:
        sys.exit(f"{command}: {attempt.error_reason} {attempt.error_trace}")
    return attempt.result


accepted = {
    name: sorted(suite.cipher_suite.name for suite in of(command).accepted_cipher_suites)
    for name, command in PROTOCOLS.items()
}
vulnerable = sorted(command.value for command, test in VULNERABILITIES.items() if test(of(command)))
print(json.dumps({"accepted": accepted, "vulnerable": vulnerable}))
