/* SPDX-License-Identifier: Apache-2.0
 *
 * What the container agent says of a task: what is understood of it, and who may be asked.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "net/ecs.h"
#include "net/ecs_protection.h"

#define TASK_ARN "arn:aws:ecs:us-west-2:111122223333:task/default/8f03"

Test(ecs_documents, is_asked_for_at_the_agent_or_on_this_host)
{
    static const struct {
        const char *uri;
        uint16_t port; /* 0: nobody is asked */
    } rows[] = {
            {"http://169.254.170.2/v4/id", 80},
            {"http://169.254.170.2:51679/v4/id", 51679},
            {"http://127.0.0.1:8080/v4/id", 8080},
            {"http://[::1]:1/", 1},
            {"https://169.254.170.2/v4/id", 0},
            {"http://169.254.170.23/v4/id", 0},
            {"http://169.254.169.254/v4/id", 0},
            {"http://[::ffff:127.0.0.1]/", 0},
            {"http://localhost/v4/id", 0},
            {"http://10.0.0.1/v4/id", 0},
            {"http://127.0.0.1/v4/id?a", 0},
            {"http://169.254.170.2@10.0.0.1/", 0},
            {"/v4/id", 0},
            {"", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(laz_ecs_may_ask(rows[i].uri), rows[i].port != 0, "%s", rows[i].uri);
        cr_expect_eq(laz_ecs_port(rows[i].uri), rows[i].port, "%s", rows[i].uri);
    }
}

Test(ecs_documents, are_taken_member_by_member)
{
    static const char text[] =
            "{\"Cluster\":\"arn:aws:ecs:us-west-2:1:cluster/prod\",\"TaskARN\":\"" TASK_ARN
            "\",\"Family\":\"portal\",\"Revision\":\"24\",\"LaunchType\":\"EC2\","
            "\"ServiceName\":\"web\",\"AvailabilityZone\":\"us-west-2d\",\"Containers\":[null],"
            "\"ClockDrift\":{\"ClockErrorBound\":1.5,\"ClockSynchronizationStatus\":"
            "\"SYNCHRONIZED\"},"
            "\"EphemeralStorageMetrics\":{\"Utilized\":1,\"Reserved\":20}}";
    struct laz_ecs_facts facts = {0};
    struct laz_err err = {0};
    cr_assert_eq(laz_ecs_parse_task(text, strlen(text), &facts, &err), 0, "%s", err.message);
    cr_expect_str_eq(facts.task, TASK_ARN);
    cr_expect_str_eq(laz_ecs_task_id(&facts), "8f03");
    cr_expect_str_eq(facts.cluster, "prod");
    cr_expect_str_eq(facts.family, "portal");
    cr_expect_str_eq(facts.revision, "24");
    cr_expect_str_eq(facts.service, "web");
    cr_expect_str_eq(facts.az, "us-west-2d");
    cr_expect_str_eq(facts.launch_type, "EC2");
    cr_expect_str_eq(facts.clock, "SYNCHRONIZED");
    cr_expect(facts.has_clock_error && facts.clock_error_us == 1500);
    cr_expect(facts.storage_used_mib == 1 && facts.storage_mib == 20);
    static const char container[] =
            "{\"ImageID\":\"sha256:00\",\"ContainerARN\":\"arn:aws:ecs:r:1:container/x\","
            "\"Labels\":{\"com.amazonaws.ecs.cluster\":\"other\"},\"Health\":null}";
    cr_assert_eq(laz_ecs_parse_container(container, strlen(container), &facts, &err), 0);
    cr_expect_str_eq(facts.image, "sha256:00");
    cr_expect_str_eq(facts.container, "arn:aws:ecs:r:1:container/x");
    cr_expect_str_eq(facts.cluster, "other", "what is said later counts");
    cr_expect_str_eq(facts.task, TASK_ARN, "and what it does not say stays");
}

Test(ecs_documents, that_are_none_are_refused_by_name)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
            {"", "not JSON: byte 0: no value"},
            {"[]", "not a JSON object"},
            {"null", "not a JSON object"},
            {"{\"TaskARN\":\"" TASK_ARN "\"", "not JSON: byte"},
            {"{\"a\":1,\"a\":1}", "not JSON: byte 7: a key twice"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_ecs_facts facts = {0};
        struct laz_err err = {0};
        cr_expect_eq(laz_ecs_parse_task(rows[i].text, strlen(rows[i].text), &facts, &err), -1);
        cr_expect_eq(err.kind, LAZ_E_SINK, "%s", rows[i].text);
        cr_expect_eq(strncmp(err.message, rows[i].why, strlen(rows[i].why)), 0, "%s: %s",
                rows[i].text, err.message);
        cr_expect_str_eq(facts.task, "", "%s", rows[i].text);
    }
}

