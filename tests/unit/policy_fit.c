/* Name against content: what ordinary files are, as libmagic 5.44 named samples of them, and what hides under their names. */
#include "policy/fit.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static bool mismatch(const char *name, const char *type)
{
	size_t n = strlen(name), m = strlen(type);
	uint8_t *exact_name = malloc(n > 0 ? n : 1), *exact_type = malloc(m > 0 ? m : 1);
	cr_assert(exact_name != NULL && exact_type != NULL);
	memcpy(exact_name, name, n);
	memcpy(exact_type, type, m);
	bool result = fit_mismatch(span_of(exact_name, n), span_of(exact_type, m));
	free(exact_name);
	free(exact_type);
	return result;
}

/* Each extension of the first list may have each type of the second. */
struct fit_case {
	const char *extensions, *types;
};

#define OOXML "application/vnd.openxmlformats-officedocument."

static const struct fit_case fits[] = {
	{ "jpg jpeg jpe jfif", "image/jpeg" },
	{ "png apng", "image/png" },
	{ "gif", "image/gif" },
	{ "webp", "image/webp" },
	{ "bmp dib", "image/bmp" },
	{ "tif tiff", "image/tiff" },
	{ "ico cur", "image/vnd.microsoft.icon image/x-win-bitmap image/png" },
	{ "heic heif avif", "image/heic image/heif image/heif-sequence image/avif" },
	{ "jp2 jpx j2k", "image/jp2 image/jpx" },
	{ "psd", "image/vnd.adobe.photoshop" },
	{ "svg", "image/svg+xml text/xml text/plain text/html" },
	{ "svgz gz tgz", "application/gzip" },
	{ "pdf", "application/pdf" },
	{ "ps eps ai", "application/postscript" },
	{ "eps", "image/x-eps" },
	{ "ai", "application/pdf" },
	{ "docx docm dotx dotm", OOXML "wordprocessingml.document application/zip application/encrypted" },
	{ "xlsx xlsm xlsb xltx xltm", OOXML "spreadsheetml.sheet application/zip application/encrypted" },
	{ "pptx pptm potx ppsx ppsm", OOXML "presentationml.presentation application/zip" },
	{ "odt ott", "application/vnd.oasis.opendocument.text application/vnd.oasis.opendocument.text-template application/zip" },
	{ "ods ots odp otp odg odf odb", "application/vnd.oasis.opendocument.spreadsheet application/zip" },
	{ "doc dot", "application/msword text/rtf text/html text/plain application/x-ole-storage application/CDFV2 application/vnd.ms-office" },
	{ "xls xlt", "application/vnd.ms-excel text/html text/csv application/x-ole-storage" },
	{ "ppt pps", "application/vnd.ms-powerpoint application/x-ole-storage" },
	{ "vsd mpp", "application/vnd.visio application/vnd.ms-project application/x-ole-storage" },
	{ "vsdx", "application/zip application/encrypted" },
	{ "rtf", "text/rtf" },
	{ "epub", "application/epub+zip application/zip" },
	{ "mobi azw azw3", "application/x-mobipocket-ebook" },
	{ "zip", "application/zip " OOXML "wordprocessingml.document application/java-archive" },
	{ "jar war ear", "application/java-archive application/zip" },
	{ "apk", "application/vnd.android.package-archive application/zip application/java-archive" },
	{ "xpi kmz cbz whl nupkg ipa", "application/zip" },
	{ "bz2 tbz tbz2", "application/x-bzip2" },
	{ "xz txz", "application/x-xz" },
	{ "lzma", "application/x-lzma application/octet-stream" },
	{ "lz", "application/x-lzip" },
	{ "lz4", "application/x-lz4" },
	{ "zst tzst", "application/zstd" },
	{ "7z", "application/x-7z-compressed" },
	{ "rar", "application/x-rar" },
	{ "tar", "application/x-tar application/octet-stream" },
	{ "cab", "application/vnd.ms-cab-compressed" },
	{ "deb udeb", "application/vnd.debian.binary-package" },
	{ "rpm", "application/x-rpm" },
	{ "iso", "application/x-iso9660-image application/octet-stream" },
	{ "mp3 mp2", "audio/mpeg application/octet-stream" },
	{ "m4a m4b aac amr wma ac3 mka aif aiff", "audio/x-m4a audio/mp4 audio/x-hx-aac-adts video/x-ms-asf audio/amr audio/x-aiff" },
	{ "ogg oga opus", "audio/ogg video/ogg application/ogg" },
	{ "flac", "audio/flac" },
	{ "wav", "audio/x-wav" },
	{ "mid midi", "audio/midi" },
	{ "mp4 m4v mov qt f4v 3gp 3g2", "video/mp4 video/quicktime video/x-m4v video/3gpp audio/mp4 application/octet-stream" },
	{ "avi mkv webm mpg mpeg mpe m2v m2ts vob wmv asf flv ogv ogm mxf rm rmvb",
		"video/x-msvideo video/x-matroska video/webm video/mpeg video/MP2T video/x-ms-asf video/x-flv video/ogg" },
	{ "swf", "application/x-shockwave-flash" },
	{ "ttf otf ttc", "font/sfnt font/ttf application/vnd.ms-opentype" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "eot", "application/vnd.ms-fontobject application/octet-stream" },
	{ "exe dll scr cpl ocx", "application/vnd.microsoft.portable-executable application/x-dosexec" },
	{ "msi", "application/x-msi application/vnd.ms-msi application/x-ole-storage" },
	{ "class", "application/x-java-applet" },
	{ "pyc pyo", "application/x-bytecode.python application/octet-stream" },
	{ "wasm", "application/wasm" },
	{ "sqlite sqlite3", "application/vnd.sqlite3 application/octet-stream" },
	{ "mdb accdb", "application/x-msaccess" },
	{ "torrent", "application/x-bittorrent" },
	{ "ts mts", "text/plain text/x-java application/javascript video/MP2T" },
	{ "pem asc crt csr", "text/plain application/pgp-keys application/pgp-signature" },
	{ "txt text log md markdown rst adoc",
		"text/plain text/html application/json message/rfc822 application/octet-stream application/javascript" },
	{ "html htm xhtml shtml", "text/html text/plain text/xml text/x-php" },
	{ "css scss sass less", "text/plain text/x-asm" },
	{ "js mjs cjs jsx tsx", "application/javascript text/plain text/html application/octet-stream" },
	{ "json jsonl ndjson geojson webmanifest", "application/json application/x-ndjson text/plain" },
	{ "xml xsl xslt xsd dtd rss atom kml gpx opml wsdl", "text/xml text/html image/svg+xml" },
	{ "csv tsv", "text/csv text/plain application/csv" },
	{ "php php3 php4 php5 php7 php8 phtml phps tpl twig vue", "text/x-php text/plain text/html text/x-c++" },
	{ "py pyw rb pl pm lua tcl sh bash zsh ksh csh fish awk sed", "text/x-script.python text/x-perl text/x-shellscript text/plain" },
	{ "bat cmd ps1 vbs asp aspx jsp", "text/x-msdos-batch text/plain text/html" },
	{ "sql ini cfg conf cnf properties toml yaml yml", "text/plain application/x-wine-extension-ini text/xml" },
	{ "c h cc cpp cxx hh hpp hxx java kt go rs swift cs m4 mk cmake gradle", "text/x-c text/x-c++ text/x-java text/plain" },
	{ "tex bib diff patch po srt vtt nfo eml mbox ics vcf ldif htaccess htpasswd",
		"text/x-tex text/x-diff application/x-subrip message/rfc822 text/calendar text/vcard" },
};

