/* SPDX-License-Identifier: Apache-2.0
 *
 * What outlives a sense that is killed: it lies in memory that init holds. Plain data without
 * pointers; whoever comes next believes only what holds.
 */
#ifndef LAZ_INIT_SENSE_KEPT_H
#define LAZ_INIT_SENSE_KEPT_H

#include "init/sense/state.h"
#include "policy/sense.h"
#include "sense/file.h"
#include "sense/fold.h"

#define LAZ_SENSE_STATE_MAGIC   UINT64_C(0x3265736e65737a6c) /* "lzsense2" */
#define LAZ_SENSE_PROCESSES_MAX 4096
#define LAZ_SENSE_SOCKETS_MAX   1024
#define LAZ_SENSE_TOLD_MAX      256
#define LAZ_SENSE_FILES_MAX     8192
#define LAZ_SENSE_PATHS_MAX     1048576 /* bytes of their names */

enum laz_sense_known_flag {
    LAZ_SENSE_OURS = 1,       /* init's own: launch, ship, sense */
    LAZ_SENSE_FOREIGN = 2,    /* from outside, or a child of such a one */
    LAZ_SENSE_TOLD = 4,       /* as a foreign one, or there before us */
    LAZ_SENSE_GOOD = 8,       /* was seen confined as it should be */
    LAZ_SENSE_HIDDEN = 16,    /* that its program cannot be seen has been said */
    LAZ_SENSE_STRAY = 32,     /* whose descendant it is could not be seen at the last look */
    LAZ_SENSE_ILLEGIBLE = 64, /* that its status cannot be read has been said */
    LAZ_SENSE_HEADLESS = 128, /* its first thread has ended, and others live */
};

struct laz_sense_known {
    int32_t pid;
    uint32_t flags;
    uint64_t start; /* ticks since boot: with the pid, who it is */
    uint64_t first_ns;
    uint64_t program; /* what it executed when that was judged; 0: nothing */
    uint32_t drifts;  /* that have been said */
    uint32_t unused;
};

struct laz_sense_processes {
    uint32_t n;
    uint32_t unused;
    struct laz_sense_known items[LAZ_SENSE_PROCESSES_MAX]; /* by pid */
};

struct laz_sense_sockets {
    uint32_t n;
    uint32_t unused;
    uint64_t inodes[LAZ_SENSE_SOCKETS_MAX];
};

/* With whom a connection in clear text was seen, and said: once each. */
struct laz_sense_told {
    uint32_t n;
    uint32_t unused;
    struct laz_sense_peer peers[LAZ_SENSE_TOLD_MAX];
};

enum laz_sense_file_flag {
    LAZ_SENSE_UNSEEN = 1, /* that it cannot be looked at has been said */
    LAZ_SENSE_SHUT = 2,   /* likewise, of a folder, what is in it */
};

struct laz_sense_file {
    uint32_t path;  /* where in `paths` */
    uint32_t flags; /* enum laz_sense_file_flag */
    struct laz_file_facts facts;
};

/* Of processes and sockets there are two, by turns: the one that `..._at` names is whole. */
struct laz_sense_state {
    uint64_t magic;        /* written when all the rest is there */
    uint64_t starts;       /* how many senses there were */
    int64_t since_ns;      /* CLOCK_REALTIME: the first */
    uint64_t main_ns;      /* when the main process was first seen; 0: not yet */
    uint64_t main_is_good; /* 1: it was seen confined as it should be */
    uint64_t main_runs;    /* 1: its program was seen */
    uint32_t processes_at;
    uint32_t sockets_at;
    struct laz_sense_processes processes[2];
    struct laz_sense_sockets sockets[2];
    struct laz_sense_told told;
    struct laz_fold fold;
    uint32_t n_files;
    uint32_t n_path_bytes;
    struct laz_sense_file files[LAZ_SENSE_FILES_MAX];
    char paths[LAZ_SENSE_PATHS_MAX];
};

_Static_assert(
        offsetof(struct laz_sense_state, paths) + LAZ_SENSE_PATHS_MAX <= LAZ_SENSE_STATE_SIZE,
        "the state fits its file");

#endif
