/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket of PID 1. It takes one packet of a few bytes, and says names, versions and
 * fingerprints; nothing that it says or does can change a policy or show a value. libc only.
 */
#include "init/pid1/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "init/pid1/place.h"

#define NS_PER_S (1000 * LAZ_NS_PER_MS)
#define PAUSE_MS 1000 /* where there is no descriptor for a peer */

bool laz_control_open(struct laz_control *control)
{
    control->peer = -1;
    control->listener =
            laz_place_listen(LAZ_CONTROL_SOCKET_CONTROL, SOCK_SEQPACKET, S_IRUSR | S_IWUSR);
    control->is_open = control->listener >= 0;
    return control->is_open;
}

int laz_control_fd(const struct laz_control *control)
{
    bool pauses = control->peer < 0 && control->until_ns != 0;
    return !control->is_open || pauses ? -1
            : control->peer >= 0       ? control->peer
                                       : control->listener;
}

uint64_t laz_control_due_ns(const struct laz_control *control)
{
    return control->is_open ? control->until_ns : 0;
}

/* ---- answering ---- */

/* An answer under way; nothing more is sent after what did not go. */
struct answer {
    int peer;
    bool ok;
    struct laz_buf packet;
};

static void send_packet(struct answer *answer)
{
    struct iovec bytes = {.iov_base = answer->packet.data, .iov_len = answer->packet.len};
    const struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    answer->ok = answer->ok && !answer->packet.overflow &&
            sendmsg(answer->peer, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

enum laz_control_state laz_control_state_of(const struct laz_secrets *secrets, uint32_t item)
{
    const struct laz_rotation_item *plan = laz_rotation_at(&secrets->rotation, item);
    bool is_absent = secrets->items[item].now.outcome != LAZ_OUTCOME_FETCHED;
    return plan->is_expired      ? LAZ_CONTROL_EXPIRED
            : plan->is_stale     ? LAZ_CONTROL_STALE
            : plan->failures > 0 ? LAZ_CONTROL_FAILING
            : is_absent          ? LAZ_CONTROL_ABSENT
                                 : LAZ_CONTROL_GOOD;
}

static uint64_t seconds_until(uint64_t then_ns, uint64_t now_ns)
{
    return then_ns <= now_ns ? 0 : (then_ns - now_ns + NS_PER_S - 1) / NS_PER_S;
}

static void tell_item(
        struct answer *answer, const struct laz_secrets *secrets, uint32_t item, uint64_t now_ns)
{
    const struct laz_rotation_item *plan = laz_rotation_at(&secrets->rotation, item);
    const struct laz_secret_seen *now = &secrets->items[item].now;
    bool is_asked_again = plan->is_renewed && !secrets->rotation.is_over;
    const struct laz_control_item said = {
            .name = laz_secrets_name(secrets, item),
            .state = laz_control_state_of(secrets, item),
            .is_renewed = plan->is_renewed,
            .generation = secrets->current,
            .failures = plan->failures,
            .age_s = (now_ns - plan->good_ns) / NS_PER_S,
            .next_s = !is_asked_again ? LAZ_CONTROL_NEVER
                    : plan->is_asked  ? 0
                                      : seconds_until(plan->due_ns, now_ns),
            .expires = now->expires,
            .version = now->version,
            .fingerprint = now->fingerprint,
            .why = plan->failures > 0 ? secrets->why[plan->first] : "",
    };
    laz_control_put_item(&answer->packet, &said);
    send_packet(answer);
}

static enum laz_control_result tell_all(
        struct answer *answer, const struct laz_secrets *secrets, uint64_t now_ns)
{
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        tell_item(answer, secrets, i, now_ns);
    }
    return LAZ_CONTROL_DONE;
}

static enum laz_control_result rotate(
        struct answer *answer, struct laz_secrets *secrets, const char *name, uint64_t now_ns)
{
    bool is_all = strcmp(name, LAZ_CONTROL_ALL) == 0;
    bool is_known = is_all;
    bool is_any = false;
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        bool is_meant = is_all || strcmp(name, laz_secrets_name(secrets, i)) == 0;
        is_known = is_known || is_meant;
        if (is_meant && laz_rotation_at(&secrets->rotation, i)->is_renewed) {
            is_any = true;
            laz_rotation_want(&secrets->rotation, i, now_ns);
            tell_item(answer, secrets, i, now_ns);
        }
    }
    return !is_known ? LAZ_CONTROL_UNKNOWN : is_any ? LAZ_CONTROL_DONE : LAZ_CONTROL_NOT_RENEWED;
}

static void answer_request(struct laz_control *control, struct laz_secrets *secrets,
        bool is_running, const struct iovec *request, uint64_t now_ns)
{
    char memory[LAZ_CONTROL_PACKET_MAX];
    struct answer answer = {.peer = control->peer, .ok = true};
    enum laz_control_verb verb = LAZ_CONTROL_STATUS;
    enum laz_control_result result;
    const char *name = "";
    laz_buf_init_fixed(&answer.packet, memory, sizeof(memory));
    bool is_one = laz_control_take_request(request->iov_base, request->iov_len, &verb, &name);
    bool is_planned = secrets->rotation.image != NULL;
    bool can_rotate = is_running && !secrets->rotation.is_over;
    if (!is_one) {
        result = LAZ_CONTROL_BROKEN;
    } else if (!is_planned || (verb != LAZ_CONTROL_STATUS && !can_rotate)) {
        result = LAZ_CONTROL_NOT_NOW;
    } else if (verb == LAZ_CONTROL_STATUS) {
        result = tell_all(&answer, secrets, now_ns);
    } else {
        result = rotate(&answer, secrets, name, now_ns);
    }
    laz_control_put_end(&answer.packet, result);
    send_packet(&answer);
}

/* ---- the peer ---- */

static void let_go(struct laz_control *control)
{
    laz_fd_close(&control->peer);
    control->until_ns = 0;
}

static void take_peer(struct laz_control *control, uint64_t now_ns)
{
    struct ucred peer = {0};
    socklen_t length = sizeof(peer);
    if (control->until_ns > now_ns) {
        return; /* it polls for as long as there is somebody */
    }
    control->until_ns = 0;
    control->peer = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (control->peer < 0) {
        bool is_gone = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
        control->until_ns = is_gone ? 0 : now_ns + PAUSE_MS * LAZ_NS_PER_MS;
        return;
    }
    control->until_ns = now_ns + LAZ_CONTROL_PATIENCE_MS * LAZ_NS_PER_MS;
    bool is_one_of_us = getsockopt(control->peer, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
            peer.uid == geteuid();
    if (!is_one_of_us) {
        let_go(control);
    }
}

void laz_control_turn(
        struct laz_control *control, struct laz_secrets *secrets, bool is_running, uint64_t now_ns)
{
    uint8_t memory[LAZ_CONTROL_NAME_MAX + 16];
    struct iovec request = {.iov_base = memory, .iov_len = sizeof(memory)};
    struct msghdr header = {.msg_iov = &request, .msg_iovlen = 1};
    if (!control->is_open) {
        return;
    }
    if (control->peer < 0) {
        take_peer(control, now_ns);
    }
    if (control->peer < 0) {
        return;
    }
    ssize_t n = recvmsg(control->peer, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    bool waits = n < 0 && (errno == EAGAIN || errno == EINTR);
    if (waits && now_ns < control->until_ns) {
        return;
    }
    if (n > 0) {
        request.iov_len = (header.msg_flags & MSG_TRUNC) != 0 ? 0 : (size_t)n;
        answer_request(control, secrets, is_running, &request, now_ns);
    }
    let_go(control);
}
