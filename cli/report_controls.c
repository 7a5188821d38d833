/* SPDX-License-Identifier: Apache-2.0
 *
 * The technical safeguards of 45 CFR 164.312, one by one: which records speak for each, and what no
 * record can show. Never says that one is met: that is for whoever is responsible to say.
 */
#include "cli/report.h"

#define N(n) ((unsigned long long)(n))

static uint64_t sum(const struct laz_report *report, const char *const *events)
{
    uint64_t all = 0;
    for (; *events != NULL; events++) {
        all += laz_report_count(report, *events, NULL);
    }
    return all;
}

static void if_any(struct laz_buf *evidence, uint64_t n, const char *what)
{
    if (n > 0) {
        laz_buf_printf(evidence, "%s: %llu\n", what, N(n));
    }
}

static enum laz_control_verdict said(const struct laz_buf *evidence, bool has_findings)
{
    return has_findings         ? LAZ_CONTROL_FINDINGS
            : evidence->len > 0 ? LAZ_CONTROL_SHOWN
                                : LAZ_CONTROL_SILENT;
}

static enum laz_control_verdict access_control(
        const struct laz_report *report, struct laz_buf *evidence)
{
    const struct laz_report_starts *starts = &report->starts;
    static const char *const denied[] = {"seccomp.deny", "exec.budget", NULL};
    uint64_t drifted = laz_report_count(report, "cred.change", NULL);
    if (starts->all > 0) {
        laz_buf_printf(evidence,
                "starts of a program that were read back from the kernel before it ran: %llu; in "
                "mode enforce: %llu; not as root: %llu; without any capability: %llu; with "
                "no_new_privs: %llu; behind a filter of system calls: %llu; with rules for files "
                "(Landlock): %llu\n",
                N(starts->all), N(starts->enforced), N(starts->not_root),
                N(starts->without_capabilities), N(starts->no_new_privs), N(starts->filtered),
                N(starts->landlocked));
    }
    if_any(evidence, sum(report, denied), "refused system calls that the policy does not allow");
    if_any(evidence, laz_report_count(report, "init.stop", "refused"),
            "starts that were refused, with an error by name");
    if_any(evidence, starts->degraded,
            "starts with less than the policy prefers, as the list of runs says");
    if_any(evidence, starts->relaxed,
            "starts under a policy with relaxations, as the list of runs says");
    if_any(evidence, drifted, "processes that were found to be more than the policy says");
    return said(evidence,
            drifted > 0 || starts->degraded > 0 || starts->relaxed > 0 ||
                    starts->enforced < starts->all);
}

static enum laz_control_verdict user_identification(
        const struct laz_report *report, struct laz_buf *evidence)
{
    uint64_t shared = 0;
    for (size_t i = 0; i < report->n_names; i++) {
        shared += laz_span_is(report->names[i].name, "\"shared-user\"") ? report->names[i].n : 0;
    }
    if_any(evidence, report->starts.not_root,
            "starts of a service under a user id other than root, which the list of runs names");
    if_any(evidence, shared, "starts in which the service shares its user id with its init");
    return said(evidence, shared > 0);
}

static enum laz_control_verdict emergency_access(
        const struct laz_report *report, struct laz_buf *evidence)
{
    if_any(evidence, laz_report_count(report, "exec.foreign", NULL),
            "processes that were put into a container from outside (docker exec, ECS Exec, health "
            "commands), and recorded");
    return said(evidence, false);
}

static enum laz_control_verdict logoff(const struct laz_report *report, struct laz_buf *evidence)
{
    (void)report;
    return said(evidence, false);
}

static enum laz_control_verdict encryption(
        const struct laz_report *report, struct laz_buf *evidence)
{
    uint64_t broken = laz_report_count(report, "volume.change", "violated");
    static const char *const late[] = {"secret.stale", "secret.expired", NULL};
    if_any(evidence, laz_report_count(report, "secret.deliver", "delivered"),
            "keys and secrets that were handed to a service in memory, and not on a disk");
    if_any(evidence, laz_report_count(report, "secret.rotate", "rotated"),
            "keys and secrets that were changed");
    if_any(evidence, sum(report, late), "keys and secrets that were stale or expired");
    if_any(evidence, broken, "volumes that were not as the policy requires them");
    return said(evidence, broken > 0 || sum(report, late) > 0);
}

static enum laz_control_verdict audit_controls(
        const struct laz_report *report, struct laz_buf *evidence)
{
    size_t n = laz_verify_count(report->trails->verify);
    uint64_t closed = 0;
    uint64_t lost = 0;
    for (size_t i = 0; i < n; i++) {
        const struct laz_chain_verdict *verdict = laz_verify_at(report->trails->verify, i);
        closed += verdict->completeness == LAZ_COMPLETE_CLOSED;
        lost += verdict->lost + verdict->missing;
    }
    static const char *const held[] = {
            "sink.reject", "spool.corrupt", "spool.error", "spool.left", "events.gap", NULL};
    if (n > 0) {
        laz_buf_printf(evidence,
                "trails: %llu; records: %llu; lines of the services: %llu; closed, from the first "
                "record to the signed last one: %llu\n",
                N(n), N(report->n_entries), N(report->logs), N(closed));
    }
    if_any(evidence, lost, "records that are missing, or were lost and are named");
    if_any(evidence, laz_report_count(report, "sink.down", NULL),
            "times that a collector could not be had, and its records waited");
    if_any(evidence, sum(report, held),
            "records of trouble with the trail itself, which the events name");
    return said(
            evidence, !laz_trails_are_fine(report->trails) || lost > 0 || sum(report, held) > 0);
}

