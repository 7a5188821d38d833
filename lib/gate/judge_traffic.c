/* SPDX-License-Identifier: Apache-2.0
 *
 * `aws elbv2 describe-target-health`, `describe-rules` and `describe-listeners`: is the colour
 * registered and healthy, and does no weight lead to a group in which nobody is? API: Elastic Load
 * Balancing v2, TargetHealth and Action.
 */
#include <inttypes.h>

#include "gate/judge.h"

#define ARN_MAX    256
#define ID_MAX     128 /* an address, an instance, a function's ARN is cut */
#define WEIGHT_MAX 999

static const struct laz_gate_word states[] = {{"healthy", LAZ_GATE_PASS},
        {"unhealthy", LAZ_GATE_FAIL}, {"unhealthy.draining", LAZ_GATE_FAIL},
        {NULL, LAZ_GATE_INCONCLUSIVE}};

/* "NAME" of arn:...:targetgroup/NAME/ID, or of itself. */
static void group_name(const char *group, char ret[LAZ_GATE_GROUP_MAX])
{
    static const char mark[] = ":targetgroup/";
    const char *name = strstr(group, mark);
    name = name == NULL ? group : name + strlen(mark);
    size_t length = strcspn(name, "/");
    length = length < LAZ_GATE_GROUP_MAX ? length : LAZ_GATE_GROUP_MAX - 1;
    (void)memcpy(ret, name, length);
    ret[length] = '\0';
}

/* Two ARNs are compared whole, a name and an ARN by name. */
static bool is_same_group(const char *a, const char *b)
{
    char name_a[LAZ_GATE_GROUP_MAX];
    char name_b[LAZ_GATE_GROUP_MAX];
    if (strncmp(a, "arn:", 4) == 0 && strncmp(b, "arn:", 4) == 0) {
        return strcmp(a, b) == 0;
    }
    group_name(a, name_a);
    group_name(b, name_b);
    return strcmp(name_a, name_b) == 0;
}

bool laz_gate_is_own_group(const struct laz_gate_config *config, const struct laz_gate_input *file)
{
    return file->group[0] == '\0' ||
            (config->target_group[0] != '\0' && is_same_group(file->group, config->target_group));
}

/* ---- Targets ---- */

static void read_state(struct laz_gate_json item, char *ret, size_t size)
{
    laz_ignore(laz_gate_json_text(
            laz_gate_json_member(laz_gate_json_member(item, "TargetHealth"), "State"), ret, size));
}

static struct laz_gate_json targets_of(struct laz_gate_json root)
{
    return laz_gate_json_member(root, "TargetHealthDescriptions");
}

/* Those whose state has that result. */
static uint64_t count_states(struct laz_gate_json root, enum laz_gate_result result)
{
    struct laz_gate_json list = targets_of(root);
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    uint64_t n = 0;
    for (; item.node != NULL; item = laz_gate_json_element(list, item)) {
        char state[LAZ_GATE_WORD_MAX * 2];
        read_state(item, state, sizeof(state));
        n += laz_gate_judge_word(states, state) == result ? 1 : 0;
    }
    return n;
}

static uint64_t count_healthy(struct laz_gate_json root)
{
    return count_states(root, LAZ_GATE_PASS);
}

static void say_target(struct laz_gate_json item, size_t index, struct laz_gate_rows *rows)
{
    char id[ID_MAX];
    char name_text[LAZ_GATE_NAME_MAX];
    char state[LAZ_GATE_WORD_MAX * 2];
    char reason[LAZ_GATE_TEXT_SHOWN];
    struct laz_buf name;
    struct laz_gate_json target = laz_gate_json_member(item, "Target");
    bool has_id = laz_gate_json_text(laz_gate_json_member(target, "Id"), id, sizeof(id));
    int64_t port = laz_gate_json_number(laz_gate_json_member(target, "Port"));
    laz_buf_init_fixed(&name, name_text, sizeof(name_text));
    if (!has_id) {
        laz_buf_printf(&name, "target %zu", index);
    } else {
        laz_buf_str(&name, id);
        if (port >= 0) {
            laz_buf_printf(&name, ":%" PRId64, port);
        }
    }
    read_state(item, state, sizeof(state));
    bool has_reason = laz_gate_json_text(
            laz_gate_json_member(laz_gate_json_member(item, "TargetHealth"), "Reason"), reason,
            sizeof(reason));
    const struct laz_gate_say say = {.check = "target-state",
            .target = name_text,
            .result = laz_gate_judge_word(states, state),
            .wanted = "healthy"};
    laz_gate_rows_add(rows, &say, "%s%s%s%s", state[0] == '\0' ? "it does not say" : state,
            has_reason ? " (" : "", reason, has_reason ? ")" : "");
}

