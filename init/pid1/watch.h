/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's side of the role `health`: starts it, holds the sockets at which it is asked, tells it
 * how the run is, and keeps what it says until the loop takes it. Never accepts, and judges no
 * health. libc only.
 */
#ifndef LAZ_INIT_PID1_WATCH_H
#define LAZ_INIT_PID1_WATCH_H

#include "init/pid1/helper.h"
#include "init/pid1/secrets.h"
#include "ipc/status.h"
#include "policy/image.h"

/* What it may have to say in so long. One that says more is broken, or somebody else's. */
#define LAZ_WATCH_WORDS_MAX 256
#define LAZ_WATCH_WORDS_NS  UINT64_C(10000000000)
#define LAZ_WATCH_TELL_NS   UINT64_C(1000000000) /* between two records of what it says */
#define LAZ_WATCH_STATE_MAX 16                   /* bytes of the name of a state */

/* A check that is a command. */
struct laz_watch_check {
    pid_t pid;        /* 0: does not run */
    bool is_starting; /* launch is to start it, and has not answered */
    bool is_new;      /* its number is known, and whether it lives is not */
    bool is_over;     /* to be killed as soon as its number is known */
    bool is_unasked;  /* who asked for it has gone */
};

struct laz_watch_verdict {
    bool is_live;
    bool is_ready;
    enum laz_checks checks;
    char state[LAZ_WATCH_STATE_MAX];
    char why[LAZ_HEALTH_WORDS_MAX + 1];
};

/* Zero, and untouched, where the policy has no health: then it takes no page. */
struct laz_watch {
    const struct laz_image *image;        /* borrowed; NULL: there is none */
    int sockets[LAZ_HEALTH_SOCKET_COUNT]; /* owned; -1: there is none */
    char reported[2][LAZ_COLOR_MAX + 1];  /* the workload's colour and version; "": not known */
    unsigned n_words;
    uint64_t words_ns; /* since when they are counted */
    /* What it has said, for the loop, which takes it away. */
    bool wants_status;
    bool has_verdict;
    struct laz_watch_verdict verdict;
    bool has_started; /* it, or one before it, has said that start-up is over */
    uint64_t told_ns; /* when the last one was written down */
    uint32_t missed;  /* how many came since, and were overtaken */
    bool is_drained;
    bool is_overdue;
    char evidence[LAZ_HEALTH_WORDS_MAX + 1]; /* that it is drained */
    char overdue[LAZ_HEALTH_WORDS_MAX + 1];  /* the check that did not pass */
    bool has_renewed;
    char renewed[LAZ_HEALTH_WORDS_MAX + 1]; /* the identity */
    char renewed_not[LAZ_WHY_MAX + 1];      /* why not; "": it is */
    uint32_t to_run;                        /* commands, a bit for each */
    uint32_t to_kill;
    struct laz_watch_check checks[LAZ_IMAGE_COMMANDS_MAX];
    uint8_t gauges[LAZ_GAUGES_MAX]; /* what ship said last, for a successor; not read here */
    size_t gauges_length;           /* 0: nothing yet */
    uint64_t gauges_ns;
    struct laz_helper helper;
};

/* Make the sockets, and keep what is reported of the environment. False: some socket cannot be. */
bool laz_watch_begin(
        struct laz_watch *watch, const struct laz_image *image, char *const *environment);

/* Everything that a new one needs, in one go. False: it has gone, or does not read. */
LAZ_MUST_CHECK bool laz_watch_tell(
        struct laz_watch *watch, const struct laz_secrets *secrets, uint64_t now_ns);
/* Its identity, if an item of it has changed. Likewise. */
LAZ_MUST_CHECK bool laz_watch_show(
        const struct laz_watch *watch, const struct laz_secrets *secrets, uint32_t changed);
void laz_watch_status(struct laz_watch *watch, const struct laz_status *status);
/* What ship says of its sinks goes on to it unread, and is kept for a successor, which would not be
 * ready until ship speaks again. */
void laz_watch_relay(struct laz_watch *watch, const struct laz_message *gauges, uint64_t now_ns);

/* What it says. Takes the descriptors. -1: it breaks the rules. LAZ_E_HEALTH. */
LAZ_MUST_CHECK int laz_watch_told(
        struct laz_watch *watch, struct laz_message *message, uint64_t now_ns, struct laz_err *err);

/* Has it said that nobody comes any more, or that start-up takes too long? Takes it away. It reads
 * what strangers send: whoever says so before it can be true is dropped, and not believed. 0: there
 * was no stop request, or no start. */
bool laz_watch_is_drained(struct laz_watch *watch, uint64_t stop_ns, uint64_t now_ns);
bool laz_watch_is_overdue(struct laz_watch *watch, uint64_t started_ns, uint64_t now_ns);

/* ---- checks that are commands ---- */

/* What launch answers: the number, or -errno. It may have been reaped by then, or just now. */
void laz_watch_runs(struct laz_watch *watch, const struct laz_message *message);
/* Those that had ended before their number was known: see laz_helper_look. Never while one of them
 * is being reaped. */
void laz_watch_look(struct laz_watch *watch, const struct laz_reaped reaped[LAZ_REAPED_MAX]);
/* Have launch start and kill what it has asked for. `runs`: the workload is there. */
void laz_watch_run(struct laz_watch *watch, int launcher_chan, bool runs);
/* Launch has gone: none is started any more. */
void laz_watch_lose_launch(struct laz_watch *watch);
bool laz_watch_is_starting(const struct laz_watch *watch);
/* Is this child a check? Before it is reaped: what is left of its group ends with it. What has gone
 * into a group of its own lives on, confined like the workload, and is reaped like its orphans. */
void laz_watch_ends(const struct laz_watch *watch, pid_t pid);
/* It is reaped. False: it is none. */
bool laz_watch_ended(struct laz_watch *watch, pid_t pid, int status);

#endif
