/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of results, and the one place that makes a verdict of them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/format.h"
#include "core/words.h"
#include "gate/gate.h"

#define RESULTS(X)                                                                                 \
    X(PASS, "pass") X(FAIL, "fail") X(INCONCLUSIVE, "inconclusive") X(SKIPPED, "skipped")

LAZ_WORDS(laz_gate_result_name, laz_gate_result, RESULTS, (size_t)LAZ_GATE_RESULT_COUNT)
LAZ_WORDS(laz_gate_input_name, laz_gate_input_kind, LAZ_GATE_INPUTS, (size_t)LAZ_GATE_INPUT_COUNT)

static void copy(char *ret, size_t size, const char *text)
{
    (void)laz_format(ret, size, "%s", text); /* longer ones are cut */
    laz_format_printable(ret);
}

static struct laz_gate_row *append(struct laz_gate_rows *rows)
{
    if (rows->n == rows->room) {
        size_t room = rows->room == 0 ? 64 : 2 * rows->room;
        struct laz_gate_row *items = room > LAZ_GATE_ROWS_MAX
                ? NULL
                : reallocarray(rows->items, room, sizeof(*rows->items));
        if (items == NULL) {
            rows->overflow = true;
            return NULL;
        }
        rows->items = items;
        rows->room = room;
    }
    return &rows->items[rows->n++];
}

void laz_gate_rows_add(
        struct laz_gate_rows *rows, const struct laz_gate_say *say, const char *format, ...)
{
    struct laz_gate_row *row = append(rows);
    if (row == NULL) {
        return;
    }
    char text[LAZ_GATE_SAID_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args); /* what is longer is cut */
    va_end(args);
    row->check = say->check;
    row->result = say->result;
    row->is_final = say->is_final;
    copy(row->target, sizeof(row->target), say->target);
    copy(row->wanted, sizeof(row->wanted), say->wanted);
    copy(row->observed, sizeof(row->observed), length < 0 ? "?" : text);
}

void laz_gate_rows_done(struct laz_gate_rows *rows)
{
    free(rows->items);
    *rows = (struct laz_gate_rows){0};
}

enum laz_gate_result laz_gate_rows_verdict(const struct laz_gate_rows *rows)
{
    size_t counts[LAZ_GATE_RESULT_COUNT] = {0};
    for (size_t i = 0; i < rows->n; i++) {
        counts[rows->items[i].result]++;
    }
    if (counts[LAZ_GATE_FAIL] > 0) {
        return LAZ_GATE_FAIL;
    }
    if (counts[LAZ_GATE_INCONCLUSIVE] > 0 || counts[LAZ_GATE_PASS] == 0 || rows->overflow) {
        return LAZ_GATE_INCONCLUSIVE;
    }
    return LAZ_GATE_PASS;
}