void laz_gate_judge_group(const struct laz_gate_case *judged, const struct laz_gate_input *input,
        struct laz_gate_rows *rows, struct laz_gate_counts *counts)
{
    const struct laz_gate_config *config = judged->config;
    struct laz_gate_json root = laz_gate_json_root(input);
    struct laz_gate_json list = targets_of(root);
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    struct laz_gate_say say = {.check = "targets", .target = input->group, .wanted = ""};
    if (!laz_gate_json_is(list, LAZ_JSON_ARRAY)) {
        say.result = LAZ_GATE_INCONCLUSIVE;
        say.wanted = "TargetHealthDescriptions";
        laz_gate_rows_add(rows, &say, "it is no answer of describe-target-health");
        return;
    }
    if (!laz_gate_is_own_group(config, input) || judged->mode == LAZ_GATE_RETIRE) {
        say.result = LAZ_GATE_SKIPPED;
        laz_gate_rows_add(rows, &say, "%" PRIu64 " healthy; counted for the weights alone",
                count_healthy(root));
        return;
    }
    uint64_t healthy = count_healthy(root);
    size_t index = 0;
    for (; item.node != NULL; item = laz_gate_json_element(list, item), index++) {
        say_target(item, index, rows);
    }
    say.result = index == 0
            ? LAZ_GATE_INCONCLUSIVE
            : laz_gate_judge_number(
                      healthy, count_states(root, LAZ_GATE_INCONCLUSIVE), config->min_targets);
    say.wanted = "as many healthy as min-targets";
    laz_gate_rows_add(rows, &say, "%" PRIu64 " of at least %" PRIu64 ", %zu registered", healthy,
            config->min_targets, index);
    counts->registered = (int64_t)index;
}

/* ---- Weights ---- */

struct weights {
    const struct laz_gate_case *judged;
    struct laz_gate_rows *rows;
    const char *rule; /* whose action is looked at */
    bool has_forward; /* anywhere */
    bool has_own;     /* the colour's own group has weight somewhere */
    bool is_unknown;  /* a weight, or whom it is for, could not be read */
};

/* How many are healthy in a group, by the file that is about it; -1: there is none. */
static int64_t healthy_in(const struct laz_gate_case *judged, const char *group)
{
    for (size_t i = 0; i < judged->n_inputs; i++) {
        const struct laz_gate_input *input = &judged->inputs[i];
        const char *name = input->group[0] != '\0' ? input->group : judged->config->target_group;
        if (input->kind == LAZ_GATE_INPUT_TARGETS && name[0] != '\0' &&
                is_same_group(name, group) && laz_gate_is_usable(judged, input) &&
                laz_gate_json_is(targets_of(laz_gate_json_root(input)), LAZ_JSON_ARRAY)) {
            return (int64_t)count_healthy(laz_gate_json_root(input));
        }
    }
    return -1;
}

static void say_weight(struct weights *weights, enum laz_gate_result result, const char *wanted,
        const char *observed)
{
    const struct laz_gate_say say = {
            .check = "weights", .target = weights->rule, .result = result, .wanted = wanted};
    laz_gate_rows_add(weights->rows, &say, "%s", observed);
}

static void judge_share(struct weights *weights, const char *group, uint64_t weight)
{
    char name[LAZ_GATE_GROUP_MAX];
    char target_text[LAZ_GATE_NAME_MAX];
    struct laz_buf target;
    const char *own = weights->judged->config->target_group;
    if (weight > 0 && own[0] != '\0' && is_same_group(own, group)) {
        weights->has_own = true;
    }
    group_name(group, name);
    laz_buf_init_fixed(&target, target_text, sizeof(target_text));
    laz_buf_printf(&target, "%.120s %.120s", weights->rule, name);
    int64_t healthy = healthy_in(weights->judged, group);
    const struct laz_gate_say say = {.check = "weights",
            .target = target_text,
            .result = weight == 0  ? LAZ_GATE_SKIPPED
                    : healthy < 0  ? LAZ_GATE_INCONCLUSIVE
                    : healthy == 0 ? LAZ_GATE_FAIL
                                   : LAZ_GATE_PASS,
            .wanted = weight == 0 ? "" : "a weight leads to a group with a healthy target"};
    if (weight > 0 && healthy < 0) {
        laz_gate_rows_add(weights->rows, &say,
                "weight %" PRIu64 ", and no --target-health is about this group", weight);
    } else {
        laz_gate_rows_add(weights->rows, &say, "weight %" PRIu64 ", %s", weight,
                healthy < 0            ? "nobody was asked"
                        : healthy == 0 ? "no healthy target"
                                       : "healthy targets");
    }
}

/* The weights of an action of several groups. false: they could not be read. */
static bool judge_shares(struct weights *weights, struct laz_gate_json list, uint64_t *ret_sum)
{
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    bool is_alone = laz_gate_json_count(list) == 1;
    for (; item.node != NULL; item = laz_gate_json_element(list, item)) {
        char group[ARN_MAX];
        struct laz_gate_json member = laz_gate_json_member(item, "Weight");
        int64_t weight = member.node == NULL && is_alone ? 1 : laz_gate_json_number(member);
        if (!laz_gate_json_text(
                    laz_gate_json_member(item, "TargetGroupArn"), group, sizeof(group)) ||
                weight < 0 || weight > WEIGHT_MAX) {
            return false;
        }
        judge_share(weights, group, (uint64_t)weight);
        *ret_sum += (uint64_t)weight;
    }
    return true;
}

