/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports that are listened on in the container's network. What was listened on before the workload
 * was there is somebody else's: of the engine, or of another container of the task.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "init/sense/sense.h"

#define PIECE 65536

static int compare_inodes(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y ? 1 : 0;
}

static void tell_port(
        struct laz_sense *sense, enum laz_sense_event_id event, const struct laz_socket *socket)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    laz_sense_find(&find, event, &json, &detail);
    laz_socket_format(socket, find.obj, sizeof(find.obj));
    (void)snprintf(find.act, sizeof(find.act), "listening");
    find.pid = laz_sense_find_owner(sense, socket->inode, find.exe, sizeof(find.exe));
    laz_json_u64(&json, "port", socket->port);
    laz_json_u64(&json, "uid", socket->uid);
    laz_json_u64(&json, "inode", socket->inode);
    if (find.pid != 0) {
        laz_json_bool(&json, "exe_untrusted", true);
    } else {
        laz_json_string(&json, "owner",
                sense->sees_sockets ? "nobody in this container" : "not shown to this user");
    }
    laz_sense_tell(sense, &find, &detail);
}

/* Each detector says what it was asked for; with both, both do. */
static void tell(struct laz_sense *sense, const struct laz_socket *socket)
{
    if (laz_sense_is_on(sense, LAZ_DETECTOR_LISTEN)) {
        tell_port(sense, LAZ_SENSE_EVENT_NET_LISTEN, socket);
    }
    if (laz_sense_is_on(sense, LAZ_DETECTOR_PLAIN) && socket->protocol == LAZ_SENSE_TCP &&
            !laz_socket_is_local(socket)) {
        tell_port(sense, LAZ_SENSE_EVENT_PLAIN_LISTEN, socket);
    }
}

static void take(struct laz_sense *sense, const struct laz_socket *socket,
        const struct laz_sense_sockets *before, struct laz_sense_sockets *after)
{
    if (!laz_socket_listens(socket, sense->first_given, sense->last_given)) {
        return;
    }
    bool is_known = bsearch(&socket->inode, before->inodes, before->n, sizeof(before->inodes[0]),
                            compare_inodes) != NULL;
    if (!sense->is_first && !is_known && !laz_socket_is_expected(socket, &sense->config)) {
        tell(sense, socket);
    }
    if (after->n < LAZ_SENSE_SOCKETS_MAX) {
        after->inodes[after->n++] = socket->inode;
    } else {
        laz_sense_tell_limit(sense, LAZ_DETECTOR_LISTEN, "ports", LAZ_SENSE_SOCKETS_MAX);
    }
}

/* One file. Of TCP, the kernel lists those that listen first: behind the first other one, nobody
 * looks at thousands of connections, but for clear text. */
static void read_sockets(struct laz_sense *sense, const char *name, struct laz_socket form,
        const struct laz_sense_sockets *before, struct laz_sense_sockets *after)
{
    laz_cleanup_fd int fd = openat(sense->proc, name, O_RDONLY | O_CLOEXEC);
    char *memory = fd < 0 ? NULL : malloc(PIECE);
    size_t length = 0;
    bool is_first_line = true;
    bool looks_on = laz_sense_is_on(sense, LAZ_DETECTOR_PLAIN);
    ssize_t n = memory == NULL ? 0 : 1;
    while (n > 0) {
        n = read(fd, memory + length, PIECE - length);
        length += n > 0 ? (size_t)n : 0;
        char *line = memory;
        char *newline = memchr(line, '\n', length);
        for (; newline != NULL && n >= 0;
                newline = memchr(line, '\n', (size_t)(memory + length - line))) {
            struct laz_socket socket = form;
            bool is_one = laz_socket_parse(line, (size_t)(newline - line), &socket);
            if (is_one) {
                take(sense, &socket, before, after);
            }
            bool is_connection =
                    is_one && form.protocol == LAZ_SENSE_TCP && !laz_socket_listens(&socket, 0, 0);
            if (is_connection && looks_on) {
                laz_sense_look_at_connection(sense, &socket);
            }
            n = is_connection && !is_first_line && !looks_on ? -1 : n;
            is_first_line = false;
            line = newline + 1;
        }
        length = (size_t)(memory + length - line);
        (void)memmove(memory, line, length);
    }
    free(memory);
}

void laz_sense_look_at_ports(struct laz_sense *sense)
{
    static const struct {
        const char *name;
        struct laz_socket form;
    } files[] = {
            {"net/tcp", {.protocol = LAZ_SENSE_TCP}},
            {"net/tcp6", {.protocol = LAZ_SENSE_TCP, .is_v6 = true}},
            {"net/udp", {.protocol = LAZ_SENSE_UDP}},
            {"net/udp6", {.protocol = LAZ_SENSE_UDP, .is_v6 = true}},
    };
    struct laz_sense_state *state = sense->state;
    uint32_t at = state->sockets_at & 1U;
    const struct laz_sense_sockets *before = &state->sockets[at];
    struct laz_sense_sockets *after = &state->sockets[1 - at];
    if (!laz_sense_is_on(sense, LAZ_DETECTOR_LISTEN) &&
            !laz_sense_is_on(sense, LAZ_DETECTOR_PLAIN)) {
        return;
    }
    after->n = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        read_sockets(sense, files[i].name, files[i].form, before, after);
    }
    qsort(after->inodes, after->n, sizeof(after->inodes[0]), compare_inodes);
    state->sockets_at = 1 - at;
}
