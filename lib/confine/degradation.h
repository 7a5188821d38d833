/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that can be less than the policy prefers, by name. Each one that happened is a word in
 * init.start; where `requires` says required, the feature is there or nothing starts (of Landlock:
 * at least min-abi). docs/reference/degradations.md.
 */
#ifndef LAZ_CONFINE_DEGRADATION_H
#define LAZ_CONFINE_DEGRADATION_H

#include <stdint.h>

/* X(ENUM, "name", "what it means") */
#define LAZ_DEGRADATIONS(X)                                                                        \
    X(EVENTS, "events-absent",                                                                     \
            "refused system calls raise no events: notifications cannot be had")                   \
    X(WAIT_KILLABLE, "wait-killable-absent",                                                       \
            "a signal can interrupt a refused call before its answer (kernel before 5.19)")        \
    X(EXEC_BUDGET, "exec-budget-unenforced", "the workload may execute as often as it likes")      \
    X(LANDLOCK, "landlock-absent", "no filesystem, port or signal rule is enforced")               \
    X(LANDLOCK_REFER, "landlock-no-refer", "renames across directories are always refused")        \
    X(LANDLOCK_TRUNCATE, "landlock-no-truncate", "truncate is not controlled")                     \
    X(LANDLOCK_NETWORK, "landlock-no-network", "TCP ports are not controlled")                     \
    X(PLAIN, "plain-only-detected",                                                                \
            "clear text to the ports of tls.plain is reported, and not prevented")                 \
    X(LANDLOCK_IOCTL, "landlock-no-ioctl-dev", "ioctl on devices is not controlled")               \
    X(LANDLOCK_SCOPE, "landlock-no-scope", "signals and abstract sockets are not isolated")        \
    X(BOUNDING_SET, "bounding-set-kept", "started without CAP_SETPCAP: the bounding set stays")    \
    X(SECUREBITS, "securebits-unset", "started without CAP_SETPCAP: securebits stay")              \
    X(SHARED_USER, "shared-user", "lazaret-init and the workload run as the same user")            \
    X(GROUPS, "groups-inherited", "started without CAP_SETGID: supplementary groups stay")         \
    X(KILL, "signals-undeliverable",                                                               \
            "started without CAP_KILL: lazaret-init cannot signal the workload's user")            \
    X(LIMITS, "limits-lower",                                                                      \
            "the container's own limits are below some of the policy's, and hold")                 \
    X(WRITE_XOR_EXECUTE, "write-xor-execute-absent", "memory may be writable and executable")      \
    X(FILTER_COUNT, "filter-count-unreadable", "the kernel does not show how many filters are on") \
    X(SIGNALFD, "signalfd-absent", "signals are polled 50 times a second")                         \
    X(SUBREAPER, "subreaper-absent", "orphans of the workload go to another process")              \
    X(CHILDREN, "children-unreadable", "strays outside the workload's group are not found")        \
    X(WAITID, "waitid-absent", "the workload's pid is free again before its strays are signalled") \
    X(CLOSE_RANGE, "close-range-absent", "descriptors were closed one by one")                     \
    X(OWN_FILTER, "own-filter-absent", "lazaret-init keeps capabilities, or has no filter")        \
    X(CORE_FILTER, "core-filter-kept", "a core dump would hold memory")                            \
    X(DUMPABLE, "dumpable-kept", "processes of its user may read lazaret-init's memory")           \
    X(SHARED_STREAM, "events-stream-shared", "events go to a stream that the workload can write")  \
    X(STREAMS, "streams-held",                                                                     \
            "lazaret-init holds the workload's stdin and stdout: their readers see no early end")  \
    X(TERMINAL, "terminal-kept", "the terminal could not be handed to the workload")               \
    X(HELPER_USER, "helper-shares-user",                                                           \
            "lazaret-init is not root: helpers run as its own user; a workload of that user can "  \
            "delete the spool and starve them")                                                    \
    X(UNCAPTURED, "terminal-not-captured", "standard output is a terminal, and is not recorded")   \
    X(PIPE_SMALL, "pipes-small", "the kernel granted smaller pipes than logs.pipe-size")           \
    X(SENSE, "sense-absent", "lazaret-helper sense did not come up, and is tried again")           \
    X(CONTROL, "control-absent",                                                                   \
            "no control socket: neither /run nor /dev/shm takes a folder of init's own, or the "   \
            "workload has its user; `lazaret secrets` cannot ask this container")                  \
    X(HEALTH_SOCKET, "health-socket-absent",                                                       \
            "neither /run nor /dev/shm takes a folder of init's own: `lazaret-init probe` fails")

#define LAZ_DEGRADATION_NAME_MAX 28 /* bytes, NUL included */

enum laz_degradation {
#define X(id, name, meaning) LAZ_DEGRADED_##id,
    LAZ_DEGRADATIONS(X)
#undef X
    LAZ_DEGRADATION_COUNT
};

/* A set of them: bit n is enum value n. */
typedef uint64_t laz_degraded;

#define LAZ_DEGRADED_BIT(id) ((laz_degraded)1 << LAZ_DEGRADED_##id)

_Static_assert(LAZ_DEGRADATION_COUNT <= 64, "the set is 64 bits wide");

#endif
