/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections in clear text that leave the container. A connection says nothing of what is in it:
 * its port is for TLS alone, and those of our own that speak it there are helpers. In a network
 * that containers share, the others' are none of ours.
 */
#include <stdio.h>
#include <string.h>

#include "init/sense/sense.h"

/* False: it was said before, or there is no room to remember it. */
static bool is_new(struct laz_sense *sense, const struct laz_sense_peer *peer)
{
    struct laz_sense_told *told = &sense->state->told;
    for (uint32_t i = 0; i < told->n; i++) {
        if (told->peers[i].port == peer->port &&
                memcmp(told->peers[i].address, peer->address, sizeof(peer->address)) == 0) {
            return false;
        }
    }
    if (told->n == LAZ_SENSE_TOLD_MAX) {
        laz_sense_tell_limit(sense, LAZ_DETECTOR_PLAIN, "peers", LAZ_SENSE_TOLD_MAX);
        return false;
    }
    return true;
}

void laz_sense_look_at_connection(struct laz_sense *sense, const struct laz_socket *socket)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    struct laz_sense_peer peer;
    struct laz_sense_told *told = &sense->state->told;
    if (!laz_socket_is_plain(socket, &sense->config)) {
        return;
    }
    laz_socket_peer(socket, &peer);
    laz_sense_find(&find, LAZ_SENSE_EVENT_PLAIN_CONNECT, &json, &detail);
    if (!is_new(sense, &peer)) {
        return;
    }
    find.pid = laz_sense_find_owner(sense, socket->inode, find.exe, sizeof(find.exe));
    if (laz_sense_judge_owner(sense, find.pid, socket->uid) != LAZ_SENSE_OWNER_WORKLOAD) {
        return;
    }
    laz_socket_format_peer(socket, find.obj, sizeof(find.obj));
    (void)snprintf(find.act, sizeof(find.act), "connected");
    laz_json_u64(&json, "port", socket->remote_port);
    laz_json_u64(&json, "uid", socket->uid);
    laz_json_u64(&json, "inode", socket->inode);
    if (find.pid != 0) {
        laz_json_bool(&json, "exe_untrusted", true);
    }
    if (laz_sense_try(sense, &find, &detail)) {
        told->peers[told->n++] = peer; /* what was not said is found again */
    }
}
