/* SPDX-License-Identifier: Apache-2.0
 *
 * Diagnostics: composed, kept sorted, rendered. At most 32 of them, the first ones in source order.
 */
#include "policy/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "policy/characters.h"
#include "policy/policy.h"

#define PUNCTUATION  96 /* two numbers, "warning", blanks, line ends */
#define QUOTED_BYTES 64 /* how much of the user's text a message repeats */

const char *laz_quote(struct laz_quoted *ret, const char *text, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    size_t cut = length;
    if (length > QUOTED_BYTES) {
        cut = QUOTED_BYTES;
        while (cut > 0 && laz_utf8_is_continuation(text[cut])) {
            cut--;
        }
    }
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret->text, sizeof(ret->text));
    laz_buf_char(&buf, '"');
    for (size_t i = 0; i < cut; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7F || c == '"' || c == '\\') {
            const char escaped[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
            laz_buf_put(&buf, escaped, sizeof(escaped));
        } else {
            laz_buf_char(&buf, text[i]);
        }
    }
    laz_buf_str(&buf, cut < length ? "...\"" : "\"");
    return ret->text;
}

const char *laz_quote_suggestion(struct laz_quoted *ret, const char *suggestion)
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret->text, sizeof(ret->text));
    if (suggestion != NULL) {
        laz_buf_printf(&buf, " (did you mean \"%s\"?)", suggestion);
    }
    return ret->text;
}

/* ---- Collecting ---- */

/* Not the items: they are nine pages, which a short program would touch for nothing. */
void laz_diagnostics_clear(struct laz_diagnostics *diagnostics)
{
    diagnostics->n = 0;
    diagnostics->n_errors = 0;
    diagnostics->dropped = 0;
}

static bool is_before(const struct laz_diagnostic *a, const struct laz_diagnostic *b)
{
    if (a->file_index != b->file_index) {
        return a->file_index < b->file_index;
    }
    if (a->line != b->line) {
        return a->line < b->line;
    }
    return a->col < b->col;
}

/* Where the new one belongs: behind those at the same position. */
static size_t slot_of(const struct laz_diagnostics *all, const struct laz_diagnostic *item)
{
    size_t slot = all->n;
    while (slot > 0 && is_before(item, &all->items[slot - 1])) {
        slot--;
    }
    return slot;
}

static void remove_at(struct laz_diagnostics *all, size_t slot)
{
    all->n--;
    (void)memmove(
            &all->items[slot], &all->items[slot + 1], (all->n - slot) * sizeof(all->items[0]));
}

/* Make room for one more; false if the new one is the one to go. */
static bool make_room(struct laz_diagnostics *all, const struct laz_diagnostic *item)
{
    if (all->n < LAZ_DIAGNOSTICS_MAX) {
        return true;
    }
    all->dropped++;
    for (size_t i = all->n; i-- > 0;) {
        if (all->items[i].is_warning) {
            if (item->is_warning && !is_before(item, &all->items[i])) {
                return false;
            }
            remove_at(all, i);
            return true;
        }
    }
    if (item->is_warning || !is_before(item, &all->items[all->n - 1])) {
        return false;
    }
    remove_at(all, all->n - 1);
    return true;
}

static void insert(struct laz_diagnostics *all, const struct laz_diagnostic *item)
{
    all->n_errors += item->is_warning ? 0 : 1;
    if (!make_room(all, item)) {
        return;
    }
    size_t slot = slot_of(all, item);
    (void)memmove(
            &all->items[slot + 1], &all->items[slot], (all->n - slot) * sizeof(all->items[0]));
    all->items[slot] = *item;
    all->n++;
}

/* ---- Composing ---- */

/* Copy the source line around column `col`; its tabs become blanks so that the caret stands right.
 */
static void copy_source(struct laz_diagnostic *item, const char *text, size_t length)
{
    const char *end = text + length;
    for (uint32_t line = 1; line < item->line && text != NULL; line++) {
        text = memchr(text, '\n', (size_t)(end - text));
        text = text != NULL ? text + 1 : NULL;
    }
    if (text == NULL) {
        return;
    }
    /* With more than half of the room before the caret, the left part goes. */
    uint32_t first = item->col > LAZ_DIAGNOSTIC_SOURCE_MAX / 4
            ? item->col - LAZ_DIAGNOSTIC_SOURCE_MAX / 4
            : 1;
    size_t used = 0;
    uint32_t col = 0;
    for (; text < end && *text != '\n' && *text != '\r'; text++) {
        col += laz_utf8_is_continuation(*text) ? 0 : 1;
        if (col < first) {
            continue;
        }
        if (used + 4 >= sizeof(item->source) && !laz_utf8_is_continuation(*text)) {
            break;
        }
        bool is_control = (unsigned char)*text < 0x20 || *text == 0x7F;
        item->source[used++] = (char)(is_control ? ' ' : *text);
        if (used + 1 == sizeof(item->source)) {
            break;
        }
    }
    item->source[used] = '\0';
    item->caret = item->col - first + 1;
}

static void copy_name(struct laz_diagnostic *item, const char *name)
{
    size_t length = strlen(name);
    size_t skip = length >= sizeof(item->file) ? length - sizeof(item->file) + 1 : 0;
    (void)memcpy(item->file, name + skip, length - skip + 1);
}

