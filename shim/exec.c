/* SPDX-License-Identifier: Apache-2.0
 *
 * exec: one more process in a container that has a record. What the engine has written of it is
 * read once, from a file or a pipe, and the runtime gets a copy of ours. A copy stays until
 * somebody else comes in after the runtime that reads it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/replace.h"
#include "oci/change.h"
#include "oci/record.h"
#include "shim/call.h"
#include "shim/clamp.h"
#include "shim/decide.h"
#include "shim/init_words.h"
#include "shim/look.h"
#include "shim/sweep.h"

#define COPY_MODE      0600
#define COPY_NAME_SIZE 256
#define PATH_SIZE      512
#define PROCESS_SIZE   4096 /* of a pipe: more than engines write */
#define WORDS_MORE     2    /* an option, and NULL */
#define LENGTH(array)  (sizeof(array) / sizeof((array)[0]))

/* Whose container it is. */
struct laz_entry {
    struct laz_host_policy *policy;      /* owned */
    const struct laz_oci_record *record; /* NULL: there is none */
};

/* ---- the copy ---- */

static int put_copy(const struct laz_call *call, int folder, const struct laz_buf *text, char *ret,
        struct laz_err *err)
{
    char name[COPY_NAME_SIZE];
    char hash[LAZ_OCI_ROOT_HASH_SIZE];
    const struct laz_replace how = {.mode = COPY_MODE};
    const char *root = call->arguments->values[LAZ_OPTION_ROOT];
    laz_sweep_files(folder);
    if (laz_format(name, sizeof(name), "%s" LAZ_SWEEP_COPY "%d", call->arguments->id,
                (int)getpid()) >= (int)sizeof(name)) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "the container's name is too long");
    }
    if (laz_replace_at(folder, name, &how, text->data, text->len, err) < 0) {
        return laz_err_context(err, "the copy of process.json");
    }
    laz_oci_root_hash(root == NULL ? "" : root, hash);
    (void)laz_format(ret, PATH_SIZE, LAZ_OCI_RECORD_FOLDER "/%s/%s", hash, name);
    return 0;
}

/* In the place of the caller's, as a word of its own or behind the option's "=". */
static int substitute(struct laz_call *call, const char *path, struct laz_err *err)
{
    int at = call->arguments->at[LAZ_OPTION_PROCESS];
    const char *value = call->arguments->values[LAZ_OPTION_PROCESS];
    size_t before = (size_t)(value - call->argv[at]);
    char *word = malloc(before + strlen(path) + 1);
    if (word == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory");
    }
    (void)memcpy(word, call->argv[at], before);
    (void)memcpy(word + before, path, strlen(path) + 1);
    call->argv[at] = word;
    return 0;
}

/* ---- what the process may have ---- */

