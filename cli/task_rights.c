/* SPDX-License-Identifier: Apache-2.0
 *
 * As whom the container starts, with which capabilities, and what the platform grants of them.
 */
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/task.h"
#include "core/num.h"
#include "policy/report.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* What Docker leaves a container, and ECS with it. */
#define DEFAULTS                                                                                   \
    (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |  \
            BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |     \
            BIT(CAP_NET_RAW) | BIT(CAP_SYS_CHROOT) | BIT(CAP_MKNOD) | BIT(CAP_AUDIT_WRITE) |       \
            BIT(CAP_SETFCAP))
/* What init needs to become less than root, and to signal a workload that is not root. */
#define INITS          (BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_KILL))
#define FARGATE_NOFILE 65535
#define NAMES_MAX      256

static const struct laz_json_node *linux_part_of(const struct laz_task *task)
{
    return laz_task_get(&task->definition, task->container, "linuxParameters");
}

static void put_names(uint64_t set, char ret[NAMES_MAX])
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, NAMES_MAX);
    for (int i = 0; i < 64; i++) {
        const char *name = (set >> i & 1) != 0 ? laz_capability_name(i) : NULL;
        if (name != NULL) {
            laz_buf_printf(&buf, "%s\"%s\"", buf.len > 0 ? ", " : "", name + strlen("CAP_"));
        }
    }
}

/* ---- The user ---- */

enum user {
    USER_ROOT,
    USER_UNSEEN, /* the image says */
    USER_WORKLOAD,
    USER_OTHER,
};

static enum user user_of(const struct laz_task *task)
{
    char user[LAZ_TASK_TEXT_MAX];
    uint64_t uid = 0;
    uint64_t gid = 0;
    laz_task_text(&task->definition, task->container, "user", user, sizeof(user));
    const char *colon = strchr(user, ':');
    size_t length = colon == NULL ? strlen(user) : (size_t)(colon - user);
    if (user[0] == '\0') {
        return USER_UNSEEN;
    }
    if ((length == 4 && memcmp(user, "root", 4) == 0) ||
            (laz_parse_u64(user, length, UINT32_MAX, &uid) && uid == 0)) {
        return USER_ROOT;
    }
    bool is_number = laz_parse_u64(user, length, UINT32_MAX, &uid);
    bool is_same_group = colon == NULL ||
            (laz_parse_u64(colon + 1, strlen(colon + 1), UINT32_MAX, &gid) &&
                    gid == task->policy->gid);
    return is_number && uid == task->policy->uid && is_same_group ? USER_WORKLOAD : USER_OTHER;
}

static void look_user(struct laz_task *task, enum user user)
{
    const struct laz_policy *policy = task->policy;
    struct laz_task_place place = laz_task_at(task, task->container, "user");
    if (user == USER_UNSEEN) {
        laz_task_say(task, LAZ_TASK_USER_UNKNOWN, place,
                "the image's USER counts, and cannot be seen from here: it must be root, or "
                "%" PRIu32 ":%" PRIu32 ", the policy's; say \"0:0\" here to have it in one place",
                policy->uid, policy->gid);
    } else if (user == USER_OTHER) {
        laz_task_say(task, LAZ_TASK_USER_OTHER, place,
                "lazaret-init refuses with 102: it can become %" PRIu32 ":%" PRIu32
                ", the policy's workload.user, from root alone; say \"0:0\", or that number",
                policy->uid, policy->gid);
    } else if (user == USER_WORKLOAD &&
            policy->require[LAZ_REQUIRE_SEPARATE_USER] == LAZ_LEVEL_REQUIRED) {
        laz_task_say(task, LAZ_TASK_USER_SEPARATE, place,
                "requires.separate-user is required, and init would run as the workload's user; "
                "say "
                "\"0:0\", and drop the capabilities that are not needed");
    } else if (user == USER_WORKLOAD) {
        laz_task_say(task, LAZ_TASK_USER_SHARED, place,
                "init and its helpers then have the workload's user, and only their filters and "
                "Yama keep it away from them; say \"0:0\", and drop the capabilities that are not "
                "needed");
    }
}