static void report(struct laz_report *report, bool is_warning, enum laz_err_kind kind,
        struct laz_pos pos, const char *message)
{
    const struct laz_file *file = &report->files[pos.file];
    struct laz_diagnostic item = {.is_warning = is_warning,
            .kind = kind,
            .file_index = pos.file,
            .line = pos.line,
            .col = pos.col};
    copy_name(&item, file->name);
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, item.message, sizeof(item.message));
    laz_buf_put(&buf, message, strnlen(message, sizeof(item.message) - 1));
    if (pos.line > 0 && file->text != NULL) {
        copy_source(&item, file->text, file->length);
    }
    insert(report->diagnostics, &item);
}

void laz_node_mark_bad(struct laz_node *node)
{
    node->is_bad = true;
    for (; node != NULL; node = node->parent) {
        node->has_bad = true;
    }
}

/* What a report is about; its sentence stands behind the node's path, if there is a node. */
struct subject {
    bool is_warning;
    enum laz_err_kind kind;
    struct laz_pos pos;
    const struct laz_node *node;
};

/* A message that does not fit is cut. */
LAZ_PRINTF(3, 0)
static void compose(struct laz_report *report_to, const struct subject *subject, const char *format,
        va_list args)
{
    char text[LAZ_DIAGNOSTIC_MESSAGE_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    if (subject->node != NULL) {
        laz_node_path(subject->node, &buf);
        laz_buf_str(&buf, buf.len > 0 ? ": " : "");
    }
    (void)vsnprintf(buf.data + buf.len, buf.cap - buf.len, format, args);
    report(report_to, subject->is_warning, subject->kind, subject->pos, text);
}

void laz_report_at(struct laz_report *report_to, enum laz_err_kind kind, struct laz_pos pos,
        const char *format, ...)
{
    const struct subject subject = {.kind = kind, .pos = pos};
    va_list args;
    va_start(args, format);
    compose(report_to, &subject, format, args);
    va_end(args);
}

void laz_report_node(struct laz_report *report_to, enum laz_err_kind kind, struct laz_node *node,
        const char *format, ...)
{
    const struct subject subject = {.kind = kind, .pos = node->pos, .node = node};
    va_list args;
    va_start(args, format);
    compose(report_to, &subject, format, args);
    va_end(args);
    laz_node_mark_bad(node);
}

void laz_report_key(struct laz_report *report_to, enum laz_err_kind kind, struct laz_node *node,
        const char *format, ...)
{
    const struct subject subject = {.kind = kind, .pos = node->key_pos, .node = node};
    va_list args;
    va_start(args, format);
    compose(report_to, &subject, format, args);
    va_end(args);
    laz_node_mark_bad(node);
}

void laz_report_warning(
        struct laz_report *report_to, const struct laz_node *node, const char *format, ...)
{
    const struct subject subject = {.is_warning = true, .pos = node->pos, .node = node};
    va_list args;
    va_start(args, format);
    compose(report_to, &subject, format, args);
    va_end(args);
}

void laz_report_warning_at(
        struct laz_report *report_to, struct laz_pos pos, const char *format, ...)
{
    const struct subject subject = {.is_warning = true, .pos = pos};
    va_list args;
    va_start(args, format);
    compose(report_to, &subject, format, args);
    va_end(args);
}

/* ---- Rendering ---- */

void laz_diagnostic_format(const struct laz_diagnostic *diagnostic, struct laz_buf *ret)
{
    laz_buf_str(ret, diagnostic->file);
    if (diagnostic->line > 0) {
        laz_buf_printf(ret, ":%" PRIu32 ":%" PRIu32, diagnostic->line, diagnostic->col);
    }
    laz_buf_printf(
            ret, ": %s: %s\n", diagnostic->is_warning ? "warning" : "error", diagnostic->message);
    if (diagnostic->source[0] == '\0') {
        return;
    }
    laz_buf_printf(ret, "    %s\n", diagnostic->source);
    if (diagnostic->caret > 0) {
        laz_buf_printf(ret, "    %*s^\n", (int)diagnostic->caret - 1, "");
    }
}

void laz_diagnostic_print(const struct laz_diagnostic *diagnostic, FILE *stream)
{
    /* Four lines' worth of ceilings, and room for numbers and punctuation. */
    char text[LAZ_DIAGNOSTIC_FILE_MAX + LAZ_DIAGNOSTIC_MESSAGE_MAX + 2 * LAZ_DIAGNOSTIC_SOURCE_MAX +
            PUNCTUATION];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_diagnostic_format(diagnostic, &buf);
    (void)fwrite(text, 1, buf.len, stream); /* nowhere is left to report it */
}

int laz_report_first(const struct laz_report *report, struct laz_err *err)
{
    for (size_t i = 0; i < report->diagnostics->n; i++) {
        const struct laz_diagnostic *first = &report->diagnostics->items[i];
        if (first->is_warning) {
            continue;
        }
        if (first->line == 0) {
            return laz_err_set(err, first->kind, 0, "%s", first->message);
        }
        return laz_err_set(err, first->kind, 0, "%s:%u:%u: %s", first->file, first->line,
                first->col, first->message);
    }
    return laz_err_set(err, LAZ_E_INTERNAL, 0, "a file failed to load without saying why");
}
