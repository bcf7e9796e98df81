/* guard/login: what is read at login is refused, by whatever way it is reached, and nothing else is. */
#include <criterion/criterion.h>

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
		".config/autostart/x.desktop", ".kshrc", ".inputrc",
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

Test(login, no_home_no_files)
{
	struct patterns none = { 0 };
	cr_expect(!login_file(span_str("/.bashrc"), span_of(NULL, 0), &none));
	cr_expect(!login_file(span_of(NULL, 0), span_str(HOME), &none));
	cr_expect(login_file(span_str("/.bashrc"), span_str("/"), &none), "a home that is the root folder");
}
