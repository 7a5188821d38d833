/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of a container as text, strictly: what we write is what we read, and nothing else.
 */
#include "oci/record.h"

#include <string.h>

#include "core/json.h"
#include "core/num.h"
#include "core/sha256.h"

#define NODES 32 /* fourteen members */

static int fail(struct laz_err *err, const char *key, const char *why)
{
    return laz_err_set(err, LAZ_E_OCI_STATE, 0, "record: %s: %s", key, why);
}

/* ---- what may be in it ---- */

static bool is_word(const char *word)
{
    static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789._:/-";
    return word[0] != '\0' && strspn(word, characters) == strlen(word);
}

static bool is_digest(const char *digest)
{
    return strlen(digest) == LAZ_OCI_DIGEST_SIZE - 1U &&
            strspn(digest, "0123456789abcdef") == LAZ_OCI_DIGEST_SIZE - 1U;
}

static int check(const struct laz_oci_record *record, struct laz_err *err)
{
    if (!is_word(record->policy)) {
        return fail(err, "policy", "not the name of a policy");
    }
    if (!is_digest(record->policy_digest)) {
        return fail(err, "policy-digest", "not a SHA-256");
    }
    if (record->policy_pin[0] != '\0' && !is_digest(record->policy_pin)) {
        return fail(err, "policy-pin", "not a SHA-256");
    }
    if (!is_digest(record->config_digest)) {
        return fail(err, "config-digest", "not a SHA-256");
    }
    if (!is_word(record->mode)) {
        return fail(err, "mode", "not a word");
    }
    if (!is_digest(record->process_digest)) {
        return fail(err, "process-digest", "not a SHA-256");
    }
    if (!is_digest(record->nameless_digest)) {
        return fail(err, "nameless-digest", "not a SHA-256");
    }
    if (record->ecs_agent[0] != '\0' && !is_word(record->ecs_agent)) {
        return fail(err, "ecs-agent", "not a path");
    }
    if ((record->policy_device == 0) != (record->policy_inode == 0)) {
        return fail(err, "policy-inode", "no file without policy-device, and none with it alone");
    }
    if ((record->pid == 0) != (record->started == 0)) {
        return fail(err, "started", "no process without pid, and none with it alone");
    }
    return 0;
}

/* ---- as text ---- */

/* 0: not known. */
static void put_number(struct laz_json *json, const char *key, uint64_t value)
{
    if (value != 0) {
        laz_json_u64(json, key, value);
    }
}

int laz_oci_record_write(
        const struct laz_oci_record *record, struct laz_buf *ret, struct laz_err *err)
{
    struct laz_json json;
    if (check(record, err) < 0) {
        return -1;
    }
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_u64(&json, "version", 1);
    laz_json_string(&json, "policy", record->policy);
    laz_json_string(&json, "policy-digest", record->policy_digest);
    if (record->policy_pin[0] != '\0') {
        laz_json_string(&json, "policy-pin", record->policy_pin);
    }
    laz_json_string(&json, "config-digest", record->config_digest);
    laz_json_string(&json, "mode", record->mode);
    laz_json_string(&json, "process-digest", record->process_digest);
    laz_json_string(&json, "nameless-digest", record->nameless_digest);
    laz_json_string(&json, "ecs-agent", record->ecs_agent);
    put_number(&json, "policy-device", record->policy_device);
    put_number(&json, "policy-inode", record->policy_inode);
    put_number(&json, "pid", record->pid);
    put_number(&json, "started", record->started);
    laz_json_bool(&json, "loosened", record->is_loosened);
    laz_json_object_end(&json);
    laz_buf_char(ret, '\n');
    return ret->overflow ? laz_err_set(err, LAZ_E_OCI_STATE, 0, "record: too large") : 0;
}

static int read_word(const struct laz_json_doc *doc, const char *key, char *ret, size_t size,
        struct laz_err *err)
{
    return laz_json_copy(doc, laz_json_member(doc, laz_json_root(doc), key), ret, size)
            ? 0
            : fail(err, key, "absent, or not a text of its size");
}

static int read_number(const struct laz_json_doc *doc, const char *key, uint64_t max, uint64_t *ret,
        struct laz_err *err)
{
    const struct laz_json_node *node = laz_json_member(doc, laz_json_root(doc), key);
    return node == NULL || (laz_json_number(doc, node, max, ret) && *ret != 0)
            ? 0
            : fail(err, key, "not a number of its range");
}

