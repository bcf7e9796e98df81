/*
 * Which types go with which extension, found by running libmagic 5.44 over real files and over headers made by hand.
 *
 * Formats with a clear mark of their own (images, PDF, archives) have to show it. Those that libmagic often does not know (sound, films,
 * discs, fonts) may also be application/octet-stream, "just bytes", but never anything it did recognise. Text may be any text: which
 * language a page of text is written in is a guess, also to libmagic, so a script named notes.txt is not found here; a program named so
 * is.
 */
#include "policy/fit.h"

#include "policy/glob.h"

enum { FIT_EXTENSION_MAX = 12 }; /* with a NUL */

#define FIT_BYTES "application/octet-stream"

/* Text that libmagic recognises as more than text. Files of one or two bytes, and encodings that it can't guess, are just bytes. */
static const char *const fit_text[] = {
	"text/*", "message/*", "application/json", "application/x-ndjson", "application/javascript", "application/csv", "application/xml*",
	"application/*+xml", "image/svg+xml", "application/pgp-*", "application/x-subrip", "application/x-sylk",
	"application/x-wine-extension-ini", "application/x-setupscript", "application/x-mswinurl", "application/x-putty-private-key",
	"application/vnd.cups-ppd", "application/mac-binhex*", "application/vnd.gentoo.[em]*", "image/x-xpixmap", "image/x-portable-*",
	"image/x-xfig", FIT_BYTES, NULL,
};
static const char *const fit_certificate[] = {
	"text/*", "application/pgp-*", "application/x-putty-private-key", "application/x-pkcs*", FIT_BYTES, NULL,
};
static const char *const fit_svg[] = { "image/svg+xml", "text/xml", "application/xml", "text/html", "text/plain", NULL };
static const char *const fit_rtf[] = { "text/rtf", "application/rtf", NULL };
/* TypeScript, or an MPEG transport stream. */
static const char *const fit_typescript[] = { "text/*", "application/javascript", "video/mp2t", FIT_BYTES, NULL };

static const char *const fit_jpeg[] = { "image/jpeg", NULL };
static const char *const fit_png[] = { "image/png", "image/apng", "video/x-mng", "video/x-jng", NULL };
static const char *const fit_gif[] = { "image/gif", NULL };
static const char *const fit_webp[] = { "image/webp", NULL };
static const char *const fit_bmp[] = { "image/bmp", "image/x-ms-bmp", NULL };
static const char *const fit_tiff[] = { "image/tiff", NULL };
/* Browsers take any picture as an icon, and sites make use of that. */
static const char *const fit_icon[] = { "image/*", NULL };
static const char *const fit_heif[] = { "image/hei[cf]*", "image/avif", NULL };
static const char *const fit_jp2[] = { "image/jp[2mx]", "image/x-jp2-codestream", NULL };
static const char *const fit_psd[] = { "image/vnd.adobe.photoshop", NULL };

static const char *const fit_pdf[] = { "application/pdf", NULL };
static const char *const fit_postscript[] = { "application/postscript", "image/x-eps", "application/pdf", NULL };

/* A document is a zip whose kind shows only if its members stand in the usual order; with a password it is an OLE container. */
static const char *const fit_openxml[] = {
	"application/vnd.openxmlformats-officedocument.*", "application/zip", "application/encrypted", "application/cdfv2*", NULL,
};
static const char *const fit_opendocument[] = { "application/vnd.oasis.opendocument.*", "application/zip", NULL };
/* Office programs open, and others write, almost anything under these names. */
static const char *const fit_office[] = {
	"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint", "application/vnd.ms-office",
	"application/vnd.ms-outlook", "application/vnd.ms-project", "application/vnd.ms-publisher", "application/vnd.visio",
	"application/x-mswrite", "application/x-ole-storage", "application/cdfv2*", "application/encrypted",
	"application/vnd.openxmlformats-officedocument.*", "text/rtf", "text/plain", "text/html", "text/xml", "text/csv", NULL,
};
static const char *const fit_epub[] = { "application/epub+zip", "application/zip", NULL };
static const char *const fit_mobi[] = { "application/x-mobipocket-ebook", FIT_BYTES, NULL };

