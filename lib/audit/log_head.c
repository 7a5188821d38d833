/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a record is like the one before is judged by what its words say, not by where they are:
 * the caller may have written other words in the same place.
 */
#include "audit/log_head.h"

#define HEAD_MAX   (1U << 20) /* a record has no more */
#define DIGITS_MAX 20

void laz_log_head_init(struct laz_log_head *head)
{
    *head = (struct laz_log_head){0};
    laz_buf_init_heap(&head->text, HEAD_MAX);
    laz_buf_init_heap(&head->words, HEAD_MAX);
}

void laz_log_head_done(struct laz_log_head *head)
{
    laz_buf_done(&head->text);
    laz_buf_done(&head->words);
}

static bool is_like(const struct laz_log_head *head, const struct laz_record *record)
{
    const char *const words[] = {record->ev, record->exe, record->obj, record->act};
    const char *at = head->words.data;
    if (head->text.len == 0 || head->record.severity != record->severity ||
            head->record.pid != record->pid || head->record.when.tv_sec != record->when.tv_sec ||
            head->record.when.tv_nsec != record->when.tv_nsec) {
        return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t size = strlen(words[i]) + 1;
        if (strncmp(words[i], at, size) != 0) {
            return false;
        }
        at += size;
    }
    return true;
}

/* false if the number has more digits or fewer than the one before: there is no room. */
static bool put_digits(struct laz_log_head *head, uint64_t seq)
{
    char digits[DIGITS_MAX];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + seq % 10);
        seq /= 10;
    } while (seq > 0);
    if (sizeof(digits) - first != head->n_digits) {
        return false;
    }
    (void)memcpy(head->text.data + head->digits_at, digits + first, head->n_digits);
    return true;
}

static bool make_anew(struct laz_log_head *head, const struct laz_record *record)
{
    static const char name[] = "\"seq\":"; /* in a string the quotes would have a \ in front */
    const char *const words[] = {record->ev, record->exe, record->obj, record->act};
    struct laz_json json;
    head->text.len = 0;
    head->text.overflow = false;
    head->words.len = 0;
    head->words.overflow = false;
    laz_record_begin(&json, &head->text, record);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        laz_buf_put(&head->words, words[i], strlen(words[i]) + 1);
    }
    if (head->text.overflow || head->words.overflow) {
        head->text.len = 0;
        return false;
    }
    const char *at = memmem(head->text.data, head->text.len, name, sizeof(name) - 1);
    head->record = *record;
    head->digits_at = at == NULL ? 0 : (size_t)(at - head->text.data) + sizeof(name) - 1;
    head->n_digits = strspn(head->text.data + head->digits_at, "0123456789");
    return true;
}

bool laz_log_head_make(struct laz_log_head *head, const struct laz_record *record)
{
    return (is_like(head, record) && put_digits(head, record->seq)) || make_anew(head, record);
}
