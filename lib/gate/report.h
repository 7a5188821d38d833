/* SPDX-License-Identifier: Apache-2.0
 *
 * What the gate hands over: text for people, JSON as evidence, JUnit for build servers, one word
 * for those who wait in AWS. All of them say the same verdict.
 */
#ifndef LAZ_GATE_REPORT_H
#define LAZ_GATE_REPORT_H

#include "gate/judge.h"

#define LAZ_GATE_REPORT_MAX ((size_t)64 * 1024 * 1024) /* bytes: rows, and all samples */

/* Borrowed, all of it. */
struct laz_gate_report {
    const struct laz_gate_case *judged;
    const struct laz_gate_rows *rows;
    enum laz_gate_result verdict;
    int64_t started_ms;
    int64_t ended_ms;
    const char *config_path;
    const uint8_t *config_sha256; /* LAZ_SHA256_SIZE bytes */
};

void laz_gate_report_text(const struct laz_gate_report *report, struct laz_buf *ret);
/* Schema lazaret.gate/1, one line. */
void laz_gate_report_json(const struct laz_gate_report *report, struct laz_buf *ret);
void laz_gate_report_junit(const struct laz_gate_report *report, struct laz_buf *ret);
/* What a lifecycle hook of ECS answers: {"hookStatus":"IN_PROGRESS"}. */
void laz_gate_report_ecs_hook(const struct laz_gate_report *report, struct laz_buf *ret);
/* What a hook of CodeDeploy is told: Succeeded or Failed. */
void laz_gate_report_codedeploy(const struct laz_gate_report *report, struct laz_buf *ret);

const char *laz_gate_mode_name(enum laz_gate_mode value);

#endif