/* Anything that is a zip inside. */
static const char *const fit_zip[] = {
	"application/zip", "application/x-zip*", "application/java-archive", "application/epub+zip",
	"application/vnd.android.package-archive", "application/vnd.google-earth.kmz", "application/vnd.openxmlformats-officedocument.*",
	"application/vnd.oasis.opendocument.*", "application/vnd.comicbook*", "application/x-chrome-extension", "application/x-ios-app",
	NULL,
};
static const char *const fit_gzip[] = { "application/gzip", "application/x-gzip", NULL };
static const char *const fit_bzip2[] = { "application/x-bzip2", NULL };
static const char *const fit_xz[] = { "application/x-xz", NULL };
static const char *const fit_lzma[] = { "application/x-lzma", FIT_BYTES, NULL };
static const char *const fit_lzip[] = { "application/x-lzip", NULL };
static const char *const fit_lz4[] = { "application/x-lz4*", NULL };
static const char *const fit_zstd[] = { "application/zstd", NULL };
static const char *const fit_7z[] = { "application/x-7z-compressed", NULL };
static const char *const fit_rar[] = { "application/x-rar", "application/vnd.rar", NULL };
/* An archive of nothing is 10 KiB of NULs. */
static const char *const fit_tar[] = { "application/x-tar", "application/x-gtar", "application/x-ustar", FIT_BYTES, NULL };
static const char *const fit_cab[] = { "application/vnd.ms-cab-compressed", NULL };
static const char *const fit_deb[] = { "application/vnd.debian.binary-package", "application/x-archive", NULL };
static const char *const fit_rpm[] = { "application/x-rpm", NULL };
static const char *const fit_disc[] = { "application/x-iso9660-image", "application/x-raw-disk-image", FIT_BYTES, NULL };

static const char *const fit_sound[] = {
	"audio/*", "video/mp4", "video/ogg", "video/x-ms-asf", "video/x-matroska", "video/webm", "application/ogg", FIT_BYTES, NULL,
};
static const char *const fit_film[] = {
	"video/*", "audio/*", "application/ogg", "application/mxf", "application/vnd.rn-realmedia", FIT_BYTES, NULL,
};
static const char *const fit_wave[] = { "audio/x-wav", "audio/wav", "audio/vnd.wave", NULL };
static const char *const fit_midi[] = { "audio/midi", "audio/mid", "audio/x-midi", NULL };
static const char *const fit_flash[] = { "application/x-shockwave-flash", "application/vnd.adobe.flash.movie", NULL };

static const char *const fit_font[] = {
	"font/*", "application/font-*", "application/x-font-*", "application/vnd.ms-opentype", FIT_BYTES, NULL,
};
static const char *const fit_webfont[] = { "font/woff*", "application/font-woff*", NULL };
static const char *const fit_eot[] = { "application/vnd.ms-fontobject", FIT_BYTES, NULL };

static const char *const fit_windows[] = {
	"application/vnd.microsoft.portable-executable", "application/x-dosexec", "application/x-ms-ne-executable",
	"application/x-ms-w[34]-executable", "application/x-lx-executable", "application/x-dosdriver", "application/x-innosetup",
	"application/x-installshield", NULL,
};
static const char *const fit_installer[] = {
	"application/x-msi", "application/vnd.ms-msi", "application/x-ole-storage", "application/cdfv2*", "application/vnd.ms-office", NULL,
};
static const char *const fit_class[] = { "application/x-java-applet", "application/java-vm", NULL };
static const char *const fit_bytecode[] = { "application/x-bytecode.python", FIT_BYTES, NULL };
static const char *const fit_wasm[] = { "application/wasm", NULL };
static const char *const fit_sqlite[] = { "application/vnd.sqlite3", "application/x-sqlite3", FIT_BYTES, NULL };
static const char *const fit_access[] = { "application/x-msaccess", "application/msaccess", NULL };
static const char *const fit_torrent[] = { "application/x-bittorrent", NULL };

