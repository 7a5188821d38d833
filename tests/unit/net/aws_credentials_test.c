/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/aws_credentials: what keeps a process from asking for credentials at all. Nobody answers
 * here: whatever is said was found before anybody was asked.
 */
#include "net/aws_credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define NOBODY "http://127.0.0.1:1/v2/credentials/CANARYpath"

struct heard {
    struct event_base *base;
    bool is_ready;
    char why[LAZ_ERR_MESSAGE_MAX];
};

static void on_ready(void *context)
{
    struct heard *heard = context;
    heard->is_ready = true;
    (void)event_base_loopbreak(heard->base);
}

static void on_failed(void *context, const char *why)
{
    struct heard *heard = context;
    (void)snprintf(heard->why, sizeof(heard->why), "%s", why);
    (void)event_base_loopbreak(heard->base);
}

/* Why there are none. */
static const char *ask(const struct laz_aws_environment *environment, struct heard *heard)
{
    const struct laz_aws_credentials_plan plan = {.environment = environment, .ca = ""};
    const struct laz_aws_credentials_owner owner = {
            .ready = on_ready, .failed = on_failed, .context = heard};
    struct laz_aws_credentials *credentials = NULL;
    struct laz_err err = {0};
    *heard = (struct heard){.base = event_base_new()};
    cr_assert_not_null(heard->base);
    if (laz_aws_credentials_new(heard->base, &plan, &owner, &credentials, &err) != 0) {
        (void)snprintf(heard->why, sizeof(heard->why), "%s", err.message);
    } else {
        cr_expect_null(laz_aws_credentials_get(credentials));
        (void)event_base_dispatch(heard->base);
        cr_expect_not(laz_aws_credentials_untrusted(credentials));
    }
    laz_aws_credentials_free(credentials);
    event_base_free(heard->base);
    cr_expect_not(heard->is_ready);
    return heard->why;
}

Test(aws_credentials, says_why_a_token_cannot_be_sent)
{
    static const struct {
        const char *text;
        size_t length;
        const char *why;
    } rows[] = {
            {"", 0, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read"},
            {"\r\n\n", 3, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read"},
            {"CANARY\0more", 11, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read"},
            {"CANARY\nx-evil: 1", 16, "is there a line feed in the token?"},
            {"CANARY\r\n", 8, "Connection refused"}, /* control: it is sent, and nobody is there */
    };
    char path[] = "/tmp/lazaret-token-XXXXXX";
    int fd = mkstemp(path);
    struct heard heard;
    cr_assert_geq(fd, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct laz_aws_environment environment = {.full_uri = NOBODY, .token_file = path};
        cr_assert(ftruncate(fd, 0) == 0 &&
                pwrite(fd, rows[i].text, rows[i].length, 0) == (ssize_t)rows[i].length);
        const char *why = ask(&environment, &heard);
        cr_expect_not_null(strstr(why, "credentials from the container agent: "), "%s", why);
        cr_expect_not_null(strstr(why, rows[i].why), "row %zu: %s", i, why);
        cr_expect_null(strstr(why, "CANARY"), "a part of it is said: %s", why);
    }
    (void)close(fd);
    (void)unlink(path);
    const struct laz_aws_environment gone = {.full_uri = NOBODY, .token_file = path};
    cr_expect_not_null(strstr(ask(&gone, &heard), "TOKEN_FILE cannot be read"), "%s", heard.why);
}

/* Whoever opened its folder has found that others may lead it elsewhere. */
Test(aws_credentials, reads_no_token_where_it_was_told_not_to)
{
    char path[] = "/tmp/lazaret-token-XXXXXX";
    int fd = mkstemp(path);
    struct heard heard;
    cr_assert(fd >= 0 && write(fd, "CANARY", 6) == 6);
    const struct laz_aws_environment environment = {
            .full_uri = NOBODY, .token_file = path, .token_why = "/x belongs to the workload"};
    cr_expect_str_eq(ask(&environment, &heard),
            "credentials from the container agent: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "
            "/x belongs to the workload");
    (void)close(fd);
    (void)unlink(path);
}

Test(aws_credentials, has_nobody_to_ask)
{
    static const struct {
        struct laz_aws_environment environment;
        const char *why;
    } rows[] = {
            {{0}, "(imds: permitted)"},
            {{.relative_uri = "no path"}, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path"},
            {{.full_uri = "http://10.0.0.1/x"}, "is neither https nor an address of this host"},
            {{.full_uri = "https://"}, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
    };
    struct heard heard;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *why = ask(&rows[i].environment, &heard);
        cr_expect_not_null(strstr(why, rows[i].why), "row %zu: %s", i, why);
    }
    cr_expect_not_null(strstr(ask(NULL, &heard), "(imds: permitted)"), "%s", heard.why);
}
