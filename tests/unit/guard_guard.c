/* guard/guard: what waits to be sent when the end comes. A downloaded folder in which everything is blocked, and a client that takes so many letters. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard/guard.h"

enum { BLOCKED_MAX = 60, HEARD_MAX = 16384 };

static struct guard guard;
static struct span lanes[SIDES];
static uint8_t *bytes[SIDES];
static char heard[HEARD_MAX];
static size_t heard_n, letters, records;
static bool done;

static void conversation(unsigned blocked)
{
	static char child[BLOCKED_MAX * 32 + 64];
	size_t n = (size_t)sprintf(child, "D0755 0 d\n");
	for (unsigned i = 0; i < blocked; i++)
		n += (size_t)sprintf(child + n, "C0644 1 b%u.php\n", i);
	n += (size_t)sprintf(child + n, "E\n");
	static const char client[] = { 0, 0 }; /* its go-ahead, and for the folder */
	const struct span said[SIDES] = { [CLIENT] = span_of(client, sizeof(client)), [CHILD] = span_of(child, n) };
	for (int side = 0; side < SIDES; side++) {
		bytes[side] = malloc(said[side].n);
		memcpy(bytes[side], said[side].p, said[side].n);
		lanes[side] = span_of(bytes[side], said[side].n);
	}
}

static void begin(unsigned blocked)
{
	static const char *const php[] = { "*.php" };
	static const struct rule scripts = { .kind = RULE_BLOCK, .name = "scripts", .conditions = CONDITION_NAME, .names = { php, 1 } };
	static const struct policy policy = { .name = "p", .operations = OPERATION_ALL, .on_block = ON_BLOCK_SKIP,
		.rules = { [DOWNLOAD] = { .permitted = true, .rules = &scripts, .count = 1 } } };
	guard_init(&guard, &(struct guard_setup){ .policy = &policy, .session = "0badcafe", .direction = DOWNLOAD, .recursive = true });
	conversation(blocked);
	heard_n = letters = records = 0;
	done = false;
}

static void end(void)
{
	for (int side = 0; side < SIDES; side++)
		free(bytes[side]);
}

static void take_letter(const struct step *step)
{
	if (step->to != CLIENT)
		return;
	cr_assert(heard_n + step->bytes.n < HEARD_MAX);
	memcpy(heard + heard_n, step->bytes.p, step->bytes.n);
	heard_n += step->bytes.n;
	letters++;
}

static void resolve(const struct step *step)
{
	static char real[64];
	snprintf(real, sizeof(real), "/srv/d/%.*s", (int)step->bytes.n, (const char *)step->bytes.p);
	struct place place = { .kind = step->entry == ENTRY_FILE ? PLACE_FILE : PLACE_DIRECTORY, .real = span_str(real), .path = span_str(real + 5) };
	guard_resolved(&guard, &place);
}

/* False: this lane has nothing to do. */
static bool carry_out(const struct step *step)
{
	switch (step->kind) {
	case STEP_READ:
	case STEP_WAIT:
		return false;
	case STEP_SEND:
		take_letter(step);
		return true;
	case STEP_RESOLVE:
		resolve(step);
		return true;
	case STEP_RECORD:
		records++;
		guard_recorded(&guard, true);
		return true;
	case STEP_SHUT:
		guard_ended(&guard, CHILD);
		return true;
	case STEP_DROP:
		return true;
	case STEP_DONE:
		done = true;
		return false;
	case STEP_PASS:
	case STEP_HOLD:
	case STEP_RELEASE:
	case STEP_PAD:
	case STEP_ENTER:
	case STEP_PIN:
	case STEP_SCRUB:
	case STEP_INSPECT:
	case STEP_LOOK:
	case STEP_TREE:
	case STEP_SIZE:
	case STEP_SETTLE:
	case STEP_STILL:
	case STEP_LOCK:
	case STEP_STANDS:
	case STEP_STEADY:
	case STEP_CLOSED:
		break;
	}
	cr_assert(false, "step %d", step->kind);
	return false;
}

