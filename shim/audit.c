/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of the shim. Arguments may be somebody's data: their digest is always there, they
 * themselves only where runtime.yaml says so.
 */
#include "shim/audit.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/caller.h"
#include "core/format.h"
#include "core/ledger.h"
#include "core/num.h"
#include "core/record.h"
#include "core/sha256.h"
#include "shim/call.h"

/* ---- what is known ---- */

void laz_audit_policy(struct laz_note *note, const char *name, const struct laz_host_policy *policy)
{
    if (policy == NULL) {
        note->mode = LAZ_RUNTIME_PASS_THROUGH;
        return;
    }
    (void)laz_format(note->policy, sizeof(note->policy), "%s", name);
    laz_format_hex(policy->source_digest, LAZ_SHA256_SIZE, note->digest);
}

static void begin_command(struct laz_note *note, enum laz_note_way way, const char *mode)
{
    note->way = way;
    note->mode = mode;
    note->has_command = true;
    note->n_arguments = 0;
    note->arguments_length = 0;
    note->command[0] = '\0';
}

/* Without its NUL; what holds one is no argument. */
static void add_argument(
        struct laz_note *note, struct laz_sha256 *hash, const char *text, size_t length)
{
    laz_sha256_add(hash, text, length);
    laz_sha256_add(hash, "", 1);
    if (note->n_arguments++ == 0) {
        (void)laz_format(note->command, sizeof(note->command), "%.*s",
                (int)(length < sizeof(note->command) ? length : sizeof(note->command)), text);
    }
    if (length < sizeof(note->arguments) - note->arguments_length) {
        (void)memcpy(note->arguments + note->arguments_length, text, length);
        note->arguments_length += length;
        note->arguments[note->arguments_length++] = '\0';
    }
}

static void end_command(struct laz_note *note, struct laz_sha256 *hash)
{
    uint8_t digest[LAZ_SHA256_SIZE];
    laz_sha256_end(hash, digest);
    laz_format_hex(digest, sizeof(digest), note->hash);
}

void laz_audit_exec(struct laz_note *note, enum laz_note_way way, const char *mode,
        const struct laz_oci_spec *spec, const struct laz_oci_process *process)
{
    struct laz_sha256 hash;
    const struct laz_json_node *node = NULL;
    begin_command(note, way, mode);
    note->has_user = true;
    note->uid = process->uid;
    note->gid = process->gid;
    laz_sha256_init(&hash);
    while (process->args != NULL &&
            (node = laz_json_next(&spec->doc, process->args, node)) != NULL) {
        laz_cleanup_buf struct laz_buf text;
        laz_buf_init_heap(&text, LAZ_OCI_TEXT_MAX);
        if (laz_json_text(&spec->doc, node, &text)) {
            add_argument(note, &hash, text.data == NULL ? "" : text.data, text.len);
        }
    }
    end_command(note, &hash);
}

void laz_audit_words(
        struct laz_note *note, enum laz_note_way way, const char *mode, char *const *words)
{
    struct laz_sha256 hash;
    begin_command(note, way, mode);
    laz_sha256_init(&hash);
    for (size_t i = 0; words[i] != NULL; i++) {
        add_argument(note, &hash, words[i], strlen(words[i]));
    }
    end_command(note, &hash);
}

/* ---- as a record ---- */

struct kind {
    const char *event;
    const char *act;
    int severity;
};

static bool is_new(const struct laz_call *call)
{
    return (call->arguments->verb & (LAZ_VERB_CREATE | LAZ_VERB_RUN | LAZ_VERB_RESTORE)) != 0;
}

static bool is_stricter(const struct laz_note *note)
{
    return note->selected[0] != '\0' && strcmp(note->selected, note->policy) != 0;
}

/* NULL in `event`: nothing is said of it. A container with the policy that the host selects is in
 * the hook's record; what changes limits alone is no news. */
static struct kind judge(const struct laz_call *call, bool is_refused)
{
    const struct laz_note *note = &call->note;
    bool passes = note->mode != NULL && strcmp(note->mode, LAZ_RUNTIME_PASS_THROUGH) == 0;
    if (is_refused) {
        return (struct kind){"shim.refuse", "refuse", 6};
    }
    if (call->arguments->verb == LAZ_VERB_EXEC) {
        bool is_health = note->way == LAZ_NOTE_HEALTH;
        return is_health && !call->runtime->audit_health_checks
                ? (struct kind){0}
                : (struct kind){"shim.exec", "enter", is_health ? 1 : 3};
    }
    if (call->arguments->verb == LAZ_VERB_CHECKPOINT) {
        return (struct kind){"shim.checkpoint", "checkpoint", 5};
    }
    if (is_new(call) && passes) {
        return (struct kind){"shim.create", "pass-through", 3};
    }
    if (note->is_restored) {
        return (struct kind){"shim.create", "restore", 5};
    }
    return is_new(call) && (is_stricter(note) || note->has_own_init)
            ? (struct kind){"shim.create", "tighten", 1}
            : (struct kind){0};
}

