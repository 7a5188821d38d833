/* SPDX-License-Identifier: Apache-2.0
 *
 * Printing, in one place. Nothing else in cli/ writes to a descriptor of the user's.
 */
#include "cli/output.h"

#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "core/fd.h"

/* The catalogue's, but where it speaks of lazaret-init's command line. */
static const char *remedy_of(enum laz_err_kind kind)
{
    if (kind == LAZ_E_USAGE) {
        return "Try lazaret --help, or read lazaret(1).";
    }
    return kind == LAZ_E_POLICY_ABSENT ? "Check the path, and who may read it."
                                       : laz_err_remedy(kind);
}

static void put_error(const struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_CLI_OUTPUT_MAX);
    laz_buf_printf(&text, "lazaret: error: %s: %s\n", laz_err_name(err->kind), err->message);
    laz_buf_printf(&text, "lazaret: remedy: %s\n", remedy_of(err->kind));
    struct laz_err ignored = {0};
    laz_ignore(laz_fd_write_all(STDERR_FILENO, text.data, text.len, &ignored)); /* nobody to tell */
}

int laz_cli_print(const struct laz_buf *buf, int result)
{
    struct laz_err err = {0};
    if (buf->overflow) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "the output does not fit into memory");
    } else if (laz_fd_write_all(STDOUT_FILENO, buf->data, buf->len, &err) == 0) {
        return result;
    } else {
        (void)laz_err_context(&err, "standard output");
    }
    put_error(&err);
    return LAZ_EXIT_FINDINGS;
}

void laz_cli_error_json(struct laz_json *json, const struct laz_err *err)
{
    laz_json_object(json, "error");
    laz_json_string(json, "name", laz_err_name(err->kind));
    laz_json_string(json, "message", err->message);
    laz_json_string(json, "remedy", remedy_of(err->kind));
    laz_json_object_end(json);
}

int laz_cli_fail(const struct laz_err *err, bool json)
{
    int result = err->kind == LAZ_E_USAGE ? LAZ_EXIT_USAGE : LAZ_EXIT_FINDINGS;
    if (!json || result == LAZ_EXIT_USAGE) {
        put_error(err);
        return result;
    }
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    struct laz_json writer;
    laz_json_init(&writer, &buf);
    laz_json_object(&writer, NULL);
    laz_json_bool(&writer, "ok", false);
    laz_cli_error_json(&writer, err);
    laz_json_object_end(&writer);
    laz_buf_char(&buf, '\n');
    return laz_cli_print(&buf, result);
}

void laz_cli_note(const struct laz_buf *text)
{
    laz_cleanup_buf struct laz_buf line;
    laz_buf_init_heap(&line, LAZ_CLI_OUTPUT_MAX);
    laz_buf_printf(&line, "lazaret: %.*s\n", (int)text->len, text->data);
    struct laz_err ignored = {0};
    laz_ignore(laz_fd_write_all(STDERR_FILENO, line.data, line.len, &ignored)); /* nobody to tell */
}

void laz_cli_wrap(struct laz_buf *buf, const char *text, size_t column, size_t indent)
{
    bool first = true;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (!first && column + 1 + length > LAZ_CLI_TEXT_WIDTH) {
            laz_buf_printf(buf, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            laz_buf_char(buf, ' ');
            column++;
        }
        laz_buf_put(buf, text, length);
        column += length;
        first = false;
        text += length;
        text += *text == ' ' ? 1 : 0;
    }
    laz_buf_char(buf, '\n');
}
