/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret gate: reads its files, asks its targets, writes what came of it. It calls nothing else,
 * and never AWS. Reference: docs/reference/gate.md.
 */
#include "cli/gate.h"

#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/replace.h"
#include "core/format.h"
#include "core/num.h"

#define TIMEOUT_MS     600000
#define TIMEOUT_MAX_MS 86400000
#define FILE_MODE      0644
#define PROGRESS_MS    30000 /* a line at least so often */

/* One run, from the command line to the verdict. */
struct run {
    struct laz_gate_plan plan;
    struct laz_gate_config config;
    struct laz_gate_input config_file;
    struct laz_gate_targets targets;
    struct laz_gate_samples samples;
    struct laz_gate_samples baseline;
    struct laz_gate_case judged;
    struct laz_gate_counts counts;
    struct laz_gate_rows rows;
    size_t n_file_rows; /* of them, which stay as they are */
    int64_t started_ms;
    uint64_t told; /* a digest of what the last line of progress was about */
    int64_t told_ms;
};

static void free_run(struct run *run)
{
    for (size_t i = 0; i < run->plan.n_inputs; i++) {
        laz_gate_input_done(&run->plan.inputs[i]);
    }
    laz_gate_input_done(&run->config_file);
    laz_gate_targets_done(&run->targets);
    laz_gate_samples_done(&run->samples);
    laz_gate_samples_done(&run->baseline);
    laz_gate_rows_done(&run->rows);
    free(run);
}

/* ---- The command line ---- */

static bool read_format(const char *word, enum laz_gate_format *ret)
{
    static const char *const words[] = {"text", "json", "ecs-hook", "codedeploy"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum laz_gate_format)i;
            return true;
        }
    }
    return false;
}

/* "90s", "10m", "2h" */
static bool read_time(const char *text, uint64_t *ret_ms)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t factor = strcmp(text + digits, "s") == 0 ? 1000
            : strcmp(text + digits, "m") == 0         ? 60000
            : strcmp(text + digits, "h") == 0         ? 3600000
                                                      : 0;
    uint64_t number = 0;
    if (factor == 0 || !laz_parse_u64(text, digits, TIMEOUT_MAX_MS / factor, &number) ||
            number == 0) {
        return false;
    }
    *ret_ms = number * factor;
    return true;
}

static int add_input(struct laz_gate_plan *plan, enum laz_gate_input_kind kind, const char *value,
        struct laz_err *err)
{
    const char *path = value;
    const char *group = "";
    const char *equals = strchr(value, '=');
    bool may_repeat = kind == LAZ_GATE_INPUT_HEALTH || kind == LAZ_GATE_INPUT_RULES;
    if (kind == LAZ_GATE_INPUT_TARGETS && equals != NULL) {
        group = value;
        path = equals + 1;
    }
    size_t length = group[0] == '\0' ? 0 : (size_t)(equals - group);
    if (path[0] == '\0' || length >= LAZ_GATE_GROUP_MAX || (group[0] != '\0' && length == 0)) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "--%s: \"%.128s\" is not [GROUP=]FILE",
                laz_gate_input_name(kind), value);
    }
    struct laz_gate_input *input = &plan->inputs[plan->n_inputs];
    input->kind = kind;
    input->path = path;
    (void)memcpy(input->group, group, length);
    for (size_t i = 0; i < plan->n_inputs; i++) {
        const struct laz_gate_input *other = &plan->inputs[i];
        if (other->kind == kind && !may_repeat && strcmp(other->group, input->group) == 0) {
            return laz_err_set(
                    err, LAZ_E_USAGE, 0, "--%s is there twice", laz_gate_input_name(kind));
        }
    }
    plan->n_inputs++;
    return 0;
}

static int set_once(const char **at, const char *name, const char *value, struct laz_err *err)
{
    if (*at != NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "--%s is there twice", name);
    }
    *at = value;
    return 0;
}

/* false: it is none of a file of evidence. */
static bool kind_of(enum laz_cli_option option, enum laz_gate_input_kind *ret)
{
    static const struct {
        enum laz_cli_option option;
        enum laz_gate_input_kind kind;
    } rows[] = {{LAZ_OPTION_HEALTH, LAZ_GATE_INPUT_HEALTH},
            {LAZ_OPTION_TASKS, LAZ_GATE_INPUT_TASKS},
            {LAZ_OPTION_TARGET_HEALTH, LAZ_GATE_INPUT_TARGETS},
            {LAZ_OPTION_RULES, LAZ_GATE_INPUT_RULES},
            {LAZ_OPTION_EB_HEALTH, LAZ_GATE_INPUT_BEANSTALK},
            {LAZ_OPTION_VOLUMES, LAZ_GATE_INPUT_VOLUMES},
            {LAZ_OPTION_PROTECTION, LAZ_GATE_INPUT_PROTECTION},
            {LAZ_OPTION_BASELINE, LAZ_GATE_INPUT_BASELINE}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].option == option) {
            *ret = rows[i].kind;
            return true;
        }
    }
    return false;
}

