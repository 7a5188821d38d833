/* SPDX-License-Identifier: Apache-2.0
 *
 * The YAML loader on any bytes. Properties: it loads or says why, never both; what it says is in
 * order and inside the file; the same bytes give the same answer; a policy is no wider than itself.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "policy/narrow.h"
#include "tests/fixture/position.h"

/* A file that is too large is refused as a whole. */
static void check_diagnostics(
        const struct laz_diagnostics *diagnostics, const char *text, size_t length)
{
    require(diagnostics->n <= LAZ_DIAGNOSTICS_MAX);
    for (size_t i = 0; i < diagnostics->n; i++) {
        const struct laz_diagnostic *item = &diagnostics->items[i];
        require(item->message[0] != '\0' && item->file[0] != '\0');
        require(item->is_warning == (item->kind == LAZ_E_NONE));
        require(item->file_index > 0 || length > LAZ_POLICY_FILE_MAX ||
                is_inside(item, text, length));
        if (i > 0) {
            const struct laz_diagnostic *before = &diagnostics->items[i - 1];
            require(before->file_index < item->file_index ||
                    (before->file_index == item->file_index &&
                            (before->line < item->line ||
                                    (before->line == item->line && before->col <= item->col))));
        }
    }
}

static struct laz_policy *load(
        const uint8_t *data, size_t size, struct laz_diagnostics *ret_diagnostics)
{
    /* Files of the policy's directory cannot be: the answer depends on the bytes alone. */
    const struct laz_policy_source source = {.path = "/proc/self/fdinfo/none/fuzz.yaml",
            .text = (const char *)data,
            .text_length = size};
    struct laz_policy *policy = NULL;
    struct laz_err err = {0};
    int result = laz_policy_load(&source, ret_diagnostics, &policy, &err);
    require((result == 0) == (policy != NULL) && (result == 0) == (err.kind == LAZ_E_NONE));
    require((result == 0) == (ret_diagnostics->n_errors == 0));
    return policy;
}

static void compare(const struct laz_policy *a, const struct laz_policy *b)
{
    require(memcmp(a->source_digest, b->source_digest, sizeof(a->source_digest)) == 0);
    require(a->relaxations.n == b->relaxations.n && a->n_paths == b->n_paths);
    struct laz_widening ignored = {0};
    require(!laz_policy_find_widening(a, b, &ignored));
    require(!laz_policy_find_widening(b, a, &ignored));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laz_diagnostics *first = calloc(1, sizeof(*first));
    struct laz_diagnostics *second = calloc(1, sizeof(*second));
    require(first != NULL && second != NULL);
    struct laz_policy *a = load(data, size, first);
    struct laz_policy *b = load(data, size, second);
    check_diagnostics(first, (const char *)data, size);
    require(memcmp(first, second, sizeof(*first)) == 0);
    require((a == NULL) == (b == NULL));
    if (a != NULL) {
        compare(a, b);
    }
    laz_policy_free(a);
    laz_policy_free(b);
    free(first);
    free(second);
    return 0;
}
