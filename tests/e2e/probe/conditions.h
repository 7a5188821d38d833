/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the world that an init inherits, as options of the fence: mask, dispositions,
 * capabilities, limits, refused system calls, terminal, descriptors, children, file systems.
 * Each is one line of rows C20, C26 and C28 of docs/reference/pid1-contract.md.
 */
#ifndef PROBE_CONDITIONS_H
#define PROBE_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_REFUSALS  16
#define MAX_LIMITS    8
#define MAX_WRITABLE  4
#define MAX_EXTRA_FDS 8

enum terminal_kind {
    TERMINAL_NONE,
    TERMINAL_FOREGROUND,
    TERMINAL_BACKGROUND
};

/* arg0 < 0: whatever the first argument is. */
struct refusal {
    long call;
    int64_t arg0;
    int error;
};

struct limit {
    int resource;
    uint64_t value;
};

struct conditions {
    uint64_t blocked;
    uint64_t ignored;
    uint64_t dropped_caps; /* bit per capability, taken from all five sets */
    int64_t uid;           /* -1: unchanged */
    const char *cwd;
    const char *root;
    const char *writable[MAX_WRITABLE];
    int extra_fds[MAX_EXTRA_FDS];
    struct refusal refusals[MAX_REFUSALS];
    struct limit limits[MAX_LIMITS];
    int writable_count, extra_fd_count, refusal_count, limit_count;
    int children_exited, children_living;
    unsigned closed; /* bit per descriptor 0, 1, 2 */
    bool no_proc, read_only, no_new_privs, new_proc, cwd_deleted, hold;
    enum terminal_kind terminal;
};

/* Read one option; false when the name is not a condition. */
bool condition_parse(struct conditions *conditions, const char *name, const char *value);

/* Bring them about in this process, in an order that works; ends the process where one cannot be.
 */
void conditions_apply_in_child(const struct conditions *conditions, int terminal_fd);

#endif
