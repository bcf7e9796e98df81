/* The list of what is read at login. Paths below home; a folder stands for all that is in it. */
#include "guard/login.h"

#include "base/path.h"
#include "policy/glob.h"

static const char *const login_files_read[] = {
	/* sshd */
	".ssh", ".rhosts", ".shosts", ".k5login", ".k5users",
	/* PAM */
	".pam_environment", ".pam_mount.conf.xml", ".google_authenticator", ".yubico", ".pam-gnupg", ".config/Yubico",
	/* shells */
	".profile", ".login", ".logout", ".environment",
	".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".bash_completion", ".inputrc",
	".zshenv", ".zshrc", ".zprofile", ".zlogin", ".zlogout", ".zsh", ".config/zsh",
	".cshrc", ".tcshrc", ".kshrc", ".mkshrc", ".shrc", ".yashrc", ".yash_profile", ".esrc", ".rcrc",
	".config/fish", ".local/share/fish", ".config/nushell", ".config/elvish", ".xonshrc", ".config/xonsh",
	/* the user's systemd, started by pam_systemd, and the desktop */
	".config/systemd", ".config/containers/systemd", ".local/share/systemd", ".config/environment.d", ".config/autostart", ".config/user-tmpfiles.d",
	".xprofile", ".xsession", ".xsessionrc", ".xinitrc", ".dmrc",
	/* mail delivery and others that run what they read */
	".forward", ".procmailrc", ".mailfilter", ".qmail", ".maildrop", ".tmux.conf", ".screenrc",
};

enum { LOGIN_FILES = sizeof(login_files_read) / sizeof(login_files_read[0]) };

const char *login_name(size_t index)
{
	return index < LOGIN_FILES ? login_files_read[index] : NULL;
}

bool login_lifted(struct span below, const struct patterns *lifted)
{
	for (size_t i = 0; i < lifted->count; i++)
		if (glob_match(lifted->items[i], below, GLOB_PATH | GLOB_FOLDER))
			return true;
	return false;
}

static uint8_t login_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static bool login_same(struct span a, struct span b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++)
		if (login_lower(a.p[i]) != login_lower(b.p[i]))
			return false;
	return a.n == b.n;
}

/* name, or what is below it. */
static bool login_is(struct span below, const char *name)
{
	size_t n = strlen(name);
	return below.n >= n && (below.n == n || below.p[n] == '/') && login_same(span_of(below.p, n), span_str(name));
}

bool login_file(struct span path, struct span home, const struct patterns *lifted)
{
	struct span below;
	if (home.n == 0 || !path_below(path, home, &below) || below.n == 0 || below.p[0] != '.')
		return false;
	for (size_t i = 0; i < LOGIN_FILES; i++)
		if (login_is(below, login_files_read[i]))
			return !login_lifted(below, lifted);
	return false;
}

bool login_above(struct span path, struct span home, const struct patterns *lifted)
{
	struct span below;
	if (home.n == 0)
		return false;
	if (path_below(home, path, &below))
		return true; /* the home itself, or what it is in */
	if (!path_below(path, home, &below))
		return false;
	for (size_t i = 0; i < LOGIN_FILES; i++) {
		struct span name = span_str(login_files_read[i]);
		bool longer = name.n > below.n && name.p[below.n] == '/';
		if (longer && login_same(below, span_of(name.p, below.n)) && !login_lifted(name, lifted))
			return true;
	}
	return false;
}