struct fit_row {
	char extension[FIT_EXTENSION_MAX];
	const char *const *types;
};

/* Sorted by bytes. An extension that stands for several things is not here, or has the types of all. */
static const struct fit_row fit_rows[] = {
	{ "3g2", fit_film },
	{ "3gp", fit_film },
	{ "7z", fit_7z },
	{ "aac", fit_sound },
	{ "ac3", fit_sound },
	{ "accdb", fit_access },
	{ "adoc", fit_text },
	{ "ai", fit_postscript },
	{ "aif", fit_sound },
	{ "aiff", fit_sound },
	{ "amr", fit_sound },
	{ "apk", fit_zip },
	{ "apng", fit_png },
	{ "asc", fit_certificate },
	{ "asf", fit_film },
	{ "asp", fit_text },
	{ "aspx", fit_text },
	{ "atom", fit_text },
	{ "avi", fit_film },
	{ "avif", fit_heif },
	{ "awk", fit_text },
	{ "azw", fit_mobi },
	{ "azw3", fit_mobi },
	{ "bash", fit_text },
	{ "bat", fit_text },
	{ "bib", fit_text },
	{ "bmp", fit_bmp },
	{ "bz2", fit_bzip2 },
	{ "c", fit_text },
	{ "cab", fit_cab },
	{ "cbz", fit_zip },
	{ "cc", fit_text },
	{ "cfg", fit_text },
	{ "cjs", fit_text },
	{ "class", fit_class },
	{ "cmake", fit_text },
	{ "cmd", fit_text },
	{ "cnf", fit_text },
	{ "conf", fit_text },
	{ "cpl", fit_windows },
	{ "cpp", fit_text },
	{ "crt", fit_certificate },
	{ "cs", fit_text },
	{ "csh", fit_text },
	{ "csr", fit_certificate },
	{ "css", fit_text },
	{ "csv", fit_text },
	{ "cur", fit_icon },
	{ "cxx", fit_text },
	{ "deb", fit_deb },
	{ "dib", fit_bmp },
	{ "diff", fit_text },
	{ "dll", fit_windows },
	{ "doc", fit_office },
	{ "docm", fit_openxml },
	{ "docx", fit_openxml },
	{ "dot", fit_office },
	{ "dotm", fit_openxml },
	{ "dotx", fit_openxml },
	{ "dtd", fit_text },
	{ "ear", fit_zip },
	{ "eml", fit_text },
	{ "eot", fit_eot },
	{ "eps", fit_postscript },
	{ "epub", fit_epub },
	{ "exe", fit_windows },
	{ "f4v", fit_film },
	{ "fish", fit_text },
	{ "flac", fit_sound },
	{ "flv", fit_film },
	{ "geojson", fit_text },
	{ "gif", fit_gif },
	{ "go", fit_text },
	{ "gpx", fit_text },
	{ "gradle", fit_text },
	{ "gz", fit_gzip },
	{ "h", fit_text },
	{ "heic", fit_heif },
	{ "heif", fit_heif },
	{ "hh", fit_text },
	{ "hpp", fit_text },
	{ "htaccess", fit_text },
	{ "htm", fit_text },
	{ "html", fit_text },
	{ "htpasswd", fit_text },
	{ "hxx", fit_text },
	{ "ico", fit_icon },
	{ "ics", fit_text },
	{ "ini", fit_text },
	{ "ipa", fit_zip },
	{ "iso", fit_disc },
	{ "j2k", fit_jp2 },
	{ "jar", fit_zip },
	{ "java", fit_text },
	{ "jfif", fit_jpeg },
	{ "jp2", fit_jp2 },
	{ "jpe", fit_jpeg },
	{ "jpeg", fit_jpeg },
	{ "jpg", fit_jpeg },
	{ "jpx", fit_jp2 },
	{ "js", fit_text },
	{ "json", fit_text },
	{ "jsonl", fit_text },
	{ "jsp", fit_text },
	{ "jsx", fit_text },
	{ "kml", fit_text },
	{ "kmz", fit_zip },
	{ "ksh", fit_text },
	{ "kt", fit_text },
	{ "ldif", fit_text },
	{ "less", fit_text },
	{ "log", fit_text },
	{ "lua", fit_text },
	{ "lz", fit_lzip },
	{ "lz4", fit_lz4 },
	{ "lzma", fit_lzma },
	{ "m2ts", fit_film },
	{ "m2v", fit_film },
	{ "m4", fit_text },
	{ "m4a", fit_sound },
	{ "m4b", fit_sound },
	{ "m4v", fit_film },
	{ "markdown", fit_text },
	{ "mbox", fit_text },
	{ "md", fit_text },
	{ "mdb", fit_access },
	{ "mid", fit_midi },
	{ "midi", fit_midi },
	{ "mjs", fit_text },
	{ "mk", fit_text },
	{ "mka", fit_sound },
	{ "mkv", fit_film },
	{ "mobi", fit_mobi },
	{ "mov", fit_film },
	{ "mp2", fit_sound },
	{ "mp3", fit_sound },
	{ "mp4", fit_film },
	{ "mpe", fit_film },
	{ "mpeg", fit_film },
	{ "mpg", fit_film },
	{ "mpp", fit_office },
	{ "msi", fit_installer },
	{ "mts", fit_typescript },
	{ "mxf", fit_film },
	{ "ndjson", fit_text },
	{ "nfo", fit_text },
	{ "nupkg", fit_zip },
	{ "ocx", fit_windows },
	{ "odb", fit_opendocument },
	{ "odf", fit_opendocument },
	{ "odg", fit_opendocument },
	{ "odp", fit_opendocument },
	{ "ods", fit_opendocument },
	{ "odt", fit_opendocument },
	{ "oga", fit_sound },
	{ "ogg", fit_sound },
	{ "ogm", fit_film },
	{ "ogv", fit_film },
	{ "opml", fit_text },
	{ "opus", fit_sound },
	{ "otf", fit_font },
	{ "otp", fit_opendocument },
	{ "ots", fit_opendocument },
	{ "ott", fit_opendocument },
	{ "patch", fit_text },
	{ "pdf", fit_pdf },
	{ "pem", fit_certificate },
	{ "php", fit_text },
	{ "php3", fit_text },
	{ "php4", fit_text },
	{ "php5", fit_text },
	{ "php7", fit_text },
	{ "php8", fit_text },
	{ "phps", fit_text },
	{ "phtml", fit_text },
	{ "pl", fit_text },
	{ "pm", fit_text },
	{ "png", fit_png },
	{ "po", fit_text },
	{ "potx", fit_openxml },
	{ "pps", fit_office },
	{ "ppsm", fit_openxml },
	{ "ppsx", fit_openxml },
	{ "ppt", fit_office },
	{ "pptm", fit_openxml },
	{ "pptx", fit_openxml },
	{ "properties", fit_text },
	{ "ps", fit_postscript },
	{ "ps1", fit_text },
	{ "psd", fit_psd },
	{ "py", fit_text },
	{ "pyc", fit_bytecode },
	{ "pyo", fit_bytecode },
	{ "pyw", fit_text },
	{ "qt", fit_film },
	{ "rar", fit_rar },
	{ "rb", fit_text },
	{ "rm", fit_film },
	{ "rmvb", fit_film },
	{ "rpm", fit_rpm },
	{ "rs", fit_text },
	{ "rss", fit_text },
	{ "rst", fit_text },
	{ "rtf", fit_rtf },
	{ "sass", fit_text },
	{ "scr", fit_windows },
	{ "scss", fit_text },
	{ "sed", fit_text },
	{ "sh", fit_text },
	{ "shtml", fit_text },
	{ "sql", fit_text },
	{ "sqlite", fit_sqlite },
	{ "sqlite3", fit_sqlite },
	{ "srt", fit_text },
	{ "svg", fit_svg },
	{ "svgz", fit_gzip },
	{ "swf", fit_flash },
	{ "swift", fit_text },
	{ "tar", fit_tar },
	{ "tbz", fit_bzip2 },
	{ "tbz2", fit_bzip2 },
	{ "tcl", fit_text },
	{ "tex", fit_text },
	{ "text", fit_text },
	{ "tgz", fit_gzip },
	{ "tif", fit_tiff },
	{ "tiff", fit_tiff },
	{ "toml", fit_text },
	{ "torrent", fit_torrent },
	{ "tpl", fit_text },
	{ "ts", fit_typescript },
	{ "tsv", fit_text },
	{ "tsx", fit_text },
	{ "ttc", fit_font },
	{ "ttf", fit_font },
	{ "twig", fit_text },
	{ "txt", fit_text },
	{ "txz", fit_xz },
	{ "tzst", fit_zstd },
	{ "udeb", fit_deb },
	{ "vbs", fit_text },
	{ "vcf", fit_text },
	{ "vob", fit_film },
	{ "vsd", fit_office },
	{ "vsdx", fit_openxml },
	{ "vtt", fit_text },
	{ "vue", fit_text },
	{ "war", fit_zip },
	{ "wasm", fit_wasm },
	{ "wav", fit_wave },
	{ "webm", fit_film },
	{ "webmanifest", fit_text },
	{ "webp", fit_webp },
	{ "whl", fit_zip },
	{ "wma", fit_sound },
	{ "wmv", fit_film },
	{ "woff", fit_webfont },
	{ "woff2", fit_webfont },
	{ "wsdl", fit_text },
	{ "xhtml", fit_text },
	{ "xls", fit_office },
	{ "xlsb", fit_openxml },
	{ "xlsm", fit_openxml },
	{ "xlsx", fit_openxml },
	{ "xlt", fit_office },
	{ "xltm", fit_openxml },
	{ "xltx", fit_openxml },
	{ "xml", fit_text },
	{ "xpi", fit_zip },
	{ "xsd", fit_text },
	{ "xsl", fit_text },
	{ "xslt", fit_text },
	{ "xz", fit_xz },
	{ "yaml", fit_text },
	{ "yml", fit_text },
	{ "zip", fit_zip },
	{ "zsh", fit_text },
	{ "zst", fit_zstd },
};

