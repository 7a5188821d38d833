/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's side of the role `tunnel`: starts it, holds the sockets that listen while it is down, and
 * passes on what it says. Never in the path of a connection. libc only.
 */
#ifndef LAZ_INIT_PID1_TUNNEL_H
#define LAZ_INIT_PID1_TUNNEL_H

#include "init/pid1/helper.h"
#include "init/pid1/secrets.h"
#include "policy/image.h"

#define LAZ_TUNNEL_SAID_MAX   1024                        /* bytes of a message of its */
#define LAZ_TUNNEL_SAID_AHEAD (LAZ_IMAGE_TUNNELS_MAX + 4) /* messages that wait for the trail */
/* What it may have written down in so long. One that says more is broken, or somebody else's. */
#define LAZ_TUNNEL_WORDS_MAX 256
#define LAZ_TUNNEL_WORDS_NS  UINT64_C(10000000000)

struct laz_tunnel_said {
    enum laz_message_type type;
    size_t length;
    uint8_t fields[LAZ_TUNNEL_SAID_MAX];
};

/* Zero, and untouched, where the policy has no tunnels: then it takes no page. */
struct laz_tunnels {
    const struct laz_image *image;        /* borrowed; NULL: there are none */
    bool drains;                          /* nothing new comes in */
    int listeners[LAZ_IMAGE_TUNNELS_MAX]; /* owned; -1: not made yet, or closed for good */
    unsigned n_words;
    uint64_t words_ns; /* since when they are counted */
    unsigned n_said;
    unsigned n_told; /* of those */
    struct laz_tunnel_said said[LAZ_TUNNEL_SAID_AHEAD];
    struct laz_helper helper;
};

void laz_tunnels_begin(struct laz_tunnels *tunnels, const struct laz_image *image);

/* Everything that a new one needs, in one go. False: it has gone, or does not read. */
LAZ_MUST_CHECK bool laz_tunnels_tell(
        const struct laz_tunnels *tunnels, const struct laz_secrets *secrets);
/* Those of its identities of which an item has changed, a bit for each, once more. Likewise. */
LAZ_MUST_CHECK bool laz_tunnels_show(
        const struct laz_tunnels *tunnels, const struct laz_secrets *secrets, uint32_t changed);
/* What it says. Takes the descriptors. -1: it breaks the rules. LAZ_E_TUNNEL. */
LAZ_MUST_CHECK int laz_tunnels_told(struct laz_tunnels *tunnels, struct laz_message *message,
        uint64_t now_ns, struct laz_err *err);
/* It says that it is ready: are all sockets here? If not, it ends. After the first time, the
 * workload goes on without it until there is another. */
void laz_tunnels_check(struct laz_tunnels *tunnels);
/* What it has said and nobody has written down, the first of it first; false: nothing. `ret`
 * borrows. Asked until there is nothing, it makes room again. */
bool laz_tunnels_next(struct laz_tunnels *tunnels, struct laz_message *ret);

/* Nothing new comes in from outside from now on. Once. */
void laz_tunnels_drain(struct laz_tunnels *tunnels);
/* The workload has ended: it says what is counted, and ends. */
void laz_tunnels_leave(struct laz_tunnels *tunnels);

#endif
