/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said of a sink, wherever it is said. Claims nothing that the other end does not vouch
 * for.
 */
#include "policy/ship.h"

const char *laz_ship_guarantee(const struct laz_ship_sink *sink)
{
    switch (sink->type) {
    case LAZ_SINK_FILE:
        return "acked means written and synced; the file is as lasting as the volume it is on";
    case LAZ_SINK_STDOUT:
        return "never acked: what becomes of the container's output is not known here";
    case LAZ_SINK_RELP:
        return "acked means that the collector answered for it; whether it had it on a disk by "
               "then is up to the collector (rsyslog: queue.type=\"Direct\")";
    case LAZ_SINK_SYSLOG:
        if (sink->transport == LAZ_TRANSPORT_UDP) {
            return "acked means sent; datagrams get lost, and nobody says so";
        }
        if (sink->transport == LAZ_TRANSPORT_UNIX) {
            return "acked means that the local socket took it; nobody answers for the rest";
        }
        return "acked means handed to the connection; what is on the way when it breaks is lost, "
               "and nobody says so";
    case LAZ_SINK_CLOUDWATCH:
        return "acked means that CloudWatch Logs took it, and did not name it among those that it "
               "rejects; how long it is kept is up to the log group";
    case LAZ_SINK_EMF:
        return "never acked: metrics, which are measured again and not delivered again";
    case LAZ_SINK_OSSEC:
        return "acked means sent: a mirror for alerts, no evidence; datagrams get lost, the "
               "encryption is weak, and with a FIPS OpenSSL it refuses to start";
    case LAZ_SINK_TYPE_COUNT:
        break;
    }
    return "?";
}
