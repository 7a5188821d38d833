/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in OSSEC's words. Strings of a record are repeated as they stand in it, escaped; the name
 * of a changed file, which has to be the file's, only if all of it can be printed.
 */
#include "sink/ossec_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/json_read.h"
#include "sink/line.h"

#define NODES_MAX    256
#define KIND_REGULAR 0100000U /* st_mode of a file */
#define KIND_FOLDER  0040000U
#define KIND_LINK    0120000U
#define UNKNOWN_SUM  "xxx" /* what OSSEC's own agents send where they have none */
#define DELETED      "-1"

/* Of a record, as far as OSSEC's rules look at it. */
struct record {
    struct laz_json_doc doc;
    const struct laz_json_node *root;
};

static bool is_event(const char *text, size_t length, const char *ev)
{
    size_t n = strlen(ev);
    return length > LAZ_LINE_EVENT_AT + n && memcmp(text + LAZ_LINE_EVENT_AT, ev, n) == 0 &&
            text[LAZ_LINE_EVENT_AT + n] == '"';
}

/* ---- what a rootcheck would say ---- */

static void put_member(struct laz_buf *buf, const struct record *record, const char *key)
{
    const struct laz_json_node *node = laz_json_member(&record->doc, record->root, key);
    if (node != NULL) {
        laz_buf_printf(buf, " %s ", key);
        laz_buf_put(buf, record->doc.text + node->start, node->end - node->start);
    }
}

static void put_found(struct laz_buf *buf, const struct record *record)
{
    static const char *const keys[] = {"ev", "obj", "act", "exe", "pid", "ctr", "seq", "chain"};
    laz_buf_str(buf, "9:rootcheck:Lazaret:");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        put_member(buf, record, keys[i]);
    }
}

/* ---- what a syscheck would say ---- */

static uint32_t mode_of(const char *kind, uint64_t mode)
{
    uint32_t bits = (uint32_t)mode & 07777;
    if (strcmp(kind, "folder") == 0) {
        return KIND_FOLDER | bits;
    }
    return (strcmp(kind, "link") == 0 ? KIND_LINK : KIND_REGULAR) | bits;
}

/* "0644" */
static bool read_octal(const char *text, uint64_t *ret)
{
    uint64_t value = 0;
    size_t n = strspn(text, "01234567");
    for (size_t i = 0; i < n && i < 8; i++) {
        value = value * 8 + (uint64_t)(text[i] - '0');
    }
    *ret = value;
    return n > 0 && n < 8 && text[n] == '\0';
}

/* One side of the change: size, mode, owner, sums, name. */
static bool put_file(
        struct laz_buf *buf, const struct record *record, const char *side, const char *path)
{
    const struct laz_json_node *d = laz_json_member(&record->doc, record->root, "d");
    const struct laz_json_node *file = laz_json_member(&record->doc, d, side);
    char kind[16] = "";
    char mode[16] = "";
    char sum[65] = UNKNOWN_SUM;
    uint64_t uid = 0;
    uint64_t gid = 0;
    uint64_t size = 0;
    uint64_t bits = 0;
    laz_buf_str(buf, "8:syscheck:");
    if (file == NULL) {
        laz_buf_printf(buf, DELETED " %s", path);
        return !buf->overflow;
    }
    bool is_good = laz_json_copy(&record->doc, laz_json_member(&record->doc, file, "kind"), kind,
                           sizeof(kind)) &&
            laz_json_copy(&record->doc, laz_json_member(&record->doc, file, "mode"), mode,
                    sizeof(mode)) &&
            read_octal(mode, &bits) &&
            laz_json_number(
                    &record->doc, laz_json_member(&record->doc, file, "uid"), UINT32_MAX, &uid) &&
            laz_json_number(
                    &record->doc, laz_json_member(&record->doc, file, "gid"), UINT32_MAX, &gid);
    if (!laz_json_number(
                &record->doc, laz_json_member(&record->doc, file, "size"), UINT64_MAX, &size)) {
        size = 0; /* of a folder */
    }
    if (!laz_json_copy(
                &record->doc, laz_json_member(&record->doc, file, "sha256"), sum, sizeof(sum)) ||
            strspn(sum, "0123456789abcdef") != 64) {
        (void)snprintf(sum, sizeof(sum), UNKNOWN_SUM);
    }
    laz_buf_printf(buf,
            "%" PRIu64 ":%u:%" PRIu64 ":%" PRIu64 ":" UNKNOWN_SUM ":" UNKNOWN_SUM ":%s %s", size,
            mode_of(kind, bits), uid, gid, sum, path);
    return is_good && !buf->overflow;
}

