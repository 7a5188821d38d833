/* SPDX-License-Identifier: Apache-2.0
 *
 * What /proc says about a process, as text, into numbers. The workload chooses some of that text:
 * nothing is believed but what the kernel writes there, nothing allocated, nothing read beyond the
 * end.
 */
#ifndef LAZ_SENSE_PROCESS_H
#define LAZ_SENSE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LAZ_PROCESS_NAME_MAX   64 /* 15 characters, each of which may be escaped by the kernel */
#define LAZ_PROCESS_GROUPS_MAX 64

#define LAZ_STATUS_BYTES    8192
#define LAZ_STATUS_LINE_MAX 1024 /* room for more groups than are kept */

/* The text of a status, of which a line that is longer is cut: a process may have 65536 groups. */
struct laz_status_text {
    size_t length;
    size_t line; /* bytes of the last one so far */
    char bytes[LAZ_STATUS_BYTES];
};

/* One more piece of it, as it is read. */
void laz_status_add(struct laz_status_text *text, const char *piece, size_t length);

/* /proc/PID/status. */
struct laz_process_status {
    char name[LAZ_PROCESS_NAME_MAX]; /* as the kernel escapes it; its owner chose it */
    pid_t pid;
    pid_t parent;
    uint32_t uid[4]; /* real, effective, saved, of the file system */
    uint32_t gid[4];
    uint32_t n_groups; /* more than there is room for are counted, and not kept */
    uint32_t groups[LAZ_PROCESS_GROUPS_MAX];
    uint64_t cap_inh;
    uint64_t cap_prm;
    uint64_t cap_eff;
    uint64_t cap_bnd;
    uint64_t cap_amb;
    int no_new_privs; /* -1: the kernel does not say */
    int seccomp;      /* -1: likewise; 2 is a filter */
    bool is_zombie;   /* this thread has ended; of a process, its first */
    uint32_t threads; /* one that has ended, and whose others live, counts too */
};

/* false if a line that must be there is missing, twice there or of another form. */
bool laz_status_parse(const char *text, size_t length, struct laz_process_status *ret);

/* When it was started, in ticks since boot: with the pid, who it is. From /proc/PID/stat, whose
 * second field may hold any byte. false if it is not of that form. */
bool laz_stat_parse_start(const char *text, size_t length, uint64_t *ret);

/* /proc/PID/cmdline: lazaret-init as the container's health command? Its owner can have written
 * that there. */
bool laz_process_is_probe(const char *text, size_t length);

#endif
