/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be written in the container, and what the policy, Lazaret and ECS Exec write.
 */
#include <stdio.h>
#include <string.h>

#include "cli/task.h"
#include "policy/report.h"

/* What ECS Exec puts into the container and writes there. */
#define EXEC_FOLDERS(X)                                                                            \
    X("/managed-agents")                                                                           \
    X("/var/lib/amazon/ssm")                                                                       \
    X("/var/log/amazon/ssm")

enum ground {
    GROUND_IMAGE, /* the image's own layer */
    GROUND_TMPFS,
    GROUND_VOLUME,
    GROUND_VOLUME_READ_ONLY,
};

struct mount {
    enum ground ground;
    size_t length; /* of the mount's path: the longest decides */
    const struct laz_json_node *node;
};

static void offer(const struct laz_task *task, const struct laz_json_node *item, enum ground ground,
        const char *path, struct mount *best)
{
    char folder[LAZ_TASK_TEXT_MAX];
    laz_task_text(&task->definition, item, "containerPath", folder, sizeof(folder));
    size_t length = strlen(folder);
    if (length > 0 && laz_task_is_below(path, folder) && length >= best->length) {
        *best = (struct mount){.ground = ground, .length = length, .node = item};
    }
}

/* What a path is on. */
static struct mount find_ground(const struct laz_task *task, const char *path)
{
    struct mount best = {.ground = GROUND_IMAGE};
    const struct laz_json_node *linux_part =
            laz_task_get(&task->definition, task->container, "linuxParameters");
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, linux_part, "tmpfs", item)) != NULL;) {
        offer(task, item, GROUND_TMPFS, path, &best);
    }
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->container, "mountPoints", item)) != NULL;) {
        offer(task, item,
                laz_task_true(task, item, "readOnly") ? GROUND_VOLUME_READ_ONLY : GROUND_VOLUME,
                path, &best);
    }
    return laz_task_is_below(path, "/dev/shm") && best.ground == GROUND_IMAGE
            ? (struct mount){.ground = GROUND_TMPFS}
            : best;
}

static bool is_root_read_only(const struct laz_task *task)
{
    return laz_task_true(task, task->container, "readonlyRootFilesystem");
}

static bool is_writable(const struct laz_task *task, const char *path)
{
    enum ground ground = find_ground(task, path).ground;
    return ground == GROUND_TMPFS || ground == GROUND_VOLUME ||
            (ground == GROUND_IMAGE && !is_root_read_only(task));
}

/* ---- Who writes ---- */

static bool has_files(const struct laz_policy_secrets *secrets)
{
    for (uint32_t i = 0; i < secrets->config.n_items; i++) {
        if (secrets->deliveries[i].path[0] != '\0') {
            return true;
        }
    }
    return false;
}

static struct laz_task_place tmpfs_place(const struct laz_task *task)
{
    const struct laz_json_node *linux_part =
            laz_task_get(&task->definition, task->container, "linuxParameters");
    return linux_part == NULL ? laz_task_at(task, task->container, "linuxParameters.tmpfs")
                              : laz_task_at(task, linux_part, "tmpfs");
}

static void look_secrets(struct laz_task *task)
{
    const struct laz_policy_secrets *secrets = &task->policy->secrets;
    struct laz_quoted dir;
    if (has_files(secrets) && find_ground(task, secrets->dir).ground != GROUND_TMPFS) {
        laz_task_say(task, LAZ_TASK_SECRETS_PLACE, tmpfs_place(task),
                "secrets.dir %s is on no tmpfs, and Lazaret writes a secret to no disk; add "
                "{\"containerPath\": %s, \"size\": 1, \"mountOptions\": [\"noexec\", \"nosuid\", "
                "\"nodev\"]}",
                laz_quote(&dir, secrets->dir, strlen(secrets->dir)), dir.text);
    }
}

static void look_spool(struct laz_task *task)
{
    const struct laz_policy_shipping *shipping = &task->policy->shipping;
    struct laz_quoted dir;
    if (shipping->config.n_sinks == 0) {
        return;
    }
    (void)laz_quote(&dir, shipping->spool_dir, strlen(shipping->spool_dir));
    if (!is_writable(task, shipping->spool_dir)) {
        laz_task_say(task, LAZ_TASK_SPOOL_PLACE,
                laz_task_at(task, task->container, "readonlyRootFilesystem"),
                "spool.dir %s cannot be written: put a volume or a tmpfs there, at least as large "
                "as spool.max",
                dir.text);
        return;
    }
    enum ground ground = find_ground(task, shipping->spool_dir).ground;
    if (ground != GROUND_VOLUME) {
        laz_task_say(task, LAZ_TASK_SPOOL_BRIEF, tmpfs_place(task),
                "spool.dir %s is %s: what no sink has acknowledged when the task is killed is "
                "lost; "
                "a volume that outlives the task (EFS, EBS) keeps it",
                dir.text, ground == GROUND_TMPFS ? "in memory" : "in the container's own layer");
    }
}