/* What no file of the table may be; a program of the table's own kind aside. */
static const char *const programs[] = {
	"application/x-executable", "application/x-pie-executable", "application/x-sharedlib", "application/x-object",
		"application/x-mach-binary", "application/x-coredump",
};

/* Calls what(extension) for each word. */
static void each(const char *words, void (*what)(const char *word, const void *ctx), const void *ctx)
{
	char copy[512];
	cr_assert(strlen(words) < sizeof(copy));
	strcpy(copy, words);
	for (char *rest = copy, *word; (word = strtok_r(rest, " ", &rest)) != NULL;)
		what(word, ctx);
}

static void expect_fit(const char *type, const void *name)
{
	cr_expect_not(mismatch(name, type), "%s is %s", (const char *)name, type);
}

static void expect_row(const char *extension, const void *ctx)
{
	const struct fit_case *c = ctx;
	char name[64], upper[64];
	snprintf(name, sizeof(name), "my file.%s", extension);
	size_t n = 0;
	for (; name[n] != '\0'; n++)
		upper[n] = name[n] >= 'a' && name[n] <= 'z' ? (char)(name[n] - 0x20) : name[n];
	upper[n] = '\0';
	each(c->types, expect_fit, name);
	each(c->types, expect_fit, upper);
	each("inode/x-empty application/x-empty", expect_fit, name);
	/* Also the proof that the search finds every row of the table. */
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		cr_expect(mismatch(name, programs[i]), "%s is no %s", name, programs[i]);
		cr_expect(mismatch(upper, programs[i]), "%s is no %s", upper, programs[i]);
	}
}

Test(policy_fit, ordinary_files_and_programs)
{
	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++)
		each(fits[i].extensions, expect_row, &fits[i]);
}

/* Extensions that have nothing to do with programs must not pass for one of any system, nor for a script. */
static void expect_no_script(const char *extension, const void *ctx)
{
	char name[64];
	(void)ctx;
	snprintf(name, sizeof(name), "x.%s", extension);
	static const char *const hidden[] = {
		"text/x-php", "text/x-shellscript", "text/x-script.python", "text/x-perl", "text/x-msdos-batch", "application/x-dosexec",
			"application/javascript",
		"application/vnd.microsoft.portable-executable", "application/x-msi", "application/vnd.ms-htmlhelp",
	};
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		cr_expect(mismatch(name, hidden[i]), "%s is no %s", name, hidden[i]);
}

