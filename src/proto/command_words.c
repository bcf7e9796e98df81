/* The programs that clients ask for by name: which of them are ours to serve, and what to tell those who ask for another. */
#include "proto/command_words.h"

static const char search[] = "test -x /usr/lib/sftp-server && exec /usr/lib/sftp-server\n"
	"test -x /usr/local/lib/sftp-server && exec /usr/local/lib/sftp-server\n"
	"exec sftp-server";

/* WinSCP's SCP asks for a shell to type its commands into; its SFTP does not. */
#define SERVED "only scp and sftp"

static const char advice_shell[] = "file transfers only, no shell: use scp or sftp (WinSCP's SCP needs a shell, choose SFTP there)";
static const char advice_rsync[] = "rsync is not served here, " SERVED;
static const char advice_git[] = "git and other version control are not served here, " SERVED;
static const char advice_backup[] = "backup and sync programs are not served here, " SERVED;
static const char advice_sudo[] = "transfers run as the user who logged in; leave out sudo";
static const char advice_probe[] = "no programs are run here, " SERVED "; WinSCP's SCP needs a shell, choose SFTP there";
static const char advice_path[] = "scp is served, but not from that path; ask for scp by its name alone";
static const char advice_none[] = "not a file transfer; " SERVED " are served here";

static const struct {
	const char *name;
	const char *advice;
} advices[] = {
	{ "ash", advice_shell },
	{ "bash", advice_shell },
	{ "borg", advice_backup },
	{ "cat", advice_probe },
	{ "cd", advice_probe },
	{ "csh", advice_shell },
	{ "dash", advice_shell },
	{ "df", advice_probe },
	{ "doas", advice_sudo },
	{ "echo", advice_probe },
	{ "env", advice_probe },
	{ "exec", advice_shell },
	{ "fish", advice_shell },
	{ "git", advice_git },
	{ "git-annex-shell", advice_git },
	{ "git-lfs-authenticate", advice_git },
	{ "git-lfs-transfer", advice_git },
	{ "git-receive-pack", advice_git },
	{ "git-upload-archive", advice_git },
	{ "git-upload-pack", advice_git },
	{ "groups", advice_probe },
	{ "hg", advice_git },
	{ "ksh", advice_shell },
	{ "ls", advice_probe },
	{ "md5sum", advice_probe },
	{ "mosh-server", advice_shell },
	{ "printenv", advice_probe },
	{ "pwd", advice_probe },
	{ "restic", advice_backup },
	{ "rsync", advice_rsync },
	{ "scp", advice_path },
	{ "sh", advice_shell },
	{ "sha1sum", advice_probe },
	{ "sha256sum", advice_probe },
	{ "sudo", advice_sudo },
	{ "svnserve", advice_git },
	{ "tcsh", advice_shell },
	{ "test", advice_probe },
	{ "unison", advice_backup },
	{ "zsh", advice_shell },
};

static struct span last_component(struct span verb)
{
	size_t start = verb.n;
	while (start > 0 && verb.p[start - 1] != '/')
		start--;
	return span_of(verb.p + start, verb.n - start);
}

bool command_is_scp(struct span verb)
{
	return span_is(verb, "scp") || span_is(verb, "/usr/bin/scp") || span_is(verb, "/bin/scp");
}

bool command_is_sftp(struct span verb)
{
	/* Any path of it will do: it names what the client wants, and is never executed. */
	return span_is(verb, "internal-sftp") || span_is(last_component(verb), "sftp-server");
}

bool command_is_search(struct span command)
{
	return span_is(command, search);
}

const char *command_advice(struct span verb)
{
	struct span name = last_component(verb);
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (span_is(name, advices[i].name))
			return advices[i].advice;
	return advice_none;
}
