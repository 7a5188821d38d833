/* SPDX-License-Identifier: Apache-2.0
 *
 * One file of an engine's. What was there is recorded before it is changed, so that a run that is
 * killed between any two steps leaves the old file or the new one, and a record that knows both.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/install.h"
#include "core/fd.h"
#include "core/json.h"
#include "core/json_read.h"
#include "core/num.h"
#include "core/replace.h"
#include "core/rooted.h"

#define NAME_SIZE    64
#define RECORD_MAX   4096
#define RECORD_NODES 64
#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static void name_of(char ret[NAME_SIZE], const struct laz_install_file *file, const char *ending)
{
    (void)snprintf(ret, NAME_SIZE, "%s.%s", file->part, ending);
}

static void id_of(const struct laz_buf *text, char ret[LAZ_INSTALL_ID_SIZE])
{
    uint8_t digest[LAZ_SHA256_SIZE];
    laz_sha256_of(text->len == 0 ? "" : text->data, text->len, digest);
    laz_format_hex(digest, sizeof(digest), ret);
}

static int is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* ---- the record ---- */

static int corrupt(const struct laz_install_file *file, const char *why, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_INSTALL_EDITED, 0,
            LAZ_INSTALL_STATE "/%s.json is no record of this command: %s", file->part, why);
}

static bool take_id(const struct laz_json_doc *doc, const struct laz_json_node *node,
        char ret[LAZ_INSTALL_ID_SIZE])
{
    uint8_t digest[LAZ_SHA256_SIZE];
    return laz_json_copy(doc, node, ret, LAZ_INSTALL_ID_SIZE) &&
            (is(ret, LAZ_INSTALL_ABSENT) ||
                    laz_parse_hex(ret, strlen(ret), digest, sizeof(digest)));
}

static bool take_record(const struct laz_json_doc *doc, struct laz_install_record *ret)
{
    const struct laz_json_node *root = laz_json_root(doc);
    const struct laz_json_node *list = laz_json_member(doc, root, "after");
    const struct laz_json_node *first = list == NULL ? NULL : laz_json_next(doc, list, NULL);
    const struct laz_json_node *second = first == NULL ? NULL : laz_json_next(doc, list, first);
    uint64_t version = 0;
    return laz_json_number(doc, laz_json_member(doc, root, "version"), 1, &version) &&
            version == 1 && take_id(doc, laz_json_member(doc, root, "before"), ret->before) &&
            take_id(doc, first, ret->known[0]) &&
            (second == NULL || take_id(doc, second, ret->known[1])) &&
            laz_json_number(doc, laz_json_member(doc, root, "folders"), 16, &ret->n_folders);
}

static int read_record(struct laz_install_file *file, int state, struct laz_err *err)
{
    char name[NAME_SIZE];
    struct stat status;
    struct laz_json_doc doc;
    struct laz_json_node nodes[RECORD_NODES];
    const struct laz_json_room room = {
            .nodes = nodes, .max = LENGTH(nodes), .kind = LAZ_E_INSTALL_EDITED};
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, RECORD_MAX);
    struct laz_err why = {0};
    name_of(name, file, "json");
    if (laz_read_at(state, name, &text, &status, &why) < 0) {
        return why.sys_errno == ENOENT ? 0 : corrupt(file, why.message, err);
    }
    if (laz_json_read(text.len == 0 ? "" : text.data, text.len, &room, &doc, &why) < 0) {
        return corrupt(file, why.message, err);
    }
    if (!take_record(&doc, &file->record)) {
        return corrupt(file, "a member is absent or of another kind", err);
    }
    file->record.exists = true;
    return 0;
}

static int write_record(const struct laz_install_file *file,
        const struct laz_install_record *record, int state, struct laz_err *err)
{
    const struct laz_replace how = {.mode = 0644, .sync = true};
    char name[NAME_SIZE];
    struct laz_json json;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, RECORD_MAX);
    laz_json_init(&json, &text);
    laz_json_object(&json, NULL);
    laz_json_u64(&json, "version", 1);
    laz_json_string(&json, "file", file->path);
    laz_json_string(&json, "before", record->before);
    laz_json_array(&json, "after");
    for (size_t i = 0; i < LENGTH(record->known) && record->known[i][0] != '\0'; i++) {
        laz_json_string(&json, NULL, record->known[i]);
    }
    laz_json_array_end(&json);
    laz_json_u64(&json, "folders", record->n_folders);
    laz_json_object_end(&json);
    laz_buf_char(&text, '\n');
    if (text.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a record");
    }
    name_of(name, file, "json");
    laz_install_sweep(state, name);
    return laz_replace_at(state, name, &how, text.data, text.len, err) < 0
            ? laz_err_context(err, LAZ_INSTALL_STATE "/%s", name)
            : 0;
}

