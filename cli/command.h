/* SPDX-License-Identifier: Apache-2.0
 *
 * What a subcommand is: its words, its options, one function from parsed arguments to an exit code.
 * The options are one list; each command names those that it takes. Manual: lazaret(1).
 */
#ifndef LAZ_CLI_COMMAND_H
#define LAZ_CLI_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "policy/tables/tables.h"

/* The exit codes of every command; the gates of later parts have more. */
enum laz_cli_exit {
    LAZ_EXIT_FINE = 0,
    LAZ_EXIT_FINDINGS = 1, /* also: the operating system refused */
    LAZ_EXIT_USAGE = 2,
    /* The gate alone, in place of the second: it never says 1. */
    LAZ_EXIT_GATE_FAIL = 10,
    LAZ_EXIT_GATE_INCONCLUSIVE = 11,
    LAZ_EXIT_GATE_INTERNAL = 70,
};

/* X(ENUM, "name", 'letter' or 0, "VALUE" or NULL, "help") */
#define LAZ_CLI_OPTIONS(X)                                                                         \
    X(JSON, "json", 0, NULL, "print one JSON object")                                              \
    X(ARCH, "arch", 0, "NAME", "x86-64 or aarch64; by default this machine's")                     \
    X(OUTPUT, "output", 'o', "IMAGE", "write the compiled policy there")                           \
    X(ROOT, "root", 0, "DIR", "take users and groups by name from DIR/etc; by default /")          \
    X(ANCHOR, "anchor", 0, "CHAIN:SEQ:H", "a record that somebody has seen; may be repeated")      \
    X(RUNNING, "running", 0, NULL, "a chain without a final record is fine")                       \
    X(NO_LOGS, "no-logs", 0, NULL, "the copy holds no log records: missing ones are not judged")   \
    X(KEY, "key", 0, "FILE", "the private key, PEM, that opens the spool, or signs the digest")    \
    X(DIGEST_KEY, "digest-key", 0, "FILE", "the public key, PEM, by which digests are signed")     \
    X(LIST, "list", 0, NULL, "one line for each segment, and no records")                          \
    X(CONNECT, "connect", 0, NULL, "try whether the policy's sinks can be reached")                \
    X(ALL, "all", 0, NULL, "every item that is renewed")                                           \
    X(TASK_DEFINITION, "task-definition", 0, "FILE",                                               \
            "hold this task definition of ECS against it")                                         \
    X(CONTAINER, "container", 0, "NAME", "the container that the policy is for")                   \
    X(TARGET_GROUP, "target-group", 0, "FILE", "a target group of the balancer; may be repeated")  \
    X(CONFIG, "config", 0, "FILE", "what the gate requires, YAML")                                 \
    X(TARGETS, "targets", 0, "HOST:PORT,...", "ask each of these for /healthz")                    \
    X(DNS, "dns", 0, "NAME:PORT", "ask each address of this name")                                 \
    X(CA, "ca", 0, "FILE", "ask over TLS, and trust these certificates, PEM")                      \
    X(SERVER_NAME, "server-name", 0, "NAME", "whom the targets' certificates are for")             \
    X(HEALTH, "health", 0, "FILE", "what targets said before; may be repeated")                    \
    X(TASKS, "tasks", 0, "FILE", "of `aws ecs describe-tasks`")                                    \
    X(TARGET_HEALTH, "target-health", 0, "[GROUP=]FILE",                                           \
            "of `aws elbv2 describe-target-health`; may be repeated")                              \
    X(RULES, "rules", 0, "FILE",                                                                   \
            "of `aws elbv2 describe-rules` or describe-listeners; may be repeated")                \
    X(EB_HEALTH, "eb-health", 0, "FILE", "of `aws elasticbeanstalk describe-environment-health`")  \
    X(VOLUMES, "volumes", 0, "FILE", "of `aws ec2 describe-volumes`")                              \
    X(PROTECTION, "protection", 0, "FILE", "of `aws ecs get-task-protection`")                     \
    X(BASELINE, "baseline", 0, "FILE", "what the other colour said")                               \
    X(TIMEOUT, "timeout", 0, "TIME", "how long to ask at most; 10m by default")                    \
    X(JSON_FILE, "json", 0, "FILE", "write the evidence there, JSON")                              \
    X(JUNIT, "junit", 0, "FILE", "write the results there, JUnit XML")                             \
    X(FORMAT, "format", 0, "WORD", "text, json, ecs-hook or codedeploy; what to print")            \
    X(MINUTES, "minutes", 0, "N", "for so long, 1 to 2880")                                        \
    X(STRICT, "strict", 0, NULL, "what cannot be said exactly is a finding")                       \
    X(CAPABILITY, "capability", 0, "NAME", "what the profile says for it counts; may be repeated") \
    X(ENGINE, "engine", 0, "NAME", "docker, containerd or podman")                                 \
    X(DEFAULT, "default", 0, NULL, "its containers get the shim without asking for it")            \
    X(DIVERT_RUNC, "divert-runc", 0, NULL, "whoever calls runc gets the shim")                     \
    X(HOST_ROOT, "root", 0, "DIR", "the root folder of the host, by chroot(2); by default /")      \
    X(APPLY, "apply", 0, NULL, "do it")                                                            \
    X(CHECK, "check", 0, NULL, "say whether it was done, and all is there")                        \
    X(UNDO, "undo", 0, NULL, "put back what was there before")                                     \
    X(HELP, "help", 'h', NULL, "print this")

