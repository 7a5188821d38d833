/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of hooks.
 */
#include "hooks/note.h"

#include <string.h>
#include <time.h>

#include "core/caller.h"
#include "core/format.h"
#include "core/ledger.h"
#include "core/num.h"
#include "core/record.h"

#define SHOWN_MAX 512 /* bytes of a path in a record: all of it has to fit into one */

#define WORD_MAX 128 /* bytes of what a container is called */

/* Of containerd's CRI, of CRI-O and its kin, of nerdctl. */
static const char *const name_annotations[] = {
        "io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name", NULL};
static const char *const image_annotations[] = {
        "io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", NULL};
static const char *const pod_annotations[] = {
        "io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name", NULL};

/* By verb: the event, and what was done. */
static const struct {
    const char *event;
    const char *act;
} words[LAZ_HOOK_VERB_COUNT] = {
        [LAZ_HOOK_AUDIT_CREATE] = {"hook.create", "create"},
        [LAZ_HOOK_SECRETS] = {"hook.secrets", "deliver"},
        [LAZ_HOOK_AUDIT_END] = {"hook.end", "end"},
};

/* Cut where it is too long; the beginning says whose it is. */
static void put_path(struct laz_json *json, const char *key, const char *path)
{
    laz_json_bytes(json, key, path, strnlen(path, SHOWN_MAX));
}

/* What it was recorded with is what lies there: a wrapper behind the shim may change it. */
static bool is_as_recorded(const struct laz_hook_note *note)
{
    uint8_t hash[LAZ_SHA256_SIZE];
    char digits[LAZ_OCI_DIGEST_SIZE];
    laz_sha256_of(note->bundle->config.doc.text, note->bundle->length, hash);
    laz_format_hex(hash, sizeof(hash), digits);
    return strcmp(digits, note->call->record.config_digest) == 0;
}

/* What people call it, as far as the engine says so: whoever makes the container may have written
 * it. Only letters that need no escape, so that a record always has room for them. */
static void put_word(struct laz_json *json, const char *key, const struct laz_oci_spec *spec,
        const struct laz_json_node *node)
{
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_TEXT_MAX);
    if (!laz_json_text(&spec->doc, node, &text) || text.len == 0) {
        return;
    }
    size_t length = text.len < WORD_MAX ? text.len : WORD_MAX;
    for (size_t i = 0; i < length; i++) {
        char c = text.data[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\\') {
            text.data[i] = '?';
        }
    }
    laz_json_bytes(json, key, text.data, length);
}

static void put_annotation(struct laz_json *json, const char *key, const struct laz_oci_spec *spec,
        const char *const *names)
{
    const struct laz_json_node *node = NULL;
    for (size_t i = 0; names[i] != NULL && node == NULL; i++) {
        node = laz_oci_annotation(spec, names[i]);
    }
    put_word(json, key, spec, node);
}

static void put_names(struct laz_json *json, const struct laz_oci_spec *spec)
{
    const struct laz_oci_container container = laz_oci_container(spec);
    put_annotation(json, "name", spec, name_annotations);
    put_annotation(json, "image", spec, image_annotations);
    put_annotation(json, "pod", spec, pod_annotations);
    put_word(json, "hostname", spec, container.hostname);
    put_word(json, "cgroup", spec, container.cgroups_path);
}

static void put_bundle(struct laz_json *json, const struct laz_hook_note *note)
{
    const struct laz_hook_bundle *bundle = note->bundle;
    put_path(json, "root", bundle->root_path);
    laz_json_u64(json, "root_device", bundle->root_status.st_dev);
    laz_json_u64(json, "root_inode", bundle->root_status.st_ino);
    laz_json_u64(json, "uid", bundle->process.uid);
    laz_json_u64(json, "gid", bundle->process.gid);
    put_names(json, &bundle->config);
    if (note->call->has_record) {
        laz_json_bool(json, "config_as_recorded", is_as_recorded(note));
    }
}

static void put_members(struct laz_json *json, const struct laz_hook_note *note)
{
    const struct laz_hook_call *call = note->call;
    laz_caller_put_login(json);
    laz_caller_put_program(json, "runtime");
    put_path(json, "bundle", call->state.bundle);
    if (note->bundle != NULL) {
        put_bundle(json, note);
    }
    laz_json_string(json, "policy_sha256", call->record.policy_digest);
    laz_json_string(json, "mode", call->record.mode);
    if (note->refusal != NULL) {
        laz_json_string(json, "verb", laz_hook_verb_name(call->verb));
        laz_json_string(json, "error", laz_err_name(note->refusal->kind));
        laz_json_string(json, "why", note->refusal->message);
    } else if (call->verb == LAZ_HOOK_SECRETS) {
        laz_json_array(json, "items");
        for (size_t i = 0; i < note->n_delivered; i++) {
            laz_json_string(json, NULL, note->delivered[i]);
        }
        laz_json_array_end(json);
    }
}

static void encode(
        const struct laz_hook_note *note, const struct laz_ledger *ledger, struct laz_buf *ret)
{
    const struct laz_hook_call *call = note->call;
    bool is_refused = note->refusal != NULL;
    struct laz_json json;
    struct laz_record record = {
            .ev = is_refused ? "hook.refuse" : words[call->verb].event,
            .severity = is_refused ? 6 : 1,
            .seq = ledger->seq,
            .task = "",
            .ctr = call->record.policy,
            .pid = (pid_t)call->state.pid,
            .exe = "",
            .obj = call->state.id,
            .act = is_refused ? "refuse" : words[call->verb].act,
            .prev = ledger->prev,
    };
    (void)clock_gettime(CLOCK_REALTIME, &record.when);
    laz_record_begin(&json, ret, &record);
    put_members(&json, note);
    if (!laz_record_end(&json)) {
        ret->overflow = true;
    }
}

int laz_hook_write_note(const struct laz_hook_note *note, const char *path, struct laz_err *err)
{
    char line[LAZ_RECORD_MAX + 1];
    struct laz_buf text;
    struct laz_ledger ledger;
    int result = -1;
    if (laz_ledger_open(path, &ledger, err) < 0) {
        return -1;
    }
    laz_buf_init_fixed(&text, line, sizeof(line));
    encode(note, &ledger, &text);
    if (text.overflow) {
        (void)laz_err_set(
                err, LAZ_E_LEDGER, 0, "the record has more than %d bytes", LAZ_RECORD_MAX);
    } else {
        result = laz_ledger_append(&ledger, text.data, text.len, err);
    }
    laz_ledger_close(&ledger);
    return result;
}
