/* SPDX-License-Identifier: Apache-2.0
 *
 * Forms. A record that is too long for OSSEC goes without the members of its `d`: what its rules
 * look at is in front of that, and `h` says which record of the trail it was.
 */
#include "sink/form.h"

#include <unistd.h>

#include "sink/line.h"
#include "sink/ocsf.h"

#define OSSEC_TIME_FORM "dddd-dd-ddTdd:dd:dd.dddddd+00:00 "
#define RECORD_START    "{\"lz\":1,"

void laz_form_init(struct laz_form *form, enum laz_ship_format format, const char *host)
{
    form->format = format;
    laz_syslog_origin_init(&form->origin, host, (uint32_t)getpid());
}

/* `TIME HOST lazaret[1]: RECORD`. OSSEC knows no time that ends with Z, and decodes a message of
 * RFC 5424 as something else. */
static int put_ossec(struct laz_buf *buf, const struct laz_form *form, const char *text,
        size_t length, struct laz_err *err)
{
    char memory[LAZ_SYSLOG_HEAD_MAX];
    struct laz_buf head;
    const char *when = laz_line_time(text, length);
    const char *data = laz_line_data(text, length);
    if (laz_line_check(text, length, err) != 0) {
        return -1;
    }
    if (when == NULL || data == NULL) {
        return laz_err_set(err, LAZ_E_SINK, 0, "it has no time, or no \"d\"");
    }
    laz_buf_init_fixed(&head, memory, sizeof(memory));
    laz_buf_put(&head, when, LAZ_LINE_TIME_LENGTH - 1);
    laz_buf_printf(&head, "+00:00 %s lazaret[1]: ", form->origin.host);
    if (head.len + length - 1 <= LAZ_FORM_OSSEC_MAX) {
        laz_buf_put(buf, head.data, head.len);
        laz_buf_put(buf, text, length - 1);
        return 0;
    }
    char cut[48];
    struct laz_buf end;
    size_t front = (size_t)(data - text);
    laz_buf_init_fixed(&end, cut, sizeof(cut));
    laz_buf_printf(&end, "{\"cut\":%zu}}", length - 2 - front);
    if (head.len + front + end.len > LAZ_FORM_OSSEC_MAX) {
        return laz_err_set(err, LAZ_E_SINK, 0, "it is too long for OSSEC, even without its \"d\"");
    }
    laz_buf_put(buf, head.data, head.len);
    laz_buf_put(buf, text, front);
    laz_buf_put(buf, end.data, end.len);
    return 0;
}

int laz_form_message(struct laz_buf *buf, const struct laz_form *form, int severity,
        const char *text, size_t length, struct laz_err *err)
{
    size_t before = buf->len;
    if (form->format != LAZ_FORMAT_OSSEC) {
        return laz_syslog_put(buf, &form->origin, severity, text, length, err);
    }
    laz_buf_printf(buf, "<%u>", laz_syslog_priority(severity));
    if (put_ossec(buf, form, text, length, err) != 0) {
        buf->len = before;
        return -1;
    }
    return 0;
}

int laz_form_line(struct laz_buf *buf, const struct laz_form *form, const char *text, size_t length,
        struct laz_err *err)
{
    if (form->format == LAZ_FORMAT_NATIVE) {
        laz_buf_add(buf, text, length);
        return 0;
    }
    if (form->format == LAZ_FORMAT_OCSF) {
        return laz_ocsf_line(buf, form->origin.host, text, length, err);
    }
    if (put_ossec(buf, form, text, length, err) != 0) {
        return -1;
    }
    laz_buf_char(buf, '\n');
    return 0;
}

bool laz_form_begins(const struct laz_form *form, const char *bytes, size_t length)
{
    static const char *const starts[LAZ_FORMAT_COUNT] = {[LAZ_FORMAT_NATIVE] = RECORD_START,
            [LAZ_FORMAT_OSSEC] = OSSEC_TIME_FORM,
            [LAZ_FORMAT_OCSF] = LAZ_OCSF_START};
    const char *expected = starts[form->format];
    bool has_digits = form->format == LAZ_FORMAT_OSSEC;
    for (size_t i = 0; i < length && expected[i] != '\0'; i++) {
        bool is_digit = bytes[i] >= '0' && bytes[i] <= '9';
        if (has_digits && expected[i] == 'd' ? !is_digit : bytes[i] != expected[i]) {
            return false;
        }
    }
    return true;
}