/* As the relay: while there is room for more, each lane in turn. */
static void run(size_t room)
{
	unsigned parked = 0;
	for (enum side lane = CLIENT; parked < 2 * SIDES && !done; lane = lane == CLIENT ? CHILD : CLIENT) {
		bool moved = false;
		while (letters < room && !done) {
			struct step step = guard_next(&guard, lane, &lanes[lane]);
			if (!carry_out(&step))
				break;
			moved = true;
		}
		parked = moved ? 1 : parked + 1;
	}
}

/* Everything that the client hears when it is in no hurry: the folder, a line for each file, the end of the folder. */
static size_t undisturbed(unsigned blocked, char all[static HEARD_MAX])
{
	size_t lines = 0;
	begin(blocked);
	run(SIZE_MAX);
	memcpy(all, heard, heard_n);
	for (size_t i = 0; i < heard_n; i++)
		lines += heard[i] == '\1';
	cr_expect_eq(lines, blocked);
	cr_expect_eq(records, blocked);
	cr_expect(heard_n > 2 && memcmp(heard + heard_n - 2, "E\n", 2) == 0);
	cr_expect_eq(letters, blocked + 2);
	end();
	return letters;
}

/* Whatever was waiting is said in order, then why it ends, and that is all. */
static void expect_end(const char *all, enum reason reason, bool gone, const char *which)
{
	static const char *const whys[] = { [REASON_TIMEOUT] = "timed out", [REASON_STOPPED] = "ends this session" };
	cr_expect(done, "%s: it goes on", which);
	cr_expect_neq(guard.failed + guard.blocked, 0);
	heard[heard_n] = '\0';
	const char *last = memchr(heard, 2, heard_n);
	size_t n = last != NULL ? (size_t)(last - heard) : heard_n;
	cr_expect_eq(memcmp(heard, all, n), 0, "%s: something else was said", which);
	cr_expect_eq(last == NULL, gone, "%s: %.*s", which, (int)heard_n, heard);
	if (last != NULL)
		cr_expect(strstr(last, whys[reason]) != NULL && strchr(last, '\n') == heard + heard_n - 1, "%s: %s", which, last);
}

static void one_end(unsigned blocked, size_t taken, enum reason reason, bool gone, const char *all)
{
	char which[80];
	snprintf(which, sizeof(which), "%u blocked, %zu taken, reason %d, gone %d", blocked, taken, reason, gone);
	begin(blocked);
	run(taken);
	cr_expect_eq(letters, taken, "%s", which);
	if (gone)
		guard_client_left(&guard);
	guard_aborted(&guard, reason);
	cr_expect_eq(guard.lost, reason, "%s", which);
	cr_expect_leq(guard.out_count, GUARD_LETTERS, "%s: %zu", which, guard.out_count);
	cr_expect_leq(guard.out_used, sizeof(guard.outbox), "%s", which);
	run(SIZE_MAX);
	expect_end(all, reason, gone, which);
	end();
}

Test(guard, the_end_comes_while_letters_wait)
{
	static char all[HEARD_MAX];
	for (unsigned blocked = 0; blocked <= BLOCKED_MAX; blocked = blocked < 20 ? blocked + 1 : blocked + 13) {
		size_t most = undisturbed(blocked, all);
		for (size_t taken = 1; taken <= most; taken++) {
			one_end(blocked, taken, REASON_TIMEOUT, false, all);
			one_end(blocked, taken, REASON_STOPPED, false, all);
			one_end(blocked, taken, REASON_TIMEOUT, true, all);
		}
	}
}

/* The relay may say twice that it is over: for a signal that comes while a client is given up. */
Test(guard, a_second_end_says_nothing_more)
{
	static char all[HEARD_MAX];
	(void)undisturbed(7, all);
	for (size_t taken = 1; taken <= 9; taken++) {
		begin(7);
		run(taken);
		for (int i = 0; i < 20; i++)
			guard_aborted(&guard, i % 2 ? REASON_TIMEOUT : REASON_STOPPED);
		cr_expect_leq(guard.out_count, GUARD_LETTERS);
		run(SIZE_MAX);
		expect_end(all, REASON_STOPPED, false, "again and again");
		end();
	}
}