static bool read_path(const struct record *record, char *ret, size_t size)
{
    if (!laz_json_copy(
                &record->doc, laz_json_member(&record->doc, record->root, "obj"), ret, size)) {
        return false;
    }
    for (const char *c = ret; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            return false;
        }
    }
    return ret[0] == '/';
}

/* Where no side of it is there, OSSEC would take it for one that is gone. */
static bool has_side(const struct record *record)
{
    const struct laz_json_node *d = laz_json_member(&record->doc, record->root, "d");
    return laz_json_member(&record->doc, d, "before") != NULL ||
            laz_json_member(&record->doc, d, "after") != NULL;
}

/* Both messages, or none. */
static bool put_change(
        struct laz_buf *buf, const struct record *record, struct laz_ossec_later *later)
{
    char path[LAZ_OSSEC_CHANGE];
    char before[LAZ_OSSEC_CHANGE];
    struct laz_buf text;
    if (later->n == LAZ_OSSEC_LATER_MAX || later->is_ending || !has_side(record) ||
            !read_path(record, path, sizeof(path))) {
        return false;
    }
    size_t slot = (later->first + later->n) % LAZ_OSSEC_LATER_MAX;
    laz_buf_init_fixed(&text, later->waiting[slot].text, LAZ_OSSEC_CHANGE);
    if (!put_file(&text, record, "after", path)) {
        return false;
    }
    laz_buf_init_fixed(&text, before, sizeof(before));
    if (!put_file(&text, record, "before", path)) {
        return false;
    }
    later->has_draft = true;
    laz_buf_put(buf, text.data, text.len);
    return true;
}

/* ---- both, or the line ---- */

int laz_ossec_text(struct laz_buf *buf, const struct laz_form *form, const char *text,
        size_t length, struct laz_ossec_later *later, struct laz_err *err)
{
    bool is_change = is_event(text, length, "fim.change");
    bool is_found = is_event(text, length, "net.listen") || is_event(text, length, "exec.foreign");
    later->has_draft = false;
    if (laz_line_check(text, length, err) != 0) {
        return -1;
    }
    if (is_change || is_found) {
        struct laz_json_node nodes[NODES_MAX];
        struct laz_err ignored = {0};
        struct record record;
        const struct laz_json_room room = {.nodes = nodes, .max = NODES_MAX, .kind = LAZ_E_SINK};
        bool is_read = laz_json_read(text, length - 1, &room, &record.doc, &ignored) == 0;
        record.root = is_read ? laz_json_root(&record.doc) : NULL;
        if (is_read && is_found) {
            put_found(buf, &record);
            return 0;
        }
        if (is_read && put_change(buf, &record, later)) {
            return 0;
        }
    }
    size_t before = buf->len;
    laz_buf_str(buf, "1:lazaret:");
    if (laz_form_line(buf, form, text, length, err) != 0) {
        buf->len = before;
        return -1;
    }
    buf->len--; /* its line feed */
    return 0;
}

void laz_ossec_later_keep(struct laz_ossec_later *later, uint64_t ticket)
{
    size_t slot = (later->first + later->n) % LAZ_OSSEC_LATER_MAX;
    if (later->has_draft) {
        later->has_draft = false;
        later->waiting[slot].ticket = ticket;
        later->waiting[slot].due_ms = later->now_ms + LAZ_OSSEC_LATER_MS;
        later->n++;
    }
}

size_t laz_ossec_later_next(const struct laz_ossec_later *later, uint64_t now_ms, const char **ret)
{
    if (later->n == 0 || (!later->is_ending && later->waiting[later->first].due_ms > now_ms)) {
        return 0;
    }
    *ret = later->waiting[later->first].text;
    return strlen(*ret);
}

void laz_ossec_later_drop(struct laz_ossec_later *later)
{
    later->first = (later->first + 1) % LAZ_OSSEC_LATER_MAX;
    later->n--;
}

void laz_ossec_later_forget(struct laz_ossec_later *later)
{
    later->n = 0;
    later->has_draft = false;
}

uint64_t laz_ossec_later_whole(const struct laz_ossec_later *later, uint64_t sent)
{
    return later->n == 0 ? sent : later->waiting[later->first].ticket - 1;
}

void laz_ossec_file_name(const char *sink, char ret[LAZ_OSSEC_FILE_MAX])
{
    (void)snprintf(ret, LAZ_OSSEC_FILE_MAX, "ossec-%s.key", sink);
}