/* ---- Capabilities ---- */

static uint64_t read_set(
        struct laz_task *task, const struct laz_json_node *capabilities, const char *key)
{
    uint64_t set = 0;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, capabilities, key, item)) != NULL;) {
        char name[LAZ_TASK_NAME_MAX];
        laz_task_text(&task->definition, item, NULL, name, sizeof(name));
        int capability = laz_capability_by_name(name, strlen(name));
        if (strcmp(name, "ALL") == 0) {
            set = UINT64_MAX;
        } else if (capability >= 0 && strncmp(name, "CAP_", 4) != 0) {
            set |= BIT(capability);
        } else {
            struct laz_quoted quoted;
            laz_task_say(task, LAZ_TASK_CAPABILITY_NAME, laz_task_on(task, item),
                    "ECS does not know %s; names are in upper case, without CAP_",
                    laz_quote(&quoted, name, strlen(name)));
        }
    }
    return set;
}

static bool delivers_files(const struct laz_policy *policy)
{
    for (uint32_t i = 0; i < policy->secrets.config.n_items; i++) {
        if (policy->secrets.deliveries[i].path[0] != '\0') {
            return true;
        }
    }
    return false;
}

/* What there has to be for this start. */
static uint64_t needed(const struct laz_policy *policy, enum user user)
{
    if (user == USER_WORKLOAD || user == USER_OTHER) {
        return 0;
    }
    return INITS | policy->keep_capabilities |
            (delivers_files(policy) ? BIT(CAP_CHOWN) : UINT64_C(0));
}

static void look_capabilities(struct laz_task *task, enum user user)
{
    const struct laz_json_node *linux_part = linux_part_of(task);
    const struct laz_json_node *capabilities =
            laz_task_get(&task->definition, linux_part, "capabilities");
    struct laz_task_place place = capabilities != NULL
            ? laz_task_at(task, capabilities, "drop")
            : laz_task_at(task, linux_part == NULL ? task->container : linux_part,
                      linux_part == NULL ? "linuxParameters.capabilities" : "capabilities");
    uint64_t dropped = read_set(task, capabilities, "drop");
    uint64_t added = read_set(task, capabilities, "add");
    if (task->is_fargate && (added & ~BIT(CAP_SYS_PTRACE)) != 0) {
        laz_task_say(task, LAZ_TASK_CAPABILITY_ADD, laz_task_at(task, capabilities, "add"),
                "Fargate adds SYS_PTRACE alone, not even what was dropped by ALL; drop by name "
                "what "
                "is not needed, and keep the rest");
        added &= BIT(CAP_SYS_PTRACE);
    }
    char names[NAMES_MAX];
    uint64_t there = (DEFAULTS & ~dropped) | added;
    uint64_t wanted = needed(task->policy, user);
    uint64_t missing = wanted & ~there;
    uint64_t idle = there & ~wanted & ~BIT(CAP_SYS_PTRACE);
    if (missing != 0) {
        put_names(missing, names);
        laz_task_say(task, LAZ_TASK_CAPABILITY_MISSING, place,
                "the container lacks %s: lazaret-init, which starts as root, needs SETUID, SETGID, "
                "SETPCAP and KILL, CHOWN for files of secrets, and what the policy keeps%s",
                names, dropped == UINT64_MAX ? "; drop by name, and not ALL" : "");
    }
    if (idle != 0) {
        put_names(idle, names);
        laz_task_say(task, LAZ_TASK_CAPABILITY_KEPT, place,
                "lazaret-init and the workload give them up, but ECS Exec and health commands have "
                "what the container has; drop %s too",
                names);
    }
}

/* ---- Limits, and what else the platform grants ---- */

