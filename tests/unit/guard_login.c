/* guard/login: what is read at login is refused, by whatever way it is reached, and nothing else is. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "guard/login.h"

#define HOME "/srv/home/bob"

static bool login(const char *path, const char *const *lifted, size_t count)
{
	struct patterns patterns = { .items = lifted, .count = count };
	return login_file(span_str(path), span_str(HOME), &patterns);
}

Test(login, refused)
{
	static const char *const paths[] = {
		".ssh", ".ssh/authorized_keys", ".ssh/rc", ".ssh/environment", ".ssh/any/thing", ".bashrc", ".bash_profile",
		".bash_login", ".bash_logout", ".profile",
		".pam_environment", ".zshenv", ".zshrc", ".zprofile", ".zlogin", ".zlogout", ".cshrc", ".tcshrc", ".login",
		".rhosts", ".shosts", ".k5login", ".forward",
		".config/fish/config.fish", ".config/systemd/user/x.service", ".config/environment.d/x.conf",
		".config/autostart/x.desktop", ".kshrc", ".inputrc", ".bash_completion", ".pam_mount.conf.xml",
		".config/containers/systemd", ".config/containers/systemd/x.container",
		/* a file system may not tell these apart */
		".Ssh", ".SSH/authorized_keys", ".BashRC", ".Pam_Environment", ".Config/Systemd/user/x.service", ".config/FISH/config.fish", ".config/yubico/x",
	};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char path[200] = HOME "/";
		cr_expect(login(strcat(path, paths[i]), NULL, 0), "%s", paths[i]);
	}
}

Test(login, free)
{
	static const char *const paths[] = {
		HOME, HOME "/", HOME "/a", HOME "/.bashrc2", HOME "/.bashr", HOME "/.sshx/a", HOME "/x/.bashrc", HOME "/.config",
			HOME "/.config/git/config", HOME "/bashrc",
		HOME "/.config/containers", HOME "/.config/containers/storage.conf", HOME "/.bash_completion.d/x", HOME "/.SSHX", HOME "/.bash@rc", HOME "/[ssh/a",
		"/srv/home/bobby/.bashrc", "/srv/home/.bashrc", "/.bashrc", "/srv/home/alice/.ssh/authorized_keys",
	};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		cr_expect(!login(paths[i], NULL, 0), "%s", paths[i]);
}

Test(login, lifted)
{
	static const char *const lifted[] = { ".bashrc", ".ssh/known_hosts", ".config/fish/**" };
	cr_expect(!login(HOME "/.bashrc", lifted, 3));
	cr_expect(!login(HOME "/.ssh/known_hosts", lifted, 3));
	cr_expect(!login(HOME "/.config/fish", lifted, 3), "the folder itself, to be made");
	cr_expect(!login(HOME "/.config/fish/config.fish", lifted, 3));
	cr_expect(login(HOME "/.ssh", lifted, 3));
	cr_expect(login(HOME "/.ssh/authorized_keys", lifted, 3));
	cr_expect(login(HOME "/.profile", lifted, 3));
}

/* The list is what is refused, and each name of it can be lifted. */
Test(login, the_list)
{
	size_t count = 0;
	for (const char *name; (name = login_name(count)) != NULL; count++) {
		char path[200] = HOME "/", below[200];
		const char *const itself[] = { name };
		const struct patterns lifted = { itself, 1 }, none = { 0 };
		strcat(path, name);
		snprintf(below, sizeof(below), "%s/below", path);
		cr_expect(name[0] == '.' && login(path, NULL, 0) && login(below, NULL, 0), "%s", name);
		cr_expect(login_lifted(span_str(name), &lifted) && !login_lifted(span_str(name), &none), "%s", name);
		cr_expect(!login(path, itself, 1), "%s", name);
	}
	cr_expect_gt(count, 50);
	cr_expect_null(login_name(count + 1));
	cr_expect_null(login_name(SIZE_MAX));
}

Test(login, no_home_no_files)
{
	struct patterns none = { 0 };
	cr_expect(!login_file(span_str("/.bashrc"), span_of(NULL, 0), &none));
	cr_expect(!login_file(span_of(NULL, 0), span_str(HOME), &none));
	cr_expect(login_file(span_str("/.bashrc"), span_str("/"), &none), "a home that is the root folder");
}

static bool above(const char *path, const char *const *items, size_t count)
{
	struct patterns lifted = { items, count };
	return login_above(span_str(path), span_str(HOME), &lifted);
}

/* What brings such files with it when it gets this name. */
Test(login, above)
{
	static const char *const yes[] = { "/", HOME, HOME "/.config", HOME "/.CONFIG", HOME "/.local", HOME "/.local/share", HOME "/.config/containers" };
	static const char *const no[] = { HOME "/.conf", HOME "/.configs", HOME "/config", HOME "/.local/bin", HOME "/.ssh", HOME "/a/.config", HOME "x", "/other", HOME "/.cache" };
	static const char *const lifted[] = { ".local/**" };
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		cr_expect(above(yes[i], NULL, 0), "%s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		cr_expect(!above(no[i], NULL, 0), "%s", no[i]);
	cr_expect(!above(HOME "/.local", lifted, 1) && above(HOME "/.config", lifted, 1));
	struct patterns none = { 0 };
	cr_expect(!login_above(span_str("/"), span_of(NULL, 0), &none), "no home");
}