static int read_bool(
        const struct laz_json_doc *doc, const char *key, bool *ret, struct laz_err *err)
{
    const struct laz_json_node *node = laz_json_member(doc, laz_json_root(doc), key);
    if (node == NULL || (node->type != LAZ_JSON_TRUE && node->type != LAZ_JSON_FALSE)) {
        return fail(err, key, "absent, or neither true nor false");
    }
    *ret = node->type == LAZ_JSON_TRUE;
    return 0;
}

/* Our own files have no other key: whoever wrote one, it was not this version. */
static int check_keys(const struct laz_json_doc *doc, struct laz_err *err)
{
    static const char *const keys[] = {"version", "policy", "policy-digest", "policy-pin",
            "config-digest", "mode", "process-digest", "nameless-digest", "ecs-agent",
            "policy-device", "policy-inode", "pid", "started", "loosened"};
    const struct laz_json_node *root = laz_json_root(doc);
    uint64_t version = 0;
    if (root->type != LAZ_JSON_OBJECT) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0, "record: not an object");
    }
    if (!laz_json_number(doc, laz_json_member(doc, root, "version"), 1, &version) || version != 1) {
        return fail(err, "version", "not 1");
    }
    for (const struct laz_json_node *key = laz_json_next(doc, root, NULL); key != NULL;
            key = laz_json_next(doc, root, key + 1)) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            is_known = is_known || laz_json_is(doc, key, keys[i]);
        }
        if (!is_known) {
            return laz_err_set(
                    err, LAZ_E_OCI_STATE, 0, "record: byte %u: an unknown key", key->start);
        }
    }
    return 0;
}

static int read_fields(
        const struct laz_json_doc *doc, struct laz_oci_record *ret, struct laz_err *err)
{
    uint64_t pid = 0;
    bool is_pinned = laz_json_member(doc, laz_json_root(doc), "policy-pin") != NULL;
    if (check_keys(doc, err) < 0 ||
            (is_pinned &&
                    read_word(doc, "policy-pin", ret->policy_pin, sizeof(ret->policy_pin), err) <
                            0) ||
            read_word(doc, "policy", ret->policy, sizeof(ret->policy), err) < 0 ||
            read_word(doc, "policy-digest", ret->policy_digest, sizeof(ret->policy_digest), err) <
                    0 ||
            read_word(doc, "config-digest", ret->config_digest, sizeof(ret->config_digest), err) <
                    0 ||
            read_word(doc, "mode", ret->mode, sizeof(ret->mode), err) < 0 ||
            read_word(doc, "process-digest", ret->process_digest, sizeof(ret->process_digest),
                    err) < 0 ||
            read_word(doc, "nameless-digest", ret->nameless_digest, sizeof(ret->nameless_digest),
                    err) < 0 ||
            read_word(doc, "ecs-agent", ret->ecs_agent, sizeof(ret->ecs_agent), err) < 0 ||
            read_number(doc, "policy-device", UINT64_MAX, &ret->policy_device, err) < 0 ||
            read_number(doc, "policy-inode", UINT64_MAX, &ret->policy_inode, err) < 0 ||
            read_number(doc, "pid", INT32_MAX, &pid, err) < 0 ||
            read_number(doc, "started", UINT64_MAX, &ret->started, err) < 0 ||
            read_bool(doc, "loosened", &ret->is_loosened, err) < 0) {
        return -1;
    }
    ret->pid = (uint32_t)pid;
    return check(ret, err);
}

int laz_oci_record_read(
        const char *text, size_t length, struct laz_oci_record *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    struct laz_json_doc doc;
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_OCI_STATE};
    *ret = (struct laz_oci_record){0};
    if (length > LAZ_OCI_RECORD_MAX) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0, "record: too large");
    }
    if (laz_json_read(text, length, &room, &doc, err) < 0) {
        return laz_err_context(err, "record");
    }
    return read_fields(&doc, ret, err);
}

/* A slash counts once, and at the end not at all: /run/runc/ is the folder /run/runc. */
void laz_oci_root_hash(const char *root, char ret[LAZ_OCI_ROOT_HASH_SIZE])
{
    uint8_t digest[LAZ_SHA256_SIZE];
    struct laz_sha256 hash;
    laz_sha256_init(&hash);
    for (const char *at = root; *at != '\0'; at++) {
        bool is_end = at[1] == '\0' && hash.total > 0;
        if (at[0] != '/' || (at[1] != '/' && !is_end)) {
            laz_sha256_add(&hash, at, 1);
        }
    }
    laz_sha256_end(&hash, digest);
    laz_format_hex(digest, (LAZ_OCI_ROOT_HASH_SIZE - 1) / 2, ret);
}
