/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks: from evidence to rows. Each row is about one check of one target; the same evidence
 * always gives the same rows.
 */
#ifndef LAZ_GATE_JUDGE_H
#define LAZ_GATE_JUDGE_H

#include "gate/health.h"

/* Borrowed, all of it. */
struct laz_gate_case {
    enum laz_gate_mode mode;
    const struct laz_gate_config *config;
    int64_t now_ms; /* when the gate began: files are as old as they were then */
    const struct laz_gate_input *inputs;
    size_t n_inputs;
    const struct laz_gate_samples *samples;  /* of the targets */
    const struct laz_gate_samples *baseline; /* of the other colour */
    const char *const *targets;              /* each once */
    size_t n_targets;
    const char *unclear; /* why they may not be all of this colour; NULL */
    bool asks_targets;   /* it polls them; otherwise samples come from files */
};

/* Beyond the rows: how many there are of this colour, for those that the gate was not told of; -1
 * unknown. */
struct laz_gate_counts {
    int64_t running;    /* tasks */
    int64_t registered; /* in the target group */
    int64_t instances;  /* of the environment of Elastic Beanstalk */
};

/* What stands in the files: once for each run. */
void laz_gate_judge_files(const struct laz_gate_case *judged, struct laz_gate_rows *rows,
        struct laz_gate_counts *ret);

/* What the targets say, of the samples so far: again after each round. */
void laz_gate_judge_targets(const struct laz_gate_case *judged,
        const struct laz_gate_counts *counts, struct laz_gate_rows *rows);

/* ---- Parts of the above ---- */

/* What a document does not say because of what it is. */
#define LAZ_GATE_SAYS_MINIMAL                                                                      \
    "it does not say: the document is minimal (health.expose: full in the policy)"

void laz_gate_judge_tasks(const struct laz_gate_case *judged, struct laz_gate_json root,
        struct laz_gate_rows *rows, struct laz_gate_counts *counts);
void laz_gate_judge_protection(struct laz_gate_json root, struct laz_gate_rows *rows);
void laz_gate_judge_group(const struct laz_gate_case *judged, const struct laz_gate_input *input,
        struct laz_gate_rows *rows, struct laz_gate_counts *counts);
void laz_gate_judge_rules(
        const struct laz_gate_case *judged, struct laz_gate_json root, struct laz_gate_rows *rows);
void laz_gate_judge_beanstalk(const struct laz_gate_case *judged, struct laz_gate_json root,
        struct laz_gate_rows *rows, struct laz_gate_counts *counts);
void laz_gate_judge_volumes(struct laz_gate_json root, struct laz_gate_rows *rows);
void laz_gate_judge_facts(const struct laz_gate_case *judged, struct laz_gate_rows *rows);
void laz_gate_judge_time(const struct laz_gate_case *judged, struct laz_gate_rows *rows);
void laz_gate_judge_retire(const struct laz_gate_case *judged, struct laz_gate_rows *rows);

/* Is the file's group the colour's own? */
bool laz_gate_is_own_group(const struct laz_gate_config *config, const struct laz_gate_input *file);
/* Is it a file that may be judged: whole, and not older than it may be? */
bool laz_gate_is_usable(const struct laz_gate_case *judged, const struct laz_gate_input *input);
/* The samples of one target: the next one behind `previous`, or the first; NULL at the end. */
const struct laz_gate_sample *laz_gate_sample_next(const struct laz_gate_samples *samples,
        const char *target, const struct laz_gate_sample *previous);
/* The last one with a document; NULL. */
const struct laz_gate_sample *laz_gate_sample_last(
        const struct laz_gate_samples *samples, const char *target);
/* Is the sample neither too old nor from the future, so far as its time is known at all? */
bool laz_gate_is_fresh(const struct laz_gate_case *judged, const struct laz_gate_sample *sample,
        struct laz_buf *ret_why);

/* What a word of AWS's means. */
struct laz_gate_word {
    const char *word; /* NULL ends the list */
    enum laz_gate_result result;
};

/* INCONCLUSIVE for what is not in the list. */
enum laz_gate_result laz_gate_judge_word(const struct laz_gate_word *words, const char *word);

/* So many are good, and so many may still become it. */
enum laz_gate_result laz_gate_judge_number(uint64_t good, uint64_t undecided, uint64_t least);

#endif
