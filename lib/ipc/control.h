/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said over the control socket of a running init: one request, an answer of some packets,
 * and an end. Numbers and strings as in messages, without their head; nothing else is ever there.
 * libc only: linked into PID 1.
 */
#ifndef LAZ_IPC_CONTROL_H
#define LAZ_IPC_CONTROL_H

#include "ipc/msg.h"

/* Where the sockets of a running init are: the first folder that can be had. It is its user's. */
#define LAZ_CONTROL_FOLDER_COUNT 2
const char *laz_control_folder(unsigned n);

/* X(ENUM, "what its name begins with") */
#define LAZ_CONTROL_SOCKETS(X)                                                                     \
    X(CONTROL, "control")                                                                          \
    X(PROBE, "probe")                                                                              \
    X(HEALTH, "health")

enum laz_control_socket {
#define X(id, name) LAZ_CONTROL_SOCKET_##id,
    LAZ_CONTROL_SOCKETS(X)
#undef X
    LAZ_CONTROL_SOCKET_COUNT
};

/* The whole name, with the number of our PID namespace behind it: containers that share a folder
 * do not meet in it. Whoever asks from inside the container has the same one. */
#define LAZ_CONTROL_SOCKET_MAX 32
void laz_control_socket_name(enum laz_control_socket which, char ret[LAZ_CONTROL_SOCKET_MAX]);

#define LAZ_CONTROL_PACKET_MAX 1024
#define LAZ_CONTROL_NAME_MAX   64 /* bytes of a name that is asked for */
#define LAZ_CONTROL_ALL        "*"

enum laz_control_verb {
    LAZ_CONTROL_STATUS,
    LAZ_CONTROL_ROTATE, /* a name, or LAZ_CONTROL_ALL */
    LAZ_CONTROL_VERB_COUNT
};

/* X(ENUM, "its name"): of several that hold, the last one. */
#define LAZ_CONTROL_STATES(X)                                                                      \
    X(GOOD, "good")                                                                                \
    X(ABSENT, "absent")                                                                            \
    X(FAILING, "failing")                                                                          \
    X(STALE, "stale")                                                                              \
    X(EXPIRED, "expired")

enum laz_control_state {
#define X(id, name) LAZ_CONTROL_##id,
    LAZ_CONTROL_STATES(X)
#undef X
    LAZ_CONTROL_STATE_COUNT
};

/* X(ENUM, "what it means") */
#define LAZ_CONTROL_RESULTS(X)                                                                     \
    X(DONE, "done")                                                                                \
    X(UNKNOWN, "there is no such item")                                                            \
    X(NOT_RENEWED, "it is not renewed: see secrets.refresh of the policy, and the item's own")     \
    X(NOT_NOW, "nothing is renewed now: the workload does not run yet, or is being stopped")       \
    X(BROKEN, "the request was not understood")

enum laz_control_result {
#define X(id, what) LAZ_CONTROL_##id,
    LAZ_CONTROL_RESULTS(X)
#undef X
    LAZ_CONTROL_RESULT_COUNT
};

#define LAZ_CONTROL_NEVER UINT64_MAX

/* Strings are borrowed. */
struct laz_control_item {
    const char *name;
    enum laz_control_state state;
    bool is_renewed;
    uint32_t generation; /* which the workload sees */
    uint32_t failures;   /* in a row */
    uint64_t age_s;      /* since its source last confirmed it */
    uint64_t next_s;     /* until it is asked for again, or LAZ_CONTROL_NEVER */
    uint64_t expires;    /* Unix time; 0: it does not */
    const char *version;
    const char *fingerprint;
    const char *why; /* of the last failure; "": there is none */
};

void laz_control_put_request(struct laz_buf *buf, enum laz_control_verb verb, const char *name);
/* False: it is none. *ret_name is borrowed from the packet. */
LAZ_MUST_CHECK bool laz_control_take_request(
        const void *packet, size_t length, enum laz_control_verb *ret_verb, const char **ret_name);

void laz_control_put_item(struct laz_buf *buf, const struct laz_control_item *item);
void laz_control_put_end(struct laz_buf *buf, enum laz_control_result result);

enum laz_control_got {
    LAZ_CONTROL_NOTHING,
    LAZ_CONTROL_ITEM,
    LAZ_CONTROL_END
};
/* NOTHING: it is no packet of an answer. */
LAZ_MUST_CHECK enum laz_control_got laz_control_take_answer(const void *packet, size_t length,
        struct laz_control_item *ret_item, enum laz_control_result *ret_result);

const char *laz_control_state_name(enum laz_control_state state);
const char *laz_control_result_text(enum laz_control_result result);

#endif
