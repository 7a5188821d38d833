/* SPDX-License-Identifier: Apache-2.0
 *
 * How sense gives up what it does not need: root, all capabilities but the one to see into
 * processes (where the container has it), the file system but what it watches, the network, and
 * every system call but those of its list. Each step refuses to go on where it fails, but for what
 * the kernel does not have.
 */
#include "init/role/narrow.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "init/sense/filter.h"
#include "init/sense/sense.h"

#define PTRACE_BIT (1U << CAP_SYS_PTRACE)

/* Nothing but, perhaps, to see into other users' processes. */
static bool keep_one_capability(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    bool has = syscall(SYS_capget, &header, data) == 0 && (data[0].permitted & PTRACE_BIT) != 0;
    const struct __user_cap_data_struct kept[2] = {
            {.effective = has ? PTRACE_BIT : 0, .permitted = has ? PTRACE_BIT : 0}, {0}};
    return syscall(SYS_capset, &header, kept) == 0 && has;
}

int laz_sense_take_user(struct laz_sense *sense, struct laz_err *err)
{
    const struct laz_sense_config *config = &sense->config;
    bool wants = config->level[LAZ_DETECTOR_EXECUTABLES] != LAZ_LEVEL_DISABLED;
    if (wants) {
        (void)prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL);
    }
    if (laz_role_take_group(LAZ_SENSE_UID, err) < 0 || laz_role_take_user(LAZ_SENSE_UID, err) < 0) {
        return -1;
    }
    bool may_see_all = wants && keep_one_capability();
    if (!may_see_all && laz_role_drop_capabilities(err) < 0) {
        return -1;
    }
    (void)prctl(PR_SET_KEEPCAPS, 0UL, 0UL, 0UL, 0UL);
    bool is_same = geteuid() == config->uid && config->keep_capabilities == 0;
    sense->sees_programs = wants && (may_see_all || is_same);
    sense->sees_sockets = is_same;
    if (wants && !sense->sees_programs) {
        (void)snprintf(sense->why[LAZ_DETECTOR_EXECUTABLES],
                sizeof(sense->why[LAZ_DETECTOR_EXECUTABLES]),
                "the workload is user %u and this is user %u%s: to see its programs "
                "takes CAP_SYS_PTRACE, which no container should be given for this alone",
                config->uid, geteuid(),
                config->keep_capabilities != 0 ? ", without its capabilities" : "");
    }
    return 0;
}

static int allow(int ruleset, const char *path, bool is_folder)
{
    laz_cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
    const struct laz_ll_path rule = {
            .allowed = LAZ_LL_READ_FILE | (is_folder ? LAZ_LL_READ_DIR : 0), .parent_fd = fd};
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
    }
    return laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &rule);
}

/* Of a file, the folder: whatever takes its place must be readable too. */
static int allow_watched(int ruleset, const char *path)
{
    struct laz_file_facts facts;
    char parent[LAZ_SENSE_PATH_MAX];
    if (laz_sense_stat(path, &facts) && S_ISDIR(facts.mode)) {
        return allow(ruleset, path, true);
    }
    const char *slash = strrchr(path, '/');
    (void)snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return allow(ruleset, parent, true);
}

static int allow_all(int ruleset, const struct laz_sense_config *config)
{
    int result = allow(ruleset, "/proc", true);
    for (size_t i = 0; config->n_volumes > 0 && i < 2 && result == 0; i++) {
        static const char *const devices[] = {"/sys/dev/block", "/sys/devices"};
        result = allow(ruleset, devices[i], true);
    }
    for (uint32_t i = 0; i < config->n_watch && result == 0; i++) {
        result = allow_watched(ruleset, config->watch[i]);
    }
    return result;
}

/* In a domain of its own nobody sees into a process outside of it, whatever its user: then the
 * filter below alone leaves reading, and nothing else. */
static int restrict_files(struct laz_sense *sense)
{
    int abi = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    if (abi < 1 || sense->sees_programs || sense->sees_sockets) {
        return 0;
    }
    laz_cleanup_fd int ruleset = laz_role_ruleset(abi);
    if (ruleset < 0 || allow_all(ruleset, &sense->config) < 0) {
        return -1;
    }
    sense->landlock_abi = abi;
    return laz_sys_landlock_restrict(ruleset);
}

int laz_sense_narrow(struct laz_sense *sense, struct laz_err *err)
{
    if (laz_role_close(err) < 0) {
        return -1;
    }
    if (restrict_files(sense) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "Landlock: %s", strerror(errno));
    }
    return laz_role_filter(
            laz_sense_filter, sizeof(laz_sense_filter) / sizeof(laz_sense_filter[0]), err);
}
