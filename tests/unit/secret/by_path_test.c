/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages of parameters become one object, or a fault by name.
 */
#include "secret/by_path.h"

#include <string.h>

#include <criterion/criterion.h>

#define MEMORY     4096
#define PAGES_MAX  4
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))
#define ONE(name, value)                                                                           \
    "{\"Name\":\"" name "\",\"Type\":\"SecureString\",\"Value\":\"" value "\",\"Version\":1}"
#define PAGE(list)       "{\"Parameters\":[" list "]}"
#define MORE(list, next) "{\"Parameters\":[" list "],\"NextToken\":\"" next "\"}"

static struct laz_fetch_item item_of(const char *path, bool is_tree)
{
    return (struct laz_fetch_item){.name = "it",
            .source = is_tree ? LAZ_SECRET_PARAMETER_TREE : LAZ_SECRET_PARAMETERS,
            .from = path};
}

Test(by_path, asks_for_ten_at_a_time_and_goes_on_with_the_token)
{
    char memory[MEMORY];
    struct laz_buf buf;
    struct laz_by_path by_path = {0};
    struct laz_err err = {0};
    const struct laz_fetch_item item = item_of("/prod/api", true);
    cr_assert_eq(laz_by_path_init(&by_path, &item, &err), 0, "%s", err.message);
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_by_path_ask(&by_path, &buf);
    cr_expect_str_eq(buf.data,
            "{\"Path\":\"/prod/"
            "api\",\"Recursive\":true,\"WithDecryption\":true,\"MaxResults\":10}");
    laz_buf_str(&by_path.token, "a\"\\b");
    by_path.item = &(struct laz_fetch_item){.source = LAZ_SECRET_PARAMETERS, .from = "/"};
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_by_path_ask(&by_path, &buf);
    cr_expect_str_eq(buf.data,
            "{\"Path\":\"/\",\"Recursive\":false,\"WithDecryption\":true,\"MaxResults\":10,"
            "\"NextToken\":\"a\\\"\\\\b\"}");
    laz_by_path_done(&by_path);
}

struct row {
    const char *path;
    bool is_tree;
    const char *pages[PAGES_MAX];
    const char *value; /* NULL: refused */
    const char *why;
    enum laz_secret_fault fault;
};

static const struct row rows[] = {
        {"/a", false, {PAGE(ONE("/a/z", "1") "," ONE("/a/b", "\\u0041\\n") "," ONE("/a/bb", ""))},
                "{\"b\":\"\\u0041\\n\",\"bb\":\"\",\"z\":\"1\"}", "", 0},
        {"/a", true,
                {MORE("", "t1"), MORE(ONE("/a/c/d", "1"), "t2"), MORE("", "t3"),
                        PAGE(ONE("/a/c", "2"))},
                "{\"c\":\"2\",\"c/d\":\"1\"}", "", 0},
        {"/", false, {PAGE(ONE("/x", "1"))}, "{\"x\":\"1\"}", "", 0},
        {"/a", false, {PAGE("")}, NULL, "there is no parameter below the path",
                LAZ_SECRET_FAULT_ABSENT},
        {"/a", false, {MORE("", "t"), PAGE("")}, NULL, "there is no parameter below the path",
                LAZ_SECRET_FAULT_ABSENT},
        {"/a", false, {PAGE(ONE("/a/b/c", "CANARY"))}, NULL,
                "the answer has a parameter that is not below the path",
                LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {PAGE(ONE("/ab", "CANARY"))}, NULL,
                "the answer has a parameter that is not below the path",
                LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {PAGE(ONE("/a/", "CANARY"))}, NULL,
                "the answer has a parameter that is not below the path",
                LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {PAGE(ONE("/a/x\\\"y", "CANARY"))}, NULL,
                "the answer has a parameter that is not below the path",
                LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {MORE(ONE("/a/b", "CANARY"), "t"), PAGE(ONE("/a/b", "2"))}, NULL,
                "the answer has a parameter twice", LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {"{\"Parameters\":[{\"Name\":\"/a/b\",\"Value\":7}]}"}, NULL,
                "the answer has a parameter without name or value", LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {"{\"Parameters\":{}}"}, NULL, "the answer has no Parameters",
                LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {"[]"}, NULL, "the answer has no Parameters", LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {"{\"Parameters\":[],\"NextToken\":7}"}, NULL,
                "the answer's NextToken is none", LAZ_SECRET_FAULT_MALFORMED},
        {"/a", true, {MORE("", "")}, NULL, "the answer's NextToken is none",
                LAZ_SECRET_FAULT_MALFORMED},
};

static void check_row(const struct row *row)
{
    char memory[MEMORY];
    struct laz_buf value;
    struct laz_by_path by_path = {0};
    struct laz_err err = {0};
    struct laz_secret_reading reading = {.value = &value, .fault = LAZ_SECRET_FAULT_COUNT};
    const struct laz_fetch_item item = item_of(row->path, row->is_tree);
    int result = 0;
    cr_assert_eq(laz_by_path_init(&by_path, &item, &err), 0, "%s", err.message);
    laz_buf_init_fixed(&value, memory, sizeof(memory));
    for (size_t i = 0; i < PAGES_MAX && row->pages[i] != NULL && result == 0; i++) {
        const char *page = row->pages[i];
        bool is_last = i + 1 == PAGES_MAX || row->pages[i + 1] == NULL;
        result = laz_by_path_take(&by_path, page, strlen(page), &reading, &err);
        cr_expect(result != 0 || (by_path.token.len == 0) == is_last, "%s", page);
    }
    cr_assert_eq(result, row->value == NULL ? -1 : 0, "%s: %s", row->pages[0], err.message);
    if (row->value != NULL) {
        cr_expect_str_eq(value.data, row->value);
    } else {
        cr_expect_str_eq(err.message, row->why);
        cr_expect_eq(reading.fault, row->fault, "%s", row->why);
        cr_expect_eq(value.len, 0);
    }
    laz_by_path_done(&by_path);
}

Test(by_path, makes_one_object_of_all_pages)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_row(&rows[i]);
    }
}

Test(by_path, has_an_end)
{
    static const char page[] = MORE("", "t");
    struct laz_buf value = {0};
    struct laz_by_path by_path = {0};
    struct laz_err err = {0};
    struct laz_secret_reading reading = {.value = &value};
    const struct laz_fetch_item item = item_of("/a", true);
    unsigned n = 1;
    cr_assert_eq(laz_by_path_init(&by_path, &item, &err), 0, "%s", err.message);
    while (laz_by_path_take(&by_path, page, sizeof(page) - 1, &reading, &err) == 0) {
        cr_assert_lt(++n, 1000);
    }
    cr_expect_eq(n, LAZ_BY_PATH_PAGES_MAX);
    cr_expect_str_eq(err.message, "the answer has no end: 256 pages, and a token for more");
    laz_by_path_done(&by_path);
}
