/* shim/invocation: arguments and environment, and what is left of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shim/shim.h"

TestSuite(shim_invocation, .timeout = 30);

enum { WORDS = 5 };

struct row {
	const char *words[WORDS];
	const char *original;   /* SSH_ORIGINAL_COMMAND, or NULL */
	bool refused, done, login_shell;
	const char *request;    /* or NULL: none */
	const char *conf_path;  /* or NULL: the usual one */
};

static char self[4096];

static const struct row rows[] = {
	{ { "xferwarden" }, "scp -t .", false, false, false, "scp -t .", NULL },
	{ { "xferwarden" }, "", false, false, false, "", NULL },
	{ { "xferwarden" }, NULL, false, false, false, NULL, NULL },
	{ { "/usr/bin/xferwarden", "-f", "/x.conf" }, "scp -t .", false, false, false, "scp -t .", "/x.conf" },
	{ { "xferwarden", "-f", "/x.conf", "-f", "/y.conf" }, NULL, false, false, false, NULL, "/y.conf" },
	{ { "xferwarden", "-f" }, "scp -t .", true, false, false, "scp -t .", NULL },
	{ { "xferwarden", "-f", "" }, "scp -t .", false, false, false, "scp -t .", "" },
	/* a login shell: the argument is the request, the environment's word may be the client's */
	{ { "xferwarden", "-c", "scp -t x" }, "scp -f /etc/shadow", false, false, true, "scp -t x", NULL },
	{ { "xferwarden", "-c", "" }, "scp -t .", false, false, true, "", NULL },
	{ { "xferwarden", "-c" }, "scp -t .", true, false, false, "scp -t .", NULL },
	{ { "xferwarden", "-c", "scp -t x", "more" }, NULL, true, false, false, NULL, NULL },
	{ { "xferwarden", "-c", "scp -t x", "-f", "/x.conf" }, NULL, true, false, false, NULL, NULL },
	{ { "xferwarden", "-f", "/x.conf", "-c", "scp -t x" }, NULL, true, false, false, NULL, "/x.conf" },
	{ { "-xferwarden" }, "scp -t .", false, false, true, NULL, NULL },
	{ { "-xferwarden", "-f", "/x.conf" }, "scp -t .", true, false, true, NULL, NULL },
	{ { "-xferwarden", "-c", "scp -t x" }, "scp -f y", false, false, true, "scp -t x", NULL },
	/* as a login shell with a ForceCommand that is this program: then sshd has set the request */
	{ { "xferwarden", "-c", self }, "scp -t .", false, false, true, "scp -t .", NULL },
	{ { "xferwarden", "-c", self }, NULL, false, false, true, NULL, NULL },
	{ { "xferwarden", "-c", "xferwarden" }, "scp -t .", false, false, true, "xferwarden", NULL },
	{ { "xferwarden", "-c", "/usr/bin/env" }, "scp -t .", false, false, true, "/usr/bin/env", NULL },
	{ { "xferwarden", "--version" }, NULL, false, true, false, NULL, NULL },
	{ { "xferwarden", "--help" }, NULL, false, true, false, NULL, NULL },
	{ { "xferwarden", "scp", "-t", "." }, NULL, true, false, false, NULL, NULL },
	{ { "xferwarden", "-l" }, NULL, true, false, false, NULL, NULL },
	{ { "xferwarden", "" }, NULL, true, false, false, NULL, NULL },
	{ { "xferwarden", "--" }, NULL, true, false, false, NULL, NULL },
	{ { "xferwarden", "-fx.conf" }, NULL, true, false, false, NULL, NULL },
};

static void find_self(void)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	cr_assert_gt(n, 0);
	self[n] = '\0';
	cr_assert(freopen("/dev/null", "w", stdout) != NULL); /* --version and --help speak; so does the test's protocol, elsewhere */
}

Test(shim_invocation, what_is_asked_by_arguments_and_environment)
{
	find_self();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		char *argv[WORDS + 1] = { NULL };
		struct invocation invocation;
		bool done = false;
		int argc = 0;
		for (; argc < WORDS && row->words[argc] != NULL; argc++)
			argv[argc] = strdup(row->words[argc]);
		clearenv();
		if (row->original)
			setenv("SSH_ORIGINAL_COMMAND", row->original, 1);
		const char *why = invocation_read(&invocation, argc, argv, &done);
		cr_expect_eq(why != NULL, row->refused, "row %zu: %s", i, why ? why : "not refused");
		cr_expect_eq(done, row->done, "row %zu", i);
		cr_expect_str_eq(invocation.conf_path, row->conf_path ? row->conf_path : XFERWARDEN_CONF, "row %zu", i);
		if (!row->refused) {
			cr_expect_eq(invocation.login_shell, row->login_shell, "row %zu", i);
			cr_expect_eq(invocation.request.p != NULL, row->request != NULL, "row %zu", i);
			cr_expect(span_is(invocation.request, row->request ? row->request : ""), "row %zu", i);
		}
		while (argc > 0)
			free(argv[--argc]);
	}
}

Test(shim_invocation, the_environment_is_read_and_then_gone)
{
	char *argv[] = { (char *)(uintptr_t)"xferwarden", NULL };
	struct invocation invocation;
	bool done = false;
	setenv("LD_PRELOAD", "", 1);
	setenv("SSH_ORIGINAL_COMMAND", "scp -f \xff\x01 '", 1);
	setenv("SSH_CONNECTION", "192.0.2.7 50022 198.51.100.1 22", 1);
	setenv("SSH_USER_AUTH", "/tmp/sshauth.x", 1);
	cr_expect_null(invocation_read(&invocation, 1, argv, &done));
	cr_expect(environ == NULL || environ[0] == NULL);
	cr_expect_null(getenv("PATH"));
	cr_expect(span_is(invocation.request, "scp -f \xff\x01 '"));
	cr_expect_str_eq(invocation.connection, "192.0.2.7 50022 198.51.100.1 22");
	cr_expect_str_eq(invocation.user_auth, "/tmp/sshauth.x");
	struct invocation bare;
	cr_expect_null(invocation_read(&bare, 0, argv, &done));
	cr_expect(bare.connection == NULL && bare.user_auth == NULL && bare.request.p == NULL);
}