/* ---- looking ---- */

static int judge_file(const struct laz_install_file *file, struct laz_err *err)
{
    if (file->status.st_uid != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%s belongs to user %u, not to root",
                file->path, file->status.st_uid);
    }
    if ((file->status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0,
                "%s may be written by others than root, mode %04o", file->path,
                file->status.st_mode & 07777U);
    }
    if (file->status.st_nlink != 1) {
        return laz_err_set(err, LAZ_E_ENGINE_FILE, 0,
                "%s has %u names: the others would keep what is there now", file->path,
                (unsigned)file->status.st_nlink);
    }
    return 0;
}

static int read_file(struct laz_install_file *file, int folder, struct laz_err *err)
{
    struct laz_err why = {0};
    if (laz_read_at(folder, last_part(file->path), &file->text, &file->status, &why) < 0) {
        if (why.sys_errno == ENOENT) {
            return 0;
        }
        bool is_kind = why.sys_errno == ELOOP || why.sys_errno == EINVAL || why.sys_errno == EFBIG;
        return laz_err_set(err, is_kind ? LAZ_E_ENGINE_FILE : LAZ_E_SYSTEM, why.sys_errno, "%s: %s",
                file->path, why.message);
    }
    file->exists = true;
    id_of(&file->text, file->id);
    return judge_file(file, err);
}

static int look(struct laz_install_file *file, struct laz_err *err)
{
    laz_cleanup_fd int folder = -1;
    laz_cleanup_fd int state = -1;
    unsigned unused = 0;
    if (laz_install_folder(file->path, false, &folder, &file->n_missing, err) < 0 ||
            (folder >= 0 && read_file(file, folder, err) < 0) ||
            laz_install_folder(LAZ_INSTALL_STATE "/", false, &state, &unused, err) < 0) {
        return -1;
    }
    return state < 0 ? 0 : read_record(file, state, err);
}

int laz_install_file_open(const char *part, const char *path, const char *by_hand,
        struct laz_install_file *ret, struct laz_err *err)
{
    *ret = (struct laz_install_file){
            .part = part, .path = path, .by_hand = by_hand, .id = LAZ_INSTALL_ABSENT};
    laz_buf_init_heap(&ret->text, LAZ_INSTALL_FILE_MAX);
    if (look(ret, err) < 0) {
        laz_install_file_done(ret);
        return -1;
    }
    return 0;
}

void laz_install_file_done(struct laz_install_file *file)
{
    laz_buf_done(&file->text);
}

static bool is_before(const struct laz_install_file *file)
{
    return is(file->id, file->record.before);
}

int laz_install_file_judge(const struct laz_install_file *file, struct laz_err *err)
{
    const struct laz_install_record *record = &file->record;
    if (!record->exists || is_before(file) || is(file->id, record->known[0]) ||
            is(file->id, record->known[1])) {
        return 0;
    }
    return laz_err_set(err, LAZ_E_INSTALL_EDITED, 0,
            "%s is not as this command left it: %s, then remove " LAZ_INSTALL_STATE "/%s.json",
            file->path, file->by_hand, file->part);
}

/* ---- changing ---- */

static int replace(const struct laz_install_file *file, int folder, const struct laz_buf *text,
        struct laz_err *err)
{
    const struct laz_replace how = {.mode = file->exists ? file->status.st_mode & 07777U : 0644U,
            .has_owner = true,
            .uid = file->exists ? file->status.st_uid : 0,
            .gid = file->exists ? file->status.st_gid : 0,
            .sync = true};
    laz_install_sweep(folder, last_part(file->path));
    return laz_replace_at(folder, last_part(file->path), &how, text->len == 0 ? "" : text->data,
                   text->len, err) < 0
            ? laz_err_context(err, "%s", file->path)
            : 0;
}

/* The bytes first, then the record that counts on them. */
static int remember(const struct laz_install_file *file, const struct laz_buf *text, int state,
        struct laz_err *err)
{
    const struct laz_replace how = {.mode = 0600, .sync = true};
    struct laz_install_record record = file->record;
    char name[NAME_SIZE];
    name_of(name, file, "before");
    laz_install_sweep(state, name);
    if (!record.exists || is_before(file)) {
        record.n_folders = record.exists ? record.n_folders : file->n_missing;
        (void)memcpy(record.before, file->id, sizeof(record.before));
        if (file->exists &&
                laz_replace_at(state, name, &how, file->text.len == 0 ? "" : file->text.data,
                        file->text.len, err) < 0) {
            return laz_err_context(err, LAZ_INSTALL_STATE "/%s", name);
        }
    }
    id_of(text, record.known[0]);
    (void)memcpy(record.known[1], is_before(file) || !file->record.exists ? "" : file->id,
            is_before(file) || !file->record.exists ? 1 : sizeof(record.known[1]));
    return write_record(file, &record, state, err);
}

