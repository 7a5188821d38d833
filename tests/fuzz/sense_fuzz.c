/* SPDX-License-Identifier: Apache-2.0
 *
 * What sense reads, by the first byte: its section of a compiled policy, a status, a stat, a line
 * of /proc/net, a table of mounts. What is taken is in range and stays inside the bytes; what the
 * workload writes in a name changes nothing of what the kernel writes behind it; what is written
 * again is the same.
 */
#include "policy/sense.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "sense/process.h"
#include "sense/socket.h"
#include "sense/volume.h"

#define NAME_LENGTH 15

static void check_section(const char *bytes, size_t size)
{
    struct laz_sense_config config;
    struct laz_err err = {0};
    if (laz_sense_decode(bytes, size, &config, &err) < 0) {
        require(err.kind == LAZ_E_IMAGE_CORRUPT && err.message[0] != '\0');
        return;
    }
    struct laz_buf again;
    laz_buf_init_heap(&again, LAZ_SENSE_MAX + 1);
    require(laz_sense_encode(&config, &again, &err) == 0);
    require(again.len == size && memcmp(again.data, bytes, size) == 0);
    laz_buf_done(&again);
    for (uint32_t i = 0; i < config.n_watch; i++) {
        require(config.watch[i][0] == '/');
    }
}

static void check_status(const char *bytes, size_t size)
{
    struct laz_process_status status;
    if (!laz_status_parse(bytes, size, &status)) {
        return;
    }
    require(status.pid >= 0 && status.parent >= 0 && status.no_new_privs <= 9);
    require(memchr(status.name, '\0', sizeof(status.name)) != NULL);
    require(memmem(bytes, size, "\nUid:", 5) != NULL || memcmp(bytes, "Uid:", 4) == 0);
    /* Without its last line feed it is cut short, and refused. */
    require(!laz_status_parse(bytes, size - 1, &status));
}

/* The bytes as the name of a process. */
static void check_stat(const char *bytes, size_t size)
{
    char text[256];
    uint64_t start = 0;
    size_t length = size < NAME_LENGTH ? size : NAME_LENGTH;
    int n = snprintf(text, sizeof(text), "42 (");
    (void)memcpy(text + n, bytes, length);
    size_t at = (size_t)n + length;
    at += (size_t)snprintf(text + at, sizeof(text) - at, "%s",
            ") S 1 42 42 0 -1 4194560 95 0 0 0 0 0 0 0 20 0 1 0 12345 2 3\n");
    require(laz_stat_parse_start(text, at, &start) && start == 12345);
    (void)laz_stat_parse_start(bytes, size, &start);
}

static void check_line(const char *bytes, size_t size)
{
    for (unsigned i = 0; i < 4; i++) {
        struct laz_socket socket = {
                .protocol = (i & 1) != 0 ? LAZ_SENSE_UDP : LAZ_SENSE_TCP, .is_v6 = (i & 2) != 0};
        if (laz_socket_parse(bytes, size, &socket)) {
            char text[LAZ_SOCKET_TEXT_MAX];
            laz_socket_format(&socket, text, sizeof(text));
            require(strlen(text) >= strlen("[::]:0/tcp") - 2 && strlen(text) < sizeof(text) - 1);
            require(strcmp(text + strlen(text) - 4, (i & 1) != 0 ? "/udp" : "/tcp") == 0);
        }
    }
}

/* The bytes as a table of mounts, behind a root: there is always a mount, and of the table. */
static void check_mounts(const char *bytes, size_t size)
{
    static const char root[] = "1 0 0:1 / / rw - overlay overlay rw\n";
    struct laz_mount mount;
    char *table = malloc(sizeof(root) - 1 + size);
    require(table != NULL);
    (void)memcpy(table, root, sizeof(root) - 1);
    (void)memcpy(table + sizeof(root) - 1, bytes, size);
    require(laz_mount_find(table, sizeof(root) - 1 + size, "/var/lib/app", &mount));
    require(strlen(mount.type) < sizeof(mount.type));
    require(memmem(table, sizeof(root) - 1 + size, mount.type, strlen(mount.type)) != NULL);
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    char *copy = exact_copy(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        check_section(copy, size - 1);
        break;
    case 1:
        check_status(copy, size - 1);
        break;
    case 2:
        check_stat(copy, size - 1);
        break;
    case 3:
        check_line(copy, size - 1);
        break;
    default:
        check_mounts(copy, size - 1);
        break;
    }
    free(copy);
    return 0;
}
