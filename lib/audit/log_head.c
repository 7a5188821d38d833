/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a record is like the one before is judged by what its words say, not by where they are:
 * the caller may have written other words in the same place.
 */
#include "audit/log_head.h"

#define HEAD_MAX (1U << 20) /* a record has no more */

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

/* Behind the word that stands at `at` and its NUL; NULL if it is another. */
static const char *skip_word(const char *at, const char *word)
{
    while (*at == *word) {
        if (*word == '\0') {
            return at + 1;
        }
        at++;
        word++;
    }
    return NULL;
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
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && at != NULL; i++) {
        at = skip_word(at, words[i]);
    }
    return at != NULL;
}

/* From a number to the next, as on paper. false where that has one more digit: there is no room. */
static bool count_up(struct laz_log_head *head, uint64_t seq)
{
    if (seq != head->record.seq + 1) {
        return false;
    }
    for (size_t i = head->n_digits; i > 0; i--) {
        char *digit = head->text.data + head->digits_at + i - 1;
        if (*digit != '9') {
            (*digit)++;
            head->record.seq = seq;
            return true;
        }
        *digit = '0';
    }
    return false;
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
    return (is_like(head, record) && count_up(head, record->seq)) || make_anew(head, record);
}
