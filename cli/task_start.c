/* SPDX-License-Identifier: Apache-2.0
 *
 * What the container starts, what is around it in its namespaces, and who waits for whom.
 */
#include <string.h>

#include "cli/task.h"

#define EXIT_FIRST 101 /* of the codes with which lazaret-init refuses to start */
#define EXIT_LAST  109

static void look_entry(struct laz_task *task)
{
    char path[LAZ_TASK_TEXT_MAX];
    size_t index = 0;
    const struct laz_json_node *first = laz_task_item(task, task->container, "entryPoint", NULL);
    struct laz_task_place place = laz_task_at(task, task->container, "entryPoint");
    if (first == NULL) {
        laz_task_say(task, LAZ_TASK_ENTRY_UNSEEN, place,
                "the image's ENTRYPOINT counts, and cannot be seen from here: it must begin with "
                "lazaret-init, as its own word");
        return;
    }
    if (!laz_task_entry(task, path, sizeof(path), &index)) {
        laz_task_say(task, LAZ_TASK_NOT_FIRST, place,
                "no word of it is the path of lazaret-init, so nothing of the policy is in force; "
                "begin with [\"/usr/libexec/lazaret/lazaret-init\", \"--\"]");
        return;
    }
    if (index > 0) {
        laz_task_say(task, LAZ_TASK_WRAPPED, laz_task_on(task, first),
                "this runs before lazaret-init, outside of the policy, and PID 1 is not Lazaret; "
                "put lazaret-init first, unless it is a tracer that must be");
    }
    bool has_own = false;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->container, "entryPoint", item)) != NULL;) {
        laz_task_text(&task->definition, item, NULL, path, sizeof(path));
        has_own = has_own || (index == 0 && item != first && path[0] != '\0' && path[0] != '-');
    }
    if (!has_own && laz_task_item(task, task->container, "command", NULL) == NULL) {
        laz_task_say(task, LAZ_TASK_COMMAND_MISSING, laz_task_at(task, task->container, "command"),
                "the engine forgets the image's CMD where an entryPoint is said, and lazaret-init "
                "has nothing to start; say the command here");
    }
}

static void look_namespaces(struct laz_task *task)
{
    const struct laz_task_file *file = &task->definition;
    const struct laz_json_node *linux_part = laz_task_get(file, task->container, "linuxParameters");
    if (laz_task_true(task, linux_part, "initProcessEnabled")) {
        laz_task_say(task, LAZ_TASK_INIT_PROCESS,
                laz_task_at(task, linux_part, "initProcessEnabled"),
                "docker-init becomes PID 1 and lazaret-init its child: probes can no longer prove "
                "by the number 1 who answers; leave it out, lazaret-init reaps by itself");
    }
    if (laz_task_is(file, task->root, "pidMode", "task")) {
        laz_task_say(task, LAZ_TASK_PID_TASK, laz_task_at(task, task->root, "pidMode"),
                "lazaret-init is not PID 1, and processes of the other containers of the task are "
                "in "
                "its sight and in the workload's; leave it out");
    }
    if (laz_task_is(file, task->root, "pidMode", "host")) {
        laz_task_say(task, LAZ_TASK_PID_HOST, laz_task_at(task, task->root, "pidMode"),
                "the workload sees and may signal what its user owns on the host; leave it out");
    }
    if (laz_task_is(file, task->root, "ipcMode", "host") ||
            laz_task_is(file, task->root, "ipcMode", "task")) {
        laz_task_say(task, LAZ_TASK_IPC_SHARED, laz_task_at(task, task->root, "ipcMode"),
                "shared memory and /dev/shm are shared with others, and Landlock does not separate "
                "System V IPC; leave it out, or say \"none\"");
    }
    if (laz_task_is(file, task->root, "networkMode", "host")) {
        laz_task_say(task, LAZ_TASK_NETWORK_HOST, laz_task_at(task, task->root, "networkMode"),
                "ports and abstract sockets are the host's; take awsvpc");
    }
}

static void look_restarts(struct laz_task *task)
{
    const struct laz_json_node *policy =
            laz_task_get(&task->definition, task->container, "restartPolicy");
    if (!laz_task_true(task, policy, "enabled")) {
        return;
    }
    uint32_t ignored = 0;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, policy, "ignoredExitCodes", item)) != NULL;) {
        uint64_t code = 0;
        if (laz_json_number(&task->definition.doc, item, UINT32_MAX, &code) && code >= EXIT_FIRST &&
                code <= EXIT_LAST) {
            ignored |= 1U << (code - EXIT_FIRST);
        }
    }
    if ((ignored & 3U) != 3U) {
        laz_task_say(task, LAZ_TASK_RESTARTS, laz_task_at(task, policy, "ignoredExitCodes"),
                "a policy that is wrong (101) or cannot be enforced (102) does not become right by "
                "a restart; have 101 and 102 in ignoredExitCodes, and at best all to 109");
    }
}

static const struct laz_json_node *container_of(const struct laz_task *task, const char *name)
{
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->root, "containerDefinitions", item)) != NULL;) {
        if (laz_task_is(&task->definition, item, "name", name)) {
            return item;
        }
    }
    return NULL;
}

/* Every container's dependsOn, since ours may be waited for, or wait. */
static void look_waiting(struct laz_task *task)
{
    const struct laz_task_file *file = &task->definition;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->root, "containerDefinitions", item)) != NULL;) {
        for (const struct laz_json_node *on = NULL;
                (on = laz_task_item(task, item, "dependsOn", on)) != NULL;) {
            char name[LAZ_TASK_NAME_MAX];
            laz_task_text(file, on, "containerName", name, sizeof(name));
            const struct laz_json_node *other = container_of(task, name);
            if (other != NULL && laz_task_is(file, on, "condition", "HEALTHY") &&
                    laz_task_get(file, other, "healthCheck") == NULL) {
                laz_task_say(task, LAZ_TASK_WAITS_HEALTH, laz_task_on(task, on),
                        "the container that is waited for has no healthCheck here, so it never is "
                        "HEALTHY; give it one");
            }
        }
    }
}

void laz_task_look_start(struct laz_task *task)
{
    const struct laz_json_node *essential =
            laz_task_get(&task->definition, task->container, "essential");
    look_entry(task);
    look_namespaces(task);
    look_restarts(task);
    look_waiting(task);
    if (essential != NULL && essential->type == LAZ_JSON_FALSE) {
        laz_task_say(task, LAZ_TASK_NOT_ESSENTIAL, laz_task_on(task, essential),
                "when lazaret-init refuses to start, or ends the workload by the policy, the task "
                "goes on without it, and its health does not count; say true");
    }
}
