/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's helpers: `launch`, which starts the others, `ship`, without which nothing runs where the
 * policy has sinks, `sense`, `fetch`, which lives while it fetches, and `tunnel`. libc only.
 */
#ifndef LAZ_INIT_PID1_HELPERS_H
#define LAZ_INIT_PID1_HELPERS_H

#include "init/pid1/helper.h"
#include "init/pid1/secrets.h"
#include "init/pid1/shipping.h"
#include "init/pid1/tunnel.h"
#include "init/pid1/watch.h"

/* At most, for the last that sense and tunnel have to say, before the trail is closed. */
#define LAZ_HELPER_FAREWELL_MS 1000

/* How one of ours has ended. */
struct laz_helper_end {
    enum laz_role role;
    pid_t pid;
    bool is_lost;
    const struct laz_err *why; /* borrowed, until the next turn; NULL */
};

#define LAZ_HELPERS_STARTED 5 /* by launch */

struct laz_helpers {
    const struct laz_image *image; /* NULL: the policy needs none, and all of this is idle */
    pid_t launcher;
    int launcher_chan; /* owned; -1 = closed */
    struct laz_helper ship;
    struct laz_helper sense;
    unsigned n_late; /* ends that were not known as such when they came */
    struct laz_helper_end late[LAZ_HELPERS_STARTED];
    unsigned n_reaped;
    struct laz_reaped reaped[LAZ_REAPED_MAX]; /* by turns */
    bool is_finishing;
    bool ship_told; /* to finish */
    int exit_code;
    uint64_t finish_ns;          /* CLOCK_BOOTTIME: until then */
    uint64_t farewell_ns;        /* until then sense may speak */
    struct laz_err launcher_err; /* how launch ended */
    struct laz_shipping shipping;
    /* Untouched where the policy has no secrets; and as few pages as can be where it has some. */
    struct laz_helper fetch;
    struct laz_secrets secrets;
    /* Untouched where it has no tunnels. */
    struct laz_tunnels tunnels;
    /* Untouched where it has no health. */
    struct laz_watch watch;
    bool has_sockets; /* at which that is asked */
};

/* Of zeroed memory. */
void laz_helpers_init(struct laz_helpers *helpers);
/* Are there any? */
bool laz_helpers_exist(const struct laz_helpers *helpers);
/* Is `ship` among them? */
bool laz_helpers_ship(const struct laz_helpers *helpers);

/* What we are started with. All of it borrowed. */
struct laz_helpers_world {
    const struct laz_image *image;
    const struct laz_probe *probe;
    const struct laz_decided *decided;
    char **argv;
    char **environment; /* secrets are taken out of it */
};

/* Fork `launch`, make what the others need, ask for them. LAZ_E_SYSTEM, LAZ_E_DELIVERY. */
LAZ_MUST_CHECK int laz_helpers_begin(
        struct laz_helpers *helpers, const struct laz_helpers_world *world, struct laz_err *err);
/* Are those there that nothing begins without? */
bool laz_helpers_are_ready(const struct laz_helpers *helpers);
/* They are ready: begin to fetch. */
void laz_helpers_fetch(struct laz_helpers *helpers, uint64_t now_ns);
/* Nothing starts any more: end fetch, and deliver nothing. */
void laz_helpers_abort(struct laz_helpers *helpers);
/* Fetch these again; when it is over, the phase of the secrets says so. */
void laz_helpers_refetch(
        struct laz_helpers *helpers, uint32_t wanted, uint32_t wait_ms, uint64_t now_ns);
/* It has said enough. */
void laz_helpers_end_fetch(struct laz_helpers *helpers);
/* It does not run, and is not about to. */
bool laz_helpers_fetch_is_gone(const struct laz_helpers *helpers);
/* Have the logs hide the newest value of an item; is all hidden that they are to hide? */
void laz_helpers_hide(struct laz_helpers *helpers, uint32_t item);
bool laz_helpers_have_hidden(const struct laz_helpers *helpers);
/* These are other ones now, a bit for each: who shows some of them, shows these from now on. */
void laz_helpers_show(struct laz_helpers *helpers, uint32_t changed);
/* The one without which the run may not go on, and which is lost; NULL: none. */
const struct laz_helper *laz_helpers_lost(const struct laz_helpers *helpers);

/* What computes: enum laz_fips_state, as far as the policy asks for it. They all look at the same
 * files: whoever is worst off has said what is wrong. */
uint8_t laz_helpers_fips(const struct laz_helpers *helpers);

/* When the next turn is due at the latest; 0 = when something comes. */
uint64_t laz_helpers_due_ns(const struct laz_helpers *helpers);
/* Read what has come on the channels, and start what is due. */
void laz_helpers_turn(struct laz_helpers *helpers, uint64_t now_ns);

/* A child has ended. Ours: its role and why, for the record; as it was told to: no reason. */
bool laz_helpers_ended(struct laz_helpers *helpers, pid_t pid, int status, uint64_t now_ns,
        struct laz_helper_end *ret);
/* One of ours that had ended before its pid was known; after each turn, until false. */
bool laz_helpers_late_end(struct laz_helpers *helpers, struct laz_helper_end *ret);
/* Is this child a helper, or may it be one that has just been started? */
bool laz_helpers_own(const struct laz_helpers *helpers, pid_t pid);
bool laz_helpers_are_starting(const struct laz_helpers *helpers);

/* Drain, close the trail, deliver; remove the secrets. */
void laz_helpers_finish(struct laz_helpers *helpers, int exit_code, uint64_t now_ns);
/* All of that is done. Or the caller's patience ends. */
bool laz_helpers_have_finished(const struct laz_helpers *helpers);

/* ---- between helpers.c and fetching.c ---- */

bool laz_helpers_have_fetch(const struct laz_helpers *helpers);
/* Of this role; NULL: the policy has none. */
struct laz_helper *laz_helpers_of(struct laz_helpers *helpers, enum laz_role role);
LAZ_MUST_CHECK int laz_helpers_begin_secrets(
        struct laz_helpers *helpers, const struct laz_helpers_world *world, struct laz_err *err);
void laz_helpers_look_at(struct laz_helpers *helpers, struct laz_helper *helper, uint64_t now_ns);
void laz_helpers_turn_fetch(struct laz_helpers *helpers, uint64_t now_ns);
bool laz_helpers_fetch_is_over(const struct laz_helpers *helpers);
bool laz_helpers_fetch_ended(struct laz_helpers *helpers, pid_t pid, int status, uint64_t now_ns,
        struct laz_helper_end *ret);

#endif
