/* SPDX-License-Identifier: Apache-2.0
 *
 * The closed vocabularies of the policy language, shared by the resolved policy, its binary form
 * and PID 1. Each list is the one place where its words are written.
 */
#ifndef LAZ_POLICY_VOCABULARY_H
#define LAZ_POLICY_VOCABULARY_H

#include <stdint.h>

#define LAZ_SIGNAL_MAX 64
/* Sets of signals: signal n is bit n, and 64, for which there is no bit 64, is bit 0. */
#define LAZ_SIGNAL_BIT(n) (UINT64_C(1) << ((unsigned)(n) % 64U))
#define LAZ_LIMIT_COUNT   16 /* RLIMIT_NLIMITS */

/* What happens to a system call. */
#define LAZ_ACTIONS(X)                                                                             \
    X(ALLOW, "allow")                                                                              \
    X(ERRNO, "errno")   /* refused, silently */                                                    \
    X(NOTIFY, "notify") /* refused, and an event is raised */                                      \
    X(KILL, "kill")     /* the process dies of SIGSYS */                                           \
    X(LOG, "log")       /* allowed, and the host's audit log has it */

/* What it means that a secret is stale. Ordered from strict to lax. */
#define LAZ_STALE_THEN(X)                                                                          \
    X(STOP, "stop")                                                                                \
    X(NOT_READY, "not-ready")                                                                      \
    X(KEEP, "keep")

enum laz_stale_then {
#define X(id, name) LAZ_STALE_##id,
    LAZ_STALE_THEN(X)
#undef X
    LAZ_STALE_THEN_COUNT
};

#define LAZ_MODES(X)                                                                               \
    X(ENFORCE, "enforce")                                                                          \
    X(OBSERVE, "observe") /* seccomp lets through what it would refuse, with an event; only a      \
                           * silent ENOSYS stays */

#define LAZ_LEVELS(X)                                                                              \
    X(REQUIRED, "required")   /* refuse to start without it */                                     \
    X(PREFERRED, "preferred") /* degrade, and say so */                                            \
    X(DISABLED, "disabled")

/* What is done about clear text to ports that are for TLS alone; each more than the one before. */
#define LAZ_PLAINS(X)                                                                              \
    X(UNSAID, "nothing")                                                                           \
    X(DETECT, "detect")   /* `sense` reports it */                                                 \
    X(ENFORCE, "enforce") /* and Landlock refuses it */

/* The features of `requires:`. seccomp and no-new-privileges are always required. */
#define LAZ_REQUIRES(X)                                                                            \
    X(EVENTS, "events")                                                                            \
    X(LANDLOCK, "landlock")                                                                        \
    X(BOUNDING_SET, "bounding-set")                                                                \
    X(SEPARATE_USER, "separate-user")                                                              \
    X(EXEC_BUDGET, "exec-budget")                                                                  \
    X(WRITE_XOR_EXECUTE, "write-xor-execute")

/* What a filesystem rule grants below its path. */
#define LAZ_PATH_CLASSES(X)                                                                        \
    X(READ, "read")                                                                                \
    X(READ_EXEC, "read-exec")                                                                      \
    X(WRITE, "write") /* read, write, create, remove, rename; no device nodes, no exec */          \
    X(WRITE_EXEC, "write-exec") /* a relaxation */                                                 \
    X(DEVICES, "devices")       /* read, write and ioctl of existing device nodes */

enum laz_action {
#define X(id, name) LAZ_ACTION_##id,
    LAZ_ACTIONS(X)
#undef X
    LAZ_ACTION_COUNT
};

enum laz_mode {
#define X(id, name) LAZ_MODE_##id,
    LAZ_MODES(X)
#undef X
    LAZ_MODE_COUNT
};

enum laz_level {
#define X(id, name) LAZ_LEVEL_##id,
    LAZ_LEVELS(X)
#undef X
    LAZ_LEVEL_COUNT
};

enum laz_plain {
#define X(id, name) LAZ_PLAIN_##id,
    LAZ_PLAINS(X)
#undef X
    LAZ_PLAIN_COUNT
};

enum laz_require {
#define X(id, name) LAZ_REQUIRE_##id,
    LAZ_REQUIRES(X)
#undef X
    LAZ_REQUIRE_COUNT
};

enum laz_path_class {
#define X(id, name) LAZ_PATH_##id,
    LAZ_PATH_CLASSES(X)
#undef X
    LAZ_PATH_COUNT
};

/* Which system-call ABI a test of the policy means. */
enum laz_abi {
    LAZ_ABI_NATIVE,
    LAZ_ABI_I386,
    LAZ_ABI_X32,
    LAZ_ABI_ARM
};

/* The word of a value; static; "?" beyond the list. */
const char *laz_action_name(enum laz_action value);
const char *laz_mode_name(enum laz_mode value);
const char *laz_level_name(enum laz_level value);
const char *laz_plain_name(enum laz_plain value);
const char *laz_require_name(enum laz_require value);
const char *laz_path_class_name(enum laz_path_class value);

#endif