static int take_word(
        struct laz_gate_plan *plan, const struct laz_cli_word *word, struct laz_err *err)
{
    const struct {
        enum laz_cli_option option;
        const char *name;
        const char **at;
    } rows[] = {{LAZ_OPTION_CONFIG, "config", &plan->config},
            {LAZ_OPTION_TARGETS, "targets", &plan->targets}, {LAZ_OPTION_DNS, "dns", &plan->dns},
            {LAZ_OPTION_CA, "ca", &plan->ca},
            {LAZ_OPTION_SERVER_NAME, "server-name", &plan->server_name},
            {LAZ_OPTION_JSON_FILE, "json", &plan->json}, {LAZ_OPTION_JUNIT, "junit", &plan->junit}};
    enum laz_gate_input_kind kind = LAZ_GATE_INPUT_COUNT;
    if (kind_of(word->option, &kind)) {
        return add_input(plan, kind, word->value, err);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].option == word->option) {
            return set_once(rows[i].at, rows[i].name, word->value, err);
        }
    }
    if (word->option == LAZ_OPTION_FORMAT && !read_format(word->value, &plan->format)) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "--format: \"%.64s\"; there are text, json, ecs-hook and codedeploy", word->value);
    }
    if (word->option == LAZ_OPTION_TIMEOUT && !read_time(word->value, &plan->timeout_ms)) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "--timeout: \"%.64s\" is not 1s to 24h, with its unit", word->value);
    }
    return 0;
}

static int take_words(
        struct run *run, const struct laz_cli_arguments *arguments, struct laz_err *err)
{
    struct laz_gate_plan *plan = &run->plan;
    plan->timeout_ms = TIMEOUT_MS;
    for (size_t i = 0; i < arguments->n_words; i++) {
        if (take_word(plan, &arguments->words[i], err) < 0) {
            return -1;
        }
    }
    bool asks = plan->targets != NULL || plan->dns != NULL;
    if (plan->config == NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "the gate needs --config FILE");
    }
    if (plan->targets != NULL && plan->dns != NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "--targets and --dns do not go together");
    }
    for (size_t i = 0; i < plan->n_inputs && asks; i++) {
        if (plan->inputs[i].kind == LAZ_GATE_INPUT_HEALTH) {
            return laz_err_set(err, LAZ_E_USAGE, 0,
                    "--health is what targets said before: with --targets or --dns they are asked");
        }
    }
    if (plan->server_name != NULL && plan->ca == NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "--server-name needs --ca");
    }
    if (plan->ca != NULL && !asks) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "--ca needs --targets or --dns");
    }
    run->judged.asks_targets = asks;
    return 0;
}

/* ---- What has to be there before anything is judged ---- */

static int read_config(struct run *run, struct laz_err *err)
{
    struct laz_gate_input *file = &run->config_file;
    laz_gate_file_read(run->plan.config, file);
    if (file->text == NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "%.256s: %s", run->plan.config, file->why);
    }
    laz_sha256_of(file->text, file->length, file->sha256);
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    if (diagnostics == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for diagnostics");
    }
    struct laz_err why = {0};
    int result = laz_gate_config_parse(
            run->plan.config, file->text, file->length, diagnostics, &run->config, &why);
    for (size_t i = 0; i < diagnostics->n; i++) {
        laz_diagnostic_print(&diagnostics->items[i], stderr);
    }
    free(diagnostics);
    if (result < 0) {
        enum laz_err_kind kind = why.kind == LAZ_E_MEMORY ? LAZ_E_MEMORY : LAZ_E_USAGE;
        return laz_err_set(err, kind, 0, "%s", why.message);
    }
    return 0;
}