/* As many as fit: the record's ceiling is for all of it. */
static void put_arguments(struct laz_json *json, const struct laz_note *note)
{
    bool is_cut = false;
    uint64_t n = 0;
    laz_json_array(json, "arguments");
    for (size_t at = 0; at < note->arguments_length && !is_cut; n++) {
        struct laz_json before = *json;
        struct laz_buf buf = *json->buf;
        laz_json_string(json, NULL, note->arguments + at);
        is_cut = json->buf->overflow || json->buf->len > LAZ_RECORD_MAX - LAZ_ERR_MESSAGE_MAX;
        if (is_cut) {
            *json->buf = buf;
            *json = before;
            break;
        }
        at += strlen(note->arguments + at) + 1;
    }
    laz_json_array_end(json);
    laz_json_bool(json, "arguments_cut", n < note->n_arguments);
}

static void put_command(
        struct laz_json *json, const struct laz_note *note, const struct laz_runtime *runtime)
{
    static const char *const ways[] = {
            [LAZ_NOTE_EXEC] = "exec", [LAZ_NOTE_HEALTH] = "health-check", [LAZ_NOTE_ECS] = "ecs"};
    laz_json_string(json, "way", ways[note->way]);
    if (note->has_user) {
        laz_json_u64(json, "uid", note->uid);
        laz_json_u64(json, "gid", note->gid);
    }
    laz_json_string(json, "command", note->command);
    laz_json_u64(json, "n_arguments", note->n_arguments);
    laz_json_string(json, "arguments_sha256", note->hash);
    if (runtime->audit_arguments) {
        put_arguments(json, note);
    }
}

static void put_members(
        struct laz_json *json, const struct laz_call *call, const struct laz_err *refusal)
{
    const struct laz_note *note = &call->note;
    laz_caller_put_login(json);
    laz_caller_put_program(json, "caller");
    laz_json_string(
            json, "verb", call->arguments->verb_name == NULL ? "" : call->arguments->verb_name);
    if (note->digest[0] != '\0') {
        laz_json_string(json, "policy_sha256", note->digest);
    }
    if (note->mode != NULL) {
        laz_json_string(json, "mode", note->mode);
    }
    if (refusal != NULL) {
        laz_json_string(json, "error", laz_err_name(refusal->kind));
        laz_json_string(json, "why", refusal->message);
    }
    if (is_stricter(note)) {
        laz_json_string(json, "selected", note->selected);
        laz_json_array(json, "by");
        for (size_t i = 0; i < note->n_by; i++) {
            laz_json_string(json, NULL, note->by[i]);
        }
        laz_json_array_end(json);
    }
    if (note->has_own_init) {
        laz_json_bool(json, "own_init_replaced", true);
    }
    if (note->has_command) {
        put_command(json, note, call->runtime);
    }
}

static void encode(const struct laz_call *call, const struct laz_err *refusal,
        const struct kind *kind, const struct laz_ledger *ledger, struct laz_buf *ret)
{
    struct laz_json json;
    const char *id = call->arguments->id;
    struct laz_record record = {
            .ev = kind->event,
            .severity = kind->severity,
            .seq = ledger->seq,
            .task = "",
            .ctr = call->note.policy,
            .pid = getpid(), /* the runtime's, in a moment */
            .exe = "",
            .obj = id == NULL || !laz_oci_is_id(id) ? "" : id,
            .act = kind->act,
            .prev = ledger->prev,
    };
    /* not libc's, which has to find the kernel's page for that first */
    (void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &record.when);
    laz_record_begin(&json, ret, &record);
    put_members(&json, call, refusal);
    if (!laz_record_end(&json)) {
        ret->overflow = true;
    }
}

/* A record of a health check may be lost with the machine's power: to wait for the disk each second
 * for each container would be worse. The next one that is waited for takes it along. */
static int append(const struct laz_call *call, const struct laz_err *refusal,
        const struct kind *kind, struct laz_ledger *ledger, struct laz_err *err)
{
    char line[LAZ_RECORD_MAX + 1];
    struct laz_buf text;
    laz_buf_init_fixed(&text, line, sizeof(line));
    encode(call, refusal, kind, ledger, &text);
    if (text.overflow) {
        return laz_err_set(
                err, LAZ_E_LEDGER, 0, "the record has more than %d bytes", LAZ_RECORD_MAX);
    }
    ledger->is_lazy = refusal == NULL && call->note.way == LAZ_NOTE_HEALTH;
    return laz_ledger_append(ledger, text.data, text.len, err);
}

int laz_audit_write(const struct laz_call *call, const struct laz_err *refusal, struct laz_err *err)
{
    struct laz_ledger ledger;
    const struct kind kind = judge(call, refusal != NULL);
    if (kind.event == NULL) {
        return 0;
    }
    if (laz_ledger_open(call->runtime->audit_file, &ledger, err) < 0) {
        return laz_err_context(err, "audit.file");
    }
    int result = append(call, refusal, &kind, &ledger, err);
    laz_ledger_close(&ledger);
    return result < 0 ? laz_err_context(err, "audit.file") : 0;
}