static const struct fit_row *fit_find(const char *extension)
{
	size_t low = 0, high = sizeof(fit_rows) / sizeof(fit_rows[0]);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(extension, fit_rows[middle].extension);
		if (order == 0)
			return &fit_rows[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The last extension in lower case. False if there is none, or none that could be in the table. */
static bool fit_extension(char *dst, struct span name)
{
	size_t start = name.n, dots = 0;
	while (dots < name.n && name.p[dots] == '.')
		dots++;
	while (start > dots && name.p[start - 1] != '.')
		start--;
	size_t n = name.n - start;
	if (start == dots || n == 0 || n >= FIT_EXTENSION_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = (char)name.p[start + i];
		if (c == '\0')
			return false;
		dst[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	dst[n] = '\0';
	return true;
}

/* NULL: no extension that promises anything. */
static const char *const *fit_types(struct span name)
{
	char extension[FIT_EXTENSION_MAX];
	if (!fit_extension(extension, name))
		return NULL;
	const struct fit_row *row = fit_find(extension);
	return row != NULL ? row->types : NULL;
}

bool fit_mismatch(struct span name, struct span type)
{
	const char *const *item = fit_types(name);
	if (item == NULL || glob_match("inode/x-empty", type, GLOB_IGNORE_CASE) || glob_match("application/x-empty", type, GLOB_IGNORE_CASE))
		return false;
	for (; *item != NULL; item++) {
		if (glob_match(*item, type, GLOB_IGNORE_CASE))
			return false;
	}
	return true;
}

bool fit_alike(struct span a, struct span b)
{
	return fit_types(a) == fit_types(b);
}