static int drop_variables(struct laz_oci_change *change, const struct laz_host_policy *policy,
        const struct laz_json_node *env, struct laz_err *err)
{
    const struct laz_json_doc *doc = &change->spec->doc;
    const struct laz_json_node *node = NULL;
    while (env != NULL && (node = laz_json_next(doc, env, node)) != NULL) {
        laz_cleanup_buf struct laz_buf text;
        laz_buf_init_heap(&text, LAZ_OCI_TEXT_MAX);
        if (!laz_json_text(doc, node, &text)) {
            return laz_err_set(err, LAZ_E_REQUEST, 0, "a variable is no text");
        }
        if (text.len == 0) {
            continue; /* no name, and no text */
        }
        if (!laz_host_takes_variable(&policy->host, text.data, strcspn(text.data, "=")) &&
                laz_json_remove(&change->edits, env, node, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The policy has its own groups; others would be more than it. */
static bool has_groups(const struct laz_oci_spec *spec, const struct laz_oci_process *process)
{
    const struct laz_json_node *node = NULL;
    uint64_t group = 0;
    while (process->groups != NULL &&
            (node = laz_json_next(&spec->doc, process->groups, node)) != NULL) {
        if (!laz_json_number(&spec->doc, node, UINT32_MAX, &group) || group != process->gid) {
            return true;
        }
    }
    return false;
}

static int judge_user(const struct laz_host_policy *policy, const struct laz_oci_spec *spec,
        const struct laz_oci_process *process, struct laz_err *err)
{
    bool is_own = process->uid == policy->uid && process->gid == policy->gid &&
            !has_groups(spec, process);
    bool fits = policy->host.exec_user == LAZ_HOST_USER_ANY ||
            (policy->host.exec_user == LAZ_HOST_USER_NON_ROOT && process->uid != 0) || is_own;
    return fits
            ? 0
            : laz_err_set(err, LAZ_E_REQUEST, 0, "an exec as user %u:%u (host.exec-user: %s)",
                      process->uid, process->gid,
                      policy->host.exec_user == LAZ_HOST_USER_NON_ROOT ? "non-root" : "workload");
}

/* The policy's user and nothing of root, with no init in front. Our probe asks init by a socket and
 * knows nothing else: the policy need not let the workload's user execute it, or open a socket. And
 * in a container that we did not make, what lies where our init would be is the image's. */
static int change_bare(struct laz_oci_change *change, const struct laz_host_policy *policy,
        const struct laz_oci_process *process, struct laz_err *err)
{
    if (laz_clamp(change, policy, false, err) < 0 ||
            drop_variables(change, policy, process->env, err) < 0 ||
            laz_oci_set_groups(change, policy->groups, policy->n_groups, err) < 0) {
        return -1;
    }
    return laz_oci_set_user(change, policy->uid, policy->gid, err);
}

/* No policy can name the folder of ECS's agent: it is another one in each container. */
static int put_init(struct laz_oci_change *change, const struct laz_oci_record *record,
        const struct laz_entering *entering, struct laz_err *err)
{
    const char *words[LAZ_INIT_WORDS_MAX];
    const struct laz_oci_strings init = {
            words, laz_init_words_of_exec(record->policy_pin, entering->agent_folder, words)};
    return laz_oci_prepend_args(change, 0, &init, err);
}

static bool has_capability(
        const struct laz_oci_spec *spec, enum laz_oci_capability_set set, const char *name)
{
    const struct laz_json_node *all = laz_oci_capabilities(spec, set);
    const struct laz_json_node *node = NULL;
    while (all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        if (laz_oci_is(spec, node, name)) {
            return true;
        }
    }
    return false;
}

/* Can lazaret-init become the policy's user? Engines give an exec what the container began with: as
 * root that is nothing where it began as somebody else, and with no_new_privs it stays that. */
static bool can_change_user(const struct laz_oci_spec *spec)
{
    static const enum laz_oci_capability_set sets[] = {
            LAZ_OCI_BOUNDING, LAZ_OCI_EFFECTIVE, LAZ_OCI_PERMITTED};
    bool can = true;
    for (size_t i = 0; i < LENGTH(sets); i++) {
        can = can && has_capability(spec, sets[i], "CAP_SETUID") &&
                has_capability(spec, sets[i], "CAP_SETGID");
    }
    return can;
}

static int change_command(struct laz_oci_change *change, const struct laz_entry *entry,
        const struct laz_oci_process *process, const struct laz_entering *entering,
        struct laz_err *err)
{
    const struct laz_host_policy *policy = entry->policy;
    bool is_confined = entering->mode == LAZ_HOST_EXEC_CONFINED;
    bool is_root = is_confined && process->uid == 0;
    bool begins_as_root = is_root && can_change_user(change->spec);
    if (laz_clamp(change, policy, begins_as_root, err) < 0 ||
            (is_confined && !begins_as_root &&
                    laz_oci_set_groups(change, policy->groups, policy->n_groups, err) < 0) ||
            (is_root && !begins_as_root &&
                    laz_oci_set_user(change, policy->uid, policy->gid, err) < 0) ||
            drop_variables(change, policy, process->env, err) < 0) {
        return -1;
    }
    return is_confined ? put_init(change, entry->record, entering, err) : 0;
}

/* Here it is known who comes, and how. */
static int decide(struct laz_call *call, const struct laz_entry *entry,
        const struct laz_oci_spec *spec, const struct laz_oci_process *process,
        struct laz_entering *ret, struct laz_err *err)
{
    if (laz_decide(entry->policy, entry->record, spec, process, ret, err) < 0) {
        return -1;
    }
    bool is_unknown = ret->mode == LAZ_HOST_EXEC_CONFINED && entry->record == NULL;
    laz_audit_exec(&call->note, ret->way, is_unknown ? "clamped" : laz_host_exec_name(ret->mode),
            spec, process);
    ret->is_bare = is_unknown || (ret->mode == LAZ_HOST_EXEC_CONFINED && ret->is_probe);
    if (ret->mode == LAZ_HOST_EXEC_DENY) {
        return laz_err_set(
                err, LAZ_E_REQUEST, 0, "no command may be run in this container %s", ret->why);
    }
    if (ret->mode == LAZ_HOST_EXEC_ALLOW && entry->record != NULL && entry->record->is_loosened) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "this container was made with a seccomp profile that is loosened for events: an "
                "exec has to be confined (host.seccomp)");
    }
    bool is_bound = ret->way == LAZ_NOTE_EXEC ||
            (ret->way == LAZ_NOTE_HEALTH && ret->mode == LAZ_HOST_EXEC_ALLOW);
    return is_bound ? judge_user(entry->policy, spec, process, err) : 0;
}

/* Lazaret-init, in front of a command or as the probe, from the container's own mounts. */
static bool starts_ours(const struct laz_entering *decision, const struct laz_oci_record *record)
{
    return decision->mode == LAZ_HOST_EXEC_CONFINED && record != NULL;
}

static int change_process(struct laz_call *call, const struct laz_entry *entry,
        const struct laz_oci_spec *spec, struct laz_buf *ret, struct laz_err *err)
{
    struct laz_oci_process process;
    struct laz_entering decision;
    laz_cleanup_oci_change struct laz_oci_change change = {0};
    if (laz_oci_process(spec, &process, err) < 0 ||
            decide(call, entry, spec, &process, &decision, err) < 0 ||
            laz_oci_change_init(&change, spec, err) < 0 || laz_oci_drop_labels(&change, err) < 0) {
        return -1;
    }
    if (starts_ours(&decision, entry->record) && laz_look(entry->record, err) < 0) {
        return -1;
    }
    int result = decision.is_bare ? change_bare(&change, entry->policy, &process, err)
                                  : change_command(&change, entry, &process, &decision, err);
    return result < 0 ? -1 : laz_oci_change_apply(&change, ret, err);
}

/* A file or a pipe. */
static int read_process(const char *path, struct laz_buf *ret, struct laz_err *err)
{
    struct stat status;
    struct laz_err why = {0};
    laz_cleanup_fd int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_OCI, errno, "%s: %s", path, strerror(errno));
    }
    size_t expected = S_ISREG(status.st_mode) ? (size_t)status.st_size : PROCESS_SIZE;
    if (laz_read_rest(fd, expected, ret, &why) == 0) {
        return 0;
    }
    return why.sys_errno == EFBIG
            ? laz_err_set(err, LAZ_E_OCI, 0, "%s: more than %zu bytes", path, LAZ_OCI_TEXT_MAX)
            : laz_err_set(err, LAZ_E_OCI, why.sys_errno, "%s: %s", path, why.message);
}

