/* SPDX-License-Identifier: Apache-2.0
 *
 * Event records. libc only: linked into PID 1.
 */
#include "core/record.h"

#include "core/format.h"

/* Seconds since 1970 to a calendar date in UTC. gmtime_r would pull libc's zone code into PID 1.
 * Days-to-date by Howard Hinnant's published civil-calendar arithmetic (March-based years). */
void laz_record_time(const struct timespec *when, char ret[LAZ_RECORD_TIME_SIZE])
{
    int64_t seconds = (int64_t)when->tv_sec;
    int64_t days = seconds / 86400;
    int64_t rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days -= 1;
    }
    int64_t shifted = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    (void)laz_format(ret, LAZ_RECORD_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int)year,
            (int)month, (int)day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60),
            (int)(when->tv_nsec / 1000));
}

void laz_record_head(struct laz_json *json, struct laz_buf *buf, const struct laz_record *record)
{
    char when[LAZ_RECORD_TIME_SIZE];
    laz_record_time(&record->when, when);
    laz_json_init(json, buf);
    laz_json_object(json, NULL);
    laz_json_u64(json, "lz", 1);
    laz_json_string(json, "ev", record->ev);
    laz_json_i64(json, "sev", record->severity);
    laz_json_u64(json, "seq", record->seq);
    laz_json_string(json, "task", record->task);
    laz_json_string(json, "ctr", record->ctr);
    laz_json_i64(json, "pid", record->pid);
    laz_json_string(json, "exe", record->exe);
    laz_json_string(json, "obj", record->obj);
    laz_json_string(json, "act", record->act);
    laz_json_string(json, "ts", when);
    if (record->chain != NULL) {
        laz_json_string(json, "chain", record->chain);
    }
    if (record->prev != NULL) {
        laz_json_string(json, "prev", record->prev);
    }
}

void laz_record_begin(struct laz_json *json, struct laz_buf *buf, const struct laz_record *record)
{
    laz_record_head(json, buf, record);
    laz_json_object(json, "d");
}

bool laz_record_end(struct laz_json *json)
{
    laz_json_object_end(json);
    laz_json_object_end(json);
    laz_buf_char(json->buf, '\n');
    return !json->buf->overflow;
}