Test(policy_fit, disguised_scripts)
{
	each("jpg jpeg png gif webp bmp tif tiff ico svg heic avif pdf docx xlsx pptx odt ods doc xls ppt rtf epub", expect_no_script, NULL);
	each("zip gz tgz bz2 xz 7z rar tar", expect_no_script, NULL);
	each("mp3 mp4 mov avi mkv ogg wav flac m4a webm woff woff2 ttf otf eot iso sqlite torrent", expect_no_script, NULL);
}

static const struct {
	const char *name, *type;
} disguised[] = {
	{ "a.jpg", "image/png" },
	{ "a.png", "image/jpeg" },
	{ "a.jpg", "application/octet-stream" },
	{ "a.jpg", "text/plain" },
	{ "a.jpg", "text/html" },
	{ "a.pdf", "application/octet-stream" },
	{ "a.pdf", "application/zip" },
	{ "a.docx", "application/msword" },
	{ "a.docx", "text/plain" },
	{ "a.zip", "application/x-rar" },
	{ "a.zip", "application/vnd.microsoft.portable-executable" },
	{ "a.exe", "application/zip" },
	{ "a.txt", "application/zip" },
	{ "a.txt", "application/vnd.microsoft.portable-executable" },
	{ "a.txt", "application/x-dosexec" },
	{ "a.txt", "image/jpeg" },
	{ "a.php", "image/gif" },
	{ "a.html", "application/x-java-applet" },
	{ "a.mp3", "application/zip" },
	{ "a.mp4", "application/pdf" },
	{ "a.xls", "application/vnd.ms-htmlhelp" },
	{ "a.doc", "application/x-msi" },
	{ "shell.php.jpg", "text/x-php" },
	{ "a..jpg", "text/x-php" },
	{ ".hidden.jpg", "text/x-php" },
	{ " .jpg", "text/x-php" },
	{ "\xff\n.jpg", "text/x-php" },
	{ "a.jpg", "" },
};

Test(policy_fit, disguised)
{
	for (size_t i = 0; i < sizeof(disguised) / sizeof(disguised[0]); i++)
		cr_expect(mismatch(disguised[i].name, disguised[i].type), "%s as %s", disguised[i].type, disguised[i].name);
}

Test(policy_fit, no_promise)
{
	static const char *const names[] = {
		"", ".", "..", "...", "jpg", ".jpg", "..jpg", "a.", "a.jpg.", "a.jpg ", "a. jpg", "a.unknown", "a.dat", "a.bin",
			"libc.so.6", "README",
		"a.0123456789a", "a.0123456789ab", "a.jpgjpgjpgjpgjpgjpg", "a.jp", "a.jpgx", "a.\xff", "a.aa", "a.zzzzz", "a.0",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect_not(mismatch(names[i], "application/x-executable"), "%s promises nothing", names[i]);
	cr_expect_not(fit_mismatch(span_of("a.jpg\0", 6), span_str("text/x-php")), "a NUL is a byte of the name");
	cr_expect_not(fit_mismatch(span_of(NULL, 0), span_str("text/x-php")));
}

Test(policy_fit, types_in_any_case)
{
	cr_expect_not(mismatch("a.JPG", "Image/JPEG"));
	cr_expect_not(mismatch("a.mpg", "video/mp2t"));
	cr_expect_not(mismatch("a.doc", "application/cdfv2"));
}

Test(policy_fit, alike)
{
	static const struct {
		const char *a, *b;
		bool alike;
	} rows[] = {
		{ "a.jpg", "b.jpg", true },
		{ "a.jpg", "b.JPEG", true },
		{ "a.tar.gz", "b.tgz", true },
		{ "a", "b", true },
		{ "a", "b.unheard-of", true },
		{ "", "a.", true },
		{ ".jpg", "a", true },
		{ "a.jpg", "a", false },
		{ "a.jpg", "a.jpg.txt", false },
		{ "a.jpg", "a.jpg.unheard-of", false },
		{ "a.jpg", "a.png", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].a), m = strlen(rows[i].b);
		uint8_t *a = malloc(n > 0 ? n : 1), *b = malloc(m > 0 ? m : 1);
		cr_assert(a != NULL && b != NULL);
		memcpy(a, rows[i].a, n);
		memcpy(b, rows[i].b, m);
		cr_expect_eq(fit_alike(span_of(a, n), span_of(b, m)), rows[i].alike, "%s %s", rows[i].a, rows[i].b);
		cr_expect_eq(fit_alike(span_of(b, m), span_of(a, n)), rows[i].alike, "%s %s", rows[i].b, rows[i].a);
		free(a);
		free(b);
	}
}
