/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one helper as PID 1 sees it: asked for, started, ready, ended, started again. Knows
 * nothing of what a role does. Blocks nowhere, allocates nothing. libc only.
 */
#ifndef LAZ_INIT_PID1_HELPER_H
#define LAZ_INIT_PID1_HELPER_H

#include <sys/types.h>

#include "ipc/chan.h"

#define LAZ_HELPER_RETRY_MIN_MS 100 /* doubles with each failure, up to: */
#define LAZ_HELPER_RETRY_MAX_MS 1000
#define LAZ_HELPER_LOST_MS      10000 /* ... and this, when nobody waits for it any more */
#define LAZ_HELPER_STEADY_MS    10000 /* ready for so long, it has not failed */
#define LAZ_HELPER_START_TRIES  3     /* before it has ever been ready */
/* None has been ready for so long: nobody waits any more. */
#define LAZ_HELPER_ABSENT_MAX_MS 60000

struct laz_secrets;
struct laz_tunnels;
struct laz_watch;

struct laz_helper {
    enum laz_role role;
    enum laz_err_kind lost_as;
    bool is_needed;   /* nothing runs without it: it is lost once, and for good */
    pid_t pid;        /* 0: does not run */
    int chan;         /* owned; -1 = closed */
    bool is_starting; /* asked for, and its pid not known yet */
    bool is_new;      /* its pid is known, and whether it lives is not */
    bool is_ready;
    bool was_ever_ready;
    bool is_lost;         /* nobody waits for it any more: err says why */
    bool is_finishing;    /* told to finish */
    bool has_begun;       /* tunnel, health: it is asked for */
    bool is_leaving;      /* tunnel: told to end */
    bool has_failed;      /* it has said why, and another one would say the same */
    uint8_t fips;         /* enum laz_fips_state: what it computes with */
    bool knows_masks;     /* ship: it was told what no log may show */
    bool is_acked;        /* ship: every required sink has the record of the start */
    bool is_flushed;      /* ship: it has finished */
    unsigned n_hiding;    /* ship: of that, what it has not confirmed */
    uint32_t undelivered; /* ship: sinks that have not got everything */
    unsigned failures;    /* in a row */
    uint64_t due_ns;      /* of the next start; 0 = none is due */
    uint64_t ready_ns;    /* since when it is, or was */
    uint64_t absent_ns;   /* since when none has been ready; 0 = one is */
    struct laz_err err;   /* what it said when it ended, or what is wrong with it */
    /* ship: a sink that is down, and why; printable, "": none */
    char trouble[LAZ_ERR_MESSAGE_MAX];
    struct laz_secrets *secrets; /* fetch: where what it brings goes; borrowed */
    struct laz_tunnels *tunnels; /* tunnel: likewise */
    struct laz_watch *watch;     /* health: likewise; ship: where what its gauges say goes */
};

/* Children that ended, and were reaped, while somebody was being started. */
#define LAZ_REAPED_MAX 8
struct laz_reaped {
    pid_t pid;
    int status;
};

/* What more than one of them is told, or says. False: it has gone, or does not read; errno. */
LAZ_MUST_CHECK bool laz_helper_say(int chan, struct laz_buf *message, const int *fds, size_t n_fds);
LAZ_MUST_CHECK bool laz_helper_say_only(int chan, enum laz_message_type type);
LAZ_MUST_CHECK bool laz_helper_say_config(int chan, const uint8_t *section, uint32_t length);
LAZ_MUST_CHECK bool laz_helper_say_listen(int chan, uint32_t number, int fd);
/* `items`: the numbers of its chain and its key. */
LAZ_MUST_CHECK bool laz_helper_say_identity(
        int chan, uint32_t number, const struct laz_secrets *secrets, const uint8_t items[2]);
/* Is this a socket that listens? */
bool laz_helper_listens(int fd);

/* Idle, until due_ns is set. */
void laz_helper_init(struct laz_helper *helper, enum laz_role role, enum laz_err_kind lost_as);

/* Have `launch` start it. True: there is a channel, on which it can be told everything already. */
bool laz_helper_ask(struct laz_helper *helper, int launcher_chan, uint64_t now_ns);
/* What launch answered: its pid, or -errno. */
void laz_helper_started(struct laz_helper *helper, int32_t pid, uint64_t now_ns);
/* Its pid is known: has it ended already, and been reaped as one of these? */
LAZ_MUST_CHECK bool laz_helper_look(
        struct laz_helper *helper, const struct laz_reaped reaped[LAZ_REAPED_MAX], uint64_t now_ns);
/* It cannot be talked to: it sees that, and ends, or is ended. */
void laz_helper_drop(struct laz_helper *helper);
/* Likewise, after one of the above has said so: unless it has gone by itself, which its end shows,
 * its end names that errno. */
void laz_helper_drop_untold(struct laz_helper *helper);
/* One message of it, if there is one: a helper that talks without end does not keep us from the
 * rest. */
void laz_helper_read(struct laz_helper *helper, uint64_t now_ns);
/* It is reaped. */
void laz_helper_ended(struct laz_helper *helper, int status, bool can_start_again, uint64_t now_ns);
/* Nobody can start it again. */
void laz_helper_lose(struct laz_helper *helper, const char *why);

/* When to look at it again at the latest; 0 = when something comes. */
uint64_t laz_helper_due_ns(const struct laz_helper *helper);
/* Is it to be started now? */
bool laz_helper_is_due(const struct laz_helper *helper, uint64_t now_ns);
/* Is our patience over? */
void laz_helper_check(struct laz_helper *helper, uint64_t now_ns);

#endif