/* A time-out before the earliest possible pass is a mistake. */
static int check_time(const struct run *run, struct laz_err *err)
{
    const struct laz_gate_config *config = &run->config;
    uint64_t polls_ms = (config->consecutive - 1) * config->every_ms;
    uint64_t bake_ms = run->plan.mode == LAZ_GATE_PROMOTE ? 0 : config->bake_ms;
    uint64_t need_ms = bake_ms > polls_ms ? bake_ms : polls_ms;
    char why[LAZ_ERR_MESSAGE_MAX];
    if (!run->judged.asks_targets || need_ms < run->plan.timeout_ms) {
        return 0;
    }
    if (bake_ms > polls_ms) {
        (void)laz_format(
                why, sizeof(why), "polls span at least the bake of %zu ms", (size_t)bake_ms);
    } else {
        (void)laz_format(why, sizeof(why), "%zu polls (consecutive), one every %zu ms, span %zu ms",
                (size_t)config->consecutive, (size_t)config->every_ms, (size_t)polls_ms);
    }
    return laz_err_set(err, LAZ_E_USAGE, 0,
            "--timeout of %zu ms is over before the gate can pass: %s; it has to be longer",
            (size_t)run->plan.timeout_ms, why);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* Documents of files: the targets are those that they name. */
static void read_samples(struct run *run, struct laz_gate_input *input)
{
    bool is_baseline = input->kind == LAZ_GATE_INPUT_BASELINE;
    struct laz_err err = {0};
    if (!input->is_good || (!is_baseline && input->kind != LAZ_GATE_INPUT_HEALTH)) {
        return;
    }
    if (laz_gate_samples_read(input, base_name(input->path),
                is_baseline ? &run->baseline : &run->samples, &err) < 0) {
        input->is_good = false;
        (void)laz_format(input->why, sizeof(input->why), "%s", err.message);
    }
}

static int read_inputs(struct run *run, struct laz_err *err)
{
    for (size_t i = 0; i < run->plan.n_inputs; i++) {
        struct laz_gate_input *input = &run->plan.inputs[i];
        laz_gate_file_read(input->path, input);
        laz_gate_input_parse(input);
        read_samples(run, input);
    }
    if (run->plan.targets != NULL &&
            laz_gate_targets_parse(run->plan.targets, &run->targets, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < run->samples.n; i++) {
        if (laz_gate_targets_add(&run->targets, run->samples.items[i].target, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- Judging ---- */

/* After each round: the files' rows stay. */
static enum laz_gate_result judge(struct run *run)
{
    run->rows.n = run->n_file_rows;
    run->judged.n_targets = run->targets.n;
    run->judged.unclear = run->targets.unclear[0] == '\0' ? NULL : run->targets.unclear;
    laz_gate_judge_targets(&run->judged, &run->counts, &run->rows);
    return laz_gate_rows_verdict(&run->rows);
}

/* FNV-1a, of all but the digits: they count up in each round. */
static uint64_t digest_text(uint64_t digest, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            digest = (digest ^ (uint8_t)*text) * 1099511628211U;
        }
    }
    return digest * 31;
}

/* A line where something has changed, or nothing was said for long. It goes to standard error: what
 * is printed is the result. */
static void say_progress(struct run *run, const struct laz_gate_row *open, size_t n_open)
{
    uint64_t digest = 14695981039346656037U;
    int64_t now_ms = laz_gate_now_ms();
    for (size_t i = run->n_file_rows; i < run->rows.n; i++) {
        const struct laz_gate_row *row = &run->rows.items[i];
        digest = digest_text(digest ^ (uint64_t)row->result, row->check);
        digest = digest_text(digest, row->target);
        /* What passes may say another small thing in each round. */
        digest = digest_text(digest, row->result == LAZ_GATE_INCONCLUSIVE ? row->observed : "");
    }
    if (digest == run->told && now_ms - run->told_ms < PROGRESS_MS) {
        return;
    }
    run->told = digest;
    run->told_ms = now_ms;
    (void)fprintf(stderr, "gate %s: after %zu s %zu open: %s %s: %s\n",
            laz_gate_mode_name(run->plan.mode),
            (size_t)(now_ms > run->started_ms ? now_ms - run->started_ms : 0) / 1000, n_open,
            open->check, open->target, open->observed);
}

/* Nothing that is still to come changes it. Rows of files stay as they are; of the targets' own,
 * some stay open whatever a further poll says. */
static bool is_over(void *context)
{
    struct run *run = context;
    enum laz_gate_result verdict = judge(run);
    const struct laz_gate_row *open = NULL;
    size_t n_open = 0;
    if (verdict != LAZ_GATE_INCONCLUSIVE || run->samples.overflow || run->rows.overflow) {
        return true;
    }
    for (size_t i = run->n_file_rows; i < run->rows.n; i++) {
        const struct laz_gate_row *row = &run->rows.items[i];
        if (row->result == LAZ_GATE_INCONCLUSIVE && !row->is_final) {
            open = open == NULL ? row : open;
            n_open++;
        }
    }
    if (open == NULL) {
        return true;
    }
    say_progress(run, open, n_open);
    return false;
}

static int decide(struct run *run, struct laz_err *err)
{
    run->judged.mode = run->plan.mode;
    run->judged.config = &run->config;
    run->judged.now_ms = run->started_ms;
    run->judged.inputs = run->plan.inputs;
    run->judged.n_inputs = run->plan.n_inputs;
    run->judged.samples = &run->samples;
    run->judged.baseline = &run->baseline;
    run->judged.targets = run->targets.list;
    laz_gate_judge_files(&run->judged, &run->rows, &run->counts);
    run->n_file_rows = run->rows.n;
    if (run->judged.asks_targets) {
        const struct laz_gate_poll poll = {.plan = &run->plan,
                .every_ms = run->config.every_ms,
                .targets = &run->targets,
                .samples = &run->samples,
                .is_over = is_over,
                .context = run};
        if (laz_gate_poll(&poll, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- What is handed over ---- */

typedef void put_report(const struct laz_gate_report *report, struct laz_buf *ret);

static int write_file(const char *path, put_report *put, const struct laz_gate_report *report,
        struct laz_err *err)
{
    if (path == NULL) {
        return 0;
    }
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_GATE_REPORT_MAX);
    put(report, &buf);
    if (buf.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "%.256s: it does not fit into memory", path);
    }
    return laz_cli_replace_file(path, buf.data, buf.len, FILE_MODE, err);
}

static int exit_code(enum laz_gate_result verdict)
{
    return verdict == LAZ_GATE_PASS    ? LAZ_EXIT_FINE
            : verdict == LAZ_GATE_FAIL ? LAZ_EXIT_GATE_FAIL
                                       : LAZ_EXIT_GATE_INCONCLUSIVE;
}

static int report(struct run *run, struct laz_err *err)
{
    static put_report *const formats[] = {[LAZ_GATE_FORMAT_TEXT] = laz_gate_report_text,
            [LAZ_GATE_FORMAT_JSON] = laz_gate_report_json,
            [LAZ_GATE_FORMAT_ECS_HOOK] = laz_gate_report_ecs_hook,
            [LAZ_GATE_FORMAT_CODEDEPLOY] = laz_gate_report_codedeploy};
    const struct laz_gate_report said = {.judged = &run->judged,
            .rows = &run->rows,
            .verdict = judge(run),
            .started_ms = run->started_ms,
            .ended_ms = laz_gate_now_ms(),
            .config_path = run->plan.config,
            .config_sha256 = run->config_file.sha256};
    if (write_file(run->plan.json, laz_gate_report_json, &said, err) < 0 ||
            write_file(run->plan.junit, laz_gate_report_junit, &said, err) < 0) {
        return -1;
    }
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_GATE_REPORT_MAX);
    formats[run->plan.format](&said, &buf);
    int code = exit_code(said.verdict);
    return laz_cli_print(&buf, code) == code ? code : LAZ_EXIT_GATE_INTERNAL;
}

/* Never 1, which is nobody's answer here. */
static int fail(const struct laz_err *err)
{
    (void)laz_cli_fail(err, false);
    return err->kind == LAZ_E_USAGE ? LAZ_EXIT_USAGE : LAZ_EXIT_GATE_INTERNAL;
}

static int run_gate(const struct laz_cli_arguments *arguments, enum laz_gate_mode mode)
{
    struct laz_err err = {0};
    struct run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no memory");
        return fail(&err);
    }
    run->plan.mode = mode;
    run->started_ms = laz_gate_now_ms();
    int code = -1;
    if (laz_gate_targets_new(&run->targets, &err) == 0 && take_words(run, arguments, &err) == 0 &&
            read_config(run, &err) == 0 && check_time(run, &err) == 0 &&
            read_inputs(run, &err) == 0 && decide(run, &err) == 0) {
        code = report(run, &err);
    }
    free_run(run);
    return code < 0 ? fail(&err) : code;
}

int laz_cli_gate_promote(const struct laz_cli_arguments *arguments)
{
    return run_gate(arguments, LAZ_GATE_PROMOTE);
}

int laz_cli_gate_verify(const struct laz_cli_arguments *arguments)
{
    return run_gate(arguments, LAZ_GATE_VERIFY);
}

int laz_cli_gate_retire(const struct laz_cli_arguments *arguments)
{
    return run_gate(arguments, LAZ_GATE_RETIRE);
}
