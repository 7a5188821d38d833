/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket: who runs as init's own user may ask how its secrets are, and have one asked
 * for again. One peer at a time, for a second at the most; never waited for. libc only.
 */
#ifndef LAZ_INIT_PID1_CONTROL_H
#define LAZ_INIT_PID1_CONTROL_H

#include "init/pid1/secrets.h"
#include "ipc/control.h"

#define LAZ_CONTROL_PATIENCE_MS 1000

struct laz_control {
    bool is_open;
    int listener;      /* owned; nothing where it is not open */
    int peer;          /* owned; -1: nobody */
    uint64_t until_ns; /* the peer's time, or nobody is taken before; 0: neither */
};

/* Of zeroed memory. False: nowhere is a folder that is ours alone. */
bool laz_control_open(struct laz_control *control);
/* How an item is. */
enum laz_control_state laz_control_state_of(const struct laz_secrets *secrets, uint32_t item);

/* What to poll; -1: nothing. */
int laz_control_fd(const struct laz_control *control);
/* When it is to be turned at the latest; 0: when something comes. */
uint64_t laz_control_due_ns(const struct laz_control *control);
/* It polls, or is due. `is_running`: the workload runs, and what is wanted may be asked for. */
void laz_control_turn(
        struct laz_control *control, struct laz_secrets *secrets, bool is_running, uint64_t now_ns);

#endif
