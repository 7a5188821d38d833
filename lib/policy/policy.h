/* SPDX-License-Identifier: Apache-2.0
 *
 * A resolved policy: what the YAML files say after inheritance, names and defaults, with the
 * position of whatever decided. This is what a policy *means*; the BPF compiler, the proof,
 * `explain`, `test` and the binary form all read it. Language: docs/reference/policy.md,
 * lazaret-policy(5).
 *
 * Only lazaret-setup, lazaret and the host programs use this header. PID 1 reads policy/image.h.
 */
#ifndef LAZ_POLICY_POLICY_H
#define LAZ_POLICY_POLICY_H

#include "core/buf.h"
#include "core/sha256.h"
#include "policy/arena.h"
#include "policy/host.h"
#include "policy/plain.h"
#include "policy/secrets.h"
#include "policy/sensing.h"
#include "policy/shipping.h"
#include "policy/tables/tables.h"
#include "policy/tunneling.h"
#include "policy/vocabulary.h"
#include "policy/volumes.h"
#include "policy/watching.h"

/* Ceilings. Each bounds work on hostile input; lazaret-policy(5) lists them. */
#define LAZ_POLICY_FILE_MAX      262144  /* bytes of one YAML file */
#define LAZ_POLICY_TOTAL_MAX     1048576 /* bytes of all files together */
#define LAZ_POLICY_FILES_MAX     16      /* files, built-ins included */
#define LAZ_POLICY_EXTENDS_DEPTH 4
#define LAZ_POLICY_DEPTH_MAX     16    /* nesting of YAML; beyond it libyaml turns quadratic */
#define LAZ_POLICY_NODES_MAX     20000 /* YAML nodes of one file */
#define LAZ_POLICY_SCALAR_MAX    4096
#define LAZ_POLICY_LIST_MAX      4096
#define LAZ_POLICY_RULES_MAX     512
#define LAZ_POLICY_PATHS_MAX     1000 /* Landlock rules: 3 ms of set-up */
#define LAZ_POLICY_VALUES_MAX    64   /* values of one condition */
#define LAZ_POLICY_CONDS_MAX     6 /* conditions of one rule; several may be about one argument */

/* One answer to a system call. */
struct laz_verdict {
    enum laz_action action;
    uint16_t errno_value; /* for errno and notify */
    struct laz_pos pos;   /* the rule, group entry, allow entry or default that says so */
};

/* (argument & mask) is one of the values, or, if negate, none of them. Every operator of the
 * language is this form: any-flags F is mask F, negate, {0}; flags-subset-of S is mask ~S, {0}; and
 * so on. */
struct laz_cond {
    uint8_t arg;        /* 0-5 */
    uint8_t width_bits; /* 32 or 64: how much of the register the kernel looks at */
    bool negate;
    uint64_t mask;
    size_t n_values;
    uint64_t *values; /* owned, sorted, unique, already masked */
};

/* All conditions must hold. */
struct laz_clause {
    struct laz_verdict verdict;
    size_t n_conds;
    struct laz_cond conds[LAZ_POLICY_CONDS_MAX];
};

struct laz_clauses {
    size_t n;
    struct laz_clause *items; /* owned */
};

/* The whole decision about one system call, in this order:
 *   1. the first clause of `refuse` that holds decides;
 *   2. if `guard` is not empty and none of it holds, `otherwise` decides (network families);
 *   3. if `allow` is not empty, the first clause that holds decides, and `otherwise` if none does;
 *   4. else `base` decides. */
struct laz_decision {
    struct laz_verdict base;
    struct laz_verdict
            otherwise; /* the policy's default, made silent where `events.quiet` says so */
    struct laz_clauses refuse;
    struct laz_clauses guard;
    struct laz_clauses allow;
};

struct laz_file {
    char *name; /* owned; as the user wrote it, or "builtin/web-api" */
    char *text; /* owned */
    size_t length;
    bool is_builtin;
};

struct laz_path_rule {
    char *path; /* owned, absolute, without . or .. */
    enum laz_path_class class;
    bool optional;
    struct laz_pos pos;
};

struct laz_limit_value {
    bool set;
    uint64_t value; /* RLIM_INFINITY is not expressible */
    struct laz_pos pos;
};

/* An entry of `tests:`. */
struct laz_policy_test {
    const struct laz_syscall *call; /* NULL if nr is used */
    uint32_t nr;                    /* used when call is NULL */
    enum laz_abi abi;
    uint64_t args[6];
    enum laz_action expect;
    uint16_t expect_errno; /* 0 = do not check */
    struct laz_pos pos;
};

struct laz_exit_map {
    uint8_t from;
    uint8_t to;
    bool only_if_stop_requested;
    struct laz_pos pos;
};

struct laz_flood {
    uint32_t burst;
    uint32_t per_second;
    uint32_t hold_ms;
    uint32_t kill_after; /* refused calls within a minute; 0 = never */
};

struct laz_shutdown {
    uint32_t stop_timeout_ms; /* what the platform grants before its own SIGKILL */
    uint32_t lb_grace_ms;
    uint32_t grace_ms;
    uint32_t drain_ms;
    uint32_t flush_ms;
};