static void judge_forward(struct weights *weights, struct laz_gate_json action)
{
    static const char wanted[] = "a target group and a weight for each share";
    char group[ARN_MAX];
    uint64_t sum = 0;
    struct laz_gate_json list =
            laz_gate_json_member(laz_gate_json_member(action, "ForwardConfig"), "TargetGroups");
    weights->has_forward = true;
    if (laz_gate_json_count(list) > 0) {
        if (!judge_shares(weights, list, &sum)) {
            weights->is_unknown = true;
            say_weight(weights, LAZ_GATE_INCONCLUSIVE, wanted, "a share cannot be read");
        } else if (sum == 0) {
            say_weight(
                    weights, LAZ_GATE_FAIL, "weight for at least one group", "all weights are 0");
        }
    } else if (laz_gate_json_text(
                       laz_gate_json_member(action, "TargetGroupArn"), group, sizeof(group))) {
        judge_share(weights, group, 1);
    } else {
        weights->is_unknown = true;
        say_weight(weights, LAZ_GATE_INCONCLUSIVE, wanted, "it forwards, and does not say where");
    }
}

static void judge_actions(struct weights *weights, struct laz_gate_json list)
{
    static const char *const others[] = {"redirect", "fixed-response", "authenticate-oidc",
            "authenticate-cognito", "jwt-validation", NULL};
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    if (item.node == NULL) {
        weights->is_unknown = true;
        say_weight(weights, LAZ_GATE_INCONCLUSIVE, "its actions", "it has none");
    }
    for (; item.node != NULL; item = laz_gate_json_element(list, item)) {
        char type[LAZ_GATE_TEXT_SHOWN];
        size_t i = 0;
        if (!laz_gate_json_text(laz_gate_json_member(item, "Type"), type, sizeof(type))) {
            type[0] = '\0';
        }
        while (others[i] != NULL && strcmp(others[i], type) != 0) {
            i++;
        }
        if (strcmp(type, "forward") == 0) {
            judge_forward(weights, item);
        } else if (others[i] == NULL) {
            weights->is_unknown = true;
            say_weight(weights, LAZ_GATE_INCONCLUSIVE, "a type of action that the gate knows",
                    type[0] == '\0' ? "an action without a type" : type);
        }
    }
}

/* After the switch the colour has weight; before it is retired, none. */
static void judge_own(struct weights *weights)
{
    const struct laz_gate_case *judged = weights->judged;
    bool wants_weight = judged->mode == LAZ_GATE_VERIFY;
    struct laz_gate_say say = {.check = "share",
            .target = judged->config->target_group,
            .result = LAZ_GATE_SKIPPED,
            .wanted = ""};
    if (judged->mode == LAZ_GATE_PROMOTE) {
        laz_gate_rows_add(weights->rows, &say, "before the switch it may have any");
        return;
    }
    say.wanted = wants_weight ? "traffic for the target-group" : "no traffic for the target-group";
    if (judged->config->target_group[0] == '\0') {
        say.result = LAZ_GATE_INCONCLUSIVE;
        laz_gate_rows_add(weights->rows, &say, "target-group is not said");
        return;
    }
    say.result = weights->has_own == wants_weight ? LAZ_GATE_PASS : LAZ_GATE_FAIL;
    if (weights->is_unknown && !weights->has_own) {
        say.result = LAZ_GATE_INCONCLUSIVE;
    }
    laz_gate_rows_add(
            weights->rows, &say, "%s", weights->has_own ? "it has weight" : "it has none");
}

void laz_gate_judge_rules(
        const struct laz_gate_case *judged, struct laz_gate_json root, struct laz_gate_rows *rows)
{
    struct weights weights = {.judged = judged, .rows = rows, .rule = ""};
    struct laz_gate_json rules = laz_gate_json_member(root, "Rules");
    bool is_rules = rules.node != NULL;
    struct laz_gate_json list = is_rules ? rules : laz_gate_json_member(root, "Listeners");
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    for (; item.node != NULL; item = laz_gate_json_element(list, item)) {
        char arn[ARN_MAX];
        bool has_arn = laz_gate_json_text(
                laz_gate_json_member(item, is_rules ? "RuleArn" : "ListenerArn"), arn, sizeof(arn));
        const char *slash = strrchr(arn, '/');
        weights.rule = !has_arn ? "a rule" : slash == NULL ? arn : slash + 1;
        judge_actions(
                &weights, laz_gate_json_member(item, is_rules ? "Actions" : "DefaultActions"));
    }
    weights.rule = "";
    if (!weights.has_forward) {
        weights.is_unknown = true;
        say_weight(&weights, LAZ_GATE_INCONCLUSIVE, "a rule that forwards", "there is none");
    }
    judge_own(&weights);
}