static const struct {
    const char *name;
    int resource;
} ulimits[] = {{"core", RLIMIT_CORE}, {"cpu", RLIMIT_CPU}, {"data", RLIMIT_DATA},
        {"fsize", RLIMIT_FSIZE}, {"locks", RLIMIT_LOCKS}, {"memlock", RLIMIT_MEMLOCK},
        {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE}, {"nofile", RLIMIT_NOFILE},
        {"nproc", RLIMIT_NPROC}, {"rss", RLIMIT_RSS}, {"rtprio", RLIMIT_RTPRIO},
        {"rttime", RLIMIT_RTTIME}, {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK}};

static void look_limit(
        struct laz_task *task, struct laz_task_place place, int resource, uint64_t hard)
{
    const struct laz_limit_value *limit = &task->policy->limits[resource];
    if (limit->set && limit->value > hard) {
        laz_task_say(task, LAZ_TASK_ULIMIT_LOW, place,
                "limits.%s is %" PRIu64 ", and the hard limit here is %" PRIu64
                ", which nobody in the container may raise; raise it here, or lower the policy's",
                laz_rlimit_name(resource), limit->value, hard);
    }
}

static void look_ulimits(struct laz_task *task)
{
    bool has_nofile = false;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->container, "ulimits", item)) != NULL;) {
        uint64_t hard = 0;
        bool is_nofile = laz_task_is(&task->definition, item, "name", "nofile");
        has_nofile = has_nofile || is_nofile;
        if (task->is_fargate && !is_nofile) {
            laz_task_say(task, LAZ_TASK_ULIMIT_FARGATE, laz_task_on(task, item),
                    "Fargate takes nofile alone; say it under limits of the policy");
        }
        for (size_t i = 0; i < sizeof(ulimits) / sizeof(ulimits[0]); i++) {
            if (laz_task_is(&task->definition, item, "name", ulimits[i].name) &&
                    laz_task_number(task, item, "hardLimit", &hard)) {
                look_limit(task, laz_task_at(task, item, "hardLimit"), ulimits[i].resource, hard);
            }
        }
    }
    if (!has_nofile && task->is_fargate) {
        look_limit(
                task, laz_task_at(task, task->container, "ulimits"), RLIMIT_NOFILE, FARGATE_NOFILE);
    }
}

static void look_platform(struct laz_task *task)
{
    static const char *const not_there[] = {"devices", "sharedMemorySize", "maxSwap", "swappiness"};
    const struct laz_json_node *linux_part = linux_part_of(task);
    if (laz_task_true(task, task->container, "privileged")) {
        laz_task_say(task, LAZ_TASK_PRIVILEGED, laz_task_at(task, task->container, "privileged"),
                "devices and every capability of the host are open to what ECS Exec and health "
                "commands start%s; leave it out: Lazaret needs none of it",
                task->is_fargate ? ", and Fargate refuses it" : "");
    }
    if (!task->is_fargate) {
        return;
    }
    if (laz_task_item(task, task->container, "dockerSecurityOptions", NULL) != NULL) {
        laz_task_say(task, LAZ_TASK_SECURITY_FARGATE,
                laz_task_at(task, task->container, "dockerSecurityOptions"),
                "Fargate takes none; leave it out: the policy sets no_new_privs and a filter");
    }
    for (size_t i = 0; i < sizeof(not_there) / sizeof(not_there[0]); i++) {
        const struct laz_json_node *node =
                laz_task_get(&task->definition, linux_part, not_there[i]);
        if (node != NULL && laz_json_next(&task->definition.doc, node, NULL) == NULL &&
                node->type == LAZ_JSON_ARRAY) {
            continue; /* an empty list, as it is described */
        }
        if (node != NULL) {
            laz_task_say(task, LAZ_TASK_LINUX_FARGATE, laz_task_on(task, node),
                    "Fargate does not take it; leave it out");
        }
    }
}

void laz_task_look_rights(struct laz_task *task)
{
    enum user user = user_of(task);
    look_user(task, user);
    look_capabilities(task, user);
    look_ulimits(task);
    look_platform(task);
}
