/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's own probe: whoever connects sends one byte and gets one packet. The socket is
 * init's, so that who asks sees who has made it.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/health/health.h"

#define AT_ONCE 16
#define WAIT_S  5
#define PACKET  1000 /* bytes, and what a probe prints at the most */

static void let_go(struct laz_health_caller *caller)
{
    if (caller->event != NULL) {
        event_free(caller->event);
        caller->event = NULL;
    }
    laz_fd_close(&caller->fd);
}

static void answer(struct laz_health_role *role, int fd, enum laz_health_question question)
{
    char memory[PACKET];
    struct laz_buf packet;
    struct laz_health_view view;
    laz_health_view_now(role, &view);
    laz_buf_init_fixed(&packet, memory, LAZ_HEALTH_LINE_OUT_MAX + 2); /* verdict, text, NUL */
    laz_buf_char(&packet, laz_health_is_fine(&role->health, question) ? '0' : '1');
    laz_health_write_line(&view, question, &packet); /* what does not fit is left out */
    laz_ignore((int)send(fd, packet.data, packet.len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* False: nothing has come yet. */
static bool hear(struct laz_health_role *role, int fd)
{
    char bytes[2];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    enum laz_health_question question =
            n == 1 ? laz_health_question_of_byte(bytes[0]) : LAZ_HEALTH_QUESTION_COUNT;
    if (question < LAZ_HEALTH_ASK_WHOLE) {
        answer(role, fd, question);
    }
    return true;
}

static void on_call(evutil_socket_t fd, short what, void *context)
{
    struct laz_health_caller *caller = context;
    if ((what & EV_TIMEOUT) != 0 || hear(caller->role, fd)) {
        let_go(caller);
    }
}

/* A free place, or that of who has waited longest. */
static struct laz_health_caller *place_of(struct laz_health_role *role)
{
    struct laz_health_caller *oldest = &role->callers[0];
    for (unsigned i = 0; i < LAZ_HEALTH_CALLERS; i++) {
        struct laz_health_caller *one = &role->callers[i];
        if (one->fd < 0) {
            return one;
        }
        oldest = one->since_ns < oldest->since_ns ? one : oldest;
    }
    let_go(oldest);
    return oldest;
}

/* Takes the descriptor. */
static void wait_for(struct laz_health_role *role, int fd)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    struct laz_health_caller *caller = place_of(role);
    *caller = (struct laz_health_caller){.role = role, .fd = fd, .since_ns = laz_health_clock_ns()};
    caller->event = event_new(role->base, fd, EV_READ | EV_PERSIST, on_call, caller);
    if (caller->event == NULL || event_add(caller->event, &wait) != 0) {
        let_go(caller);
    }
}

static void on_probe(evutil_socket_t listener, short what, void *context)
{
    struct laz_health_role *role = context;
    (void)what;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        if (hear(role, fd)) {
            (void)close(fd);
        } else {
            wait_for(role, fd);
        }
    }
}

int laz_health_open_probe(struct laz_health_role *role, struct laz_err *err)
{
    int listener = role->listeners[LAZ_HEALTH_SOCKET_PROBE];
    for (unsigned i = 0; i < LAZ_HEALTH_CALLERS; i++) {
        role->callers[i].fd = -1;
    }
    if (listener < 0) {
        return 0;
    }
    role->probe_event = event_new(role->base, listener, EV_READ | EV_PERSIST, on_probe, role);
    if (role->probe_event == NULL || event_priority_set(role->probe_event, 1) != 0 ||
            event_add(role->probe_event, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return 0;
}
