/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the health socket of this container, over HTTP. Who answers has to be whom the probe
 * believes.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/top.h"
#include "core/fd.h"
#include "core/format.h"
#include "ipc/believe.h"
#include "ipc/control.h"

#define ANSWER_MS 5000
#define CHUNK     8192 /* a document is shorter, as a rule */

static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

static int call(struct laz_err *err)
{
    char name[LAZ_CONTROL_SOCKET_MAX];
    int cause = 0;
    bool is_other = false;
    laz_control_socket_name(LAZ_CONTROL_SOCKET_HEALTH, name);
    for (unsigned i = 0; i < LAZ_CONTROL_FOLDER_COUNT; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)laz_format(
                address.sun_path, sizeof(address.sun_path), "%s/%s", laz_control_folder(i), name);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
            if (laz_control_is_init(fd, laz_control_folder(i))) {
                return fd;
            }
            is_other = true;
        } else {
            cause = cause == 0 ? errno : cause;
        }
        laz_fd_close(&fd);
    }
    if (is_other) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0,
                "somebody else listens at %s, where init should: it is not the init of this "
                "container",
                name);
    }
    return laz_err_set(err, LAZ_E_SYSTEM, cause,
            "no init answers at /run/lazaret/%s or /dev/shm/.lazaret/%s: %s; there is one inside a "
            "container whose policy has health",
            name, name, strerror(cause));
}

static uint64_t now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* To the end of the connection. */
static int hear(int fd, struct laz_buf *answer, struct laz_err *err)
{
    uint64_t until = now_ms() + ANSWER_MS;
    for (;;) {
        char chunk[CHUNK];
        struct pollfd world = {.fd = fd, .events = POLLIN};
        uint64_t now = now_ms();
        if (now >= until || poll(&world, 1, (int)(until - now)) != 1) {
            return laz_err_set(err, LAZ_E_SYSTEM, ETIMEDOUT,
                    "no answer in time: the helper health hangs, or is being started");
        }
        ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (n < 0) {
            return laz_err_set(err, LAZ_E_SYSTEM, errno, "no answer: %s", strerror(errno));
        }
        if (n == 0) {
            return 0;
        }
        laz_buf_put(answer, chunk, (size_t)n);
    }
}

int laz_top_ask(struct laz_buf *ret, struct laz_err *err)
{
    laz_cleanup_fd int fd = call(err);
    laz_cleanup_buf struct laz_buf answer;
    laz_buf_init_heap(&answer, LAZ_TOP_DOCUMENT_MAX);
    if (fd < 0) {
        return -1;
    }
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "nobody listens: %s", strerror(errno));
    }
    if (hear(fd, &answer, err) < 0) {
        return -1;
    }
    const char *body = answer.len == 0 || answer.overflow
            ? NULL
            : memmem(answer.data, answer.len, "\r\n\r\n", 4);
    if (body == NULL || strncmp(answer.data, "HTTP/1.1 200", 12) != 0) {
        return laz_err_set(
                err, LAZ_E_SYSTEM, 0, "what answers is another version of Lazaret, or none");
    }
    body += 4;
    laz_buf_put(ret, body, (size_t)(answer.data + answer.len - body));
    return 0;
}
