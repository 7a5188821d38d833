/* SPDX-License-Identifier: Apache-2.0
 *
 * What an agent says of a record: mostly the line that the decoder of examples/ossec knows; where
 * stock OSSEC has rules of its own for it, what those understand. A changed file is two messages,
 * what it was and what it is, and the second has to come later: the manager works on several at a
 * time. Pure.
 */
#ifndef LAZ_SINK_OSSEC_TEXT_H
#define LAZ_SINK_OSSEC_TEXT_H

#include "sink/form.h"

#define LAZ_OSSEC_LATER_MS  1500
#define LAZ_OSSEC_LATER_MAX 32   /* changes of files that wait; more go as lines */
#define LAZ_OSSEC_CHANGE    1024 /* bytes of such a message; a longer one goes as a line */
#define LAZ_OSSEC_FILE_MAX  64

struct laz_ossec_later {
    uint64_t now_ms; /* set it before a record is put */
    size_t first;
    size_t n;
    bool has_draft; /* behind the n: of the record that was put last */
    bool is_ending; /* nobody has time to wait */
    struct {
        uint64_t ticket;
        uint64_t due_ms;
        char text[LAZ_OSSEC_CHANGE];
    } waiting[LAZ_OSSEC_LATER_MAX];
};

/* Append the payload of a datagram; the second one of a changed file is a draft in `later`, until
 * the next record. LAZ_E_SINK if the text is no record, or one that there is no room for. */
LAZ_MUST_CHECK int laz_ossec_text(struct laz_buf *buf, const struct laz_form *form,
        const char *text, size_t length, struct laz_ossec_later *later, struct laz_err *err);

/* The first one is sent: the draft waits from now on, if there is one. */
void laz_ossec_later_keep(struct laz_ossec_later *later, uint64_t ticket);
/* The next one that is due; its length, 0 if there is none. It waits on until it is dropped. */
size_t laz_ossec_later_next(const struct laz_ossec_later *later, uint64_t now_ms, const char **ret);
void laz_ossec_later_drop(struct laz_ossec_later *later);
/* None is waiting any more: their records will be put again. */
void laz_ossec_later_forget(struct laz_ossec_later *later);
/* How far everything is sent, if the first datagrams are up to this ticket. */
uint64_t laz_ossec_later_whole(const struct laz_ossec_later *later, uint64_t sent);

/* Where the key of an enrolled agent is kept: "ossec-NAME.key". */
void laz_ossec_file_name(const char *sink, char ret[LAZ_OSSEC_FILE_MAX]);

#endif
