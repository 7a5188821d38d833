/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret report PATH...: trails as one page for people who were not there, or as JSON. The page
 * loads and runs nothing.
 */
#include "cli/report.h"

#include <time.h>

#include "cli/output.h"
#include "core/num.h"

void laz_report_now(char ret[32])
{
    time_t now = time(NULL);
    struct tm tm;
    ret[0] = '\0';
    if (gmtime_r(&now, &tm) == NULL || strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        ret[0] = '\0';
    }
}

void laz_report_digest(const struct laz_trail_piece *piece, char ret[2 * LAZ_SHA256_SIZE + 1])
{
    uint8_t hash[LAZ_SHA256_SIZE];
    laz_sha256_of(piece->text, piece->length, hash);
    laz_format_hex(hash, sizeof(hash), ret);
}

int laz_cli_report(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    struct laz_trails trails;
    struct laz_report report = {0};
    int result = 0;
    if (laz_trails_read(arguments, &trails, &err) < 0 ||
            laz_report_gather(&trails, &report, &err) < 0) {
        result = laz_cli_fail(&err, arguments->json);
    } else if (trails.n_host_files > 0) {
        (void)laz_err_set(&err, LAZ_E_USAGE, 0,
                "a host's file of records is among them: lazaret verify judges it; a report is of "
                "trails alone");
        result = laz_cli_fail(&err, arguments->json);
    } else if (laz_verify_count(trails.verify) == 0) {
        (void)laz_err_set(&err, LAZ_E_SYSTEM, 0,
                trails.has_segment ? "no record of any chain: this looks like a spool, which "
                                     "lazaret spool read opens"
                                   : "no record of any chain: this is no audit trail");
        result = laz_cli_fail(&err, arguments->json);
    } else {
        laz_cleanup_buf struct laz_buf buf;
        laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
        if (arguments->json) {
            laz_report_json(&report, &buf);
        } else {
            laz_report_html(&report, &buf);
        }
        result = laz_cli_print(
                &buf, laz_trails_are_fine(&trails) ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
    }
    laz_report_done(&report);
    laz_trails_done(&trails);
    return result;
}
