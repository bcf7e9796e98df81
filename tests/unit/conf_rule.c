/* What options and rules may say, alone and beside each other: the whole list of complaints for each text. */
#include "conf_expect.h"

#define P "policy 'p' { root = '/r' upload {\n"
#define Q "\n} }"

Test(conf_rule, settings)
{
	static const struct expect rows[] = {
		{ "scp_program = 'scp'\nsftp_server_program = ''\ninspector_program = '/a/../b'\nconfinement = 'yes'\n" P Q,
		  "1: 'scp': it has to be an absolute path\n2: '': it has to be an absolute path\n3: '/a/../b': a path has no empty, . or .. components\n"
		  "4: 'yes': 'confinement' is 'required' or 'available'\n" },
		{ "audit {\n to = {'syslog', 'file:rel', 'file:/a/',\n 'syslog'}\n sha256 = 'perhaps'\n on_failure = 'ignore'\n}\n" P Q,
		  "2: 'file:rel': it has to be an absolute path\n2: 'file:/a/': it has to name a file, not a folder\n3: 'syslog' is twice in the list\n"
		  "4: 'perhaps': write true or false\n5: 'ignore': 'on_failure' is 'refuse' or 'continue'\n" },
		{ "audit { to = {'syslog', 'journald', 'file:/a', 'file:/b',\n'file:/c'} }\n" P Q, "2: records go to 4 places at most\n" },
		{ "scanner {\n engine = 'clam'\n database = 'db'\n address = {'unix:x',\n 'tcp:host:1'}\n timeout = '1m'\n max_memory = '63M'\n}\n" P Q,
		  "2: 'clam': 'engine' is 'libclamav' or 'clamd'\n3: 'db': it has to be an absolute path\n4: 'unix:x': it has to be an absolute path\n"
		  "5: 'tcp:host:1': the host has to be a numeric address; names are not looked up\n6: '1m': seconds are written in digits\n"
		  "7: '63M': the inspector can't work with less than 64M\n" },
		{ "scanner { address = {'unix:/1', 'unix:/2', 'unix:/3', 'unix:/4', 'unix:/5', 'unix:/6', 'unix:/7', 'unix:/8',\n'unix:/9'} }\n" P Q,
		  "2: 8 addresses at most\n" },
		{ "scanner {\n engine = 'clamd'\n}\n" P "block 'v' { virus = {'*'} }" Q, "2: 'clamd': it needs an 'address'\n" },
		{ "scanner { engine = 'clamd' address = 'unix:/x' }\n" P "block 'v' { virus = {'*'} }" Q, "" },
		{ "spool {\n memory = '1Q'\n folder = 'x'\n limit = '-1'\n}\n" P Q,
		  "2: '1Q': a size is written in digits with an optional K, M, G or T, like 64M\n3: 'x': it has to be an absolute path\n"
		  "4: '-1': a size is written in digits with an optional K, M, G or T, like 64M\n" },
		{ "spool { folder = '' }\n" P Q, "" },
		{ "spool { memory = 0 folder = '' }\n" P Q, "1: '': with 'memory' 0 nothing could be held\n" },
		{ "spool { memory = '2G'\n limit = '1G' }\n" P Q, "2: warning: 'limit' is below 'memory', of which a part is never used\n" },
		{ "spool { folder = ''\n limit = '1G' }\n" P Q, "2: warning: without a 'folder' no file larger than 'memory' can be held\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_rule, policies)
{
	static const struct expect rows[] = {
		{ "policy 'p' {\n user = {'[z-a]', 'a\\\\'}\n group = {''}\n from = {'10.1.2.3/8'}\n key = {'SHA1:x'}\n protocols = {'rsync'}\n root = '/a/%x'\n"
		  " delivery = 'fast'\n on_block = 'go'\n accept_unscannable = {'virus'}\n login_files = {'~/.bashrc', '/x'}\n idle_timeout = '-1'\n upload { }\n}",
		  "2: '[z-a]': a range in [...] runs backwards\n2: 'a\\': it ends with a backslash that escapes nothing\n3: '': it is empty\n"
		  "4: '10.1.2.3/8': bits are set behind the network; it is 10.0.0.0/8, or write /32 for the one address\n"
		  "5: 'SHA1:x': a key begins with SHA256:, as ssh-keygen -l prints it\n6: 'rsync': the words known here are scp and sftp\n"
		  "7: '/a/%x': only %u, %h and %% may follow a percent sign\n8: 'fast': 'delivery' is 'hold' or 'stream'\n9: 'go': 'on_block' is 'stop' or 'skip'\n"
		  "10: 'virus': the words known here are encrypted, too-large, too-deep, timeout, damaged, scanner-down, scanner-blind\n"
		  "11: '~/.bashrc': it is a path below home already, without ~/\n11: '/x': it begins with a slash; paths are those below root\n"
		  "12: '-1': seconds are written in digits\n" },
		{ "policy 'p' { upload { } }", "1: the policy has no 'root'; root = '/' would put everything within reach\n" },
		{ "policy 'it\\'s' { root = '/' upload { } }", "1: 'it's': a name is printable ASCII without quotes and backslashes\n" },
		{ "policy '' { root = '/' upload { } }", "1: '': a name can't be empty\n" },
		{ "policy 'p' { root = '/' }", "1: warning: the policy names neither 'upload' nor 'download' and so permits no transfer\n" },
		{ "policy 'p' { root = '/' accept_unscannable = {'timeout'}\n download { block 'b' { unscannable = {'timeout', 'encrypted'} } } }",
		  "1: warning: block 'b' in line 2 refuses some of what is accepted here; the block wins\n" },
		{ "policy 'a' { root = '/' upload { } }\npolicy 'b' { root = '/' user = {'x'} upload { } }",
		  "2: warning: policy 'b' is never reached: 'a' in line 1 is for everybody\n" },
		{ "policy 'a' { root = '/' user = {'*'} protocols = {'scp'} upload { } }\npolicy 'b' { root = '/' upload { } }\npolicy 'c' { root = '/' upload { } }",
		  "3: warning: policy 'c' is never reached: 'b' in line 2 is for everybody\n" },
		{ "policy 'a' { root = '/' user = {'x'}\n protocols = {'sftp'} upload { } }", "" },
		{ "policy 'a' { root = '/' protocols = {'sftp'}\n on_block = 'skip' upload { } }",
		  "2: warning: 'on_block' is about SCP: over SFTP a refusal never ends the session\n" },
		{ "policy 'a' { root = '/' protocols = {'scp', 'sftp'}\n on_block = 'skip' upload { } }", "" },
		{ "policy 'a' { root = '/' from = {'0.0.0.0/0'} upload { } }\npolicy 'b' { root = '/' upload { } }", "" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_rule, operations_and_access)
{
#define O "policy 'p' { root = '/r'\n"
#define WORDS "the words known here are list, stat, mkdir, rename, remove, attributes, link, replace\n"
#define CHANGES "it needs upload { }: without that a policy changes nothing\n"
	static const struct expect rows[] = {
		{ O "operations = {'list',\n'chmod', 'List', ''} upload { } }", "3: 'chmod': " WORDS "3: 'List': " WORDS "3: '': " WORDS },
		{ O "operations = {'list',\n'stat', 'list'} upload { } }", "3: 'list' is twice in the list\n" },
		{ O "operations = {} upload { } }", "2: the list of 'operations' is empty\n" },
		{ O "operations = {'list', 'stat'} download { } }", "" },
		{ O "operations = {'list', 'mkdir', 'rename',\n'remove', 'attributes',\n'link', 'replace'} download { } }",
		  "2: 'mkdir': " CHANGES "2: 'rename': " CHANGES "3: 'remove': " CHANGES "3: 'attributes': " CHANGES "4: 'link': " CHANGES "4: 'replace': " CHANGES },
		{ O "operations = {'mkdir'} }", "1: warning: the policy names neither 'upload' nor 'download' and so permits no transfer\n2: 'mkdir': " CHANGES },
		{ O "access = 'readonly' upload { } }", "2: 'readonly': 'access' is 'full', 'read-only', 'upload-only' or 'drop-box'\n" },
		{ O "access = {'full'} upload { } }", "2: 'access' takes one value, not a list\n" },
		{ O "access = 'read-only' download { } }", "" },
		{ O "access = 'read-only' }", "1: warning: the policy names neither 'upload' nor 'download' and so permits no transfer\n" },
		{ O "access = 'read-only' upload { } }", "2: 'read-only': the policy has a section 'upload', which contradicts that\n" },
		{ O "upload { } download { }\naccess = 'read-only' }", "3: 'read-only': the policy has a section 'upload', which contradicts that\n" },
		{ O "access = 'upload-only' upload { } }", "" },
		{ O "access = 'upload-only' upload { } download { } }", "2: 'upload-only': the policy has a section 'download', which contradicts that\n" },
		{ O "access = 'upload-only' download { } }",
		  "2: 'upload-only': the policy has a section 'download', which contradicts that\n2: 'upload-only': it needs upload { }\n" },
		{ O "access = 'drop-box' upload { } }", "" },
		{ O "access = 'drop-box' upload { } download { } }", "2: 'drop-box': the policy has a section 'download', which contradicts that\n" },
		{ O "access = 'drop-box' }",
		  "1: warning: the policy names neither 'upload' nor 'download' and so permits no transfer\n2: 'drop-box': it needs upload { }\n" },
		{ O "access = 'full'\noperations = {'list'} upload { } }", "" },
		{ O "access = 'drop-box'\noperations = {'stat'} upload { } }", "3: 'operations' contradicts access = 'drop-box', which says what is permitted\n" },
		{ O "operations = {'list'}\naccess = 'read-only' download { } }", "2: 'operations' contradicts access = 'read-only', which says what is permitted\n" },
		{ O "operations = {'list', 'stat', 'mkdir', 'rename', 'remove', 'attributes', 'replace'}\naccess = 'upload-only' upload { } }",
		  "2: 'operations' contradicts access = 'upload-only', which says what is permitted\n" },
		/* A name that nobody knows may have been meant for what is missing. */
		{ O "access = 'drop-box'\nuplod { } }", "3: 'uplod' is unknown in policy; did you mean 'upload'?\n" },
		{ O "operations = {'mkdir'}\nuplod { } }", "3: 'uplod' is unknown in policy; did you mean 'upload'?\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_rule, conditions)
{
	static const struct expect rows[] = {
		{ P "block 'x' {\nname = {'a/b', '[', '{a,b}'}\npath = {'/a', 'a//b', '../b', 'a/', '**.php'}\ntype = {'zip', 'a/[x'}\nvirus = {'***'}\n"
		    "unscannable = {'broken'}\nmode = '10000'\nsmaller_than = '1B'\nlarger_than = '99999999T'\ntype_mismatch = 'sometimes'\nignore_case = '2'\n"
		    "message = 'a\tb'\n}" Q,
		  "3: 'a/b': a name has no slash; use path\n3: '[': a '[' has no ']'\n"
		  "3: '{a,b}': braces are not expanded; write one pattern for each, or \\{ for the brace itself\n"
		  "4: '/a': it begins with a slash; paths are those below root\n4: 'a//b': it has two slashes in a row\n"
		  "4: '../b': it has a component . or .., which no resolved path has\n4: 'a/': it ends with a slash; write folder/** for what is in a folder\n"
		  "4: '**.php': ** has to stand alone between slashes: **/*.php, not **.php\n5: 'zip': a type is written like application/zip or text/*\n"
		  "5: 'a/[x': a '[' has no ']'\n6: '***': three stars in a row mean nothing\n"
		  "7: 'broken': the words known here are encrypted, too-large, too-deep, timeout, damaged, scanner-down, scanner-blind\n"
		  "8: '10000': no permission bits are above 07777\n9: '1B': a size is written in digits with an optional K, M, G or T, like 64M\n"
		  "10: '99999999T': the size is too large\n11: 'sometimes': write true or false\n12: '2': write true or false\n"
		  "13: 'a?b': a message is printable ASCII\n" },
		{ P "block 'x' { }\nallow 'y' { message = 'no' ignore_case = true }\nwatch 'z' { }" Q,
		  "2: the rule has no condition: it would match everything\n3: the rule has no condition: it would match everything\n"
		  "3: warning: 'ignore_case' is about 'name' and 'path', which this rule does not have\n"
		  "4: the rule has no condition: it would match everything\n" },
		{ P "watch 'x' { name = {'a'}\n message = 'seen' }" Q, "3: warning: a watch rule refuses nothing, so nobody sees its 'message'\n" },
		{ P "watch 'x' { name = {'a'} }" Q, "" },
		{ P "block '0123456789012345678901234567890123456789x' { name = {'a'} }" Q, "2: '0123456789012345678901234567890123456789x': a name has 40 bytes at most\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_rule, ranges)
{
#define NEVER "2: no size is above 'larger_than' and below 'smaller_than' at once: the rule never matches\n"
	static const struct expect rows[] = {
		{ P "block 'x' { larger_than = 10 smaller_than = 12 }" Q, "" },
		{ P "block 'x' { larger_than = 10 smaller_than = 11 }" Q, NEVER },
		{ P "block 'x' { larger_than = 10 smaller_than = 10 }" Q, NEVER },
		{ P "block 'x' { larger_than = '1G' smaller_than = '1M' }" Q, NEVER },
		{ P "block 'x' { larger_than = 9223372036854775807 smaller_than = 1 }" Q, NEVER },
		{ P "block 'x' { larger_than = 0 }\nallow 'y' { smaller_than = 1 }" Q, "" },
		{ P "block 'x' { smaller_than = 0 }" Q, "2: '0': no file is smaller than that\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_rule, contradictions)
{
	static const struct expect rows[] = {
		{ P "block 'x' { name = {'a', 'b'} }\nallow 'y' { name = {'b', 'a'} }" Q,
		  "3: allow 'y' contradicts block 'x' in line 2, which has the same conditions\n" },
		{ P "allow 'y' { type_mismatch = true }\nblock 'x' { type_mismatch = true }" Q,
		  "3: block 'x' contradicts allow 'y' in line 2, which has the same conditions\n" },
		{ P "allow 'y' { type_mismatch = true }\nblock 'x' { type_mismatch = false }" Q, "" },
		{ P "block 'x' { name = {'a'} }\nallow 'y' { name = {'a'} ignore_case = true }" Q, "" },
		{ P "block 'x' { name = {'a'} }\nallow 'y' { path = {'a'} }" Q, "" },
		{ P "block 'x' { name = {'a'} }\nallow 'y' { name = {'a', 'b'} }" Q, "" },
		{ P "block 'x' { name = {'a'} mode = 01 }\nallow 'y' { name = {'a'} mode = 02 }" Q, "" },
		{ P "block 'x' { name = {'a'} }\nwatch 'y' { name = {'a'} }" Q, "" },
		{ P "block 'x' { name = {'a'} }\nblock 'y' { name = {'a'} }" Q, "3: warning: block 'y' asks for the same as 'x' in line 2\n" },
		{ "policy 'p' { root = '/' upload { block 'x' { name = {'a'} } } download { allow 'x' { name = {'a'} } } }", "" },
		{ P "block 'x' { name = {'*'} }" Q, "" },
		{ P "block 'x' { name = {'*'} }\nwatch 'y' { name = {'a'} }" Q,
		  "2: warning: block 'x' matches everything: the other rules of this direction can't let anything pass\n" },
		{ P "allow 'y' { name = {'a'} }\nblock 'x' { path = {'a', '**'} type = {'*'} }" Q,
		  "3: warning: block 'x' matches everything: the other rules of this direction can't let anything pass\n" },
		{ P "allow 'y' { name = {'a'} }\nblock 'x' { path = {'*'} }" Q, "" },
		{ P "allow 'y' { name = {'a'} }\nblock 'x' { virus = {'*'} }" Q, "" },
		{ P "allow 'y' { name = {'*'} }\nblock 'x' { name = {'b'} }" Q, "" },
	};
	EXPECT_ROWS(rows);
}