/* A resolved, validated policy. All that it owns lives in `memory`. Invariant: laz_policy_load
 * returns one only if it produced no error diagnostic. */
struct laz_policy {
    size_t n_files;
    struct laz_file files[LAZ_POLICY_FILES_MAX]; /* in load order; the named file is files[0] */
    uint8_t source_digest[LAZ_SHA256_SIZE]; /* over all files in load order, each with its length */

    char *name; /* owned */
    bool sealed;
    enum laz_mode mode;

    enum laz_level require[LAZ_REQUIRE_COUNT];
    uint32_t landlock_min_abi;

    uint32_t uid;
    uint32_t gid;
    size_t n_groups;
    uint32_t *groups; /* owned, supplementary, sorted */
    bool allow_root;
    char *cwd; /* owned; "/" by default */
    uint32_t umask;
    struct laz_string_list env_pass;
    struct laz_string_list env_set; /* "NAME=value" */
    int32_t exec_budget;            /* -1 = no budget */

    uint64_t keep_capabilities;                     /* bit n = capability n */
    struct laz_pos capability_pos[64];              /* of each bit that is set */
    struct laz_limit_value limits[LAZ_LIMIT_COUNT]; /* indexed by RLIMIT_* */

    size_t n_paths;
    struct laz_path_rule *paths; /* owned */
    bool isolate_signals;
    bool isolate_abstract_sockets;
    struct laz_port_list tcp_bind;
    struct laz_port_list tcp_connect;
    bool raw; /* these three are in the guards of socket and send too */
    bool multipath_tcp;
    bool fast_open;

    struct laz_verdict default_verdict;
    struct laz_verdict unknown_verdict;     /* numbers that the table does not know */
    struct laz_verdict foreign_abi_verdict; /* i386, x32, arm */
    struct laz_decision *decisions; /* owned; laz_syscall_count() of them, by laz_syscall_index */

    struct laz_flood flood;
    uint8_t signal_map[LAZ_SIGNAL_MAX +
            1];            /* n = deliver n instead; 0 = drop; identity by default */
    uint64_t signal_guard; /* LAZ_SIGNAL_BIT(n): deliver only if the workload handles n */
    uint64_t signal_group; /* bit n: to the workload's process group */
    uint64_t signal_stop;  /* bit n: a stop request; TERM and INT by default */

    size_t n_exit_map;
    struct laz_exit_map *exit_map; /* owned */
    struct laz_shutdown shutdown;
    struct laz_policy_shipping shipping;
    struct laz_sensing sensing;
    struct laz_policy_plain plain;
    struct laz_policy_secrets secrets;
    struct laz_policy_tls tls;
    struct laz_tunneling tunneling;
    struct laz_policy_volumes volumes;
    struct laz_watching watching;
    struct laz_policy_host host;

    size_t n_tests;
    struct laz_policy_test *tests; /* owned */

    struct laz_string_list relaxations; /* names, such as "allow-root" or "syscalls: ptrace" */
    struct laz_pos *key_pos;            /* owned; by field of the language, for laz_policy_pos_of */
    struct laz_arena memory;
};

/* Where laz_policy_load reads from. */
struct laz_policy_source {
    const char *path; /* the policy file; `extends` files come from its directory alone */
    const char *text; /* instead of reading `path` (then only a name), if not NULL */
    size_t text_length;
    bool check_ownership;    /* refuse links, foreign owners, group- or world-writable files */
    bool only_directory;     /* this process may read nothing outside of it: errors say so */
    const char *passwd_path; /* "/etc/passwd" of the image; NULL = names of users are an error */
    const char *group_path;  /* "/etc/group" */
    const char *root; /* what both begin with, where that is an image: its links stay within; NULL:
                         none */
};

/* Load, merge, resolve and validate. 0 and a policy (owned; free with laz_policy_free) if there is
 * no error diagnostic; -1 with err set to the first error otherwise. Warnings may be there in both
 * cases. */
LAZ_MUST_CHECK int laz_policy_load(const struct laz_policy_source *source,
        struct laz_diagnostics *ret_diagnostics, struct laz_policy **ret_policy,
        struct laz_err *err);
void laz_policy_free(struct laz_policy *policy);

/* What the policy says about one call: THE meaning of the syscall section, read straight off the
 * structure. The proof compares the emitted BPF with it. `nr` is the raw number as the kernel sees
 * it; what is not the native architecture's own ABI (x32 included) is foreign. */
struct laz_verdict laz_policy_decide(const struct laz_policy *policy, enum laz_arch native,
        uint32_t audit_arch, uint32_t nr, const uint64_t args[6]);

/* "web.yaml:14:9" or "default" into a caller's buffer. */
void laz_policy_pos_format(
        const struct laz_policy *policy, struct laz_pos pos, char *ret, size_t size);

/* Where a key that is not inside a list was said last ("workload.user"); line 0 if nowhere. */
struct laz_pos laz_policy_pos_of(const struct laz_policy *policy, const char *key);

/* The JSON Schema, and the reference page, from the field table. */
void laz_policy_schema(struct laz_buf *ret);
void laz_policy_reference(struct laz_buf *ret);

#endif
