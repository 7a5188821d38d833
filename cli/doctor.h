/* SPDX-License-Identifier: Apache-2.0
 *
 * What `lazaret doctor` found out: one line for each thing that lazaret-init needs or prefers.
 * Filled by doctor_look.c and doctor_place.c (ask), doctor_try.c (does, in a child process), in a
 * task of ECS by doctor_task.c, and,
 * of a policy, doctor_spool.c, doctor_sinks.c and doctor_secrets.c; doctor.c prints.
 */
#ifndef LAZ_CLI_DOCTOR_H
#define LAZ_CLI_DOCTOR_H

#include <sys/statfs.h>

#include "confine/probe.h"
#include "core/buf.h"
#include "policy/policy.h"

#define LAZ_DOCTOR_TEXT_MAX 1024 /* a path, an errno, a sentence */
#define LAZ_DOCTOR_LINES    (48 + LAZ_SHIP_SINKS_MAX)

enum laz_doctor_state {
    LAZ_DOCTOR_YES,
    LAZ_DOCTOR_NO,
    LAZ_DOCTOR_UNKNOWN,
};

struct laz_doctor_line {
    const char *name; /* static */
    const char *sink; /* of which sink, by the policy's name, which must outlive this; or NULL */
    enum laz_doctor_state state;
    bool is_vital; /* where it is NO, no policy starts */
    char seen[LAZ_DOCTOR_TEXT_MAX];
    const char *degradation; /* its name in init.start, or NULL; static */
    const char *means;       /* for a policy; static */
    const char *remedy;      /* static; NULL if there is nothing to do */
};

/* Invariant: n <= LAZ_DOCTOR_LINES. */
struct laz_doctor {
    struct laz_probe probe;
    struct laz_err probe_err; /* why there is no probe */
    size_t n;
    struct laz_doctor_line lines[LAZ_DOCTOR_LINES];
};

/* Add a line; never fails, the number of lines is fixed by the program. */
struct laz_doctor_line *laz_doctor_add(
        struct laz_doctor *doctor, const char *name, enum laz_doctor_state state);
void laz_doctor_say(struct laz_doctor_line *line, const char *format, ...) LAZ_PRINTF(2, 3);

/* Kernel, user, /proc, limits, cgroup. */
void laz_doctor_look(struct laz_doctor *doctor);
/* seccomp, notifications, Landlock and the rest, done for real in child processes. */
void laz_doctor_try(struct laz_doctor *doctor);

/* File systems in memory, namespaces, and the users of helpers, by the databases below root. */
void laz_doctor_look_around(struct laz_doctor *doctor, const char *root);
/* Can init have a folder of its own for its sockets? */
bool laz_doctor_has_sockets(void);
/* In a container of ECS. Asks its agent which task this is; `connect`: asks more of it. */
void laz_doctor_look_at_task(struct laz_doctor *doctor, bool connect);

/* Of a policy with sinks. `connect`: try whether anybody is there. */
void laz_doctor_look_at_shipping(
        struct laz_doctor *doctor, const struct laz_policy *policy, bool connect);
/* Of a policy with secrets. */
void laz_doctor_look_at_secrets(struct laz_doctor *doctor, const struct laz_policy *policy);
void laz_doctor_look_at_spool(
        struct laz_doctor *doctor, const struct laz_policy_shipping *shipping);

/* Static. */
const char *laz_doctor_file_system(const struct statfs *status);
/* Bytes, for those who are not root. */
uint64_t laz_doctor_free(const struct statfs *status);

struct laz_doctor_peer {
    const char *host;
    uint16_t port;
    bool is_datagram; /* then only the name is looked up */
};

/* False, with the reason, if nobody is there. Takes seconds at most. */
bool laz_doctor_connect(const struct laz_doctor_peer *peer, char *ret_why, size_t size);

/* What the line tells is a degradation: it has its name and meaning. */
void laz_doctor_degrade(struct laz_doctor_line *line, enum laz_degradation degradation);

#endif