static bool is_kernels(const char *path)
{
    return laz_task_is_below(path, "/dev") || laz_task_is_below(path, "/proc") ||
            laz_task_is_below(path, "/sys");
}

static void look_workload(struct laz_task *task)
{
    for (size_t i = 0; i < task->policy->n_paths; i++) {
        const struct laz_path_rule *rule = &task->policy->paths[i];
        struct laz_quoted path;
        if ((rule->class != LAZ_PATH_WRITE && rule->class != LAZ_PATH_WRITE_EXEC) ||
                rule->optional || is_kernels(rule->path) || is_writable(task, rule->path)) {
            continue;
        }
        laz_task_say(task, LAZ_TASK_WRITE_PLACE, tmpfs_place(task),
                "filesystem.write has %s, which is on the read-only root: the workload gets EROFS; "
                "put a tmpfs or a volume there, or take it out of the policy",
                laz_quote(&path, rule->path, strlen(rule->path)));
    }
}

/* ---- What is mounted ---- */

static void look_tmpfs(struct laz_task *task)
{
    const struct laz_json_node *linux_part =
            laz_task_get(&task->definition, task->container, "linuxParameters");
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, linux_part, "tmpfs", item)) != NULL;) {
        if (!laz_task_has_word(task, item, "mountOptions", "noexec") ||
                !laz_task_has_word(task, item, "mountOptions", "nosuid")) {
            laz_task_say(task, LAZ_TASK_TMPFS_OPTIONS, laz_task_at(task, item, "mountOptions"),
                    "whoever can write there can run what they wrote; say [\"noexec\", \"nosuid\", "
                    "\"nodev\"]");
        }
    }
}

static void look_hidden(struct laz_task *task)
{
    char program[LAZ_TASK_TEXT_MAX];
    size_t index = 0;
    struct mount policy = find_ground(task, "/etc/lazaret/policy.yaml");
    if (policy.ground == GROUND_TMPFS) {
        laz_task_say(task, LAZ_TASK_MOUNT_HIDES, laz_task_on(task, policy.node),
                "an empty tmpfs hides /etc/lazaret of the image, where the policy is; mount it "
                "further down, or elsewhere");
    }
    if (laz_task_entry(task, program, sizeof(program), &index) &&
            find_ground(task, program).ground == GROUND_TMPFS) {
        laz_task_say(task, LAZ_TASK_MOUNT_HIDES, laz_task_on(task, find_ground(task, program).node),
                "an empty tmpfs hides lazaret-init; mount it elsewhere");
    }
}

static void look_exec(struct laz_task *task)
{
    char missing[LAZ_TASK_NAME_MAX];
    size_t n_mounted = 0;
    size_t n_missing = 0;
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, missing, sizeof(missing));
    if (!is_root_read_only(task)) {
        return;
    }
#define X(folder)                                                                                  \
    if (is_writable(task, folder)) {                                                               \
        n_mounted++;                                                                               \
    } else {                                                                                       \
        laz_buf_printf(&buf, "%s%s", n_missing++ == 0 ? "" : ", ", folder);                        \
    }
    EXEC_FOLDERS(X)
#undef X
    struct laz_task_place place = laz_task_at(task, task->container, "mountPoints");
    if (n_mounted > 0 && n_missing > 0) {
        laz_task_say(task, LAZ_TASK_EXEC_PATHS, place,
                "ECS Exec writes to %s too, which is on the read-only root; a volume for each",
                missing);
    } else if (n_missing > 0) {
        laz_task_say(task, LAZ_TASK_EXEC_CLOSED, place,
                "ECS Exec does not work in this container; if it is to, it needs volumes at %s, "
                "and "
                "what it starts is not confined by the policy",
                missing);
    }
}

void laz_task_look_files(struct laz_task *task)
{
    if (!is_root_read_only(task)) {
        laz_task_say(task, LAZ_TASK_ROOT_WRITABLE,
                laz_task_at(task, task->container, "readonlyRootFilesystem"),
                "what ECS Exec or a health command starts can change the image's files, and "
                "Landlock "
                "confines the workload alone; say true, and a tmpfs for what must be written");
    }
    look_secrets(task);
    look_spool(task);
    look_workload(task);
    look_tmpfs(task);
    look_hidden(task);
    look_exec(task);
}