static int exec_by_file(
        struct laz_call *call, const struct laz_entry *entry, int folder, struct laz_err *err)
{
    char path[PATH_SIZE];
    laz_cleanup_buf struct laz_buf text;
    laz_cleanup_oci_spec struct laz_oci_spec spec = {0};
    laz_cleanup_buf struct laz_buf changed;
    laz_buf_init_heap(&text, LAZ_OCI_TEXT_MAX + 1);
    laz_buf_init_heap(&changed, LAZ_OCI_TEXT_MAX + 1);
    if (read_process(call->arguments->values[LAZ_OPTION_PROCESS], &text, err) < 0 ||
            laz_oci_spec_open(text.data, text.len, LAZ_OCI_PROCESS, &spec, err) < 0 ||
            change_process(call, entry, &spec, &changed, err) < 0 ||
            put_copy(call, folder, &changed, path, err) < 0) {
        return -1;
    }
    return substitute(call, path, err);
}

/* ---- without a file ---- */

/* By hand, `runc exec ID ls`: the process is the container's own, with another command, and always
 * under init. What would widen it is refused. */
static int exec_by_words(struct laz_call *call, const struct laz_entry *entry, struct laz_err *err)
{
    static const enum laz_option widening[] = {LAZ_OPTION_CAP, LAZ_OPTION_APPARMOR,
            LAZ_OPTION_PROCESS_LABEL, LAZ_OPTION_ENV, LAZ_OPTION_USER, LAZ_OPTION_ADDITIONAL_GIDS,
            LAZ_OPTION_CGROUP};
    static const char *const names[] = {"--cap", "--apparmor", "--process-label", "--env", "--user",
            "--additional-gids", "--cgroup"};
    const struct laz_arguments *arguments = call->arguments;
    for (size_t i = 0; i < LENGTH(widening); i++) {
        if (arguments->values[widening[i]] != NULL) {
            return laz_err_set(
                    err, LAZ_E_REQUEST, 0, "exec: %s, which a file (--process) may say", names[i]);
        }
    }
    bool is_unknown = entry->record == NULL;
    bool is_denied = entry->policy->host.exec == LAZ_HOST_EXEC_DENY || is_unknown;
    enum laz_host_exec mode = is_denied ? LAZ_HOST_EXEC_DENY : LAZ_HOST_EXEC_CONFINED;
    laz_audit_words(&call->note, LAZ_NOTE_EXEC, laz_host_exec_name(mode),
            call->argv + arguments->id_at + 1);
    if (is_denied) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "no command may be run in this container %s",
                is_unknown
                        ? "but by a file (--process): there is no record of it (unknown-container)"
                        : "(host.exec: deny)");
    }
    if (laz_look(entry->record, err) < 0) {
        return -1;
    }
    const char *words[LAZ_INIT_WORDS_MAX];
    char *pin = strdup(entry->record->policy_pin); /* until execve */
    size_t n_words = laz_init_words_of_exec(pin == NULL ? "" : pin, "", words);
    char **argv = calloc((size_t)call->argc + n_words + WORDS_MORE, sizeof(*argv));
    if (argv == NULL || pin == NULL) {
        free(argv);
        free(pin);
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory");
    }
    int n = 0;
    for (int i = 0; i < call->argc; i++) {
        argv[n++] = call->argv[i];
        if (call->argv[i] == arguments->verb_name) {
            argv[n++] = laz_unconst("--no-new-privs");
        }
        for (size_t k = 0; i == arguments->id_at && k < n_words; k++) {
            argv[n++] = laz_unconst(words[k]);
        }
    }
    call->argv = argv;
    return 0;
}

