/*
 * A program that is started in place of the real one and says what it finds, and what it may do. Not a test by itself: built without sanitizers, whose run time
 * would need more than a jail permits. Arguments before "--" are passed over; each one behind it is a request (without "--": each line of stdin), and gets
 * its line:
 *   report             descriptors that are open, arguments, environment, folder, limits, signals
 *   VERB=ARGUMENT      tries it: "VERB=ARGUMENT ok", or the name of the error
 *   exit=N             ends so; sleep=N sleeps so many seconds; silent closes 1
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int do_read(const char *path)
{
	return open_and_close(path, O_RDONLY);
}

static int do_write(const char *path)
{
	return open_and_close(path, O_WRONLY);
}

static int do_create(const char *path)
{
	return open_and_close(path, O_WRONLY | O_CREAT);
}

static int do_truncate(const char *path)
{
	return truncate(path, 0);
}

static int do_folder(const char *path)
{
	return mkdir(path, 0700);
}

static int do_remove(const char *path)
{
	return remove(path);
}

static int do_symlink(const char *path)
{
	return symlink("x", path);
}

static int do_fifo(const char *path)
{
	return mkfifo(path, 0600);
}

static int do_rename(const char *path)
{
	char to[4200];
	snprintf(to, sizeof(to), "%s.renamed", path);
	return rename(path, to);
}

static int do_exec(const char *path)
{
	char *argv[] = { (char *)(size_t)path, NULL };
	execv(path, argv); /* comes back only when it failed */
	return -1;
}

static int do_inet(const char *port, int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int result = call(fd, (const struct sockaddr *)&to, sizeof(to)), error = errno;
	close(fd);
	errno = error;
	return result;
}

static int do_connect(const char *port)
{
	return do_inet(port, connect);
}

static int do_bind(const char *port)
{
	return do_inet(port, bind);
}

static int do_kill(const char *pid)
{
	return kill((pid_t)atoi(pid), 0);
}

static int do_exit(const char *status)
{
	fflush(stdout);
	_exit(atoi(status));
}

static int do_sleep(const char *seconds)
{
	fflush(stdout);
	sleep((unsigned)atoi(seconds));
	return 0;
}

static void report_descriptors(void)
{
	printf("descriptors");
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	printf("\n");
}

static void report_signals(void)
{
	sigset_t blocked;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int signal = 1; signal < 65; signal++) {
		struct sigaction now;
		if (sigaction(signal, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
			printf("handled %d\n", signal);
		if (sigismember(&blocked, signal) == 1)
			printf("blocked %d\n", signal);
	}
}

static void report(int argc, char **argv, char **envp)
{
	char folder[4096];
	struct rlimit core = { 1, 1 }, stack = { 0, 0 };
	int death = 0;
	report_descriptors();
	for (int i = 0; i < argc; i++)
		printf("argument %s\n", argv[i]);
	for (; *envp != NULL; envp++)
		printf("environment %s\n", *envp);
	printf("folder %s\n", getcwd(folder, sizeof(folder)) ? folder : "?");
	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_STACK, &stack);
	prctl(PR_GET_PDEATHSIG, &death);
	printf("core %lu\nstack %lu\ndeath %d\nprivileges %d\ndumpable %d\n", (unsigned long)core.rlim_cur, (unsigned long)stack.rlim_cur, death,
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0, prctl(PR_GET_DUMPABLE));
	report_signals();
}

/* What sftp-server does first, and it ends where that fails. */
static int do_hide(const char *on)
{
	return prctl(PR_SET_DUMPABLE, atoi(on));
}

static const struct {
	const char *verb;
	int (*run)(const char *argument);
} verbs[] = {
	{ "bind", do_bind }, { "connect", do_connect }, { "create", do_create }, { "exec", do_exec }, { "exit", do_exit }, { "fifo", do_fifo },
	{ "folder", do_folder }, { "hide", do_hide }, { "kill", do_kill }, { "read", do_read }, { "remove", do_remove }, { "rename", do_rename }, { "sleep", do_sleep },
	{ "symlink", do_symlink }, { "truncate", do_truncate }, { "write", do_write },
};

static void request(const char *word)
{
	const char *equals = strchr(word, '=');
	for (size_t i = 0; equals && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strncmp(word, verbs[i].verb, (size_t)(equals - word)) != 0 || verbs[i].verb[equals - word] != '\0')
			continue;
		errno = 0;
		fflush(stdout);
		int result = verbs[i].run(equals + 1);
		printf("%s %s\n", word, result < 0 ? strerrorname_np(errno) : "ok");
		return;
	}
	printf("%s ?\n", word);
}

static void obey(const char *word, int argc, char **argv, char **envp)
{
	if (strcmp(word, "report") == 0)
		report(argc, argv, envp);
	else if (strcmp(word, "silent") == 0)
		(void)!freopen("/dev/null", "w", stdout);
	else
		request(word);
}

int main(int argc, char **argv, char **envp)
{
	char line[4200];
	int at = 1;
	while (at < argc && strcmp(argv[at], "--") != 0)
		at++;
	if (at < argc) {
		for (at++; at < argc; at++)
			obey(argv[at], argc, argv, envp);
	} else {
		while (fgets(line, sizeof(line), stdin) != NULL) {
			line[strcspn(line, "\n")] = '\0';
			obey(line, argc, argv, envp);
		}
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
