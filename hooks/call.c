/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments, stdin and the shim's record.
 */
#include "hooks/call.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/words.h"

#define HASH_LENGTH (LAZ_OCI_ROOT_HASH_SIZE - 1)
#define LINK_SIZE   48 /* of a namespace below /proc */

LAZ_WORDS(laz_hook_verb_name, laz_hook_verb, LAZ_HOOK_VERBS, LAZ_HOOK_VERB_COUNT)

int laz_hook_take_words(int argc, char **argv, struct laz_hook_call *ret, struct laz_err *err)
{
    unsigned verb = 0;
    *ret = (struct laz_hook_call){0};
    if (argc != 3) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "a verb and the hash of the runtime's root");
    }
    while (verb < LAZ_HOOK_VERB_COUNT &&
            strcmp(argv[1], laz_hook_verb_name((enum laz_hook_verb)verb)) != 0) {
        verb++;
    }
    if (verb == LAZ_HOOK_VERB_COUNT) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "no verb is called \"%.32s\"", argv[1]);
    }
    if (strlen(argv[2]) != HASH_LENGTH || strspn(argv[2], "0123456789abcdef") != HASH_LENGTH) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "the hash of the runtime's root is %d digits, 0 to 9 and a to f", HASH_LENGTH);
    }
    ret->verb = (enum laz_hook_verb)verb;
    ret->root_hash = argv[2];
    return 0;
}

/* ---- the state document ---- */

/* By the process that the runtime names: it is in a mount namespace, and so a container, of its
 * own. */
static int check_pid(uint32_t pid, struct laz_err *err)
{
    char path[LINK_SIZE];
    struct statfs system;
    struct stat ours;
    struct stat its;
    (void)laz_format(path, sizeof(path), "/proc/%u/ns/mnt", pid);
    if (statfs("/proc", &system) < 0 || system.f_type != PROC_SUPER_MAGIC) {
        return laz_err_set(err, LAZ_E_BUNDLE, 0, "no /proc is mounted here");
    }
    if (pid <= 1 || stat("/proc/self/ns/mnt", &ours) < 0 || stat(path, &its) < 0 ||
            (ours.st_dev == its.st_dev && ours.st_ino == its.st_ino)) {
        return laz_err_set(err, LAZ_E_BUNDLE, 0,
                "the state document's pid %u is no process of a container", pid);
    }
    return 0;
}

/* A hook that is entered at another stage would do its work in the wrong place. */
static int check_stage(const struct laz_hook_call *call, struct laz_err *err)
{
    bool is_end = call->verb == LAZ_HOOK_AUDIT_END;
    enum laz_oci_status status = call->state.status;
    if (is_end ? status != LAZ_OCI_STOPPED
               : status != LAZ_OCI_CREATING && status != LAZ_OCI_CREATED) {
        return laz_err_set(err, LAZ_E_BUNDLE, 0, "%s at a container that is %s",
                laz_hook_verb_name(call->verb), laz_oci_status_name(status));
    }
    return call->verb == LAZ_HOOK_AUDIT_CREATE ? check_pid(call->state.pid, err) : 0;
}

/* Bounded by its size here, and in time by the deadline. */
int laz_hook_take_state(struct laz_hook_call *call, struct laz_err *err)
{
    size_t length = 0;
    struct laz_err why = {0};
    call->text = malloc(LAZ_HOOK_STDIN_MAX);
    if (call->text == NULL) {
        return laz_err_set(err, LAZ_E_SYSTEM, ENOMEM, "no memory for the state document");
    }
    if (laz_fd_read_all(STDIN_FILENO, call->text, LAZ_HOOK_STDIN_MAX, &length, &why) < 0) {
        return laz_err_set(err, LAZ_E_OCI_STATE, why.sys_errno, "stdin: %.400s", why.message);
    }
    if (laz_oci_state_read(call->text, length, &call->state, err) < 0) {
        return -1;
    }
    return check_stage(call, err);
}

/* ---- the record ---- */

int laz_hook_take_record(struct laz_hook_call *call, struct laz_err *err)
{
    laz_cleanup_fd int folder = -1;
    if (laz_oci_record_folder(LAZ_OCI_RECORD_FOLDER, call->root_hash, false, &folder, err) < 0) {
        return -1;
    }
    if (folder >= 0 &&
            laz_oci_record_load(folder, call->state.id, &call->record, &call->has_record, err) <
                    0) {
        return -1;
    }
    if (!call->has_record && call->verb != LAZ_HOOK_AUDIT_END) {
        return laz_err_set(err, LAZ_E_CONTAINER, 0, "container %.64s has no record in %s/%s",
                call->state.id, LAZ_OCI_RECORD_FOLDER, call->root_hash);
    }
    return 0;
}
