/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of mounts, proc(5), line by line. Mounts hide one another: the one that counts is found
 * as the kernel walks, from the root through whatever is mounted on the way.
 */
#include <string.h>

#include "sense/proc_text.h"
#include "sense/volume.h"

#define PATH_LENGTH_MAX 4096
#define STEPS_MAX       256 /* mounts one upon the other */

struct line {
    uint64_t id;
    uint64_t parent;
    uint32_t major;
    uint32_t minor;
    struct laz_proc_text point;
    struct laz_proc_text type;
    struct laz_proc_text source;
    struct laz_proc_text options;
};

static struct laz_proc_text take_field(struct laz_proc_text *text)
{
    laz_proc_text_skip_blanks(text);
    struct laz_proc_text field = {.at = text->at};
    (void)laz_proc_text_skip_field(text);
    field.end = text->at;
    return field;
}

static bool is_dash(const struct laz_proc_text *field)
{
    return field->end - field->at == 1 && *field->at == '-';
}

/* "36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/x rw" */
static bool parse(struct laz_proc_text text, struct line *ret)
{
    uint64_t major = 0;
    uint64_t minor = 0;
    bool is_good = laz_proc_text_number(&text, LAZ_DIGITS_10, INT32_MAX, &ret->id) &&
            laz_proc_text_char(&text, ' ') &&
            laz_proc_text_number(&text, LAZ_DIGITS_10, INT32_MAX, &ret->parent) &&
            laz_proc_text_char(&text, ' ') &&
            laz_proc_text_number(&text, LAZ_DIGITS_10, UINT32_MAX, &major) &&
            laz_proc_text_char(&text, ':') &&
            laz_proc_text_number(&text, LAZ_DIGITS_10, UINT32_MAX, &minor);
    ret->major = (uint32_t)major;
    ret->minor = (uint32_t)minor;
    (void)take_field(&text); /* what of the file system is mounted */
    ret->point = take_field(&text);
    struct laz_proc_text field = take_field(&text);
    while (field.at < field.end && !is_dash(&field)) {
        field = take_field(&text);
    }
    ret->type = take_field(&text);
    ret->source = take_field(&text);
    ret->options = take_field(&text);
    return is_good && is_dash(&field) && ret->point.at < ret->point.end &&
            ret->type.at < ret->type.end;
}

/* A byte of a name, in which the kernel writes blanks, line feeds and backslashes in octal. */
static char take_byte(struct laz_proc_text *name)
{
    const char *at = name->at;
    bool is_octal = name->end - at >= 4 && at[0] == '\\' && at[1] >= '0' && at[1] <= '3' &&
            at[2] >= '0' && at[2] <= '7' && at[3] >= '0' && at[3] <= '7';
    name->at += is_octal ? 4 : 1;
    if (!is_octal) {
        return at[0];
    }
    return (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
}

/* The length of what is mounted on, if the path is at or below it; 0 if it is not. */
static size_t covers(struct laz_proc_text point, const char *path)
{
    size_t n = 0;
    while (point.at < point.end) {
        if (path[n] == '\0' || path[n] != take_byte(&point)) {
            return 0;
        }
        n++;
    }
    bool is_root = n == 1 && path[0] == '/';
    return is_root || path[n] == '/' || path[n] == '\0' ? n : 0;
}

static bool next(struct laz_proc_text *table, struct laz_proc_text *ret)
{
    const char *end = memchr(table->at, '\n', (size_t)(table->end - table->at));
    if (end == NULL) {
        return false;
    }
    *ret = (struct laz_proc_text){.at = table->at, .end = end};
    table->at = end + 1;
    return true;
}

/* Of the mounts upon `below` (NULL: of those upon "/", the first), the one that the path comes to
 * first. */
static bool step(const char *table, size_t length, const char *path, const struct line *below,
        struct line *ret)
{
    struct laz_proc_text rest = {.at = table, .end = table + length};
    struct laz_proc_text text;
    size_t shortest = SIZE_MAX;
    while (next(&rest, &text)) {
        struct line line = {0};
        size_t n = parse(text, &line) ? covers(line.point, path) : 0;
        bool is_upon = below == NULL ? n == 1 : line.parent == below->id && line.id != below->id;
        if (n > 0 && is_upon && n < shortest) {
            shortest = n;
            *ret = line;
        }
    }
    return shortest != SIZE_MAX;
}

static void copy(struct laz_proc_text text, char *ret, size_t size)
{
    size_t n = (size_t)(text.end - text.at);
    n = n < size - 1 ? n : size - 1;
    (void)memcpy(ret, text.at, n);
    ret[n] = '\0';
}

/* Is the word among the options, between commas? */
static bool has_option(struct laz_proc_text options, const char *word)
{
    size_t length = strlen(word);
    while (options.at < options.end) {
        size_t left = (size_t)(options.end - options.at);
        const char *comma = memchr(options.at, ',', left);
        size_t n = comma == NULL ? left : (size_t)(comma - options.at);
        if (n == length && memcmp(options.at, word, n) == 0) {
            return true;
        }
        options.at += n + (comma != NULL ? 1 : 0);
    }
    return false;
}

bool laz_mount_find(const char *table, size_t length, const char *path, struct laz_mount *ret)
{
    struct line at = {0};
    struct line upon;
    if (strnlen(path, PATH_LENGTH_MAX) == PATH_LENGTH_MAX ||
            !step(table, length, path, NULL, &at)) {
        return false;
    }
    for (unsigned i = 0; i < STEPS_MAX && step(table, length, path, &at, &upon); i++) {
        at = upon;
    }
    *ret = (struct laz_mount){.id = at.id,
            .major = at.major,
            .minor = at.minor,
            .is_root = covers(at.point, "/") == 1,
            .is_private = has_option(at.options, "xprtsec=tls") ||
                    has_option(at.options, "xprtsec=mtls") || has_option(at.options, "sec=krb5p") ||
                    has_option(at.options, "seal") || has_option(at.options, "trans=virtio") ||
                    has_option(at.options, "trans=fd")};
    copy(at.type, ret->type, sizeof(ret->type));
    copy(at.source, ret->source, sizeof(ret->source));
    return true;
}
