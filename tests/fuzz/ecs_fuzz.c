/* SPDX-License-Identifier: Apache-2.0
 *
 * What the container agent says of a task. What is taken is plain words that end where they may,
 * and a task's name is an ARN with an id; nothing of an answer is in a message.
 */
#include "net/ecs.h"

#include <stdlib.h>

#include "fuzz.h"
#include "net/ecs_protection.h"

static void check_word(const char *text, size_t max)
{
    require(strlen(text) <= max);
    for (const char *c = text; *c != '\0'; c++) {
        require(*c > ' ' && *c <= '~' && *c != '"' && *c != '\\');
    }
}

static void check_facts(const struct laz_ecs_facts *facts)
{
    check_word(facts->task, LAZ_ECS_ARN_MAX);
    check_word(facts->container, LAZ_ECS_ARN_MAX);
    check_word(facts->cluster, LAZ_ECS_NAME_MAX);
    check_word(facts->family, LAZ_ECS_NAME_MAX);
    check_word(facts->service, LAZ_ECS_NAME_MAX);
    check_word(facts->revision, LAZ_ECS_WORD_MAX);
    check_word(facts->az, LAZ_ECS_WORD_MAX);
    check_word(facts->launch_type, LAZ_ECS_WORD_MAX);
    check_word(facts->clock, LAZ_ECS_WORD_MAX);
    check_word(facts->image, LAZ_ECS_DIGEST_MAX);
    require(facts->task[0] == '\0' || strncmp(facts->task, "arn:", 4) == 0);
    require(facts->task[0] == '\0' || laz_ecs_task_id(facts)[0] != '\0');
    require(strchr(facts->cluster, '/') == NULL);
}

static void check_protection(unsigned status, const char *text, size_t length)
{
    struct laz_ecs_protection said;
    char why[LAZ_ERR_MESSAGE_MAX];
    enum laz_call_verdict verdict = laz_ecs_judge_protection(status, text, length, &said, why);
    require((verdict == LAZ_CALL_TAKEN) == (why[0] == '\0'));
    require(verdict == LAZ_CALL_TAKEN || !said.is_on || status == 200);
    check_word(said.until, LAZ_ECS_TIME_MAX - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laz_ecs_facts facts = {0};
    struct laz_err err = {0};
    if (size < 1 || size > 20000) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    if (data[0] % 4 == 3) {
        static const unsigned statuses[] = {200, 400, 403, 404, 429, 500};
        check_protection(statuses[data[0] / 4 % 6], text, size - 1);
        return 0;
    }
    int result = data[0] % 2 == 0 ? laz_ecs_parse_task(text, size - 1, &facts, &err)
                                  : laz_ecs_parse_container(text, size - 1, &facts, &err);
    require(result == 0 || strncmp(err.message, "not ", 4) == 0);
    check_facts(&facts);
    return 0;
}
