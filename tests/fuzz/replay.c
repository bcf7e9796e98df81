/*
 * Runs a fuzz target over files, with any compiler and without libFuzzer: the corpus in every test run, so that what was found once
 * cannot come back, and a single crashing input under a debugger. Knows that a target reads no byte beyond what it is given only if
 * the buffer ends where the input does.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_input(const char *path, const uint8_t *data, size_t size)
{
	if (LLVMFuzzerTestOneInput(data, size) == 0)
		return 0;
	fprintf(stderr, "replay: %s: the target did not return 0\n", path);
	return -1;
}

/* 0, or -1 after a message. */
static int replay_file(const char *path)
{
	struct stat st;
	FILE *in = fopen(path, "rb");
	if (in == NULL || fstat(fileno(in), &st) != 0 || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "replay: %s: not a readable regular file\n", path);
		if (in != NULL)
			fclose(in);
		return -1;
	}
	size_t size = (size_t)st.st_size;
	uint8_t *data = malloc(size > 0 ? size : 1);
	int result = -1;
	if (data == NULL || fread(data, 1, size, in) != size)
		fprintf(stderr, "replay: %s: could not be read whole\n", path);
	else
		result = replay_input(path, data, size);
	free(data);
	fclose(in);
	return result;
}

static int replay_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* How many inputs were run, or -1 after a message. In the order of their names, so that two runs are alike. */
static int replay_folder(const char *folder)
{
	struct dirent **list;
	int found = scandir(folder, &list, replay_visible, alphasort);
	if (found < 0) {
		fprintf(stderr, "replay: %s: not a readable folder\n", folder);
		return -1;
	}
	int result = found;
	for (int i = 0; i < found; i++) {
		char path[4096];
		int n = snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
		if (n < 0 || (size_t)n >= sizeof path || replay_file(path) != 0)
			result = -1;
		free(list[i]);
	}
	free(list);
	return result;
}

int main(int argc, char **argv)
{
	int inputs = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
		int n = folder ? replay_folder(argv[i]) : replay_file(argv[i]) == 0 ? 1 : -1;
		if (n < 0)
			return EXIT_FAILURE;
		inputs += n;
	}
	if (inputs == 0) {
		fprintf(stderr, "replay: no input; name files or folders\n");
		return EXIT_FAILURE;
	}
	if (replay_input("the empty input", (const uint8_t *)"", 0) != 0)
		return EXIT_FAILURE;
	printf("%d inputs and the empty one\n", inputs);
	return EXIT_SUCCESS;
}