/* What is wanted was made of the file as it was before the lock, of which editors know nothing. */
static int look_again(const struct laz_install_file *file, struct laz_err *err)
{
    struct laz_install_file now;
    if (laz_install_file_open(file->part, file->path, file->by_hand, &now, err) < 0) {
        return -1;
    }
    laz_install_file_done(&now);
    return is(now.id, file->id)
            ? 0
            : laz_err_set(err, LAZ_E_ENGINE_FILE, 0,
                      "%s: somebody has changed it meanwhile: nothing was done, run the same "
                      "command again",
                      file->path);
}

/* The record again as it was; one that stays behind would say that somebody edited what we made. */
static void forget(const struct laz_install_file *file, int state)
{
    struct laz_err ignored = {0};
    char name[NAME_SIZE];
    if (file->record.exists) {
        laz_ignore(write_record(file, &file->record, state, &ignored));
        return;
    }
    name_of(name, file, "json");
    (void)unlinkat(state, name, 0);
    name_of(name, file, "before");
    (void)unlinkat(state, name, 0);
}

int laz_install_file_apply(
        const struct laz_install_file *file, const struct laz_buf *text, struct laz_err *err)
{
    laz_cleanup_fd int state = -1;
    laz_cleanup_fd int folder = -1;
    unsigned unused = 0;
    if (laz_install_file_judge(file, err) < 0 || laz_install_lock(&state, err) < 0 ||
            look_again(file, err) < 0 || remember(file, text, state, err) < 0 ||
            laz_install_folder(file->path, true, &folder, &unused, err) < 0) {
        return -1;
    }
    if (look_again(file, err) < 0) { /* records were flushed to the disk since */
        forget(file, state);
        return -1;
    }
    laz_cleanup_fd int held = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (held < 0) { /* one that was opened by O_PATH cannot be flushed */
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", file->path, strerror(errno));
    }
    return replace(file, held, text, err);
}

static int put_back(const struct laz_install_file *file, int state, struct laz_err *err)
{
    laz_cleanup_fd int held = -1;
    laz_cleanup_fd int folder = -1;
    unsigned unused = 0;
    struct stat status;
    char name[NAME_SIZE];
    char id[LAZ_INSTALL_ID_SIZE];
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_INSTALL_FILE_MAX);
    if (laz_install_folder(file->path, false, &held, &unused, err) < 0) {
        return -1;
    }
    folder = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (is(file->record.before, LAZ_INSTALL_ABSENT)) {
        return unlinkat(folder, last_part(file->path), 0) == 0 && fsync(folder) == 0
                ? 0
                : laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", file->path, strerror(errno));
    }
    name_of(name, file, "before");
    if (laz_read_at(state, name, &text, &status, err) < 0) {
        return laz_err_context(err, LAZ_INSTALL_STATE "/%s", name);
    }
    id_of(&text, id);
    return is(id, file->record.before)
            ? replace(file, folder, &text, err)
            : laz_err_set(err, LAZ_E_INSTALL_EDITED, 0,
                      LAZ_INSTALL_STATE "/%s is not what was there before: %s", name,
                      file->by_hand);
}

int laz_install_file_undo(const struct laz_install_file *file, struct laz_err *err)
{
    char name[NAME_SIZE];
    laz_cleanup_fd int state = -1;
    if (laz_install_file_judge(file, err) < 0 || laz_install_lock(&state, err) < 0 ||
            look_again(file, err) < 0 || (!is_before(file) && put_back(file, state, err) < 0)) {
        return -1;
    }
    laz_install_sweep_beside(file->path);
    laz_install_remove_folders(
            file->path, is(file->record.before, LAZ_INSTALL_ABSENT) ? file->record.n_folders : 0);
    name_of(name, file, "json");
    if (unlinkat(state, name, 0) < 0 || fsync(state) < 0) {
        return laz_err_set(
                err, LAZ_E_SYSTEM, errno, LAZ_INSTALL_STATE "/%s: %s", name, strerror(errno));
    }
    name_of(name, file, "before");
    (void)unlinkat(state, name, 0); /* there is none where there was no file */
    return 0;
}