Test(ecs_documents, leave_out_what_is_no_plain_word_or_number)
{
    static const char *const texts[] = {
            "{\"TaskARN\":\"x\",\"ClockDrift\":{\"ClockErrorBound\":-1}}",
            "{\"TaskARN\":\"arn:aws:ecs:no-slash\",\"ClockDrift\":{\"ClockErrorBound\":1e3}}",
            "{\"TaskARN\":\"arn:aws:ecs:a/\",\"ClockDrift\":{\"ClockErrorBound\":99999999999999}}",
            "{\"TaskARN\":\"arn:a b/c\",\"ClockDrift\":{\"ClockErrorBound\":\"1\"}}",
            "{\"TaskARN\":\"arn:a\\nb/c\",\"ClockDrift\":[]}",
            "{\"TaskARN\":7,\"Cluster\":\"a/\",\"ClockDrift\":null}",
            "{\"TaskARN\":\"arn:\\u0000/c\",\"EphemeralStorageMetrics\":{\"Reserved\":1}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct laz_ecs_facts facts = {0};
        struct laz_err err = {0};
        cr_assert_eq(laz_ecs_parse_task(texts[i], strlen(texts[i]), &facts, &err), 0, "%s: %s",
                texts[i], err.message);
        cr_expect_str_eq(facts.task, "", "%s", texts[i]);
        cr_expect_str_eq(facts.cluster, "", "%s", texts[i]);
        cr_expect(!facts.has_clock_error && facts.storage_mib == 0, "%s", texts[i]);
    }
}

Test(ecs_protection, is_done_refused_or_tried_again)
{
    static const struct {
        unsigned status;
        const char *text;
        enum laz_call_verdict verdict;
        const char *why;
    } rows[] = {
            {200,
                    "{\"protection\":{\"ProtectionEnabled\":true,\"ExpirationDate\":\"2026-01-"
                    "01T00:00:00Z\"}}",
                    LAZ_CALL_TAKEN, ""},
            {200, "{\"protection\":{\"ProtectionEnabled\":true,\"ExpirationDate\":null}}",
                    LAZ_CALL_TAKEN, ""},
            {200, "{\"protection\":{\"ProtectionEnabled\":1}}", LAZ_CALL_REFUSED,
                    "its answer says nothing about protection"},
            {200, "{\"failure\":{\"Reason\":\"TASK_NOT_VALID\"}}", LAZ_CALL_REFUSED,
                    "ECS refuses: TASK_NOT_VALID"},
            {200,
                    "{\"failure\":{\"Reason\":\"a "
                    "value\"},\"protection\":{\"ProtectionEnabled\":true}}",
                    LAZ_CALL_REFUSED, "ECS refuses"},
            {200, "", LAZ_CALL_REFUSED, "its answer is not JSON: byte 0: no value"},
            {403, "{\"error\":{\"Code\":\"AccessDeniedException\",\"Message\":\"secret\"}}",
                    LAZ_CALL_DENIED, "it answers 403 AccessDeniedException"},
            {400, "{\"error\":{\"Code\":\"AccessDeniedException\"}}", LAZ_CALL_DENIED,
                    "it answers 400 AccessDeniedException"},
            {400, "{\"error\":{\"Code\":\"ThrottlingException\"}}", LAZ_CALL_SLOWER,
                    "it answers 400 ThrottlingException"},
            {400, "{\"error\":{\"Code\":\"InvalidParameterException\"}}", LAZ_CALL_REFUSED,
                    "it answers 400 InvalidParameterException"},
            {404, "no JSON", LAZ_CALL_ABSENT, "it answers 404"},
            {429, "", LAZ_CALL_SLOWER, "it answers 429"},
            {500, "{\"error\":{\"Code\":\"bad code\"}}", LAZ_CALL_AGAIN, "it answers 500"},
            {504, "{\"error\":{\"Code\":\"RequestCanceled\"}}", LAZ_CALL_AGAIN,
                    "it answers 504 RequestCanceled"},
            {302, "", LAZ_CALL_REFUSED, "it answers 302"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_ecs_protection said;
        char why[LAZ_ERR_MESSAGE_MAX];
        cr_expect_eq(laz_ecs_judge_protection(
                             rows[i].status, rows[i].text, strlen(rows[i].text), &said, why),
                rows[i].verdict, "%u %s", rows[i].status, rows[i].text);
        cr_expect_str_eq(why, rows[i].why, "%u %s", rows[i].status, rows[i].text);
        cr_expect_eq(said.is_on, rows[i].verdict == LAZ_CALL_TAKEN, "%s", rows[i].text);
        cr_expect_str_eq(said.until, i == 0 ? "2026-01-01T00:00:00Z" : "", "%s", rows[i].text);
    }
}