enum laz_cli_option {
#define X(id, name, letter, value, help) LAZ_OPTION_##id,
    LAZ_CLI_OPTIONS(X)
#undef X
    LAZ_OPTION_COUNT
};

#define LAZ_OPTION_BIT(id) (UINT64_C(1) << LAZ_OPTION_##id)
/* Beside them: it runs another command, and behind that one's name all words are its own. */
#define LAZ_CLI_RUNS (UINT64_C(1) << 63)

#define LAZ_CLI_ANCHORS_MAX 64
#define LAZ_CLI_GROUPS_MAX  8
#define LAZ_CLI_WORDS_MAX   64

/* An option of the gate's, as it was given. */
struct laz_cli_word {
    enum laz_cli_option option;
    const char *value;
};

/* A parsed command line. All pointers borrowed from argv. */
struct laz_cli_arguments {
    bool json;
    bool help;
    enum laz_arch arch;
    const char *output; /* NULL: not given */
    const char *root;   /* "" for / */
    bool running;
    bool no_logs;
    bool list;
    bool connect;
    bool all;
    bool strict;
    const char *key;        /* NULL: not given */
    const char *digest_key; /* likewise */
    size_t n_anchors;
    const char *anchors[LAZ_CLI_ANCHORS_MAX];
    const char *task_definition; /* NULL: not given */
    const char *container;       /* likewise */
    size_t n_groups;
    const char *groups[LAZ_CLI_GROUPS_MAX];
    size_t n_words;
    struct laz_cli_word words[LAZ_CLI_WORDS_MAX];
    const char *minutes; /* NULL: not given */
    const char *engine;  /* likewise */
    bool as_default;
    bool divert_runc;
    bool apply;
    bool check;
    bool undo;
    bool after_dashes; /* the first operand stands behind "--" */
    size_t n_operands;
    char *const *operands;
};

struct laz_cli_command {
    const char *name;     /* "policy check" */
    const char *operands; /* "FILE..." */
    const char *summary;  /* one line */
    const char *details;  /* lines, each ended */
    uint64_t options;     /* LAZ_OPTION_BIT, LAZ_CLI_RUNS */
    size_t min_operands;
    size_t max_operands;
    int (*run)(const struct laz_cli_arguments *arguments);
};

/* Parse the words after the command's name. Options may stand anywhere before "--"; the operands
 * are moved together in place. LAZ_E_USAGE, naming the word. */
LAZ_MUST_CHECK int laz_cli_parse(const struct laz_cli_command *command, int argc, char **argv,
        struct laz_cli_arguments *ret, struct laz_err *err);

/* The commands; each returns an enum laz_cli_exit. */
int laz_cli_policy_check(const struct laz_cli_arguments *arguments);
int laz_cli_policy_explain(const struct laz_cli_arguments *arguments);
int laz_cli_policy_test(const struct laz_cli_arguments *arguments);
int laz_cli_policy_compile(const struct laz_cli_arguments *arguments);
int laz_cli_policy_schema(const struct laz_cli_arguments *arguments);
int laz_cli_policy_reference(const struct laz_cli_arguments *arguments);
int laz_cli_runtime_check(const struct laz_cli_arguments *arguments);
int laz_cli_runtime_schema(const struct laz_cli_arguments *arguments);
int laz_cli_runtime_reference(const struct laz_cli_arguments *arguments);
int laz_cli_install_runtime(const struct laz_cli_arguments *arguments);
int laz_cli_oci_import(const struct laz_cli_arguments *arguments);
int laz_cli_oci_export(const struct laz_cli_arguments *arguments);
int laz_cli_oci_explain(const struct laz_cli_arguments *arguments);
int laz_cli_verify(const struct laz_cli_arguments *arguments);
int laz_cli_report(const struct laz_cli_arguments *arguments);
int laz_cli_digest(const struct laz_cli_arguments *arguments);
int laz_cli_spool_read(const struct laz_cli_arguments *arguments);
int laz_cli_secrets_check(const struct laz_cli_arguments *arguments);
int laz_cli_secrets_status(const struct laz_cli_arguments *arguments);
int laz_cli_secrets_rotate(const struct laz_cli_arguments *arguments);
int laz_cli_top(const struct laz_cli_arguments *arguments);
int laz_cli_protect_on(const struct laz_cli_arguments *arguments);
int laz_cli_protect_off(const struct laz_cli_arguments *arguments);
int laz_cli_protect_status(const struct laz_cli_arguments *arguments);
int laz_cli_protect(
        const struct laz_cli_arguments *arguments); /* the code of what it runs, or 125 */
int laz_cli_doctor(const struct laz_cli_arguments *arguments);
int laz_cli_gate_promote(const struct laz_cli_arguments *arguments);
int laz_cli_gate_verify(const struct laz_cli_arguments *arguments);
int laz_cli_gate_retire(const struct laz_cli_arguments *arguments);

#endif
