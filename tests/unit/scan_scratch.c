/* scan/scratch: a folder that goes with its owner, however that goes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan/scratch.h"

static char below[] = "/tmp/xferwarden-unit-XXXXXX";

static bool exists(const char *path)
{
	struct stat found;
	return lstat(path, &found) == 0;
}

static void fill(const char *folder)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/a", folder);
	cr_assert(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/a/b", folder);
	cr_assert(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/a/b/file", folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/link", folder);
	cr_assert(symlink(below, path) == 0);
	snprintf(path, sizeof(path), "%s/a/b", folder);
	cr_assert(chmod(path, 0) == 0);
}

Test(scan_scratch, is_private_and_goes)
{
	struct scratch scratch;
	struct stat found;
	cr_assert_not_null(mkdtemp(below));
	cr_assert_eq(scratch_make(&scratch, below), 0);
	cr_assert(stat(scratch.path, &found) == 0 && S_ISDIR(found.st_mode) && (found.st_mode & 0777) == 0700);
	fill(scratch.path);
	scratch_remove(&scratch);
	cr_assert_not(exists(scratch.path));
	cr_assert(exists(below), "a link is not followed");
	scratch_remove(&scratch);
	cr_assert(rmdir(below) == 0, "nothing is left");
}

/* An owner that is killed leaves its folder; the next one finds it. One that lives keeps it. */
Test(scan_scratch, sweeps_what_was_abandoned)
{
	int ends[2];
	char path[SCRATCH_PATH_MAX];
	struct scratch mine;
	cr_assert_not_null(mkdtemp(below));
	cr_assert(pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct scratch theirs;
		if (scratch_make(&theirs, below) == 0) {
			fill(theirs.path);
			(void)!write(ends[1], theirs.path, sizeof(theirs.path));
		}
		for (;;)
			pause();
	}
	cr_assert_eq(read(ends[0], path, sizeof(path)), (ssize_t)sizeof(path));
	cr_assert_eq(scratch_make(&mine, below), 0);
	cr_assert(exists(path), "its owner lives");
	scratch_remove(&mine);
	cr_assert(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	cr_assert(exists(path), "nobody has come yet");
	cr_assert_eq(scratch_make(&mine, below), 0);
	cr_assert_not(exists(path), "its owner is dead");
	scratch_remove(&mine);
	cr_assert(rmdir(below) == 0);
}

Test(scan_scratch, nowhere_to_make_it)
{
	struct scratch scratch;
	cr_assert_eq(scratch_make(&scratch, "/nonexistent/folder"), -ENOENT);
	scratch_remove(&scratch);
	char longer[2 * SCRATCH_PATH_MAX];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cr_assert_eq(scratch_make(&scratch, longer), -ENAMETOOLONG);
}
