/*
 * `xferwardenctl check`: the loader that the shim uses, with all that it complains of in the form that editors and compilers know, and what the machine
 * lacks for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit.h"
#include "conf/conf.h"
#include "ctl/command.h"
#include "ctl/machine.h"

static void check_print(const char *path, const struct conf_complaints *complaints)
{
	for (size_t i = 0; i < complaints->count; i++) {
		const struct conf_complaint *one = &complaints->list[i];
		printf("%s:", path);
		if (one->line > 0)
			printf("%u:", one->line);
		printf(" %s%s\n", one->warning ? "warning: " : "", one->text);
	}
	if (complaints->dropped > 0)
		printf("%s: %zu more\n", path, complaints->dropped);
}

/* Returns how many warnings there are. */
static size_t check_machine(const char *path, const struct conf *conf)
{
	static struct machine machine = { .syslog = AUDIT_SYSLOG_SOCKET, .journald = AUDIT_JOURNALD_SOCKET };
	machine_check(&machine, path, conf);
	for (size_t i = 0; i < machine.count; i++)
		printf("%s: warning: %s\n", path, machine.text[i]);
	return machine.count;
}

static void check_praise(const char *path, const struct conf *conf, size_t warnings)
{
	size_t rules = 0;
	if (conf->policy_count == 0) {
		printf("%s: no mistake, but no policy\n", path);
		return;
	}
	for (size_t i = 0; i < conf->policy_count; i++)
		for (int d = 0; d < DIRECTIONS; d++)
			rules += conf->policies[i].rules[d].count;
	printf("%s: %zu %s and %zu %s are fine", path, conf->policy_count, conf->policy_count == 1 ? "policy" : "policies", rules, rules == 1 ? "rule" : "rules");
	if (warnings > 0)
		printf(", %zu %s", warnings, warnings == 1 ? "warning" : "warnings");
	printf("\n");
}

int check_run(int argc, char **argv)
{
	const char *path = XFERWARDEN_CONF;
	char option[2] = { 0 };
	opterr = 0;
	for (int c; (c = getopt(argc, argv, "+:f:")) != -1;) {
		option[0] = (char)optopt;
		if (c == ':')
			return ctl_refuse("check", "a file has to follow the option", option);
		if (c != 'f')
			return ctl_refuse("check", "there is no such option", option);
		path = optarg;
	}
	if (optind < argc)
		return ctl_refuse("check", "there is nothing to do with", argv[optind]);
	struct conf_complaints *complaints = malloc(sizeof(*complaints));
	if (complaints == NULL)
		return ctl_refuse("check", "out of memory", NULL);
	struct conf conf;
	int r = conf_load(&conf, path, complaints);
	check_print(path, complaints);
	if (r == 0)
		check_praise(path, &conf, complaints->count + complaints->dropped + check_machine(path, &conf));
	conf_free(&conf);
	free(complaints);
	return r == 0 ? CTL_OK : CTL_FOUND;
}
