/* SPDX-License-Identifier: Apache-2.0
 *
 * A task definition of ECS, and target groups, held against a policy: what does not fit, where, and
 * what to change. Reads files that the `aws` command line or people wrote; asks nobody. Repeats no
 * value of a variable: a finding may be in a public log.
 */
#ifndef LAZ_CLI_TASK_H
#define LAZ_CLI_TASK_H

#include "cli/command.h"
#include "core/json.h"
#include "core/json_read.h"
#include "policy/policy.h"

#define LAZ_TASK_FILE_MAX     ((size_t)1024 * 1024) /* bytes; ECS takes 64 KiB */
#define LAZ_TASK_NODES_MAX    65536
#define LAZ_TASK_FINDINGS_MAX 256
#define LAZ_TASK_MESSAGE_MAX  640
#define LAZ_TASK_PATH_MAX     192
#define LAZ_TASK_NAME_MAX     256  /* bytes of a container's name, and a NUL; ECS takes 255 */
#define LAZ_TASK_TEXT_MAX     1024 /* bytes of a value that is looked at */

enum laz_task_level {
    LAZ_TASK_ERROR,
    LAZ_TASK_WARNING,
    LAZ_TASK_NOTE,
    LAZ_TASK_LEVEL_COUNT
};

enum laz_task_id {
#define LAZ_FINDING(id, name, level, meaning) LAZ_TASK_##id,
#include "cli/task_findings.def"
#undef LAZ_FINDING
    LAZ_TASK_ID_COUNT
};

/* Invariant: doc.n > 0 once it is read. */
struct laz_task_file {
    const char *path; /* borrowed */
    char *text;       /* owned */
    struct laz_json_node *nodes;
    struct laz_json_doc doc;
};

/* Where something is, or, with a key, where it should be: a member that an object does not have. */
struct laz_task_place {
    const struct laz_task_file *file;
    const struct laz_json_node *node;
    const char *key; /* static, or NULL */
};

struct laz_task_finding {
    enum laz_task_id id;
    const struct laz_task_file *file;
    uint32_t line; /* 1-based, as col, in characters */
    uint32_t col;
    char path[LAZ_TASK_PATH_MAX]; /* containerDefinitions[0].stopTimeout */
    char message[LAZ_TASK_MESSAGE_MAX];
};

/* All that is known while it is looked at. */
struct laz_task {
    const struct laz_policy *policy; /* borrowed */
    struct laz_task_file definition;
    const struct laz_json_node *root;      /* of the task definition itself */
    const struct laz_json_node *container; /* the one that the policy is for */
    char name[LAZ_TASK_NAME_MAX];
    bool is_fargate; /* or may be */
    size_t n_groups;
    struct laz_task_file groups[LAZ_CLI_GROUPS_MAX];
    struct laz_task_finding *findings; /* owned */
    size_t n_findings;
    size_t dropped;
    size_t n_by_level[LAZ_TASK_LEVEL_COUNT];
};

/* Read, look, and sort what was found. Free with laz_task_done, whatever came of it. */
LAZ_MUST_CHECK int laz_task_init(struct laz_task *ret, const struct laz_policy *policy,
        const struct laz_cli_arguments *arguments, struct laz_err *err);
void laz_task_done(struct laz_task *task);

/* Findings as lines on standard error; the sum as a line of the report; all as a member. */
void laz_task_print(const struct laz_task *task);
void laz_task_put(struct laz_buf *buf, const struct laz_task *task);
void laz_task_json(struct laz_json *json, const struct laz_task *task);

/* ---- for the parts that look ---- */

/* A member, or its absence; and a node itself. */
struct laz_task_place laz_task_at(
        const struct laz_task *task, const struct laz_json_node *object, const char *key);
struct laz_task_place laz_task_on(const struct laz_task *task, const struct laz_json_node *node);

void laz_task_say(struct laz_task *task, enum laz_task_id id, struct laz_task_place place,
        const char *format, ...) LAZ_PRINTF(4, 5);

/* NULL where it is absent or null. */
const struct laz_json_node *laz_task_get(
        const struct laz_task_file *file, const struct laz_json_node *object, const char *key);
/* false where it is absent, or no such thing: that is then a finding. */
bool laz_task_number(
        struct laz_task *task, const struct laz_json_node *object, const char *key, uint64_t *ret);
bool laz_task_true(
        const struct laz_task *task, const struct laz_json_node *object, const char *key);
/* The text of a member; "" where there is none. Cut where it is longer. */
void laz_task_text(const struct laz_task_file *file, const struct laz_json_node *object,
        const char *key, char *ret, size_t size);
bool laz_task_is(const struct laz_task_file *file, const struct laz_json_node *object,
        const char *key, const char *text);
/* Walk a list, that of a member: start with NULL. */
const struct laz_json_node *laz_task_item(const struct laz_task *task,
        const struct laz_json_node *object, const char *key, const struct laz_json_node *previous);
bool laz_task_has_word(const struct laz_task *task, const struct laz_json_node *object,
        const char *key, const char *word);

/* The digits at *at, which is moved behind them. */
bool laz_task_digits(const char **at, uint64_t max, uint64_t *ret);

/* "12 s", "2.5 s" */
#define LAZ_TASK_SECONDS_MAX 32
struct laz_task_seconds {
    char text[LAZ_TASK_SECONDS_MAX];
};
const char *laz_task_seconds(struct laz_task_seconds *ret, uint64_t ms);

/* How the workload's file system looks: the parts of it that hold a path. */
bool laz_task_is_below(const char *path, const char *folder);

/* The parts; each in a file of its name. */
void laz_task_look_stop(struct laz_task *task);
void laz_task_look_health(struct laz_task *task);
void laz_task_look_ports(struct laz_task *task);
void laz_task_look_files(struct laz_task *task);
void laz_task_look_rights(struct laz_task *task);
void laz_task_look_environment(struct laz_task *task);
void laz_task_look_start(struct laz_task *task);
void laz_task_look_logs(struct laz_task *task);
void laz_task_look_target(struct laz_task *task);

/* The port at which others are told whether it is ready; 0: there is none. */
uint16_t laz_task_health_port(const struct laz_policy *policy);
/* Is the path to lazaret-init's program one of that name? */
bool laz_task_is_init(const char *path);
/* The word of the entry point that is lazaret-init's path; false: there is none. */
bool laz_task_entry(const struct laz_task *task, char *ret, size_t size, size_t *ret_index);

#endif