/* ---- whose container it is ---- */

static int find_policy(struct laz_call *call, int folder, struct laz_oci_record *record,
        struct laz_entry *entry, const char **ret_name, struct laz_err *err)
{
    bool is_found = false;
    if (folder >= 0 &&
            laz_oci_record_load(folder, call->arguments->id, record, &is_found, err) < 0) {
        return -1;
    }
    entry->record = is_found ? record : NULL;
    *ret_name = is_found ? record->policy : call->runtime->default_policy;
    return is_found || call->runtime->unknown_container == LAZ_UNKNOWN_CLAMP_DEFAULT
            ? 0
            : laz_err_set(err, LAZ_E_REQUEST, 0,
                      "there is no record of container %.100s: it was made without this host's "
                      "policies (unknown-container)",
                      call->arguments->id);
}

/* The record is the caller's. entry->policy is NULL: nothing is enforced on it. */
static int load(struct laz_call *call, int folder, struct laz_oci_record *record,
        struct laz_entry *entry, struct laz_err *err)
{
    const char *name = NULL;
    if (call->arguments->id == NULL) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "no container is named");
    }
    entry->policy = NULL;
    if (find_policy(call, folder, record, entry, &name, err) < 0 ||
            (strcmp(name, LAZ_RUNTIME_PASS_THROUGH) != 0 &&
                    laz_call_load_policy(call, name, &entry->policy, err) < 0)) {
        return -1;
    }
    laz_audit_policy(&call->note, name, entry->policy);
    return 0;
}

int laz_call_exec(struct laz_call *call, struct laz_err *err)
{
    struct laz_oci_record record = {0};
    struct laz_entry entry = {0};
    laz_cleanup_fd int folder = -1;
    if (laz_clamp_open_records(call->arguments, true, &folder, err) < 0 ||
            load(call, folder, &record, &entry, err) < 0) {
        return -1;
    }
    int result = entry.policy == NULL ? 0
            : call->arguments->values[LAZ_OPTION_PROCESS] != NULL
            ? exec_by_file(call, &entry, folder, err)
            : exec_by_words(call, &entry, err);
    laz_call_free_policy(entry.policy);
    return result;
}

/* A checkpoint is all that the processes have in memory, as files of the host. */
static int judge_change(enum laz_verb verb, const struct laz_policy_host *host, struct laz_err *err)
{
    if (verb == LAZ_VERB_UPDATE && host->update == LAZ_HOST_VERB_REFUSE) {
        return laz_err_set(
                err, LAZ_E_REQUEST, 0, "update: limits stay as they are (host.update: refuse)");
    }
    if (verb == LAZ_VERB_CHECKPOINT && host->checkpoint == LAZ_HOST_VERB_REFUSE) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "checkpoint: it would put the memory of the processes, and the secrets in it, into "
                "files of the host (host.checkpoint: refuse)");
    }
    return 0;
}

int laz_call_change(struct laz_call *call, struct laz_err *err)
{
    struct laz_oci_record record = {0};
    struct laz_entry entry = {0};
    laz_cleanup_fd int folder = -1;
    if (laz_clamp_open_records(call->arguments, true, &folder, err) < 0 ||
            load(call, folder, &record, &entry, err) < 0) {
        return -1;
    }
    int result = entry.policy == NULL
            ? 0
            : judge_change(call->arguments->verb, &entry.policy->host, err);
    laz_call_free_policy(entry.policy);
    return result;
}