static enum laz_control_verdict integrity(const struct laz_report *report, struct laz_buf *evidence)
{
    static const char *const changed[] = {"fim.change", "exec.drift", "exec.memfd", NULL};
    if_any(evidence, report->starts.watched,
            "runs in which files and programs were watched for changes");
    if_any(evidence, laz_report_count(report, "fim.change", NULL), "changes of watched files");
    if_any(evidence, laz_report_count(report, "exec.drift", NULL),
            "programs that ran and were not in the image");
    if_any(evidence, laz_report_count(report, "exec.memfd", NULL),
            "programs that ran and were only in memory");
    return said(evidence, sum(report, changed) > 0);
}

static enum laz_control_verdict authenticate_ephi(
        const struct laz_report *report, struct laz_buf *evidence)
{
    size_t n = laz_verify_count(report->trails->verify);
    uint64_t whole = 0;
    for (size_t i = 0; i < n; i++) {
        const struct laz_chain_verdict *verdict = laz_verify_at(report->trails->verify, i);
        whole += verdict->integrity == LAZ_INTEGRITY_OK && verdict->uniqueness == LAZ_UNIQUE_SINGLE;
    }
    if (n > 0) {
        laz_buf_printf(evidence,
                "trails that are as they were written: %llu of %llu; each record's hash was "
                "computed anew for this report, and each signature (Ed25519) checked\n",
                N(whole), N(n));
    }
    return said(evidence, whole < n);
}

static enum laz_control_verdict authentication(
        const struct laz_report *report, struct laz_buf *evidence)
{
    uint64_t unverified = laz_report_count(report, "tunnel.refused", "unverified");
    if_any(evidence, report->tunnelled,
            "connections that went through TLS of Lazaret's own, at least");
    if_any(evidence, unverified,
            "connections that were refused, because the peer could not prove who it is");
    if_any(evidence, laz_report_count(report, "tunnel.identity", "renewed"),
            "certificates that were renewed");
    if_any(evidence, laz_report_count(report, "stop.request", "refused"),
            "requests to stop a service that were refused, because of who asked");
    return said(evidence, false);
}

static enum laz_control_verdict transmission(
        const struct laz_report *report, struct laz_buf *evidence)
{
    static const char *const plain[] = {"plain.connect", "plain.listen", NULL};
    if_any(evidence, report->starts.plain_enforced,
            "starts in which clear text to the named ports was made impossible");
    if_any(evidence, report->starts.fips, "starts with the FIPS provider on");
    if_any(evidence, report->tunnelled,
            "connections that went through TLS of Lazaret's own, at least");
    if_any(evidence, laz_report_count(report, "tunnel.refused", "no-tls"),
            "connections that were refused, because the other side had no TLS");
    if_any(evidence, sum(report, plain), "times that clear text was seen where it must not be");
    return said(evidence, sum(report, plain) > 0);
}

static const struct laz_control controls[] = {
        {"164.312(a)(1)", "Access control",
                "It is the service's processes that are confined. Who of its users may see which "
                "record is decided in the application.",
                access_control, true, false},
        {"164.312(a)(2)(i)", "Unique user identification",
                "A user id names a service, and no person. Who of the staff did what is in the "
                "application's own log, which the trail carries if it is written to its output.",
                user_identification, false, false},
        {"164.312(a)(2)(ii)", "Emergency access procedure",
                "Lazaret has no such procedure. It records who comes in from outside, if that "
                "lives until the next look, and not why.",
                emergency_access, false, false},
        {"164.312(a)(2)(iii)", "Automatic logoff",
                "Sessions are the application's: no record can speak of them.", logoff, false,
                true},
        {"164.312(a)(2)(iv)", "Encryption and decryption",
                "What a provider encrypts below the container's kernel (EBS, a database) cannot be "
                "seen from inside, and what a service does with its keys is the service's.",
                encryption, false, true},
        {"164.312(b)", "Audit controls",
                "The trail is what Lazaret saw and what the service said. That it is whole says "
                "nothing about what nobody wrote down, and that somebody reads it is not in it.",
                audit_controls, true, false},
        {"164.312(c)(1)", "Integrity",
                "Watched are the files of a container. That records in a database are not altered "
                "or destroyed is the database's, and its backups'.",
                integrity, true, false},
        {"164.312(c)(2)", "Mechanism to authenticate electronic protected health information",
                "This is shown of the trail, and of health information only as far as it stands in "
                "it. Whoever held a container from its first moment can have written any trail: "
                "compare with what collectors have seen (--anchor).",
                authenticate_ephi, false, true},
        {"164.312(d)", "Person or entity authentication",
                "Services prove to each other who they are, by certificates. People are "
                "authenticated by the application.",
                authentication, true, false},
        {"164.312(e)(1)", "Transmission security",
                "Seen is what goes through Lazaret, and what the kernel shows of ports. TLS that "
                "the service speaks itself, and what a load balancer does, is not.",
                transmission, true, false},
        {"164.312(e)(2)(i)", "Integrity controls",
                "TLS protects what is under way; that both ends keep it as it came is theirs.",
                transmission, false, true},
        {"164.312(e)(2)(ii)", "Encryption",
                "The same: what does not pass Lazaret is not seen, but for ports that are for TLS "
                "alone.",
                transmission, false, true},
};

const struct laz_control *laz_control_at(size_t i)
{
    return i < sizeof(controls) / sizeof(controls[0]) ? &controls[i] : NULL;
}

const char *laz_control_verdict_name(enum laz_control_verdict verdict)
{
    switch (verdict) {
    case LAZ_CONTROL_SHOWN:
        return "shown";
    case LAZ_CONTROL_FINDINGS:
        return "findings";
    case LAZ_CONTROL_SILENT:
        return "silent";
    }
    return "";
}
