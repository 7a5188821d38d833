/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares a file with what it was.
 */
#include "sense/file.h"

#include <string.h>
#include <sys/stat.h>

#include "core/format.h"
#include "core/num.h"

#define PERMISSIONS 07777U

bool laz_file_looks_changed(const struct laz_file_facts *before, const struct laz_file_facts *after)
{
    return before->is_there != after->is_there || before->mode != after->mode ||
            before->uid != after->uid || before->gid != after->gid ||
            before->device != after->device || before->inode != after->inode ||
            (!S_ISDIR(after->mode) &&
                    (before->size != after->size || before->modified_ns != after->modified_ns ||
                            before->changed_ns != after->changed_ns));
}

static bool is_other_kind(const struct laz_file_facts *a, const struct laz_file_facts *b)
{
    return (a->mode & S_IFMT) != (b->mode & S_IFMT);
}

static bool is_other_file(const struct laz_file_facts *a, const struct laz_file_facts *b)
{
    return a->device != b->device || a->inode != b->inode;
}

/* What both have been read of. */
static bool are_hashed(const struct laz_file_facts *a, const struct laz_file_facts *b)
{
    return a->content == LAZ_CONTENT_HASHED && b->content == LAZ_CONTENT_HASHED;
}

enum laz_change laz_file_compare(
        const struct laz_file_facts *before, const struct laz_file_facts *after)
{
    if (!before->is_there || !after->is_there) {
        return before->is_there   ? LAZ_CHANGE_DELETED
                : after->is_there ? LAZ_CHANGE_CREATED
                                  : LAZ_CHANGE_NONE;
    }
    bool is_other = is_other_file(before, after);
    bool is_folder = S_ISDIR(after->mode);
    if (is_other_kind(before, after)) {
        return LAZ_CHANGE_REPLACED;
    }
    if (are_hashed(before, after) && memcmp(before->hash, after->hash, LAZ_SHA256_SIZE) != 0) {
        return is_other ? LAZ_CHANGE_REPLACED : LAZ_CHANGE_MODIFIED;
    }
    if (before->uid != after->uid || before->gid != after->gid) {
        return LAZ_CHANGE_OWNER;
    }
    if ((before->mode & PERMISSIONS) != (after->mode & PERMISSIONS)) {
        return LAZ_CHANGE_MODE;
    }
    if (is_folder || are_hashed(before, after)) {
        return LAZ_CHANGE_NONE; /* the same content under another number: a copy of a layer */
    }
    if (is_other) {
        return LAZ_CHANGE_REPLACED;
    }
    return laz_file_looks_changed(before, after) ? LAZ_CHANGE_TOUCHED : LAZ_CHANGE_NONE;
}

const char *laz_change_name(enum laz_change change)
{
    static const char *const names[] = {
#define X(id, name) name,
            LAZ_CHANGES(X)
#undef X
    };
    return (unsigned)change < LAZ_CHANGE_COUNT ? names[change] : "?";
}

static const char *content_name(uint32_t content)
{
    static const char *const names[] = {
#define X(id, name) name,
            LAZ_CONTENTS(X)
#undef X
    };
    return content < LAZ_CONTENT_COUNT ? names[content] : "?";
}

static const char *kind_name(uint32_t mode)
{
    return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "folder" : S_ISLNK(mode) ? "link" : "special";
}

static void put_one(const struct laz_file_facts *facts, const char *key, struct laz_json *json)
{
    char text[2 * LAZ_SHA256_SIZE + 1];
    if (!facts->is_there) {
        return;
    }
    laz_json_object(json, key);
    laz_json_string(json, "kind", kind_name(facts->mode));
    (void)laz_format(text, sizeof(text), "%04o", facts->mode & PERMISSIONS);
    laz_json_string(json, "mode", text);
    laz_json_u64(json, "uid", facts->uid);
    laz_json_u64(json, "gid", facts->gid);
    if (!S_ISDIR(facts->mode)) {
        laz_json_u64(json, "size", facts->size);
        laz_json_i64(json, "ctime", facts->changed_ns / 1000000000);
    }
    if (facts->content == LAZ_CONTENT_HASHED) {
        laz_format_hex(facts->hash, sizeof(facts->hash), text);
        laz_json_string(json, "sha256", text);
    } else if (facts->content != LAZ_CONTENT_NONE) {
        laz_json_string(json, "content", content_name(facts->content));
    }
    laz_json_object_end(json);
}

void laz_file_put(const struct laz_file_facts *before, const struct laz_file_facts *after,
        struct laz_json *json)
{
    put_one(before, "before", json);
    put_one(after, "after", json);
}
